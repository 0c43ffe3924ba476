"""Support: a program in a terminal of 80 columns, under tmux, and what is on its screen."""

from __future__ import annotations

import os
import secrets
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.missing import unavailable

COLUMNS, LINES = 80, 50
PATIENCE_SECONDS = 90.0
READ_BYTES = 65_536


class Terminal:
    """One tmux session."""

    def __init__(self, name: str, folder: Path) -> None:
        """`folder`: an empty one, where the program's output is heard of."""
        self._tmux = ["tmux", "-L", name]
        self._heard = folder / "output"
        os.mkfifo(self._heard)
        # Read and write: nobody's end of it is an end of file.
        self._output = os.open(self._heard, os.O_RDWR | os.O_NONBLOCK)

    def start(self, command: list[str], environ: Mapping[str, str], folder: Path) -> None:
        """Run the command, with this environment and no other."""
        size = ["-x", str(COLUMNS), "-y", str(LINES), "-c", str(folder)]
        bare = ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), *command]
        subprocess.run([*self._tmux, "new-session", "-d", *size, *bare], check=True)
        subprocess.run([*self._tmux, "pipe-pane", f"cat > {shlex.quote(str(self._heard))}"], check=True)

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
        while not seen(screen := self.screen()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"never shown; the last screen was:\n{screen}")
            if select.select([self._output], [], [], left)[0]:
                os.read(self._output, READ_BYTES)
        return screen

    def end(self) -> None:
        """End the session and what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
        os.close(self._output)


@contextmanager
def terminal() -> Generator[Terminal]:
    """A terminal of the test's own while the block runs."""
    if shutil.which("tmux") is None:
        unavailable("there is no tmux here")
    # A name of its own: nobody else's sessions are touched.
    with TemporaryDirectory() as folder:
        running = Terminal(f"blikk-{os.getpid()}-{secrets.token_hex(4)}", Path(folder))
        try:
            yield running
        finally:
            running.end()
