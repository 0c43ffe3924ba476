"""End the wait for a database that fell silent: after a cut cable the driver waits for ever."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

import psycopg

T = TypeVar("T")


class Watchdog:
    """Shuts a connection's socket if one answer takes too long. Our own work in between does not count."""

    def __init__(self, connection: psycopg.Connection[Any], seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._waiting_since: float | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.waiting()
        self._arm(self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def waiting(self) -> None:
        """An answer is waited for from now on."""
        self._waiting_since = time.monotonic()

    def answer(self, ask: Callable[[], T]) -> T:
        """What the database answers, waited for from now on; afterwards nothing is."""
        self.waiting()
        answer = ask()
        self._waiting_since = None
        return answer

    def _arm(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._look)
        timer.daemon = True
        self._timer = timer
        timer.start()

    def _look(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            since = self._waiting_since
            left = self._seconds if since is None else since + self._seconds - time.monotonic()
            if left > 0:
                self._arm(left)
                return
        with suppress(OSError, psycopg.Error):
            own = socket.socket(fileno=os.dup(self._connection.fileno()))
            try:
                own.shutdown(socket.SHUT_RDWR)
            finally:
                own.close()
