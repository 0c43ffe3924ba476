"""The client against a real loopback server with real faults: what each one means for the money."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpcore
import httpx
import pytest

from blikk_payments.channel.backoff import MAX_RETRY_AFTER_SECONDS, pause_seconds, retry_after_seconds
from blikk_payments.channel.client import ChannelClient, Timeouts, is_payment_id
from blikk_payments.channel.errors import ChannelError, NotSent, ReadFailed, ReadRefused, Refused, Uncertain
from blikk_payments.channel.http import FIRST_BYTE, MAX_CONNECTIONS, READY_SECONDS
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import PaymentOrder, Status
from tests.expecting import assert_fields
from tests.payments.loopback import (
    Answer,
    Loopback,
    as_json,
    drip,
    drip_head,
    free_port,
    half_close,
    hang,
    http,
    loopback,
    raw,
    reset,
)

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c51d2"
KENNITALA = "0101302989"
IBAN = "IS140159260076545510730339"
PATIENT = Timeouts(connect_seconds=10, read_seconds=10, create_total_seconds=20, read_total_seconds=20)
IMPATIENT = Timeouts(connect_seconds=10, read_seconds=0.3, create_total_seconds=0.8, read_total_seconds=0.8)
"""For servers that never finish: the wait is real, so it is short."""

ORDER = PaymentOrder(amount_isk=1000, creditor_name="Jón Þór", creditor_ssn=KENNITALA, creditor_iban=IBAN)
CREATED = {"id": "pay-1", "status": "DRAFT", "redirectUrl": "https://bank.example/sca"}


def client(
    base_url: str,
    *,
    timeouts: Timeouts = PATIENT,
    redact: Callable[[str], str] = str,
    pauses: list[float] | None = None,
) -> ChannelClient:
    """A client that records its pauses instead of making them."""

    async def sleep(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)

    return ChannelClient(base_url, SecretStr(CANARY), timeouts=timeouts, redact=redact, sleep=sleep, jitter=lambda: 1.0)


async def create_error(server: Loopback, timeouts: Timeouts = PATIENT) -> ChannelError:
    """What `create` raises, once it is sure that one request at most was sent and no secret told."""
    channel = client(server.base_url, timeouts=timeouts)
    try:
        with pytest.raises(ChannelError) as caught:
            await channel.create(ORDER)
    finally:
        await channel.aclose()
    assert len(server.requests) <= 1
    told = f"{caught.value!s}{caught.value!r}{caught.value.bank_text}{caught.value.__context__!r}"
    assert [secret for secret in (CANARY, KENNITALA, IBAN, "127.0.0.1") if secret in told] == []
    return caught.value


async def read_error(server: Loopback, pauses: list[float] | None = None) -> ReadRefused | ReadFailed:
    """What `read` of `pay-1` raises."""
    channel = client(server.base_url, pauses=pauses)
    try:
        with pytest.raises((ReadRefused, ReadFailed)) as caught:
            await channel.read("pay-1")
    finally:
        await channel.aclose()
    return caught.value


# 2xx with id and status: created


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_2xx_with_an_id_is_a_created_payment(status: int) -> None:
    """Blikk's page: POST /payment creates; public code: with 200 or 201. Any 2xx with an id: our rule."""
    async with loopback(as_json(status, CREATED)) as server:
        channel = client(server.base_url)
        payment = await channel.create(ORDER)
        await channel.aclose()
    assert (payment.payment_id, payment.status) == ("pay-1", Status.DRAFT)
    assert payment.redirect_url == "https://bank.example/sca"
    assert [(r.method, r.target) for r in server.requests] == [("POST", "/paymentchannel/payment")]
    assert json.loads(server.requests[0].body) == ORDER.body()


@pytest.mark.parametrize("word", ["REJECTED", "SUCCESS", "SOMETHING_NEW"])
async def test_a_payment_can_be_created_in_any_status(word: str) -> None:
    """A public integrator's code: POST can answer at once with a terminal status. Unknown words: our rule."""
    async with loopback(as_json(201, {"id": "pay-1", "status": word})) as server:
        channel = client(server.base_url)
        payment = await channel.create(ORDER)
        await channel.aclose()
    assert payment.status == Status(word)


