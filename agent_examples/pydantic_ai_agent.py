"""Pydantic AI. Against the sandbox, with its own FunctionModel where ANTHROPIC_API_KEY is not set:

.venv-examples-pydantic-ai/bin/python agent_examples/pydantic_ai_agent.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.function import AgentInfo, FunctionModel
from scene import SYSTEM, Script, play, scene

MODEL = os.environ.get("PYDANTIC_AI_MODEL", "anthropic:claude-sonnet-4-5")
CALL_SECONDS = 60  # await_payment takes up to 45 s


def scripted_model() -> FunctionModel:
    """The framework's model for tests: a function that is asked for each next message."""
    script = Script()

    def next_message(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        move = script.after_result(result_of(returned[0].content)) if returned else script.after_person()
        if isinstance(move, str):
            return ModelResponse(parts=[TextPart(move)])
        return ModelResponse(parts=[ToolCallPart(move["name"], move["arguments"])])

    return FunctionModel(next_message)


def result_of(content: Any) -> dict[str, Any]:
    """A result that is well comes as a dict, a refusal as its text."""
    return json.loads(content) if isinstance(content, str) else dict(content)


async def main() -> int:
    """Run it; 0 only if the bank paid once."""
    model = MODEL if os.environ.get("ANTHROPIC_API_KEY") else scripted_model()
    with scene() as stage:
        # A refusal is an answer: with the default, `retry`, the model is told to try the same call again.
        tools = MCPToolset(
            StdioTransport(stage.command, stage.args, env=stage.env, keep_alive=False),
            read_timeout=CALL_SECONDS,
            tool_error_behavior="failed",
        )
        payer = Agent(model, system_prompt=SYSTEM, toolsets=[tools])
        history: Sequence[ModelMessage] = []

        async def agent(text: str) -> str:
            nonlocal history
            result = await payer.run(text, message_history=history)
            history = result.all_messages()
            return result.output

        async with payer:
            return await play(agent, stage)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
