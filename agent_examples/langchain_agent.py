"""LangChain, whose adapter speaks through the 1.x SDK of MCP. With a scripted model where ANTHROPIC_API_KEY is not set:

.venv-examples-langchain/bin/python agent_examples/langchain_agent.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from pydantic import PrivateAttr
from scene import SYSTEM, Script, play, scene

MODEL = os.environ.get("LANGCHAIN_MODEL", "anthropic:claude-sonnet-4-5")
CALL_TIME = timedelta(seconds=60)  # await_payment takes up to 45 s


class ScriptedModel(BaseChatModel):
    """Stands in for a model, through the framework's own interface."""

    _script: Script = PrivateAttr(default_factory=Script)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> ScriptedModel:
        return self

    def _generate(self, messages: list[BaseMessage], *more: Any, **options: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            # The framework shows a model the text half of a result, as a list of blocks.
            text = last.content if isinstance(last.content, str) else last.content[0]["text"]
            move = self._script.after_result(json.loads(text))
        else:
            move = self._script.after_person()
        if isinstance(move, str):
            return ChatResult(generations=[ChatGeneration(message=AIMessage(move))])
        call = {"name": move["name"], "args": move["arguments"], "id": f"call_{len(messages)}"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=[call]))])


async def main() -> int:
    """Run it; 0 only if the bank paid once."""
    model = MODEL if os.environ.get("ANTHROPIC_API_KEY") else ScriptedModel()
    with scene() as stage:
        connection: Any = {
            "transport": "stdio",
            "command": stage.command,
            "args": stage.args,
            "env": stage.env,
            "session_kwargs": {"read_timeout_seconds": CALL_TIME},
        }
        # `get_tools()` would start a process for every call; one session keeps one server.
        async with MultiServerMCPClient({"blikk": connection}).session("blikk") as session:
            payer = create_agent(model, await load_mcp_tools(session), system_prompt=SYSTEM)
            history: list[Any] = []

            async def agent(text: str) -> str:
                history.append({"role": "user", "content": text})
                state = await payer.ainvoke({"messages": list(history)})
                history[:] = state["messages"]
                return str(history[-1].text)

            return await play(agent, stage)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