@pytest.mark.parametrize("extra", [{}, {"status": None}, {"status": 3}, {"status": ["DRAFT"]}])
async def test_a_created_payment_without_a_usable_status_is_still_created(extra: dict[str, object]) -> None:
    """A 2xx with an id is created, whatever its status."""
    async with loopback(as_json(201, {"id": "pay-1", **extra})) as server:
        channel = client(server.base_url)
        payment = await channel.create(ORDER)
        await channel.aclose()
    assert payment.status is Status.OTHER


# 400, 401, 403, 404, 413, 422 to a POST: definite


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_a_refusal_is_definite(status: int) -> None:
    """Blikk's page, error cases; 413 and 422 are what the same framework answers to malformed requests."""
    problem = {"title": "Bad Request", "detail": "Not so", "errors": [{"message": "m", "value": KENNITALA}]}
    async with loopback(as_json(status, problem)) as server:
        error = await create_error(server)
    assert (type(error), error.status) == (Refused, status)
    assert error.bank_text == "Bad Request; Not so; m"


@pytest.mark.parametrize(
    "answer",
    [
        http(400),
        http(400, b"{not json"),
        http(400, gzip.compress(b"{}"), ("Content-Encoding", "gzip")),
        http(400, b"x" * 300_000),
        raw(b"HTTP/1.1 400 Said\r\nContent-Length: 50\r\n\r\n{"),
        drip(400),
    ],
    ids=["empty", "garbage", "compressed", "huge", "cut off", "dripping"],
)
async def test_a_refusal_stays_definite_when_its_body_cannot_be_read(answer: Answer) -> None:
    """The status alone says that there is no payment."""
    async with loopback(answer) as server:
        error = await create_error(server, IMPATIENT)
    assert type(error) is Refused
    assert_fields(error, status=400, bank_text="")


# connection refused, DNS or TLS failure before the request was sent: definite


async def test_a_refused_connection_is_definite() -> None:
    """Without a connection nothing was sent."""
    channel = client(f"http://127.0.0.1:{free_port()}/paymentchannel")
    with pytest.raises(NotSent):
        await channel.create(ORDER)
    await channel.aclose()


async def test_a_name_that_does_not_resolve_is_definite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address nothing was sent."""

    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    channel = client("https://blikk.invalid/paymentchannel")
    with pytest.raises(NotSent):
        await channel.create(ORDER)
    await channel.aclose()


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Not TLS\r\n\r\n", b"", None], ids=["garbage", "end", "silence"])
async def test_a_failed_tls_handshake_is_definite_and_shows_nothing(greeting: bytes | None) -> None:
    """The request waits for TLS. An error, an end and a time-out of the handshake: all the same."""
    heard = bytearray()

    async def speak(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            try:
                heard.extend(await stream.receive())
                if greeting is None:
                    await anyio.sleep_forever()
                await stream.send(greeting or b"")
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, speak)
        timeouts = Timeouts(connect_seconds=10 if greeting is not None else 0.3)
        channel = client(f"https://127.0.0.1:{port}/paymentchannel", timeouts=timeouts)
        with pytest.raises(NotSent):
            await channel.create(ORDER)
        await channel.aclose()
        tasks.cancel_scope.cancel()
    assert [secret for secret in (CANARY, "payment", KENNITALA) if secret.encode() in heard] == []


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS_PROXY", "socks5://127.0.0.1:1"), ("SSL_CERT_FILE", "/nowhere/at/all.pem")]
)
async def test_settings_of_the_environment_that_do_not_work_are_definite(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A proxy that needs another package, or missing certificates, stop all before it is sent."""
    monkeypatch.setenv(name, value)
    channel = client("https://blikk.example/paymentchannel")
    with pytest.raises(NotSent):
        await channel.create(ORDER)
    with pytest.raises(ReadFailed):
        await channel.read("pay-1")
    await channel.aclose()


async def test_plain_http_on_this_machine_reads_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than all the rest of a sandbox's payment."""
    monkeypatch.setattr("certifi.where", lambda: "/nowhere/at/all.pem")
    async with loopback(as_json(201, CREATED)) as server:
        channel = client(server.base_url)
        assert (await channel.create(ORDER)).payment_id
        await channel.aclose()


