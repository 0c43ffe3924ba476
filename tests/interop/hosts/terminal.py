"""Support: a program in a terminal of 80 columns, under tmux, and what is on its screen."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.missing import unavailable

COLUMNS, LINES = 80, 50
LOOK_SECONDS = 0.3
PATIENCE_SECONDS = 90.0


class Terminal:
    """One tmux session."""

    def __init__(self, name: str) -> None:
        self._tmux = ["tmux", "-L", name]

    def start(self, command: list[str], environ: Mapping[str, str], folder: Path) -> None:
        """Run the command, with this environment and no other."""
        size = ["-x", str(COLUMNS), "-y", str(LINES), "-c", str(folder)]
        bare = ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), *command]
        subprocess.run([*self._tmux, "new-session", "-d", *size, *bare], check=True)

    def screen(self) -> str:
        """What a person sees now."""
        shown = subprocess.run([*self._tmux, "capture-pane", "-p"], capture_output=True, encoding="utf-8", check=False)
        return shown.stdout

    def keys(self, *keys: str) -> None:
        """Type."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def wait_for(self, seen: Callable[[str], bool]) -> str:
        """The first screen that is so; a program that never shows it fails the test with its last screen."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        screen = ""
        while time.monotonic() < deadline:
            screen = self.screen()
            if seen(screen):
                return screen
            # Another program's screen can only be looked at, not waited for.
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"never shown; the last screen was:\n{screen}")

    def end(self) -> None:
        """End the session and what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)


@contextmanager
def terminal() -> Generator[Terminal]:
    """A terminal of the test's own while the block runs."""
    if shutil.which("tmux") is None:
        unavailable("there is no tmux here")
    # A name of its own: nobody else's sessions are touched.
    running = Terminal(f"blikk-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield running
    finally:
        running.end()
