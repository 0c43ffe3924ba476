"""`blikk-mcp ledger`: the operator's view of what was paid, and the only way out of an unknown outcome."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio

from blikk_mcp.commands.ledger_view import csv_lines, json_line, open_first, record_fields, show, table
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.settings.settings import Settings, read_settings
from blikk_mcp.settings.values import SettingsError
from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import PaymentsError
from blikk_payments.ledger.sql.ledger import SqliteLedger
from blikk_payments.ledger.sqlite.paths import blikk_of
from blikk_payments.models import PaymentRecord

MAX_NOTE = 200


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")

    def command(name: str, summary: str, run_it: Callable[..., int]) -> argparse.ArgumentParser:
        declared = commands.add_parser(name, help=summary, description=summary)
        declared.set_defaults(run=run, run_it=run_it)
        return declared

    listed = command("list", "every payment, those that need somebody first", _list)
    listed.add_argument("--open", action="store_true", help="only those that have not ended")
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    shown = command("show", "one payment with its history", _show)
    shown.add_argument("key", metavar="IDEMPOTENCY_KEY")
    shown.add_argument("--json", action="store_true", help="one JSON object")
    resolved = command("resolve", "say what became of a payment whose outcome is unknown", _resolve)
    resolved.add_argument("key", metavar="IDEMPOTENCY_KEY")
    truth = resolved.add_mutually_exclusive_group(required=True)
    truth.add_argument("--created", metavar="PAYMENT_ID", help="it is this one of Blikk's; checked with Blikk")
    truth.add_argument("--not-created", action="store_true", help="Blikk's portal shows no such payment")
    resolved.add_argument(
        "--note", required=True, help=f"who looked, and where; kept in the history ({MAX_NOTE} characters)"
    )
    exported = command("export", "every payment, for other programs", _export)
    exported.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    command("verify", "check the chain of hashes over the history", _verify)
    pruned = command("prune", "forget names, purposes, links and bank texts of payments that ended long ago", _prune)
    pruned.add_argument("--older-than-days", type=int, required=True, metavar="DAYS")


def run(arguments: argparse.Namespace) -> int:
    """Run a subcommand; 0 if all is well, 1 if something is not, with the reason on stderr."""
    raw_key = os.environ.get("BLIKK_API_KEY", "")
    redact = redactor_of(raw_key).text
    try:
        asks_blikk = bool(getattr(arguments, "created", None))
        settings = read_settings(os.environ, need_key=asks_blikk)
        redact = redactor_of(raw_key, settings.api_key.get_secret_value()).text

        def say(text: str) -> None:
            sys.stdout.write(f"{redact(text)}\n")

        with SqliteLedger(settings.ledger, blikk=blikk_of(settings.base_url) if asks_blikk else "") as ledger:
            return int(arguments.run_it(ledger, settings, arguments, say))
    except SettingsError as error:
        return _fail(redact, "\n".join(map(str, error.problems)))
    except PaymentsError as error:
        return _fail(redact, error.message)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has seen enough, `head` for one
        return 0


Say = Callable[[str], object]


def _list(ledger: SqliteLedger, settings: Settings, arguments: argparse.Namespace, say: Say) -> int:
    records = sorted(ledger.records(now=_now()), key=open_first)
    if arguments.open:
        records = [record for record in records if not (record.final or record.failed)]
    if arguments.json:
        for record in records:
            say(json_line(record_fields(record)))
    else:
        say(table(records))
    return 0


def _show(ledger: SqliteLedger, settings: Settings, arguments: argparse.Namespace, say: Say) -> int:
    record = _record(ledger, arguments.key)
    history = ledger.history(arguments.key)
    say(show(record, history, as_json=arguments.json))
    return 0


def _resolve(ledger: SqliteLedger, settings: Settings, arguments: argparse.Namespace, say: Say) -> int:
    redact = redactor_of(settings.api_key.get_secret_value()).text
    note = redact(" ".join(arguments.note.split()))[:MAX_NOTE]
    if not note or not note.isprintable():
        raise PaymentsError("--note has to say who looked, and where")
    record = _record(ledger, arguments.key)
    if arguments.not_created:
        ledger.resolve_not_created(arguments.key, note=note, now=_now())
        say("Resolved: no payment was made. Its room is given back, and the key may be used again.")
        return 0
    answer = anyio.run(_ask_blikk, settings, arguments.created)
    if answer.amount_isk not in (None, record.amount_isk) or answer.currency not in ("", "ISK"):
        raise PaymentsError(
            "Blikk says another amount or currency of that payment: it is not this one. Nothing was changed."
        )
    resolved = ledger.resolve_created(arguments.key, answer, note=note, now=_now())
    say(f"Resolved: it was created, and Blikk says {resolved.status}.")
    return 0


def _export(ledger: SqliteLedger, settings: Settings, arguments: argparse.Namespace, say: Say) -> int:
    records = ledger.records(now=_now())
    if arguments.format == "csv":
        for line in csv_lines(records):
            say(line)
    else:
        for record in records:
            say(json_line(record_fields(record)))
    return 0


def _verify(ledger: SqliteLedger, settings: Settings, arguments: argparse.Namespace, say: Say) -> int:
    problems = ledger.verify()
    for problem in problems:
        say(problem)
    say("The ledger adds up." if not problems else f"{len(problems)} problem(s): keep a copy of the file as it is.")
    return 1 if problems else 0


def _prune(ledger: SqliteLedger, settings: Settings, arguments: argparse.Namespace, say: Say) -> int:
    if arguments.older_than_days < 0:
        raise PaymentsError("--older-than-days is a number of days from 0")
    count = ledger.prune(before=_now() - timedelta(days=arguments.older_than_days), now=_now())
    say(f"{count} payment(s) now without names and texts. Keys, amounts, ids and the history stay.")
    return 0


async def _ask_blikk(settings: Settings, payment_id: str) -> ChannelPayment:
    from blikk_payments.channel.client import ChannelClient
    from blikk_payments.channel.errors import ReadFailed, ReadRefused

    client = ChannelClient(
        settings.base_url, settings.api_key, redact=redactor_of(settings.api_key.get_secret_value()).text
    )
    try:
        return await client.read(payment_id)
    except (ReadRefused, ReadFailed) as error:
        raise PaymentsError(f"{error} Nothing was changed.") from error
    finally:
        await client.aclose()


def _record(ledger: SqliteLedger, key: str) -> PaymentRecord:
    record = ledger.by_key(key, now=_now())
    if record is None:
        raise PaymentsError("this ledger has no payment under that key")
    return record


def _fail(redact: Callable[[str], str], reason: str) -> int:
    sys.stderr.write(redact(f"blikk-mcp ledger: {reason}\n"))
    return 1


def _now() -> datetime:
    return datetime.now(UTC)