async def test_a_key_that_cannot_be_a_header_is_definite_and_not_told() -> None:
    """The HTTP library refuses it, and puts it into its error text."""
    async with loopback(as_json(201, CREATED)) as server:
        channel = ChannelClient(server.base_url, SecretStr(CANARY + "\n"))
        with pytest.raises(NotSent) as caught:
            await channel.create(ORDER)
        await channel.aclose()
    assert server.requests == []
    assert [CANARY for text in (str(caught.value), repr(caught.value.__context__)) if CANARY in text] == []


async def test_a_closed_client_sends_nothing() -> None:
    """Shutting down must not leave an unknown outcome."""
    async with loopback(as_json(201, CREATED)) as server:
        channel = client(server.base_url)
        await channel.aclose()
        with pytest.raises(NotSent):
            await channel.create(ORDER)
    assert server.connections == 0


# everything else to a POST: outcome unknown


@pytest.mark.parametrize(
    "answer",
    [
        hang,
        reset,
        half_close,
        drip_head,
        drip(200),
        raw(b""),
        raw(b"SSH-2.0-garbage\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    ],
    ids=[
        "never answers",
        "resets",
        "half closes",
        "drips its status",
        "drips its body",
        "closes",
        "garbage",
        "cut off",
        "bad chunk",
        "endless header",
        "switches protocol",
        "only promises",
    ],
)
async def test_a_lost_answer_is_uncertain_and_never_sent_again(answer: Answer) -> None:
    """Blikk has no idempotency key and no search, so a payment may exist and must not be made twice."""
    async with loopback(answer) as server:
        error = await create_error(server, IMPATIENT)
    assert type(error) is Uncertain
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "status", [204, 205, 300, 301, 302, 303, 304, 307, 308, 402, 405, 406, 408, 409, 410, 418, 425, 429]
)
async def test_a_status_that_nobody_documents_is_uncertain(status: int) -> None:
    """What Blikk's page does not name as an error case may have made a payment."""
    async with loopback(http(status, b"", ("Location", "/paymentchannel/payment"), ("Retry-After", "0"))) as server:
        error = await create_error(server)
    assert (type(error), error.status) == (Uncertain, status)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
async def test_a_failure_of_the_server_is_uncertain(status: int) -> None:
    """Blikk's page: 500 is an unexpected failure; nothing says on which side of the payment."""
    async with loopback(as_json(status, {"title": "Internal Server Error"})) as server:
        error = await create_error(server)
    assert type(error) is Uncertain
    assert_fields(error, status=status, bank_text="Internal Server Error")


@pytest.mark.parametrize("location", ["//[", "http://\x00bad", "https://evil.example/", "/\\", "javascript:x"])
async def test_a_redirect_is_never_followed_whatever_it_points_to(location: str) -> None:
    """Following it would send the payment twice, and the key to another host."""
    line = f"HTTP/1.1 307 Said\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    async with loopback(raw(line.encode("latin-1"))) as server:
        error = await create_error(server)
    assert type(error) is Uncertain
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        http(201),
        http(201, b"<html>created</html>"),
        http(201, b"[]"),
        http(201, b'{"id": 7, "status": "DRAFT"}'),
        http(201, b'{"id": "../payment", "status": "DRAFT"}'),
        http(201, b'{"status": "DRAFT"}'),
        http(201, b'{"id": "pay-1", "id": "pay-2"}'),
        http(201, gzip.compress(json.dumps(CREATED).encode()), ("Content-Encoding", "br")),
        http(201, gzip.compress(json.dumps(CREATED).encode())[:-3], ("Content-Encoding", "gzip")),
        http(201, gzip.compress(json.dumps(CREATED).encode()) * 2, ("Content-Encoding", "gzip")),
        http(201, json.dumps(CREATED).encode(), ("Content-Encoding", "gzip")),
        http(201, gzip.compress(json.dumps(CREATED).encode() + b" " * 300_000), ("Content-Encoding", "gzip")),
        http(201, gzip.compress(json.dumps(CREATED).encode())),
        http(201, json.dumps(CREATED).encode() + b" " * 300_000),
        http(201, b"[" * 200_000),
        http(201, '{"id": "pay-1"}'.encode("utf-16")),
    ],
)
async def test_a_success_that_cannot_be_understood_is_uncertain(answer: Answer) -> None:
    """A 2xx without a usable id cannot be followed up, and money may move."""
    async with loopback(answer) as server:
        error = await create_error(server)
    assert (type(error), error.status) == (Uncertain, 201)


