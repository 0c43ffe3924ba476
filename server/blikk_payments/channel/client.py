"""The client of Blikk's Payment Channel API: one call, one typed answer or one typed error.

Endpoints, header and the meaning of status codes: https://docs.blikk.tech/docs/paymentchannel. What a lost
answer means is ours: there is no idempotency key and no search, so a POST is sent once, and is definite or
uncertain.
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import anyio

from blikk_payments.channel.answers import NoAnswer, RawAnswer, is_payment_id, parse_payment, problem_text
from blikk_payments.channel.backoff import LONGEST_PAUSE_SECONDS, pause_seconds, retry_after_seconds
from blikk_payments.channel.connection import DEFAULT_TIMEOUTS, Connection, Timeouts
from blikk_payments.channel.errors import NotSent, ReadFailed, ReadRefused, Refused, Uncertain
from blikk_payments.channel.strict_json import MAX_ANSWER_BYTES, Unreadable, map_strings, parse_object
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder

if TYPE_CHECKING:
    from blikk_payments.channel.secret import SecretStr

__all__ = ["ChannelClient", "Timeouts", "is_payment_id"]

DEFINITE = frozenset({400, 401, 403, 404, 413, 422})
"""Statuses to a POST after which there is no payment. 405 and 409 are undocumented, so uncertain."""

READ_REFUSED = frozenset({401, 403, 404})
TRANSIENT = frozenset({408, 409, 425, 429})
"""With every 5xx: statuses to a GET after which it is asked again."""

MAX_ATTEMPTS = 10
MAX_OPENAPI_BYTES = 1024 * 1024

T = TypeVar("T")


def _unchanged(text: str) -> str:
    return text


class ChannelClient:
    """Blikk's API behind one base URL and one key. Opens nothing before the first call; close it after."""

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        redact: Callable[[str], str] = _unchanged,
        holds_key: Callable[[str], bool] | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`redact` is applied to every string taken from an answer; `jitter` gives a number from 0 to 1.

        An id is no text to be redacted: one that `holds_key` (by default, with the key as it is in it) is none.

        Raises:
            ValueError: the base URL is not https (http on loopback), or has more than host, port and path.
        """
        self._connection = Connection(base_url, api_key, timeouts)
        self._redact = redact

        def holds_the_key_as_it_is(text: str) -> bool:
            return api_key.get_secret_value() in text

        self._holds_key = holds_key or holds_the_key_as_it_is
        self._sleep = sleep
        self._jitter = jitter

    def prepare(self) -> None:
        """Load what is needed to send, so that the first payment finds it there."""
        self._connection.prepare()

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """Create the payment: sent exactly once, on a fresh connection. A 2xx with an id is created.

        Raises:
            NotSent: no connection; definitely no payment.
            Refused: Blikk refused; definitely no payment.
            Uncertain: the payment may exist.
        """
        answer = await self._connection.post("/payment", json.dumps(order.body()).encode(), order.deadline)
        if isinstance(answer, NoAnswer):
            if not answer.maybe_sent:
                raise NotSent("Blikk could not be reached; nothing was sent.")
            raise Uncertain("The connection to Blikk failed before its answer arrived.")
        status = answer.status
        if status in DEFINITE:
            raise Refused(
                f"Blikk refused the payment (HTTP {status}).",
                status=status,
                bank_text=self._bank_text(answer),
            )
        payment = self._payment(answer) if 200 <= status < 300 else None
        if payment is None:
            raise Uncertain(
                f"Blikk's answer does not tell whether the payment was created (HTTP {status}).",
                status=status,
                bank_text=self._bank_text(answer),
            )
        return payment

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """What Blikk says of the payment now, asked up to `attempts` times (10 at most) with backoff.

        An id that Blikk cannot have given is refused as 404, without asking.

        Raises:
            ReadRefused: 401, 403 or 404.
            ReadFailed: anything else.
        """
        if not is_payment_id(payment_id):
            raise ReadRefused("No payment of Blikk's has such an id.", status=404)

        def parse(answer: RawAnswer) -> ChannelPayment:
            payment = parse_payment(answer.body, self._redact, self._holds_key)
            if payment.payment_id != payment_id:
                raise Unreadable("it was about another payment")
            return payment

        return await self._get(f"/payment/{quote(payment_id, safe='')}", parse, attempts)

    async def fetch_openapi(self, *, attempts: int = 3) -> dict[str, Any]:
        """Blikk's live OpenAPI document, as strict JSON of at most 1 MiB.

        Raises:
            ReadRefused: 401, 403 or 404.
            ReadFailed: anything else.
        """

        def parse(answer: RawAnswer) -> dict[str, Any]:
            document = parse_object(answer.body, max_bytes=MAX_OPENAPI_BYTES)
            return map_strings(document, self._redact)

        return await self._get("/openapi.json", parse, attempts, max_bytes=MAX_OPENAPI_BYTES)

    async def check_docs(self, *, attempts: int = 3) -> None:
        """Ask for the documentation page, which takes the key as everything does; its content is not read.

        Raises:
            ReadRefused: 401, 403 or 404.
            ReadFailed: anything else.
        """
        await self._get("/docs", lambda answer: None, attempts)

    async def aclose(self) -> None:
        """Close the connections. Later calls fail without sending anything."""
        await self._connection.aclose()

    async def _get(
        self,
        path: str,
        parse: Callable[[RawAnswer], T],
        attempts: int,
        *,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> T:
        failure = ReadFailed("Blikk was not asked.")
        for attempt in range(min(max(attempts, 1), MAX_ATTEMPTS)):
            if attempt:
                await self._sleep(pause_seconds(attempt, self._jitter(), failure.retry_after_seconds))
            answer = await self._connection.get(path, max_bytes=max_bytes)
            if isinstance(answer, NoAnswer):
                failure = ReadFailed("Blikk could not be reached, or did not answer in time.")
                continue
            status = answer.status
            if status in READ_REFUSED:
                raise ReadRefused(
                    f"Blikk refused to answer (HTTP {status}).",
                    status=status,
                    bank_text=self._bank_text(answer),
                )
            if 200 <= status < 300:
                try:
                    return parse(answer)
                except Unreadable as problem:
                    failure = ReadFailed(f"Blikk's answer could not be used: {problem}.", status=status)
                continue
            failure = ReadFailed(
                f"Blikk did not answer the question (HTTP {status}).",
                status=status,
                bank_text=self._bank_text(answer),
                retry_after_seconds=retry_after_seconds(answer.retry_after, datetime.now(UTC)),
            )
            passes = status in TRANSIENT or status >= 500
            if not passes or failure.retry_after_seconds > LONGEST_PAUSE_SECONDS:
                break
        raise failure

    def _payment(self, answer: RawAnswer) -> ChannelPayment | None:
        try:
            return parse_payment(answer.body, self._redact, self._holds_key)
        except Unreadable:
            return None

    def _bank_text(self, answer: RawAnswer) -> str:
        return problem_text(answer, self._redact)
