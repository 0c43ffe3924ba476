"""What the agent examples share: a sandbox, the server's command, what is asked for, a person, and a script for models.

Standard library only, so that it runs in every example's own environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "server"))  # for the sandbox's person, who needs nothing but Python

MAX_TURNS = 6
ORDER: dict[str, Any] = {
    "amount": 1500,  # whole krónur
    "currency": "ISK",
    "creditor_name": "Bókabúðin Lind",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    # Made from the purchase, not from the attempt: a retry, a restart or another agent comes to the same key.
    "idempotency_key": "order-2026-11-0042",
}
REQUEST = f"Please pay order 2026-11-0042 with these details: {json.dumps(ORDER, ensure_ascii=False)}"
DONE = "I have done what you asked me to. How did the payment end?"
SYSTEM = (
    "You make payments with the tools of blikk-mcp. Show the person each human_instruction word for word and then end "
    "your turn, so that they can act; when they come back, call await_payment with human_informed=true. Only outcome "
    "paid is paid."
)


@dataclass(frozen=True)
class Scene:
    """How to start the server, so that it pays into one sandbox however often it is started."""

    command: str
    args: list[str]
    env: dict[str, str]
    control_url: str

    def paid(self) -> list[str]:
        """The ids of the payments that the bank made: the truth, whatever the agent says."""
        with urllib.request.urlopen(f"{self.control_url}/record", timeout=10) as answer:
            return json.load(answer)["paid"]


def blikk_command() -> str:
    """The path of blikk-mcp, which `make demo` installs."""
    command = shutil.which("blikk-mcp", path=f"{ROOT / '.venv/bin'}{os.pathsep}{ROOT / '.venv/Scripts'}")
    if command is None:
        sys.exit("Run `make demo` first: it installs blikk-mcp into .venv")
    return command


@contextmanager
def scene() -> Generator[Scene]:
    """A sandbox that runs while the block does."""
    command = blikk_command()
    sandbox = subprocess.Popen(
        [command, "sandbox", "--speed", "20"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert sandbox.stdout is not None
    with sandbox, tempfile.TemporaryDirectory() as folder:
        try:
            where = json.loads(sandbox.stdout.readline())
            environment = {"BLIKK_LEDGER": str(Path(folder) / "ledger.sqlite3"), "BLIKK_LOG_LEVEL": "error"}
            yield Scene(command, ["serve", "--sandbox-at", where["base_url"]], environment, where["control_url"])
        finally:
            sandbox.terminate()


async def play(agent: Callable[[str], Awaitable[str]], scene: Scene) -> int:
    """A conversation: the person asks, does what the agent's words say, and asks how it ended. 0 if it was paid, once."""
    text = REQUEST
    for _ in range(MAX_TURNS):
        print(f"\nperson: {text}")
        said = await agent(text)
        print(f"\nagent: {said}")
        if not person_reads(said) and scene.paid():
            break
        text = DONE
    print(f"\nThe bank made {len(scene.paid())} payment(s).")
    return 0 if len(scene.paid()) == 1 else 1


def person_reads(said: str) -> bool:
    """Do what the agent's words ask for, if there is a link in them. The person knows nothing else."""
    from blikk_sandbox.person import PersonStuckError, approve_now

    links = re.findall(r"http://127\.0\.0\.1:[0-9]+/bank/[^\s\"<>)*]+", said)
    try:
        return bool(links) and bool(approve_now(links[-1]))
    except PersonStuckError:  # the link was repeated and has been used
        return False


@dataclass
class Script:
    """What a good model does, move by move. Where no model's key is set, each framework's test model asks this."""

    payment_id: str = field(default="")

    def after_person(self) -> dict[str, Any]:
        """The tool call that follows what the person said."""
        return self._await() if self.payment_id else {"name": "create_payment", "arguments": ORDER}

    def after_result(self, result: Mapping[str, Any]) -> dict[str, Any] | str:
        """The next tool call, or what the agent says."""
        self.payment_id = result["payment_id"]
        if result["outcome"] == "pending" and not result["error_code"]:
            return self._await()
        return result["human_instruction"] or f"The payment's outcome is {result['outcome']}."

    def _await(self) -> dict[str, Any]:
        return {"name": "await_payment", "arguments": {"payment_id": self.payment_id, "human_informed": True}}
