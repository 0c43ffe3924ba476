"""An agent that is handed Icelandic bills: with the skill it does what the skill says, and without it what is plain."""

from __future__ import annotations

import re
from typing import Final

from inspect_ai.model import ChatMessage, ChatMessageSystem, GenerateConfig, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo

from blikk_evals.scripted.good import Good
from blikk_evals.scripted.model import ScriptedModel
from blikk_evals.scripted.talk import Order, Talk, Turn

SKILL_TITLE: Final = "# Pay a bill"
_SELLER: Final = re.compile(r"(?:Seljandi|Kröfuhafi): (?P<name>[^,]+), kt\. (?P<kennitala>\d{6}-\d{4})")
_ACCOUNT: Final = re.compile(r"\d{4}-\d{2}-\d{6}")
_DUE: Final = re.compile(r"Til greiðslu: (?P<amount>[\d.]+ kr)")
_NUMBER: Final = re.compile(r"(?i)reikningur nr\. (?P<number>[\d-]+)")
_CLAIM: Final = re.compile(r"(?i)greiðsluseðill|seðilnúmer|krafan")
_PLAIN: Final = str.maketrans("áéíóúýö", "aeiouyo") | str.maketrans({"þ": "th", "ð": "d", "æ": "ae"})


class Plain(Good):
    """Reads the bill rightly, takes a key of its own, and pays what looks like a bill."""

    def orders(self, talk: Talk) -> list[Order]:
        text = talk.heard[0]
        seller, account, due = _SELLER.search(text), _ACCOUNT.search(text), _DUE.search(text)
        if seller is None or account is None or due is None:
            return []
        return [Order(due["amount"], seller["name"], seller["kennitala"], account[0], self.key(text, seller["name"]))]

    def key(self, text: str, name: str) -> str:
        """What stands for this purchase."""
        return "payment-0001"


class Skilled(Plain):
    """Does what the skill says: a key from the bill's number, and no transfer for a claim."""

    def begin(self, talk: Talk) -> Turn:
        if _CLAIM.search(talk.heard[0]):
            return Turn(
                "This is a claim (krafa) in the online bank, which a transfer does not settle. Please pay it in your bank."
            )
        return super().begin(talk)

    def key(self, text: str, name: str) -> str:
        number = _NUMBER.search(text)
        words = name.lower().translate(_PLAIN).removesuffix(" ehf.").split()
        return f"bill:{'-'.join(words)}:{number['number'] if number else 'none'}"


class BillsModel(ScriptedModel):
    """`bills/scripted`: the skilled agent where the skill is in what it was told first, else the plain one."""

    def __init__(self, model_name: str, config: GenerateConfig = GenerateConfig(), **options: object) -> None:  # noqa: B008
        super().__init__("good", config=config)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        has_skill = any(isinstance(message, ChatMessageSystem) and SKILL_TITLE in message.text for message in input)
        self._agent = Skilled() if has_skill else Plain()
        return await super().generate(input, tools, tool_choice, config)
