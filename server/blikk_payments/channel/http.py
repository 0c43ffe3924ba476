"""One HTTP exchange with Blikk, over httpx. The only module that imports httpx; imported on first use.

Nothing of httpx gets out: an answer becomes a `RawAnswer`, every error a `NoAnswer`. (An httpx error holds the
request, and the request holds the key.)
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx

from blikk_payments.channel.answers import NoAnswer, RawAnswer
from blikk_payments.channel.certificates import tls_context
from blikk_payments.channel.deadline import Deadline
from blikk_payments.channel.proxies import proxy_for

if TYPE_CHECKING:
    from blikk_payments.channel.secret import SecretStr

MAX_CONNECTIONS = 10
MAX_IDLE_CONNECTIONS = 2

HEADERS = [
    (b"Accept", b"application/json, application/problem+json, text/html;q=0.5"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"blikk-mcp"),
]
CREATE_HEADERS = [*HEADERS, (b"Content-Type", b"application/json"), (b"Connection", b"close")]

READY_SECONDS = 10.0
"""Longest that TCP, a proxy and TLS may take together, before anything is sent."""

FIRST_BYTE = "http11.send_request_headers.started"
"""httpcore's event right before a request's first byte: CONNECT's too, which is for the proxy and not for Blikk."""

FIRST_BYTE_OF_BODY = "http11.send_request_body.started"
"""Without its body a request is no payment, but only what sent nothing at all is certain to have made none."""

UNPACKED = frozenset({"gzip", "x-gzip", "deflate"})
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


class ApiKeyAuth(httpx.Auth):
    """Puts the key on each request, and is the one place that unwraps it.

    Header name: https://docs.blikk.tech/docs/paymentchannel ("Include Api-Key header in every request").
    """

    def __init__(self, api_key: SecretStr) -> None:
        self._api_key = api_key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Api-Key"] = self._api_key.get_secret_value()
        yield request


class Http:
    """Connections to one base URL. Times are seconds."""

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        *,
        connect_seconds: float,
        read_seconds: float,
        trust_env: bool,
    ) -> None:
        self._base_url = base_url
        self._auth = ApiKeyAuth(api_key)
        # Plain HTTP is for this machine alone, and reading certificates is slow. Without any, TLS would trust nobody.
        tls = base_url.startswith("https:")
        context = tls_context(trust_env=trust_env) if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._extensions = {
            "timeout": httpx.Timeout(read_seconds, connect=connect_seconds, pool=connect_seconds).as_dict()
        }
        address = proxy_for(base_url)
        proxy = httpx.Proxy(address, ssl_context=context if address.startswith("https:") else None) if address else None

        def transport(idle_connections: int) -> httpx.AsyncHTTPTransport:
            # The transport and not a client: what a client adds (redirects, cookies, .netrc) is what must not happen.
            limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=idle_connections)
            return httpx.AsyncHTTPTransport(verify=context, trust_env=False, http2=False, limits=limits, proxy=proxy)

        self._transport = transport
        self._through_proxy = proxy is not None
        self._reads = transport(MAX_IDLE_CONNECTIONS)

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None,
        total_seconds: float,
        max_bytes: int,
        leave_by: Deadline | None = None,
    ) -> RawAnswer | NoAnswer:
        """Send one request once and read its answer within `total_seconds`. Raises nothing but cancellation.

        It does not begin to leave after `leave_by`.

        Once a status has arrived it counts, even if the body then fails.
        """
        headers = HEADERS if content is None else CREATE_HEADERS
        response: httpx.Response | None = None
        body: bytes | None = None
        now = anyio.current_time()
        scope = anyio.CancelScope(deadline=now + min(READY_SECONDS, total_seconds))
        departure = _Departure(scope, now + total_seconds, leave_by)
        with scope:
            extensions = {**self._extensions, "trace": departure}
            try:
                url = self._base_url + path
                request = httpx.Request(method, url, headers=headers, content=content, extensions=extensions)
                request = next(self._auth.auth_flow(request))
                async with self._connection(fresh=content is not None) as transport:
                    response = await transport.handle_async_request(request)
                    response.request = request
                    try:
                        body = await _bounded_body(response, max_bytes)
                    finally:
                        await response.aclose()
            except httpx.LocalProtocolError:
                # A header that may not be sent, noticed when the first byte was about to leave.
                departure.begun = False
            except Exception:  # noqa: BLE001, S110 - whatever it was: only what left before it counts
                pass
        if response is None:
            return NoAnswer(maybe_sent=departure.begun)
        return RawAnswer(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            retry_after=response.headers.get("retry-after", ""),
            body=body,
        )

    async def aclose(self) -> None:
        """Close every connection that no request is using."""
        await self._reads.aclose()

    @asynccontextmanager
    async def _connection(self, *, fresh: bool) -> AsyncGenerator[httpx.AsyncHTTPTransport]:
        """The shared connections, or one for this request alone.

        A payment on a connection that died while idle would end as an unknown outcome. And behind a proxy httpcore 1.0
        never lets go of a connection whose TLS failed in the tunnel: ten of those, and nothing could be sent any more.
        """
        if not fresh and not self._through_proxy:
            yield self._reads
            return
        transport = self._transport(0)
        try:
            yield transport
        finally:
            await transport.aclose()


class _TooLate(Exception):
    """It may not leave any more."""


class _Departure:
    """Notices whether the request began to leave, from httpcore's `trace` extension.

    The type of an error does not tell: a proxy that breaks before the tunnel stands fails as Blikk would.
    """

    def __init__(self, scope: anyio.CancelScope, answer_by: float, leave_by: Deadline | None) -> None:
        self.begun = False
        self._scope = scope
        self._answer_by = answer_by
        self._leave_by = leave_by

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event not in (FIRST_BYTE, FIRST_BYTE_OF_BODY) or info["request"].method == b"CONNECT":
            return
        before, self.begun = self.begun, True
        self._scope.deadline = self._answer_by
        # Last of all: a process that was stopped, and others have given up on, finds out here and sends no more.
        if self._leave_by is not None and self._leave_by.passed():
            self.begun = before
            raise _TooLate


async def _bounded_body(response: httpx.Response, max_bytes: int) -> bytes | None:
    """The body, unpacked if a server packed it unasked; None if it is above the bound or cannot be unpacked."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in UNPACKED and coding not in ("", "identity"):
        return None
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > max_bytes:
                return None
    return _unpacked(bytes(body), max_bytes) if coding in UNPACKED else bytes(body)


def _unpacked(body: bytes, max_bytes: int) -> bytes | None:
    """At most `max_bytes`, whatever the body would unpack to: some bytes can become gigabytes."""
    unpacker = zlib.decompressobj(wbits=_ZLIB_OR_GZIP)
    try:
        data = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        return None
    return data if unpacker.eof and not unpacker.unused_data and len(data) <= max_bytes else None
