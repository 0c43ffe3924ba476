"""Exit on the signals that end a process, also before there is an event loop."""

from __future__ import annotations

import os
import signal
import sys

_ENDING = [signal.SIGTERM, signal.SIGINT]
if sys.platform == "win32":
    _ENDING.append(signal.SIGBREAK)  # Ctrl-Break, the one that another process can send

EXIT_CODES = {number: 128 + number for number in _ENDING}

LONGEST_WAIT_SECONDS: float | None = 0.25 if sys.platform == "win32" else None
"""How long a thread may wait on a lock in one go: on Windows no signal interrupts that. None: as long as it likes."""


def exit_on_signals() -> None:
    """End with the signal's exit code, also while nothing but modules is loaded.

    At once, and not by an exception: raised in the middle of an import, it becomes another error or is caught.
    """
    for number in EXIT_CODES:
        signal.signal(number, lambda number, _: os._exit(EXIT_CODES[signal.Signals(number)]))