ERRORS_OF_TRANSPORT = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.DecodingError,
    OSError,
    RuntimeError,
]


class FailingTransport(httpx.AsyncBaseTransport):
    """Fails with one error, before or after the first byte of the request."""

    error: type[Exception] = OSError
    after_the_first_byte = False

    def __init__(self, **_: object) -> None:
        pass

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = request.extensions["trace"]
        tunnel = httpx.Request("CONNECT", request.url)
        for sent in (tunnel, request) if self.after_the_first_byte else (tunnel,):
            told = httpcore.Request(sent.method, str(sent.url))
            await trace("http11.send_request_headers.started", {"request": told})
        raise self.error("somewhere")

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("error", ERRORS_OF_TRANSPORT, ids=lambda error: error.__name__)
@pytest.mark.parametrize(("after", "meaning"), [(False, NotSent), (True, Uncertain)])
async def test_whether_anything_was_sent_is_told_by_the_first_byte_and_not_by_the_error(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception], after: bool, meaning: type[ChannelError]
) -> None:
    """A broken upload frees no key, and a proxy that breaks before the tunnel stands loses no answer."""
    monkeypatch.setattr(FailingTransport, "error", error)
    monkeypatch.setattr(FailingTransport, "after_the_first_byte", after)
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", FailingTransport)
    channel = client("https://blikk.example/paymentchannel")
    with pytest.raises(ChannelError) as caught:
        await channel.create(ORDER)
    await channel.aclose()
    assert type(caught.value) is meaning


async def test_a_server_that_resets_in_mid_upload_is_uncertain() -> None:
    """What a server did with the half that it took, nobody knows."""

    async def reset_early(stream: anyio.abc.SocketStream) -> None:
        await stream.receive(20)
        linger = struct.pack("ii", 1, 0)
        stream.extra(anyio.abc.SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await stream.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, reset_early)
        channel = client(f"http://127.0.0.1:{port}/paymentchannel")
        with pytest.raises(Uncertain):
            await channel.create(replace(ORDER, creditor_name="a" * 20_000_000))
        await channel.aclose()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_packed_answer_that_nobody_asked_for_is_unpacked(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Some servers ignore `identity`, and a payment that was created must not become an unknown one."""
    packed = http(201, pack(json.dumps(CREATED).encode()), ("Content-Encoding", coding))
    problem = http(400, pack(b'{"detail": "Not so"}'), ("Content-Encoding", coding))
    async with loopback(packed, packed, problem) as server:
        channel = client(server.base_url)
        created, read = await channel.create(ORDER), await channel.read("pay-1")
        with pytest.raises(Refused) as refused:
            await channel.create(ORDER)
        await channel.aclose()
    assert created.payment_id == "pay-1"
    assert read.payment_id == "pay-1"
    assert refused.value.bank_text == "Not so"


async def test_an_answer_that_unpacks_to_a_great_deal_is_not_unpacked() -> None:
    """A few bytes must not cost the memory of the machine."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(64)) + packer.flush()
    async with loopback(http(201, bomb, ("Content-Encoding", "gzip"))) as server:
        channel = client(server.base_url)
        tracemalloc.start()
        try:
            with pytest.raises(Uncertain):
                await channel.create(ORDER)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        await channel.aclose()
    assert most < 20 * 1024 * 1024


async def test_cancelling_a_create_propagates() -> None:
    """The caller, who keeps the claim, decides what a cancelled create means."""
    async with loopback(hang) as server:
        channel = client(server.base_url)
        with anyio.move_on_after(0.2) as scope:
            await channel.create(ORDER)
        await channel.aclose()
    assert scope.cancelled_caught


# 401, 403, 404 to a GET


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refused_read_is_not_asked_again(status: int) -> None:
    """Blikk's page: wrong key, another channel's payment, or not a payment: asking again does not help."""
    async with loopback(as_json(status, {"detail": "No"})) as server:
        error = await read_error(server)
    assert type(error) is ReadRefused
    assert_fields(error, status=status, bank_text="No")
    assert len(server.requests) == 1


# any other failure of a GET: again, with backoff


@pytest.mark.parametrize(
    "answer",
    [
        hang,
        reset,
        drip(200),
        raw(b""),
        raw(b"garbage\r\n\r\n"),
        http(200, b"{"),
        http(200, b'{"id": "pay-2", "status": "SUCCESS"}'),
        http(200, b'{"status": "SUCCESS"}'),
        *(http(status) for status in (408, 409, 425, 429, 500, 502, 503, 504)),
    ],
)
async def test_a_read_that_fails_in_passing_is_asked_again(answer: Answer) -> None:
    """One 503 must not end a wait; an answer about another payment is no answer."""
    pauses: list[float] = []
    async with loopback(answer, as_json(200, {"id": "pay-1", "status": "SUCCESS"})) as server:
        channel = client(server.base_url, timeouts=IMPATIENT, pauses=pauses)
        payment = await channel.read("pay-1")
        await channel.aclose()
    assert payment.status is Status.SUCCESS
    assert pauses[:1] == [0.5]


async def test_a_read_gives_up_after_its_attempts_with_growing_pauses() -> None:
    """Every loop has a bound; many clients must not come back at the same moment."""
    pauses: list[float] = []
    async with loopback(http(503)) as server:
        channel = client(server.base_url, pauses=pauses)
        with pytest.raises(ReadFailed) as caught:
            await channel.read("pay-1", attempts=6)
        await channel.aclose()
    assert caught.value.status == 503
    assert len(server.requests) == 6
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0]


