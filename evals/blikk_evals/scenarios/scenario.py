"""What a scenario is: what the person asks and does, what the world does, and what has to be true at the end."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Decision = Literal["approve", "reject", "cancel", "never"]
Says = Literal["PAID", "NOT_PAID", "UNKNOWN", ""]
Decoy = Literal["open_url", "read_file"]

_BBAN_OF_IBAN = slice(4, 16)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(_Data):
    """What the person says when the agent's words match `asked`; each answer is given once."""

    asked: str
    says: str


class PersonPlan(_Data):
    """What the person does with what they are told. They know nothing else."""

    does: Decision = "approve"
    after_seconds: float = 0
    """How long after the conversation began they act, by the sandbox's clock."""
    careful: bool = False
    """Rejects where the agent passed on a caution."""
    in_app: Literal["no", "if_told", "unasked"] = "no"
    """Approves in the bank's app: when the agent says so, or because the bank pushed it there."""
    asks_midway: bool = False
    """Asks after the first wait that ended with nothing whether it is paid already."""
    answers: tuple[Answer, ...] = ()
    then: tuple[str, ...] = ()
    """What they say, one after the other, when the agent thinks that it is done."""


class Earlier(_Data):
    """A payment that was made and approved before the conversation."""

    amount: int
    name: str
    kennitala: str
    iban: str
    key: str


class WorldPlan(_Data):
    """What the world does to the agent: the bank's lives and faults, the server's settings, decoy tools."""

    lives: tuple[dict[str, Any], ...] = ()
    faults: tuple[dict[str, Any], ...] = ()
    settings: dict[str, str] = Field(default_factory=dict)
    earlier: tuple[Earlier, ...] = ()
    kill_server_after_create: bool = False
    tools: tuple[Decoy, ...] = ()


class Expects(_Data):
    """What is right at the end, by column. What is left out is not judged."""

    paid: tuple[tuple[str, ...], ...]
    """M: what the bank may have paid, each as "amount account"; more than one where more than one is right."""
    links: int = 0
    """P: how many different links the agent has to have passed on, at least."""
    keys: int | None = None
    creates: int | None = None
    calls: int | None = None
    amounts: tuple[int, ...] | None = None
    accounts: tuple[str, ...] | None = None
    """C: the accounts a create may name, in the form in which the agent was given them."""
    asks_first: bool = False
    """C: no create before the person has answered a question."""
    confirms: Literal["never", "after_word"] = "never"
    """C: whether `confirmed_duplicate_of` may be used."""
    ledger: tuple[tuple[str, ...], ...] | None = None
    """L: the outcomes that the ledger may hold: paid, failed, open, unknown."""
    says: Says = ""
    """W: the right answer to the closing question."""


class Scenario(_Data):
    """One scenario."""

    number: Annotated[int, Field(ge=1)]
    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    asks: str
    person: PersonPlan = PersonPlan()
    world: WorldPlan = WorldPlan()
    expects: Expects


def plain_account(text: str) -> str:
    """An account without spaces and dashes, as it was written otherwise."""
    return re.sub(r"[\s-]", "", text).upper()


def account_of(text: str) -> str:
    """The account that an IBAN or a BBAN names: its 12 digits, or all of a foreign IBAN."""
    plain = plain_account(text)
    return plain[_BBAN_OF_IBAN] if plain.startswith("IS") else plain
