"""The one grammar of base URLs: where the key goes."""

from __future__ import annotations

import re

from blikk_payments.channel.links import is_loopback

# A host, a port and a path, and nothing that could carry a secret or change where the key goes.
_BASE_URL = re.compile(
    r"(?P<origin>https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?)(?P<path>/[a-z0-9._~/-]*)?",
    re.IGNORECASE | re.ASCII,
)


def parse_base_url(text: str) -> str:
    """The base URL with scheme and host in lower case and no slash at the end.

    A path keeps its case, since servers tell cases apart; unless the whole address is in capitals, as nobody's is.

    Raises:
        ValueError: it is not https (http on loopback), or has more than host, port and path.
    """
    match = _BASE_URL.fullmatch(text.lower() if text.isascii() and text.isupper() else text)
    if match is None:
        raise ValueError("must be https (http on loopback) with host, port and path at most")
    if match["port"] is not None and int(match["port"]) not in range(1, 65_536):
        raise ValueError("has a port that cannot be")
    base_url = match["origin"].lower() + (match["path"] or "").rstrip("/")
    if base_url.startswith("http://") and not is_loopback(base_url):
        raise ValueError("must be https; plain http is for loopback only")
    return base_url
