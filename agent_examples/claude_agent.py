"""Claude through the Anthropic SDK's tool runner. Against the sandbox; scripted where ANTHROPIC_API_KEY is not set:

.venv-examples-claude/bin/python agent_examples/claude_agent.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx2
from anthropic import AsyncAnthropic
from anthropic.lib.tools.mcp import async_mcp_tool
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from scene import SYSTEM, Script, play, scene

MODEL = os.environ.get("ANTHROPIC_MODEL", "claude-sonnet-4-5")
CALL_SECONDS = 60  # await_payment takes up to 45 s
MAX_ROUNDS = 12


def anthropic_client() -> AsyncAnthropic:
    """The real API where there is a key, or else the SDK against a script in its HTTP client's place."""
    if os.environ.get("ANTHROPIC_API_KEY"):
        return AsyncAnthropic()
    script = Script()

    def answer(request: httpx2.Request) -> httpx2.Response:
        last = json.loads(request.content)["messages"][-1]["content"]
        results = [block for block in last if isinstance(block, dict) and block["type"] == "tool_result"]
        move = script.after_result(json.loads(results[0]["content"][0]["text"])) if results else script.after_person()
        if isinstance(move, str):
            content, reason = {"type": "text", "text": move}, "end_turn"
        else:
            number = len(json.loads(request.content)["messages"])
            use = {"type": "tool_use", "id": f"toolu_{number}", "name": move["name"], "input": move["arguments"]}
            content, reason = use, "tool_use"
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": reason}
        usage = {"input_tokens": 0, "output_tokens": 0}
        return httpx2.Response(200, json={**message, "content": [content], "stop_sequence": None, "usage": usage})

    transport = httpx2.MockTransport(answer)
    return AsyncAnthropic(api_key="scripted", http_client=httpx2.AsyncClient(transport=transport))


async def main() -> int:
    """Run it; 0 only if the bank paid once."""
    with scene() as stage:
        server = StdioServerParameters(command=stage.command, args=stage.args, env=stage.env)
        async with (
            stdio_client(server) as (read, write),
            ClientSession(read, write, read_timeout_seconds=CALL_SECONDS) as session,
            anthropic_client() as client,
        ):
            await session.initialize()
            tools = [async_mcp_tool(tool, session) for tool in (await session.list_tools()).tools]
            history: list[Any] = []

            async def agent(text: str) -> str:
                history.append({"role": "user", "content": text})
                runner = client.beta.messages.tool_runner(
                    model=MODEL,
                    max_tokens=2048,
                    system=SYSTEM,
                    tools=tools,
                    messages=list(history),
                    max_iterations=MAX_ROUNDS,
                )
                said: list[str] = []
                async for message in runner:
                    # The runner keeps its history to itself: without these lines the next turn would know nothing.
                    history.append({"role": "assistant", "content": message.content})
                    if results := await runner.generate_tool_call_response():
                        history.append(results)
                    said += [block.text for block in message.content if block.type == "text"]
                return "\n\n".join(said)

            return await play(agent, stage)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
