"""The one grammar of approval links.

A link is where a person proves who they are, so it is checked as a whole string by a grammar of our own:
every URL parser tried (`urlsplit`, httpx) could be fooled about the host. The rules are ours; that
`redirectUrl` is where the person completes SCA is Blikk's: https://docs.blikk.tech/docs/paymentchannel
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LINK_LENGTH = 2_048
"""Characters, all ASCII."""

_MAX_HOST_LENGTH = 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# RFC 3986, less the apostrophe: it ends attributes in HTML, and no bank needs it.
_CHARACTERS = r"(?:[a-z0-9\-._~!$&()*+,;=:@/{more}]|%[0-9a-f]{{2}})*"
_PATH, _QUERY = _CHARACTERS.format(more=""), _CHARACTERS.format(more="?")
_REST = rf"(?:/{_PATH})?(?:\?{_QUERY})?(?:#{_QUERY})?"
# ASCII everywhere: ignoring case alone takes U+017F for an s and U+212A for a k.
_FLAGS = re.IGNORECASE | re.ASCII
_HTTPS = re.compile(rf"https://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?P<port>:[0-9]*)?{_REST}", _FLAGS)
_LOOPBACK = re.compile(rf"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost)(?::(?P<port>[0-9]{{1,5}}))?{_REST}", _FLAGS)
_BASE_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(?:/.*)?", _FLAGS)
# What a browser reads as an IPv4 address, in decimal, octal or hex: it looks at the last label only.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")


class LinkRefused(ValueError):
    """The link may not be shown. `reason` is a fixed phrase and holds nothing of the link."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Link:
    """A link that a person may open, as it came; its host in lower case. `punycode` asks for a warning."""

    url: str
    host: str
    punycode: bool


def check_link(url: str, *, allowed_hosts: tuple[str, ...] = (), allow_loopback_http: bool = False) -> Link:
    """The link, if it is https on port 443 to a full DNS name, one of `allowed_hosts` or below if any are.

    `allow_loopback_http`, for a base URL that is loopback itself, also takes plain http to this machine,
    whatever the allowed hosts.

    Raises:
        LinkRefused: anything else.
    """
    if len(url) > MAX_LINK_LENGTH:
        raise LinkRefused("the link is too long")
    if allow_loopback_http and (local := _LOOPBACK.fullmatch(url)) and int(local["port"] or 80) in range(1, 65_536):
        return Link(url, local["host"].lower(), punycode=False)
    match = _HTTPS.fullmatch(url)
    if match is None:
        raise LinkRefused("the link is not a plain https address")
    if match["port"] not in (None, ":443"):
        raise LinkRefused("the link names another port than 443")
    host = match["host"].lower()
    labels = host.split(".")
    if len(host) > _MAX_HOST_LENGTH or len(labels) < 2 or labels[-1] == "localhost":
        raise LinkRefused("the link's host is not a full DNS name")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise LinkRefused("the link's host is an IP address")
    if allowed_hosts and not any(_covers(allowed.lower(), host) for allowed in allowed_hosts):
        raise LinkRefused("the link's host is not one of the allowed hosts")
    return Link(url, host, punycode=any(label.startswith("xn--") for label in labels))


def is_loopback(base_url: str) -> bool:
    """Whether an address is http or https to this very machine: `127.0.0.1`, `[::1]` or `localhost`."""
    return _BASE_LOOPBACK.fullmatch(base_url) is not None


def _covers(allowed: str, host: str) -> bool:
    return host == allowed or host.endswith("." + allowed)
