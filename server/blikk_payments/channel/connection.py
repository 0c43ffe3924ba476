"""A connection to one base URL with one key, opened on first use: importing httpx is slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blikk_payments.channel.answers import NoAnswer, RawAnswer
from blikk_payments.channel.base_url import parse_base_url
from blikk_payments.channel.links import is_loopback
from blikk_payments.channel.strict_json import MAX_ANSWER_BYTES

if TYPE_CHECKING:
    from blikk_payments.channel.deadline import Deadline
    from blikk_payments.channel.http import Http
    from blikk_payments.channel.secret import SecretStr


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds in seconds. The totals bound one exchange as a whole, also one whose answer only drips."""

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    create_total_seconds: float = 25.0
    read_total_seconds: float = 10.0


DEFAULT_TIMEOUTS = Timeouts()


class Connection:
    """Sends each request once. The base URL is kept whole, its path included, and paths hang below it."""

    def __init__(self, base_url: str, api_key: SecretStr, timeouts: Timeouts) -> None:
        """Open nothing yet.

        Raises:
            ValueError: the base URL is not https (http on loopback), or has more than host, port and path.
        """
        self._base_url = parse_base_url(base_url)
        self._loopback = is_loopback(self._base_url)
        self._api_key = api_key
        self._timeouts = timeouts
        self._http: Http | None = None
        self._closed = False

    def prepare(self) -> None:
        """Load the HTTP library, which is slow, and connect to nothing."""
        self._open()

    async def post(self, path: str, content: bytes, leave_by: Deadline | None = None) -> RawAnswer | NoAnswer:
        """Post JSON, on a fresh connection, unless it is too late for that. Raises nothing but cancellation."""
        seconds = self._timeouts.create_total_seconds
        return await self._exchange("POST", path, content, seconds, MAX_ANSWER_BYTES, leave_by)

    async def get(self, path: str, *, max_bytes: int) -> RawAnswer | NoAnswer:
        """Get a path; a larger answer than `max_bytes` has no body. Raises nothing but cancellation."""
        return await self._exchange("GET", path, None, self._timeouts.read_total_seconds, max_bytes)

    async def aclose(self) -> None:
        """Close the connections. Later requests are faults that were never sent."""
        self._closed = True
        if self._http is not None:
            await self._http.aclose()

    async def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | None,
        total_seconds: float,
        max_bytes: int,
        leave_by: Deadline | None = None,
    ) -> RawAnswer | NoAnswer:
        http = self._open()
        if http is None:
            return NoAnswer(maybe_sent=False)
        return await http.exchange(
            method, path, content=content, total_seconds=total_seconds, max_bytes=max_bytes, leave_by=leave_by
        )

    def _open(self) -> Http | None:
        """The connections; None once closed, or if the environment's proxy or certificates do not work."""
        if self._closed:
            return None
        if self._http is None:
            from blikk_payments.channel.http import Http

            try:
                self._http = Http(
                    self._base_url,
                    self._api_key,
                    connect_seconds=self._timeouts.connect_seconds,
                    read_seconds=self._timeouts.read_seconds,
                    # Traffic that never leaves this machine is no business of a proxy.
                    trust_env=not self._loopback,
                )
            except Exception:  # noqa: BLE001 - say, no such certificate file: nothing is sent
                return None
        return self._http
