"""OpenAI's Agents SDK. Against the sandbox, with a scripted model where OPENAI_API_KEY is not set:

.venv-examples-openai/bin/python agent_examples/openai_agent.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStdio, MCPServerStdioParams
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from scene import SYSTEM, Script, play, scene

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5")
CALL_SECONDS = 60  # the default of 5 s turns every longer await_payment into a failure
MAX_TURNS = 12


class ScriptedModel(Model):
    """Stands in for a model, through the SDK's own interface."""

    def __init__(self) -> None:
        self._script = Script()
        self._calls = 0

    async def get_response(self, system_instructions: Any, input: Any, *more: Any, **options: Any) -> ModelResponse:
        last = input[-1] if isinstance(input, list) else {}
        if last.get("type") == "function_call_output":
            move = self._script.after_result(result_of(last["output"]))
        else:
            move = self._script.after_person()
        if isinstance(move, str):
            text = ResponseOutputText(type="output_text", text=move, annotations=[])
            output = ResponseOutputMessage(
                id="message", type="message", role="assistant", status="completed", content=[text]
            )
            return ModelResponse(output=[output], usage=Usage(), response_id=None)
        self._calls += 1
        call = ResponseFunctionToolCall(
            type="function_call",
            call_id=f"call_{self._calls}",
            name=move["name"],
            arguments=json.dumps(move["arguments"]),
        )
        return ModelResponse(output=[call], usage=Usage(), response_id=None)

    def stream_response(self, *more: Any, **options: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def result_of(output: Any) -> dict[str, Any]:
    """The server's result in what the SDK shows a model: its text, in one or two layers of JSON."""
    found = json.loads(output) if isinstance(output, str) else output
    while isinstance(found, list) or "text" in found:
        found = found[0] if isinstance(found, list) else json.loads(found["text"])
    return found


async def main() -> int:
    """Run it; 0 only if the bank paid once."""
    real = bool(os.environ.get("OPENAI_API_KEY"))
    set_tracing_disabled(not real)
    with scene() as stage:
        params = MCPServerStdioParams(command=stage.command, args=stage.args, env=stage.env)
        async with MCPServerStdio(params, client_session_timeout_seconds=CALL_SECONDS) as server:
            model = MODEL if real else ScriptedModel()
            payer = Agent(name="payer", instructions=SYSTEM, mcp_servers=[server], model=model)
            history: list[Any] = []

            async def agent(text: str) -> str:
                history.append({"role": "user", "content": text})
                result = await Runner.run(payer, list(history), max_turns=MAX_TURNS)
                history[:] = result.to_input_list()
                return str(result.final_output)

            return await play(agent, stage)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
