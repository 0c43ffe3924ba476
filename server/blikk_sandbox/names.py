"""Ids, link tokens and keys, all derived from one seed: the same seed and the same requests give the same names."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets


class Names:
    """Makes names nobody can guess who does not know the seed. Without a seed, one is drawn that nobody knows."""

    def __init__(self, seed: int | None = None) -> None:
        self._secret = secrets.token_bytes(32) if seed is None else hashlib.sha256(f"sandbox {seed}".encode()).digest()

    def bytes_of(self, kind: str, which: str = "") -> bytes:
        """32 bytes that belong to this one thing."""
        return hmac.digest(self._secret, f"{kind}|{which}".encode(), "sha256")

    def text_of(self, kind: str, which: str = "", *, size: int = 16) -> str:
        """The same as URL-safe text made of `size` bytes, at most 32."""
        return base64.urlsafe_b64encode(self.bytes_of(kind, which)[:size]).decode().rstrip("=")
