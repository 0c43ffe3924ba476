"""The client behind a real proxy on loopback: until TLS with Blikk stands, nothing was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from blikk_payments.channel.client import ChannelClient, Timeouts
from blikk_payments.channel.errors import NotSent, ReadFailed, Uncertain
from blikk_payments.channel.http import MAX_CONNECTIONS
from blikk_payments.channel.proxies import proxy_for
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import PaymentOrder
from tests.payments.loopback import Answer, as_json, hang, http, listening, loopback, reset
from tests.payments.tls import own_certificate

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c51d2"
KENNITALA = "0101302989"
BLIKK = "https://blikk.example/paymentchannel"
ORDER = PaymentOrder(
    amount_isk=1000, creditor_name="Jón Þór", creditor_ssn=KENNITALA, creditor_iban="IS140159260076545510730339"
)
CREATED = {"id": "pay-1", "status": "DRAFT"}
PATIENT = Timeouts(connect_seconds=10, read_seconds=10, create_total_seconds=20, read_total_seconds=20)
IMPATIENT = Timeouts(connect_seconds=0.3, read_seconds=0.3, create_total_seconds=5, read_total_seconds=5)
"""For proxies that never finish: the wait is real, so it is short."""

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"

Proxy = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def proxy(
    monkeypatch: pytest.MonkeyPatch, answer: Proxy, context: ssl.SSLContext | None = None
) -> AsyncGenerator[bytearray]:
    """Run a proxy and let the environment name it; gives what it heard before it answered."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.extend(await reader.readuntil(b"\r\n\r\n"))
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with listening(serve, context) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"{'https' if context else 'http'}://localhost:{port}")
        yield heard


def says(*pieces: bytes, close: bool = True) -> Proxy:
    """Answer with these bytes, each by itself, and then end or say nothing more."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if not close:
            await asyncio.Event().wait()

    return answer


def resets(*pieces: bytes) -> Proxy:
    """Answer with these bytes and reset the connection (RST, not FIN)."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(*pieces)(reader, writer)
        if pieces:
            await reader.read(1)
        await reset(None, writer)  # pyright: ignore[reportArgumentType] - it looks at the connection only

    return answer


def forwards(port: int) -> Proxy:
    """The tunnel that a proxy is for."""

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                target.write(data)
        finally:
            target.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(TUNNEL)
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        finally:
            far_writer.transport.abort()

    return answer


def certified(folder: Path, host: str) -> ssl.SSLContext:
    """TLS of a server with a certificate of its own, which goes to a file of the folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(folder, host))
    return context


BROKEN: dict[str, Proxy] = {
    "closes after CONNECT": says(),
    "resets after CONNECT": resets(),
    "answers as SOCKS": says(b"\x05\x00"),
    "answers as SOCKS and stays": says(b"\x05\x00", close=False),
    "greets as SSH": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "greets as SMTP": says(b"220 mail.example ESMTP\r\n"),
    "sends half a status": says(b"HTTP/1.1 2"),
    "sends half a header": says(b"HTTP/1.1 200 OK\r\nVia: a"),
    "sends half a header and hangs": says(b"HTTP/1.1 200 OK\r\nVia: a", close=False),
    "sends headers without end": says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 300_000, close=False),
    "hangs": says(close=False),
    "only promises": says(b"HTTP/1.1 100 Continue\r\n\r\n" * 5),
    "switches protocols": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "refuses": says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "wants a password": says(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
    "redirects": says(b"HTTP/1.1 302 Found\r\nLocation: http://login.example\r\nContent-Length: 0\r\n\r\n"),
    "cannot reach Blikk": says(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
    "closes the tunnel": says(TUNNEL),
    "resets the tunnel": resets(TUNNEL),
    "hangs in the tunnel": says(TUNNEL, close=False),
    "speaks plain text in the tunnel": says(TUNNEL, b"HTTP/1.1 201 Created\r\n\r\n"),
}


NEVER_END = frozenset(
    {
        "answers as SOCKS and stays",
        "sends half a header and hangs",
        "sends headers without end",
        "hangs",
        "hangs in the tunnel",
    }
)
"""For these alone the wait is real, so it is short; with the others a busy machine has the time that it needs."""


def patience(story: str) -> Timeouts:
    return IMPATIENT if story in NEVER_END else PATIENT


@pytest.mark.parametrize("story", BROKEN)
async def test_a_proxy_that_breaks_before_the_tunnel_stands_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, story: str
) -> None:
    """Nothing counts as sent before TLS with Blikk stands; and the proxy hears of the host only."""
    async with proxy(monkeypatch, BROKEN[story]) as heard:
        channel = ChannelClient(BLIKK, SecretStr(CANARY), timeouts=patience(story))
        with pytest.raises(NotSent):
            await channel.create(ORDER)
        with pytest.raises(ReadFailed):
            await channel.read("pay-1", attempts=1)
        await channel.aclose()
    assert heard.count(b"CONNECT blikk.example:443 ") == 2
    assert [secret for secret in (CANARY, KENNITALA) if secret.encode() in heard] == []


@pytest.mark.parametrize("port", ["99999", "0", "65536", "-1", "a", "1"])
async def test_a_proxy_that_cannot_be_connected_to_sent_nothing(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    """A mistyped proxy is a setting to correct, and costs nobody the day's limit."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    channel = ChannelClient(BLIKK, SecretStr(CANARY), timeouts=IMPATIENT)
    with pytest.raises(NotSent):
        await channel.create(ORDER)
    await channel.aclose()


