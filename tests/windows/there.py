"""Runs there, under Wine or not: what the room of systems tells, as one line of JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.processes import ProcessIdentity, is_gone, lives
from blikk_payments.ledger.sqlite.paths import secure_file
from blikk_payments.system.loop_signals import signals_received
from blikk_payments.system.processes import look_at

LIMIT_SECONDS = 20


async def wakes_up() -> str:
    """Which signal a loop with nothing to do hears of."""
    with signals_received() as next_signal:
        threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,)).start()
        return (await asyncio.wait_for(next_signal(), LIMIT_SECONDS)).name


def refused(path: Path) -> str:
    """What is said of a ledger that cannot be made."""
    if sys.platform != "win32":
        return "The ledger cannot be opened or created"
    try:
        secure_file(path)
    except LedgerUnavailable as error:
        return error.message[:38]
    return ""


def main() -> None:
    """Look at this process, at one that lives and then does not, and at one that never was."""
    mine = ProcessIdentity.current()
    found: dict[str, object] = {"here": [lives(mine.dump()), is_gone(mine.dump())]}
    command = [sys.executable, "-c", "input(); print('answered')"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    token = replace(mine, pid=child.pid, started=look_at(child.pid).started).dump()
    found["a child"] = [lives(token), is_gone(token)]
    found["another with its pid"] = is_gone(replace(mine, pid=child.pid, started="1").dump())
    # Whoever asks with a signal ends it here.
    said, _ = child.communicate("\n", LIMIT_SECONDS)
    found["it answered after it was asked about"] = said.strip()
    found["the child that ended"] = [lives(token), is_gone(token)]
    found["a pid of nobody"] = is_gone(replace(mine, pid=0x7FFF_FFF0).dump())
    found["woken by"] = asyncio.run(wakes_up())
    found["a drive that is not there"] = refused(Path(r"Q:\blikk\ledger.sqlite3"))
    sys.stdout.write(json.dumps(found) + "\n")


main()