async def test_a_server_that_cannot_be_reached_is_a_failed_read() -> None:
    """Says nothing about the payment."""
    pauses: list[float] = []
    channel = client(f"http://127.0.0.1:{free_port()}/paymentchannel", pauses=pauses)
    with pytest.raises(ReadFailed):
        await channel.read("pay-1")
    await channel.aclose()
    assert len(pauses) == 2


@pytest.mark.parametrize("status", [302, 400, 405, 410, 422])
async def test_a_read_that_will_not_get_better_is_not_asked_again(status: int) -> None:
    """Only what passes by itself is worth another try."""
    async with loopback(http(status, b"", ("Location", "/elsewhere"))) as server:
        error = await read_error(server)
    assert (type(error), error.status) == (ReadFailed, status)
    assert len(server.requests) == 1


async def test_a_wish_to_retry_later_is_honoured_within_a_question() -> None:
    """RFC 9110, Retry-After; the bound of 10 s is our rule."""
    pauses: list[float] = []
    answers = [http(429, b"", ("Retry-After", "3")), http(503, b"", ("Retry-After", "10")), http(429)]
    async with loopback(*answers) as server:
        await read_error(server, pauses)
    assert pauses == [3.0, 10.0]


@pytest.mark.parametrize(("wish", "told"), [("11", 11.0), ("90", 90.0), ("999999", MAX_RETRY_AFTER_SECONDS)])
async def test_a_wish_to_retry_much_later_ends_the_question_rather_than_being_cut_short(wish: str, told: float) -> None:
    """RFC 9110, Retry-After: nobody who asks for a longer pause is asked again before it is over."""
    pauses: list[float] = []
    async with loopback(http(429, b"", ("Retry-After", wish))) as server:
        error = await read_error(server, pauses)
    assert (len(server.requests), pauses) == (1, [])
    assert isinstance(error, ReadFailed)
    assert error.retry_after_seconds == told


async def test_a_failed_read_tells_when_to_come_back() -> None:
    """The caller's own waiting loop can keep to it."""
    async with loopback(http(429, b"", ("Retry-After", "7"))) as server:
        error = await read_error(server)
    assert isinstance(error, ReadFailed)
    assert error.retry_after_seconds == 7.0


