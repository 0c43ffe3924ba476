"""What happens while a paying process is stopped, and after it goes on: the lives of the others, and their oracle.

The operator is right to say that no payment was made: at that moment there is none. What would make it wrong is the
stopped process, if it sent its request all the same.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from unittest import mock

from blikk_payments.ledger.protocol import RESOLVE_AFTER_SECONDS, SENDING_LIMIT_SECONDS, IllegalTransition
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.service import Channel, PaymentService
from tests.payments.crash.bank import Entry
from tests.payments.crash.calls import KEY, Folder, Story, opened, outcome, run
from tests.payments.crash.oracle import made_for
from tests.payments.factories import at

TOO_YOUNG, STILL_ALIVE = "less than 10 minutes ago", "has not ended"
"""What the operator is told, one after the other."""


class Clock:
    """The time of a machine, wall and boot: one for a process and those forked from it, and it stands still by itself."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, struct.calcsize("d"))

    @property
    def seconds(self) -> float:
        """Seconds after noon."""
        return struct.unpack("d", self._shared[:])[0]

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._shared[:] = struct.pack("d", seconds)

    def now(self) -> datetime:
        """The wall clock."""
        return at(self.seconds)

    def since_boot(self) -> float:
        """The other clock."""
        return self.seconds


def stopped_life(story: Story, folder: Folder, clock: Clock) -> dict[str, Any]:
    """The call that is stopped, and goes on."""

    async def work(service: PaymentService, channel: Channel) -> dict[str, Any]:
        return await outcome(service.create(folder.payment()))

    return run(story, folder, clock.now, work, since_boot=clock.since_boot)


def look(folder: Folder, clock: Clock) -> dict[str, Any]:
    """Whether the key is claimed, as others see it."""
    with opened(folder) as ledger:
        return {"claimed": ledger.exists() and ledger.by_key(KEY, now=clock.now()) is not None}


def others(story: Story, folder: Folder, clock: Clock, *, overruled: bool) -> dict[str, Any]:
    """Another process and the operator, meanwhile. `overruled`: nothing keeps the operator from a wrong moment."""
    said: dict[str, Any] = {}
    clock.seconds = SENDING_LIMIT_SECONDS
    said["late"] = stopped_life(story, folder, clock)
    with opened(folder) as ledger:
        clock.seconds = RESOLVE_AFTER_SECONDS - 1
        said["young"] = _resolve(ledger, clock)
        clock.seconds = RESOLVE_AFTER_SECONDS
        said["alive"] = _resolve(ledger, clock)
        if overruled:
            with mock.patch("blikk_payments.ledger.sql.ledger.too_early", return_value=""):
                said["overruled"] = _resolve(ledger, clock)
    if overruled:
        said["sent_again"] = stopped_life(story, folder, clock)
    return said


def afterwards(story: Story, folder: Folder, clock: Clock) -> dict[str, Any]:
    """The same call once more, and what the ledger has in the end."""
    said: dict[str, Any] = {"again": stopped_life(story, folder, clock)}
    with opened(folder) as ledger:
        record = ledger.by_key(KEY, now=clock.now())
        said["record"] = [record.state.value, record.payment_id] if record else None
        said["verify"] = ledger.verify()
        said["events"] = [entry.event for entry in ledger.history(KEY)]
    return said


def _resolve(ledger: SqlLedger, clock: Clock) -> str:
    """What the operator is told who says that the payment was not made."""
    try:
        return ledger.resolve_not_created(KEY, note="not in the portal", now=clock.now()).state.value
    except IllegalTransition as error:
        return str(error)


def problems_of_a_stop(folder: Folder, said: dict[str, Any], record: Sequence[Entry]) -> list[str]:
    """One sentence for each promise that is broken; `said` is by whom it was said, `record` the bank's."""
    made = made_for(folder, KEY, record)
    meanwhile, went_on, end = said["meanwhile"], said["went_on"], said["end"]
    late = meanwhile["late"].get("state")
    found: list[str] = list(end["verify"])
    if len(made) > 1:
        found.append(f"paid twice: {made}")
    if late not in ("unknown", "created"):
        found.append(f"after {SENDING_LIMIT_SECONDS} s the others are told {meanwhile['late']}")
    if late == "unknown" and TOO_YOUNG not in meanwhile["young"]:
        found.append(f"the operator need not wait: {meanwhile['young']}")
    if late == "unknown" and STILL_ALIVE not in meanwhile["alive"]:
        found.append(f"the operator need not end the process: {meanwhile['alive']}")
    if "overruled" in meanwhile and meanwhile["sent_again"].get("payment_id") not in made:
        found.append(f"it was not sent again: {meanwhile}")
    # Half a request is no payment, but that is not certain.
    if end["record"] != (["created", *made] if made else ["unknown", ""]):
        found.append(f"the bank made {made}, and the ledger says {end['record']}")
    if went_on.get("payment_id") not in ("", *made):
        found.append(f"the bank made {made}, and who went on was told {went_on}")
    return found
