"""Support: what an agent is asked in a real host, as scripts, and what must come of it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from blikk_sandbox.person import approve_now
from tests.interop.hosts.model import Call, Result, Say, Script

COFFEE: dict[str, Any] = {
    "amount": 4900,
    "currency": "ISK",
    "creditor_name": "Kaffihúsið Kría ehf.",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    "idempotency_key": "host-order-1",
}


@dataclass(frozen=True)
class Scenario:
    """A script, the outcomes that its results must have, and how many payments the bank made."""

    script: Callable[[], Script]
    outcomes: tuple[str, ...]
    paid: int | None
    last_codes: tuple[str, ...] = ("",)


def _create(**changes: Any) -> Call:
    return Call("create_payment", lambda results: {**COFFEE, **changes})


def _wait(decision: str) -> Call:
    def arguments(results: list[Result]) -> dict[str, Any]:
        created = results[-1]
        # The person has read the instruction by now, and acts before the agent waits.
        approve_now(created["approval_url"], decision=decision)
        return {"payment_id": created["payment_id"], "human_informed": True}

    return Call("await_payment", arguments)


SAY = Say(lambda results: f"It is {results[-1]['outcome']}.")

SCENARIOS: dict[str, Scenario] = {
    "paid": Scenario(lambda: Script([_create(), _wait("approve"), SAY]), ("needs_human", "paid"), 1),
    "rejected": Scenario(lambda: Script([_create(), _wait("reject"), SAY]), ("needs_human", "failed"), 0),
    "again after paid": Scenario(
        lambda: Script([_create(), _wait("approve"), _create(), SAY]), ("needs_human", "paid", "paid"), 1
    ),
    "another key": Scenario(
        lambda: Script([_create(), _wait("approve"), _create(idempotency_key="host-order-2"), SAY]),
        ("needs_human", "paid", "refused"),
        1,
        # Codex declines by itself where nobody can be asked; Claude Code says that nobody was.
        ("possible_duplicate", "confirmation_declined"),
    ),
    "over the limit": Scenario(lambda: Script([_create(amount=180_000), SAY]), ("refused",), None, ("over_limit",)),
}


def payments_made(results: list[Result]) -> int:
    """How many payments the bank made, by its own record; the sandbox stands where its link points."""
    link: str = next(result["approval_url"] for result in results if result["approval_url"])
    with urllib.request.urlopen(f"http://{urlsplit(link).netloc}/_sandbox/record", timeout=5) as answer:
        return len(json.load(answer)["paid"])
