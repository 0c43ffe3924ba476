"""The proxy that the environment names for an address: where it is, and how to say so without its password."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from blikk_payments.channel.links import is_loopback


def proxy_for(base_url: str) -> str | None:
    """The proxy's URL, which can hold a password; None if requests go straight there. Loopback never has one."""
    proxies, parts = getproxies(), urlsplit(base_url)
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or is_loopback(base_url) or proxy_bypass(parts.netloc):
        return None
    return named if "://" in named else f"http://{named}"


def proxy_name(proxy: str) -> str:
    """Host and port of a proxy's URL, and nothing else of it; `""` if they cannot be told."""
    try:
        parts = urlsplit(proxy)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname or ''}{port}"