async def test_a_proxy_that_offers_another_certificate_than_blikks_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy that opens TLS is not Blikk, unless its certificate is trusted here."""
    async with (
        loopback(as_json(201, CREATED), context=certified(tmp_path, "blikk.example")) as blikk,
        proxy(monkeypatch, forwards(blikk.port)),
    ):
        channel = ChannelClient(BLIKK, SecretStr(CANARY))
        with pytest.raises(NotSent):
            await channel.create(ORDER)
        await channel.aclose()
    assert blikk.requests == []


@pytest.mark.parametrize("of_proxy", [False, True], ids=["http", "https"])
async def test_through_a_sound_proxy_a_payment_is_made_and_its_secrets_stay_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, of_proxy: bool
) -> None:
    """With `SSLKEYLOGFILE` Python would write down what decrypts the key; neither of Blikk's TLS nor a proxy's."""
    log = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    async with loopback(as_json(201, CREATED), context=certified(tmp_path, "blikk.example")) as blikk:
        trusted = (tmp_path / "certificate.pem").read_bytes()
        context = None
        if of_proxy:
            context = certified(tmp_path, "localhost")
            trusted += (tmp_path / "certificate.pem").read_bytes()
        (tmp_path / "trusted.pem").write_bytes(trusted)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
        async with proxy(monkeypatch, forwards(blikk.port), context) as heard:
            channel = ChannelClient(BLIKK, SecretStr(CANARY))
            payment = await channel.create(ORDER)
            await channel.aclose()
    assert payment.payment_id == "pay-1"
    assert [request.header("Api-Key") for request in blikk.requests] == [[CANARY]]
    assert CANARY.encode() not in heard
    assert not log.exists()


@pytest.mark.parametrize("answer", [reset, hang, http(502)], ids=["resets", "hangs", "a proxy's own 502"])
async def test_what_breaks_once_the_tunnel_stands_is_uncertain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Answer
) -> None:
    """From then on the request may have arrived."""
    async with loopback(answer, context=certified(tmp_path, "blikk.example")) as blikk:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        async with proxy(monkeypatch, forwards(blikk.port)):
            channel = ChannelClient(BLIKK, SecretStr(CANARY), timeouts=Timeouts(read_seconds=0.5))
            with anyio.fail_after(30), pytest.raises(Uncertain):
                await channel.create(ORDER)
            await channel.aclose()
    assert len(blikk.requests) == 1


async def pays(channel: ChannelClient) -> None:
    with pytest.raises(NotSent):
        await channel.create(ORDER)


async def reads(channel: ChannelClient) -> None:
    with pytest.raises(ReadFailed):
        await channel.read("pay-1", attempts=1)


@pytest.mark.parametrize(
    ("story", "attempt"),
    [
        ("closes after CONNECT", pays),
        ("greets as SSH", pays),
        ("speaks plain text in the tunnel", pays),
        ("hangs", pays),
        ("closes after CONNECT", reads),
        ("hangs", reads),
    ],
)
async def test_a_proxy_that_keeps_breaking_leaves_no_connection_behind(
    monkeypatch: pytest.MonkeyPatch, story: str, attempt: Callable[[ChannelClient], Awaitable[None]]
) -> None:
    """A pool that fills up with dead connections would fail for a reason of its own, and for good."""
    async with proxy(monkeypatch, BROKEN[story]) as heard:
        channel = ChannelClient(BLIKK, SecretStr(CANARY), timeouts=Timeouts(connect_seconds=0.2, read_seconds=0.05))
        # On a busy machine an attempt can end before the proxy has heard of it: what counts is that enough get there.
        for _ in range(2 * (MAX_CONNECTIONS + 2)):
            await attempt(channel)
            if heard.count(b"CONNECT ") > MAX_CONNECTIONS + 1:
                break
        await channel.aclose()
    assert heard.count(b"CONNECT ") > MAX_CONNECTIONS + 1


PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": "proxy.example:3128"}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other.example"}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "other.example"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "blikk.example"}, None),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "*"}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names_for_the_address(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: str | None
) -> None:
    """As curl and Python's own clients take it; and loopback never has one."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(BLIKK) == expected
    for loopback_url in ("http://127.0.0.1:8080/x", "https://localhost/x", "http://[::1]:1/"):
        assert proxy_for(loopback_url) is None