def test_retry_after_is_read_as_seconds_or_date_and_never_fails() -> None:
    """RFC 9110, Retry-After: both forms."""
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    later = (now + timedelta(seconds=5)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    earlier = (now - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert [retry_after_seconds(header, now) for header in ("4", later, earlier)] == [4.0, 5.0, 0.0]
    for header in ("", "-1", "soon", "1e9", "٣", "Mon, 99 Foo 2026", "Sun, 01 Mar 99999 00:00:00 GMT"):
        assert retry_after_seconds(header, now) == 0.0


def test_jitter_spreads_a_pause_between_half_and_whole() -> None:
    """Many clients must not come back at the same moment."""
    assert [pause_seconds(2, jitter, 0.0) for jitter in (0.0, 0.5, 1.0)] == [0.5, 0.75, 1.0]


# the key, the address and the connection


async def test_every_request_carries_the_key_and_nothing_else_does() -> None:
    """Blikk's page: include the Api-Key header in every request, documentation and schema too."""
    document = {"openapi": "3.1.0", "info": {"title": "Payment Channel"}}
    async with loopback(
        as_json(201, CREATED),
        as_json(200, CREATED),
        as_json(200, document),
        http(200, b"<html>", content_type="text/html"),
    ) as server:
        channel = client(server.base_url + "/")
        await channel.create(ORDER)
        await channel.read("pay-1")
        assert await channel.fetch_openapi() == document
        await channel.check_docs()
        told = f"{channel!r}{vars(channel)!r}{vars(vars(channel)['_connection'])!r}"
        await channel.aclose()
    assert [request.target for request in server.requests] == [
        "/paymentchannel/payment",
        "/paymentchannel/payment/pay-1",
        "/paymentchannel/openapi.json",
        "/paymentchannel/docs",
    ]
    assert [len(request.header("Api-Key")) for request in server.requests] == [1, 1, 1, 1]
    assert [request for request in server.requests if request.header("Api-Key")[0] != CANARY] == []
    assert [request for request in server.requests if request.header("Accept-Encoding") != ["identity"]] == []
    assert [CANARY for text in (told,) if CANARY in text] == []


async def test_a_payment_id_is_encoded_into_the_path() -> None:
    """An id is opaque, and must not change which address is asked."""
    async with loopback(as_json(200, {"id": "a:b~c", "status": "PENDING"})) as server:
        channel = client(server.base_url)
        await channel.read("a:b~c")
        await channel.aclose()
    assert server.requests[0].target == "/paymentchannel/payment/a%3Ab~c"


@pytest.mark.parametrize("payment_id", ["", ".", "..", "a/b", "a?b", "a b", "á", "a\n", "%2e", "a" * 129, "٣"])
async def test_what_cannot_be_an_id_is_never_asked_for(payment_id: str) -> None:
    """Such an id would leave its place in the path."""
    async with loopback(http(200)) as server:
        channel = client(server.base_url)
        with pytest.raises(ReadRefused) as caught:
            await channel.read(payment_id)
        await channel.aclose()
    assert caught.value.status == 404
    assert server.connections == 0
    assert not is_payment_id(payment_id)


async def test_a_payment_goes_out_on_a_connection_of_its_own() -> None:
    """A connection that died while idle must not turn a payment into an unknown outcome."""
    paid = {"id": "pay-1", "status": "PENDING"}
    async with loopback(as_json(200, paid)) as server:
        channel = client(server.base_url)
        await channel.read("pay-1")
        await channel.create(ORDER)
        await channel.create(ORDER)
        await channel.read("pay-1")
        await channel.aclose()
    assert [request.connection for request in server.requests] == [1, 2, 3, 1]


@pytest.mark.parametrize("unread", [http(503, bytes(300_000)), http(503, b"?", ("Content-Encoding", "br"))])
async def test_an_answer_that_is_not_read_to_its_end_gives_its_connection_back(unread: Answer) -> None:
    """Ten of them, or any number: the next question still reaches Blikk."""
    answers = [unread] * (MAX_CONNECTIONS + 1)
    async with loopback(*answers, as_json(200, CREATED)) as server:
        channel = client(server.base_url, timeouts=replace(PATIENT, connect_seconds=1))
        for _ in answers:
            with pytest.raises(ReadFailed) as caught:
                await channel.read("pay-1", attempts=1)
            assert caught.value.status == 503
        assert (await channel.read("pay-1", attempts=1)).payment_id == "pay-1"
        await channel.aclose()


async def test_getting_ready_has_a_time_of_its_own_and_an_answer_all_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A payment that was sent is waited for; one whose connection does not come about is given up early."""
    left: list[float] = []

    async def handle(transport: object, request: httpx.Request) -> httpx.Response:
        sent = {"request": httpcore.Request("POST", "https://api.blikk.tech/")}
        for event in ("connection.connect_tcp.started", FIRST_BYTE):
            await request.extensions["trace"](event, sent)
            left.append(anyio.current_effective_deadline() - anyio.current_time())
        return httpx.Response(201, stream=httpx.ByteStream(json.dumps(CREATED).encode()))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    channel = client("https://api.blikk.tech/paymentchannel", timeouts=Timeouts(create_total_seconds=60))
    assert (await channel.create(ORDER)).payment_id == "pay-1"
    await channel.aclose()
    getting_ready, answering = left
    assert getting_ready <= READY_SECONDS < answering <= 60


@pytest.mark.parametrize(("method", "seconds"), [("create", 40), ("read", 30)])
async def test_every_bound_is_the_one_that_was_set(
    monkeypatch: pytest.MonkeyPatch, method: str, seconds: float
) -> None:
    """Connecting, each wait for more, and the whole of a create and of a read."""
    heard: list[dict[str, float]] = []
    left: list[float] = []

    async def handle(transport: object, request: httpx.Request) -> httpx.Response:
        heard.append(request.extensions["timeout"])
        sent = {"request": httpcore.Request("POST", "https://api.blikk.tech/")}
        await request.extensions["trace"](FIRST_BYTE, sent)
        left.append(anyio.current_effective_deadline() - anyio.current_time())
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(CREATED).encode()))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    timeouts = Timeouts(connect_seconds=10, read_seconds=20, create_total_seconds=40, read_total_seconds=30)
    channel = client("https://api.blikk.tech/paymentchannel", timeouts=timeouts)
    assert (await (channel.create(ORDER) if method == "create" else channel.read("pay-1"))).payment_id == "pay-1"
    await channel.aclose()
    assert heard == [{"connect": 10, "pool": 10, "read": 20, "write": 20}]
    assert [seconds - 10 < remaining <= seconds for remaining in left] == [True]


async def test_a_payments_connection_is_closed_with_it_and_a_questions_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blikk is told so, and a server that runs for weeks keeps none of them."""
    closed: list[object] = []
    real = httpx.AsyncHTTPTransport.aclose

    async def aclose(transport: httpx.AsyncHTTPTransport) -> None:
        closed.append(transport)
        await real(transport)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "aclose", aclose)
    async with loopback(as_json(200, CREATED)) as server:
        channel = client(server.base_url)
        for number in (1, 2):
            await channel.create(ORDER)
            await channel.read("pay-1")
            assert len(closed) == number
        await channel.aclose()
        assert len(closed) == 3
    assert [request.header("Connection") == ["close"] for request in server.requests] == [True, False, True, False]


@pytest.mark.parametrize(("length", "read"), [(300_000, True), (1024 * 1024 - 20, True), (1024 * 1024 + 1, False)])
async def test_blikks_own_description_may_be_longer_than_an_answer_and_is_bounded(length: int, read: bool) -> None:
    """1 MiB, as every description so far is far smaller."""
    async with loopback(as_json(200, {"a": "x" * length})) as server:
        channel = client(server.base_url)
        if read:
            assert await channel.fetch_openapi(attempts=1) == {"a": "x" * length}
        else:
            with pytest.raises(ReadFailed):
                await channel.fetch_openapi(attempts=1)
        await channel.aclose()


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("question", ["read", "fetch_openapi", "check_docs"])
async def test_a_question_is_put_as_often_as_its_asker_wants(question: str, attempts: int) -> None:
    """Whoever asks once wants to know at once."""
    async with loopback(http(503)) as server:
        channel = client(server.base_url)
        with pytest.raises(ReadFailed):
            await getattr(channel, question)(*(["pay-1"] if question == "read" else []), attempts=attempts)
        await channel.aclose()
    assert len(server.requests) == attempts


async def test_a_cookie_is_never_kept() -> None:
    """Blikk documents none, and state between calls is somebody's way to link them."""
    async with loopback(as_json(200, CREATED, ("Set-Cookie", "a=b; Path=/"))) as server:
        channel = client(server.base_url)
        await channel.read("pay-1")
        await channel.read("pay-1")
        await channel.aclose()
    assert [request.header("Cookie") for request in server.requests] == [[], []]


async def test_a_proxy_never_sees_loopback_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's traffic never leaves the machine."""
    async with loopback(as_json(200, CREATED)) as server, loopback(http(403)) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        channel = client(server.base_url)
        await channel.read("pay-1")
        await channel.aclose()
    assert proxy.connections == 0


async def test_a_netrc_file_adds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of this machine are none of Blikk's business."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with loopback(as_json(200, CREATED)) as server:
        channel = client(server.base_url)
        await channel.read("pay-1")
        await channel.aclose()
    assert server.requests[0].header("Authorization") == []


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.blikk.tech/paymentchannel",
        "http://127.0.0.1.evil.example/",
        "https://user:pass@api.blikk.tech/",
        "https://api.blikk.tech/?a=b",
        "https://api.blikk.tech/#a",
        "ftp://127.0.0.1/",
        "http://localho\u017ft/",
        # KELVIN SIGN and LONG S: `K` and `s` to who ignores case and is not told to keep to ASCII.
        "https://api.blik\u212a.tech/",
        "http\u017f://api.blikk.tech/",
        "https://api.blikk.tech/paymentchannel\u017f",
        "https://api.blikk.tech\n",
        "https://api.blikk.tech:99999/",
        "https://api.blikk.tech:65536/",
        "https://api.blikk.tech:0/",
        "",
    ],
)
def test_a_base_url_that_could_leak_the_key_is_refused(base_url: str) -> None:
    """Blikk's page: use HTTPS endpoints. Our rule: plain http on loopback only."""
    with pytest.raises(ValueError, match=r"^must be https|^has a port"):
        ChannelClient(base_url, SecretStr(CANARY))


