"""Which origin a request was sent to, and whether it comes from this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

_HOST: Final = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?")


def is_loopback(name: str) -> bool:
    """Whether a host's name or address can only be this machine."""
    bare = name.strip("[]")
    if bare.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def origin_of(scope: Scope) -> str:
    """The origin that the client believes it talks to; the server's own address if the Host header is bad."""
    host = Headers(scope=scope).get("host", "")
    if not _HOST.fullmatch(host):
        server = scope.get("server") or ("127.0.0.1", None)
        name = f"[{server[0]}]" if ":" in server[0] else server[0]
        host = name if server[1] is None else f"{name}:{server[1]}"
    return f"{scope.get('scheme', 'http')}://{host}"


def host_is_loopback(scope: Scope) -> bool:
    """Whether the Host header names this machine, so that no page can reach in by rebinding a DNS name."""
    match = _HOST.fullmatch(Headers(scope=scope).get("host", ""))
    return match is not None and is_loopback(match["name"])


def peer_is_loopback(scope: Scope) -> bool:
    """Whether the connection comes from this machine."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0])


def origin_is_foreign(scope: Scope) -> bool:
    """Whether a page of another origin sent the request. `null` is foreign unless the browser vouches."""
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    if origin == "null":
        # What a form sends from a page with no-referrer, even to its own origin.
        return site != "same-origin"
    return origin is not None and origin != origin_of(scope)
