"""Support: the way to the database over loopback, which falls silent as a cut cable does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import anyio

from tests.payments.loopback import listening
from tests.postgres import over_loopback

CHUNK_BYTES = 65_536
CLAIM = b"INSERT INTO payments"
COMMIT = b"COMMIT"


class Wire:
    """Carries bytes both ways. Once it is silent nothing comes back any more, not even the end of a connection.

    `round_trips` counts how often the database was spoken to after it had answered.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._marks: list[bytes] = []
        self._speaking = asyncio.Event()
        self._speaking.set()
        self.silent = anyio.Event()
        self.port = 0
        self.round_trips = 0
        self._answered = True

    @property
    def address(self) -> str:
        """The ledger's address over this wire."""
        return over_loopback(self._database, self.port)

    def fall_silent_after(self, *statements: bytes) -> None:
        """Let these pass, one after the other, and then hold back every answer."""
        self._marks = list(statements)

    def speak(self) -> None:
        """Hand over what was held back, and go on."""
        self._marks = []
        self._speaking.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        folder = next(value for name, value in parse_qsl(urlsplit(self._database).query) if name == "host")
        back, forth = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        try:
            await asyncio.gather(self._there(reader, forth), self._back(back, writer))
        finally:
            forth.close()

    async def _there(self, reader: asyncio.StreamReader, forth: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                self.round_trips += self._answered
                self._answered = False
                if self._marks and self._marks[0] in data:
                    self._marks.pop(0)
                    if not self._marks:
                        self._speaking.clear()
                        self.silent.set()
                forth.write(data)
                await forth.drain()
            await self._speaking.wait()
            forth.close()

    async def _back(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await back.read(CHUNK_BYTES):
                await self._speaking.wait()
                self._answered = True
                writer.write(data)
                await writer.drain()
            await self._speaking.wait()
            writer.close()


@asynccontextmanager
async def wired(database: str) -> AsyncGenerator[Wire]:
    """A wire to the database at this address, which is on a Unix socket."""
    wire = Wire(database)
    async with listening(wire.serve) as wire.port:
        yield wire
