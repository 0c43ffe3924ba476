"""What must be true after any crash: nothing is paid twice, and no payment of the bank's is denied or forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.payments.crash.bank import MADE, Entry
from tests.payments.crash.calls import KEY, NEW_KEY, Folder, Story


def made_for(folder: Folder, key: str, record: Sequence[Entry]) -> list[str]:
    """Ids of the payments that the bank made for this key."""
    return [entry.payment_id for entry in record if entry.event == MADE and entry.name == f"{folder.name} {key}"]


def problems(story: Story, folder: Folder, said: dict[str, Any], record: Sequence[Entry]) -> list[str]:
    """One sentence for each promise that is broken; `said` is what the last life said, `record` the bank's."""
    made, made_anew = made_for(folder, KEY, record), made_for(folder, NEW_KEY, record)
    state, payment_id = said["record"] or ("forgotten", "")
    again, new_key, before = said["again"], said["new_key"], said["before"]
    found = list(said["verify"])
    if len(made) + len(made_anew) > 1:
        found.append(f"paid twice: {made + made_anew}")
    for key, outcome in said.get("all", {}).items():
        if len(made_for(folder, key, record)) > 1:
            found.append(f"paid twice under {key}")
        if made_for(folder, key, record) and outcome.get("state") not in ("created", "unknown"):
            found.append(f"the bank made a payment for {key}, and the ledger says {outcome}")
    if made and state not in ("created", "unknown"):
        found.append(f"the bank made {made[0]}, and the ledger says {state}")
    if state == "created" and payment_id not in made:
        found.append(f"the ledger says created with the id {payment_id}, and the bank made {made}")
    if state == "unknown" and (again["error"], said["status"]["error"]) != ("outcome_unknown", "outcome_unknown"):
        found.append(f"unknown in the ledger, and not reported as that: {again}")
    if state == "unknown" and "lost" not in story.answers and (not before or "created" in before):
        found.append(f"unknown without need, after {before}")
    if state not in ("created", "unknown") and "refused" not in story.answers:
        found.append(f"neither created nor unknown in the end, but {state}")
    if state != "refused" and new_key.get("raised") != "possible_duplicate":
        found.append(f"an equal payment under a new key was not held up: {new_key}")
    return found