# what Blikk sends back


async def test_the_key_in_an_answer_goes_nowhere() -> None:
    """An answer that echoes the key must not carry it to ledger, logs or agent."""

    def redact(text: str) -> str:
        return text.replace(CANARY, "[key]")

    split = "\u200b".join(CANARY)
    echo = {"id": "pay-1", "redirectUrl": f"https://bank.example/{CANARY}", "message": f"{CANARY} {split}"}
    async with loopback(as_json(201, echo), as_json(201, {"id": CANARY}), as_json(400, {"detail": split})) as server:
        channel = client(server.base_url, redact=redact)
        payment = await channel.create(ORDER)
        with pytest.raises(Uncertain) as unreadable:
            await channel.create(ORDER)
        with pytest.raises(Refused) as refused:
            await channel.create(ORDER)
        await channel.aclose()
    errors = (unreadable.value, refused.value)
    told = [repr(payment), *map(repr, errors), *(error.bank_text for error in errors)]
    assert [CANARY for text in told if CANARY in text] == []


async def test_an_id_that_is_the_key_in_another_form_is_none() -> None:
    """Who makes the client knows more forms of the key than the client does: what is said of an id counts."""
    encoded = CANARY.encode().hex()
    async with loopback(as_json(201, {**CREATED, "id": encoded}), as_json(201, {**CREATED, "id": CANARY})) as server:
        channel = ChannelClient(server.base_url, SecretStr(CANARY), timeouts=PATIENT, holds_key=encoded.__eq__)
        with pytest.raises(Uncertain):
            await channel.create(ORDER)
        assert (await channel.create(ORDER)).payment_id == CANARY
        await channel.aclose()


async def test_nothing_of_a_request_is_logged_by_the_client_itself(caplog: pytest.LogCaptureFixture) -> None:
    """Key, kennitalas and accounts are in no log, not even the HTTP library's most talkative one."""
    caplog.set_level(logging.DEBUG)
    async with loopback(as_json(201, CREATED)) as server:
        channel = client(server.base_url)
        await channel.create(ORDER)
        await channel.aclose()
    assert [secret for secret in (CANARY, KENNITALA, IBAN) if secret in caplog.text] == []


def test_importing_the_client_does_not_import_the_http_library() -> None:
    """Httpx costs start-up time in every IDE window, and a listing of tools needs none of it."""
    program = "import sys, blikk_payments.channel.client; sys.exit('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == 0
