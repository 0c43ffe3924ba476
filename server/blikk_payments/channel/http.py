"""One HTTP exchange with Blikk, over httpx. The only module that imports httpx; imported on first use.

Nothing of httpx gets out: an answer becomes a `RawAnswer`, every error a `Fault`. (An httpx error holds the
request, and the request holds the key.)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import anyio
import httpx

from blikk_payments.channel.answers import Fault, RawAnswer
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

MAYBE_SENT: Mapping[type[Exception], bool] = {
    # The connection: DNS, refused, TLS handshake (httpcore maps its errors and its time-out to these).
    httpx.ConnectError: False,
    httpx.ConnectTimeout: False,
    httpx.PoolTimeout: False,
    # A proxy that refuses CONNECT: the request itself waits for the tunnel.
    httpx.ProxyError: False,
    # Raised over the URL's scheme or an illegal header, before the first byte.
    httpx.UnsupportedProtocol: False,
    httpx.LocalProtocolError: False,
    # From here on bytes may have gone out.
    httpx.ReadError: True,
    httpx.ReadTimeout: True,
    httpx.WriteError: True,
    httpx.WriteTimeout: True,
    httpx.CloseError: True,
    httpx.RemoteProtocolError: True,
    # The base classes, should httpx ever raise one.
    httpx.TransportError: True,
    httpx.TimeoutException: True,
    httpx.NetworkError: True,
    httpx.ProtocolError: True,
}
"""For each error of httpx's transport, whether Blikk may have received the request. Any other: maybe."""


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
        context = httpx.create_ssl_context(trust_env=trust_env)
        # SSLKEYLOGFILE would write down what decrypts the key. None turns it off, which stubs forget.
        context.keylog_filename = None  # pyright: ignore[reportAttributeAccessIssue] - see above
        self._extensions = {
            "timeout": httpx.Timeout(read_seconds, connect=connect_seconds, pool=connect_seconds).as_dict()
        }
        proxy = proxy_for(base_url)

        def transport(idle_connections: int) -> httpx.AsyncHTTPTransport:
            # The transport and not a client: what a client adds (redirects, cookies, .netrc) is what must not happen.
            limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=idle_connections)
            return httpx.AsyncHTTPTransport(verify=context, trust_env=False, http2=False, limits=limits, proxy=proxy)

        self._reads = transport(MAX_IDLE_CONNECTIONS)
        # A payment on a connection that died while idle would end as an unknown outcome.
        self._creates = transport(0)

    async def exchange(
        self, method: str, path: str, *, content: bytes | None, total_seconds: float, max_bytes: int
    ) -> RawAnswer | Fault:
        """Send one request once and read its answer within `total_seconds`. Raises nothing but cancellation.

        Once a status has arrived it counts, even if the body then fails.
        """
        transport = self._reads if content is None else self._creates
        headers = HEADERS if content is None else CREATE_HEADERS
        fault = Fault(maybe_sent=True)
        response: httpx.Response | None = None
        body: bytes | None = None
        with anyio.move_on_after(total_seconds):
            try:
                url = self._base_url + path
                request = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
                request = next(self._auth.auth_flow(request))
                response = await transport.handle_async_request(request)
                response.request = request
                try:
                    body = await _bounded_body(response, max_bytes)
                finally:
                    await response.aclose()
            except Exception as error:  # noqa: BLE001 - no error may pass for "nothing was sent"
                fault = Fault(maybe_sent=MAYBE_SENT.get(type(error), True))
        if response is None:
            return fault
        return RawAnswer(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            retry_after=response.headers.get("retry-after", ""),
            body=body,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._reads.aclose()
        await self._creates.aclose()


async def _bounded_body(response: httpx.Response, max_bytes: int) -> bytes | None:
    """The body as sent; None if it is compressed (a few bytes can unpack to gigabytes) or above the bound."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return None
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > max_bytes:
                return None
    return bytes(body)
