"""Support: a model on loopback that plays a script, in the four wire formats that agents' programs speak.

Which step comes next is read from the request alone: as many steps are done as there are tool results in it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

Result = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool to call; `arguments` is given the results so far."""

    tool: str
    arguments: Callable[[list[Result]], Mapping[str, Any]]


@dataclass(frozen=True)
class Say:
    """What to say to the person; given the results so far."""

    text: Callable[[list[Result]], str]


Step = Call | Say


@dataclass
class Script:
    """The steps of one conversation, and what the client showed the model."""

    steps: list[Step]
    results: list[Result] = field(default_factory=list[Result])
    tools: set[str] = field(default_factory=set[str])
    failures: list[str] = field(default_factory=list[str])
    shown: str = ""
    """The last request as it came, for what a client tells its model besides tools: instructions and skills."""

    def next(
        self, texts: list[str], offered: list[str], notices: Sequence[str] = ()
    ) -> tuple[str, dict[str, Any]] | str:
        """The next tool call with its name as the client knows it, or the words to say.

        `notices`: what the client told the model besides, which brings results and is no step.
        """
        results = [found for text in (*texts, *notices) if (found := result_in(text)) is not None]
        self.results = max(self.results, results, key=len)
        self.tools |= set(offered)
        step = self.steps[min(len(texts), len(self.steps) - 1)]
        if isinstance(step, Say):
            return step.text(results)
        name = next((name for name in offered if name.endswith(step.tool)), f"mcp__blikk__{step.tool}")
        return name, dict(step.arguments(results))


def result_in(text: str) -> Result | None:
    """The flat result of our server inside what a client made of it."""
    decoder = json.JSONDecoder()
    for start in (index for index, character in enumerate(text) if character == "{"):
        try:
            found, _ = decoder.raw_decode(text[start:])
        except ValueError:
            continue
        found = _innermost(found)
        if found is not None:
            return found
    return None


def _innermost(found: Any) -> Result | None:
    if isinstance(found, dict):
        whole = cast(dict[str, Any], found)
        if "outcome" in whole and "next_step" in whole:
            return whole
        return next((inner for value in whole.values() if (inner := _innermost(value)) is not None), None)
    if isinstance(found, list):
        return next((inner for value in cast(list[Any], found) if (inner := _innermost(value)) is not None), None)
    return result_in(found) if isinstance(found, str) and "outcome" in found else None


