"""`blikk-mcp doctor`: is everything in place to pay, and if not, what has to be corrected."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import anyio

from blikk_mcp import __version__
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.settings import SETTINGS, Settings, read_settings
from blikk_mcp.settings.values import SettingsError
from blikk_payments.channel.links import is_loopback
from blikk_payments.channel.proxies import proxy_for, proxy_name
from blikk_payments.errors import PaymentsError

ALWAYS_SENT = {"amount", "currency", "creditor"}
ALWAYS_SENT_OF_CREDITOR = {"ssn", "name"}
ACCOUNTS = {"iban", "bban"}
CERTIFICATE_SETTINGS = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result: `ok`, `note` (worth knowing) or `fix` (has to be corrected)."""

    mark: str
    what: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--report", action="store_true", help="for a support ticket: versions and the names of what is set, no values"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check everything and print what was found; 0 if nothing has to be corrected."""
    raw_key = os.environ.get("BLIKK_API_KEY", "")
    if arguments.report:
        _print_facts(os.environ)
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        findings = [Finding("fix", str(problem)) for problem in error.problems]
        return _print(findings, redactor_of(raw_key))
    redactor = redactor_of(settings.api_key.get_secret_value())
    findings = [
        Finding("ok", f"settings: {settings.environment}, {settings.base_url}"),
        *(Finding("note", notice) for notice in settings.notices),
        *_surroundings(settings, named=not arguments.report),
        *_ledger(settings),
        *anyio.run(_blikk, settings, redactor.text),
    ]
    return _print(findings, redactor)


def _surroundings(settings: Settings, *, named: bool) -> list[Finding]:
    """Who stands between this machine and Blikk; `named`: with the proxy's host, which a report does not need."""
    findings: list[Finding] = []
    if proxy := proxy_for(settings.base_url):
        which = f"the proxy {proxy_name(proxy)}" if named and proxy_name(proxy) else "a proxy"
        findings.append(Finding("note", f"requests to Blikk go through {which}, encrypted end to end"))
    own = [name for name in CERTIFICATE_SETTINGS if os.environ.get(name)]
    if own and not is_loopback(settings.base_url):
        findings.append(
            Finding(
                "note", f"{' and '.join(own)} decides which certificates are trusted: whoever set it can read along"
            )
        )
    return findings


def _ledger(settings: Settings) -> list[Finding]:
    from blikk_payments.ledger.opening import SqliteLedger
    from blikk_payments.ledger.sqlite.paths import blikk_of
    from blikk_payments.models import ClaimState

    ledger = SqliteLedger(settings.ledger, blikk=blikk_of(settings.base_url))
    try:
        records = list(ledger.records(now=datetime.now(UTC)))
        ledger.check_writable()
        findings = [Finding("fix", problem) for problem in ledger.verify()]
    except PaymentsError as error:
        return [Finding("fix", f"ledger: {error.message}")]
    finally:
        ledger.close()
    unknown = sum(record.state is ClaimState.UNKNOWN for record in records)
    if unknown:
        findings.append(
            Finding("fix", f"ledger: {unknown} payment(s) with an unknown outcome: see `blikk-mcp ledger list`")
        )
    return findings or [Finding("ok", f"ledger: can be written, {len(records)} payment(s), none unresolved")]


async def _blikk(settings: Settings, redact: Callable[[str], str]) -> list[Finding]:
    from blikk_payments.channel.client import ChannelClient
    from blikk_payments.channel.errors import ReadFailed, ReadRefused

    client = ChannelClient(settings.base_url, settings.api_key, redact=redact)
    try:
        document = await client.fetch_openapi(attempts=2)
        await client.check_docs(attempts=2)
    except ReadRefused as error:
        why = {401: "Blikk does not accept the key", 403: "the key is for another channel"}
        hint = why.get(error.status or 0, "there is no Payment Channel API at BLIKK_BASE_URL")
        return [Finding("fix", f"Blikk: {hint} (HTTP {error.status})")]
    except ReadFailed as error:
        return [Finding("fix", f"Blikk: {error} Check BLIKK_BASE_URL and the network.")]
    finally:
        await client.aclose()
    chosen = {"scaUserSsn": settings.sca_user_ssn, "debtorBban": settings.debtor_bban}
    differences = compare_schema(document, {name for name, value in chosen.items() if value})
    return [
        Finding("ok", "Blikk: reached, and it accepts the key"),
        *(Finding("note", f"Blikk's OpenAPI document: {difference}") for difference in differences),
        *([] if differences else [Finding("ok", "Blikk's OpenAPI document agrees with what this version sends")]),
    ]


def compare_schema(document: Mapping[str, Any], chosen: set[str]) -> list[str]:
    """Where the live OpenAPI document of `POST /payment` differs from what is sent; `chosen`: fields sent by settings."""
    try:
        operation = next(
            item["post"] for path, item in document["paths"].items() if path.rstrip("/").endswith("/payment")
        )
        body = _resolve(document, operation["requestBody"]["content"]["application/json"]["schema"])
    except (KeyError, StopIteration, TypeError, AttributeError):
        return ["no JSON body of POST /payment is described there; it cannot be compared"]
    creditor = _resolve(document, _properties(document, body).get("creditor", {}))
    return [
        *_differences(document, body, ALWAYS_SENT | chosen, set()),
        *(f"creditor.{found}" for found in _differences(document, creditor, ALWAYS_SENT_OF_CREDITOR, ACCOUNTS)),
    ]


def _differences(document: Mapping[str, Any], schema: Mapping[str, Any], sent: set[str], maybe: set[str]) -> list[str]:
    known = set(_properties(document, schema))
    required = set(schema.get("required", ()))
    found = [f"{name} is sent but not described" for name in sorted((sent | maybe) - known)]
    found += [f"{name[:40]} is required but not sent" for name in sorted(required - sent - maybe)]
    return found


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(schema.get("properties", {}))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            properties |= _properties(document, _resolve(document, part))
    return properties


def _resolve(document: Mapping[str, Any], schema: Any) -> Any:
    for _ in range(8):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        target: Any = document
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):  # pyright: ignore[reportUnknownArgumentType]
            target = target[step]
        schema = target
    return schema if isinstance(schema, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _print_facts(environ: Mapping[str, str]) -> None:
    """What a supporter needs to know of this machine, and nothing that identifies anybody."""
    known = {setting.name for setting in SETTINGS}
    facts = {
        "blikk-mcp": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: metadata.version(name) for name in ("mcp", "httpx", "pydantic", "anyio")},
        "settings that are set": ", ".join(sorted(name for name in environ if name in known)) or "none",
    }
    for name, value in facts.items():
        sys.stdout.write(f"[fact] {name}: {value}\n")


def _print(findings: list[Finding], redactor: Redactor) -> int:
    for finding in findings:
        sys.stdout.write(redactor.text(f"[{finding.mark:4}] {finding.what}\n"))
    return 1 if any(finding.mark == "fix" for finding in findings) else 0
