"""What can go wrong between this machine and Blikk, by what it means for the money.

ChannelError
├── NotSent        POST: the connection was never made; definitely no payment
├── Refused        POST: Blikk said no (400, 401, 403, 404, 413, 422); definitely no payment
├── Uncertain      POST: anything else; the payment may exist and money may move
├── ReadRefused    GET: 401, 403 or 404; says nothing about whether the payment was made
└── ReadFailed     GET: anything else; what was known before still stands

The text of an error is a fixed phrase and at most a status code: never the key, a URL, a body, a kennitala,
an account, or the text of the HTTP library, which can hold any of these. Meaning of the status codes:
https://docs.blikk.tech/docs/paymentchannel; of 413 and 422, which that page does not name: ours.
"""

from __future__ import annotations


class ChannelError(Exception):
    """Base of all. `status` is the HTTP status, if there was one; `bank_text` is clean, but untrusted."""

    def __init__(self, message: str, *, status: int | None = None, bank_text: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.bank_text = bank_text


class NotSent(ChannelError):
    """The request never left: refused connection, DNS, TLS, proxy, or no free connection in time."""


class Refused(ChannelError):
    """Blikk refused the request, so there is no payment. `status` is always set."""


class Uncertain(ChannelError):
    """The payment may exist. Never to be sent again by itself, never to be called failed."""


class ReadRefused(ChannelError):
    """Wrong key, channel or host, or an id that Blikk does not know. Asking again does not help."""


class ReadFailed(ChannelError):
    """The status could not be read. `retry_after_seconds` is Blikk's wish, bounded; 0.0 if it has none."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        bank_text: str = "",
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(message, status=status, bank_text=bank_text)
        self.retry_after_seconds = retry_after_seconds