@contextmanager
def scripted_model(script: Script) -> Generator[str]:
    """Serve the script on loopback while the block runs; gives the server's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send(json.dumps({"data": [], "models": []}), "application/json")

        do_HEAD = do_GET

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            try:
                body: dict[str, Any] = json.loads(raw)
                script.shown = raw.decode("utf-8") if "tools" in body else script.shown
                answer = _answer(self.path, body, script)
            except Exception as error:
                script.failures.append(f"{self.path}: {error!r}")
                self._send(json.dumps({"error": {"message": "the script failed"}}), "application/json", 400)
                return
            if isinstance(answer, str):
                self._send(answer, "text/event-stream")
            else:
                self._send(json.dumps(answer), "application/json")

        def _send(self, text: str, kind: str, status: int = 200) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _answer(path: str, body: dict[str, Any], script: Script) -> dict[str, Any] | str:
    if "count_tokens" in path.lower() or "counttokens" in path.lower():
        return {"input_tokens": 1, "totalTokens": 1}
    if "/messages" in path:
        return _anthropic(body, script)
    if "/responses" in path:
        return _responses(body, script)
    if "/chat/completions" in path:
        return _chat(body, script)
    if "enerateContent" in path:
        return _gemini(path, body, script)
    return {}


def _events(*events: dict[str, Any]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _joined(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = cast(list[dict[str, Any]], content or [])
    return "\n".join(str(part.get("text", "")) for part in parts)


# Anthropic's Messages: Claude Code.


def _anthropic(body: dict[str, Any], script: Script) -> dict[str, Any] | str:
    offered = [tool["name"] for tool in body.get("tools", [])]
    texts: list[str] = []
    notices: list[str] = []
    for message in body["messages"]:
        if isinstance(message["content"], list):
            blocks = cast(list[dict[str, Any]], message["content"])
            texts += [_joined(block.get("content")) for block in blocks if block["type"] == "tool_result"]
            notices += [block["text"] for block in blocks if "<task-notification>" in block.get("text", "")]
    said = script.next(texts, offered, notices) if offered else "{}"
    if isinstance(said, str):
        block: dict[str, Any]
        block, delta, reason = {"type": "text", "text": ""}, {"type": "text_delta", "text": said}, "end_turn"
        whole: dict[str, Any] = {"type": "text", "text": said}
    else:
        name, arguments = said
        number = f"toolu_{len(texts):04d}"
        block = {"type": "tool_use", "id": number, "name": name, "input": {}}
        delta, reason = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}, "tool_use"
        whole = {"type": "tool_use", "id": number, "name": name, "input": arguments}
    usage = {"input_tokens": 1, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "scripted"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    if not body.get("stream"):
        return {**message, "content": [whole], "stop_reason": reason}
    return _events(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    )


# OpenAI's Responses: Codex.


def _responses(body: dict[str, Any], script: Script) -> str:
    offered: dict[str, str] = {}
    for tool in body.get("tools", []):
        for inner in tool.get("tools", [tool]):
            if "name" in inner:
                offered[inner["name"]] = tool["name"] if "tools" in tool else ""
    texts: list[str] = []
    for item in body["input"]:
        if item.get("type") == "function_call_output":
            output = item["output"]
            texts.append(output if isinstance(output, str) else _joined(output))
    said = script.next(texts, list(offered))
    if isinstance(said, str):
        item: dict[str, Any] = {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "content": [{"type": "output_text", "text": said, "annotations": []}],
        }
    else:
        name, arguments = said
        item = {
            "type": "function_call",
            "id": f"fc_{len(texts)}",
            "call_id": f"call_{len(texts)}",
            "name": name,
            "arguments": json.dumps(arguments),
        }
        if offered.get(name):
            item["namespace"] = offered[name]
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    return _events(
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}},
    )


# OpenAI's chat completions: opencode.


def _chat(body: dict[str, Any], script: Script) -> dict[str, Any] | str:
    offered = [tool["function"]["name"] for tool in body.get("tools", [])]
    texts = [_joined(message["content"]) for message in body["messages"] if message["role"] == "tool"]
    said = script.next(texts, offered) if offered else "a title"
    if isinstance(said, str):
        delta: dict[str, Any] = {"role": "assistant", "content": said}
        reason = "stop"
    else:
        name, arguments = said
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": 0, "id": f"call_{len(texts)}", "type": "function", "function": function}
        delta, reason = {"role": "assistant", "tool_calls": [call]}, "tool_calls"
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    base: dict[str, Any] = {"id": "chat_1", "created": 1, "model": body.get("model", "scripted"), "usage": usage}
    if not body.get("stream"):
        return {
            **base,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": delta, "finish_reason": reason}],
        }
    chunks: list[dict[str, Any]] = [
        {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


# Google's generateContent: Gemini CLI.


def _gemini(path: str, body: dict[str, Any], script: Script) -> dict[str, Any] | str:
    offered = [declared["name"] for tool in body.get("tools", []) for declared in tool.get("functionDeclarations", [])]
    texts: list[str] = []
    for content in body["contents"]:
        for part in content.get("parts", []):
            if "functionResponse" in part:
                texts.append(json.dumps(part["functionResponse"]["response"], ensure_ascii=False))
    said = script.next(texts, offered) if offered else "{}"
    part = {"text": said} if isinstance(said, str) else {"functionCall": {"name": said[0], "args": said[1]}}
    answer = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    }
    return f"data: {json.dumps(answer)}\n\n" if "stream" in path else answer
