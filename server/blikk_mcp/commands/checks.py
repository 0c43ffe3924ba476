"""The doctor's checks: surroundings, ledger and Blikk, each answered with findings."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from blikk_mcp.commands.openapi import compare_schema
from blikk_mcp.settings.settings import Settings
from blikk_payments.channel.links import is_loopback
from blikk_payments.channel.proxies import proxy_for, proxy_name
from blikk_payments.errors import PaymentsError

CERTIFICATE_SETTINGS = ("SSL_CERT_FILE", "SSL_CERT_DIR")
NO_PAYMENT = "doctor-asks-for-no-payment"
"""An id that Blikk never gave: that there is no such payment is what somebody with the right key is told."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result: `ok`, `note` (worth knowing) or `fix` (has to be corrected)."""

    mark: Literal["ok", "note", "fix"]
    what: str


def surroundings(settings: Settings, environ: Mapping[str, str], *, named: bool) -> list[Finding]:
    """Who stands between this machine and Blikk; `named`: with the proxy's host, which a report does not need."""
    findings: list[Finding] = []
    if proxy := proxy_for(settings.base_url):
        which = f"the proxy {proxy_name(proxy)}" if named and proxy_name(proxy) else "a proxy"
        findings.append(Finding("note", f"requests to Blikk go through {which}, encrypted end to end"))
    own = [name for name in CERTIFICATE_SETTINGS if environ.get(name)]
    if own and not is_loopback(settings.base_url):
        which = " and ".join(own)
        findings.append(
            Finding("note", f"{which} decides which certificates are trusted: whoever set it can read along")
        )
    if environ.get("SSLKEYLOGFILE"):
        findings.append(Finding("note", "SSLKEYLOGFILE is set: this server does not honour it, other programs do"))
    return findings


def ledger(settings: Settings, *, verify: bool, named: bool = True) -> list[Finding]:
    """Whether the ledger can be written and what is unresolved in it. Makes none. `verify` reads the whole history."""
    from blikk_payments.ledger.location import environment_key
    from blikk_payments.ledger.opening import open_ledger
    from blikk_payments.ledger.protocol import Only

    place = settings.ledger if isinstance(settings.ledger, Path) else "the database in BLIKK_LEDGER"
    at = f" at {place}" if named else ""
    password = settings.ledger_password.get_secret_value()
    book = open_ledger(settings.ledger, environment=environment_key(settings.base_url), password=password)
    try:
        if not book.exists():
            if isinstance(settings.ledger, Path) and not _can_be_made(settings.ledger):
                return [
                    Finding("fix", f"ledger: none yet{at}, and it cannot be made there: check the folder's permissions")
                ]
            return [Finding("ok", f"ledger: none yet{at}; the first payment makes it")]
        book.check_writable()
        unknown = sum(1 for _ in book.records(Only.UNKNOWN, now=datetime.now(UTC)))
        findings = [Finding("fix", stray_message(key)) for key in book.stray_keys()]
        findings += [Finding("fix", problem) for problem in book.verify()] if verify else []
    except PaymentsError as error:
        return [Finding("fix", f"ledger{at}: {error.message}")]
    finally:
        book.close()
    if unknown:
        findings.append(
            Finding("fix", f"ledger: {unknown} payment(s) with an unknown outcome: see `blikk-mcp ledger list`")
        )
    verified = ", history intact" if verify else ""
    return findings or [Finding("ok", f"ledger: can be written{verified}, nothing unresolved{at}")]


def stray_message(key: str) -> str:
    """What to say of a key that two of Blikk's payments answered to."""
    return f"ledger: Blikk may have made two payments for the key {key}: look in Blikk's merchant portal"


async def blikk(settings: Settings, redact: Callable[[str], str]) -> list[Finding]:
    """Whether Blikk is reached, takes the key, and describes what is sent."""
    from blikk_payments.channel.client import ChannelClient
    from blikk_payments.channel.errors import ReadFailed, ReadRefused

    client = ChannelClient(settings.base_url, settings.api_key, redact=redact)

    async def unless_missing(asked: Awaitable[T]) -> T | None:
        try:
            return await asked
        except ReadRefused as error:
            if error.status != 404:
                raise
            return None

    async def docs() -> bool:
        await client.check_docs(attempts=2)
        return True

    try:
        document = await unless_missing(client.fetch_openapi(attempts=2))
        there = await unless_missing(docs())
        if document is None and not there:
            return [Finding("fix", "Blikk: there is no Payment Channel API at BLIKK_BASE_URL (HTTP 404)")]
        if not there:
            await unless_missing(client.read(NO_PAYMENT, attempts=2))
    except ReadRefused as error:
        why = {401: "Blikk does not accept the key", 403: "the key is for another channel"}
        hint = why.get(error.status or 0, "there is no Payment Channel API at BLIKK_BASE_URL")
        return [Finding("fix", f"Blikk: {hint} (HTTP {error.status})")]
    except ReadFailed as error:
        return [Finding("fix", f"Blikk: {error} Check BLIKK_BASE_URL and the network.")]
    finally:
        await client.aclose()
    reached = Finding("ok", "Blikk: reached, and it accepts the key")
    if document is None:
        return [
            reached,
            Finding("note", "Blikk's OpenAPI document is not there; what is sent cannot be compared with it"),
        ]
    chosen = {"scaUserSsn": settings.sca_user_ssn, "debtorBban": settings.debtor_bban}
    differences = compare_schema(document, {name for name, value in chosen.items() if value})
    agrees = Finding("ok", "Blikk's OpenAPI document agrees with what this version sends")
    return [reached, *(Finding("note", f"Blikk's OpenAPI document: {one}") for one in differences)] + (
        [] if differences else [agrees]
    )


def _can_be_made(path: Path) -> bool:
    """Whether the nearest folder there is can be written."""
    for folder in path.parents:
        if os.path.lexists(folder):
            return folder.is_dir() and os.access(folder, os.W_OK)
    return False
