"""The scripted agents as models of Inspect's: `scripted/good`, `scripted/new_key`, …"""

from __future__ import annotations

from inspect_ai.model import ChatCompletionChoice as Choice
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.tool import ToolCall, ToolChoice, ToolInfo

from blikk_evals.scripted import AGENTS
from blikk_evals.scripted.talk import Talk

_CHARACTERS_A_TOKEN = 4


class ScriptedModel(ModelAPI):
    """A model that is a script. The conversation is all that it knows and remembers."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        if model_name not in AGENTS:
            raise ValueError(f"no such scripted agent: {model_name}; there are {', '.join(AGENTS)}")
        self._agent = AGENTS[model_name]()

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """The agent's next turn."""
        turn = self._agent.turn(Talk.of(input, frozenset(tool.name for tool in tools)))
        calls = [
            ToolCall(id=f"call_{len(input)}_{i}", function=call.tool, arguments=call.arguments)
            for i, call in enumerate(turn.calls)
        ]
        message = ChatMessageAssistant(
            content=turn.says, tool_calls=calls or None, model=self.model_name, source="generate"
        )
        output = ModelOutput(
            model=self.model_name, choices=[Choice(message=message, stop_reason="tool_calls" if calls else "stop")]
        )
        # Given here, or Inspect would count them with a tokenizer that it first has to download.
        heard, said = sum(len(each.text) for each in input), len(turn.says) + sum(len(str(call)) for call in turn.calls)
        output.usage = _usage(heard, said)
        return output


def _usage(heard: int, said: int) -> ModelUsage:
    heard, said = heard // _CHARACTERS_A_TOKEN, said // _CHARACTERS_A_TOKEN
    return ModelUsage(input_tokens=heard, output_tokens=said, total_tokens=heard + said)
