"""`blikk-mcp ledger`: the operator's view of what was paid, and the only way out of an unknown outcome."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import anyio

from blikk_mcp.commands.checks import stray_message
from blikk_mcp.commands.ledger_copy import run as run_copy
from blikk_mcp.commands.ledger_view import (
    as_json,
    csv_lines,
    json_line,
    print_payment,
    print_table,
    record_fields,
)
from blikk_mcp.commands.parser import agreed, whole
from blikk_mcp.commands.terminal import Terminal
from blikk_mcp.redaction.messages import redact_line
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.settings.settings import Settings, raw_secrets, read_settings, take_environment
from blikk_mcp.settings.values import SettingsError
from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import PaymentsError
from blikk_payments.ledger.location import environment_key
from blikk_payments.ledger.opening import SqliteLedger, open_ledger
from blikk_payments.ledger.protocol import Only
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.stored import names_another_amount
from blikk_payments.models import PaymentRecord

MAX_NOTE = 200
MAX_DAYS = 36_500
LISTED, MAX_LISTED = 50, 10_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")

    def command(name: str, summary: str, run_it: Callable[..., int]) -> argparse.ArgumentParser:
        declared = commands.add_parser(name, help=summary, description=summary)
        declared.set_defaults(run=run, run_it=run_it)
        return declared

    listed = command("list", "every payment, those that need somebody first", _list)
    listed.add_argument("--open", action="store_true", help="only those that have not ended")
    listed.add_argument("--json", action="store_true", help="every one, as one JSON object a line")
    listed.add_argument(
        "--limit", type=whole(1, MAX_LISTED), default=LISTED, metavar="N", help=f"how many at most (default {LISTED})"
    )
    shown = command("show", "one payment with its history", _show)
    shown.add_argument("key", metavar="KEY", help="its idempotency key or its payment id")
    shown.add_argument("--json", action="store_true", help="one JSON object")
    resolved = command("resolve", "say what became of a payment whose outcome is unknown", _resolve)
    resolved.add_argument("key", metavar="IDEMPOTENCY_KEY", help="the payment's, as `ledger list` shows it")
    truth = resolved.add_mutually_exclusive_group(required=True)
    truth.add_argument("--created", metavar="PAYMENT_ID", help="it is this one of Blikk's; checked with Blikk")
    truth.add_argument("--not-created", action="store_true", help="Blikk's portal shows no such payment")
    resolved.add_argument(
        "--note", required=True, help=f"who looked, and where; kept in the history ({MAX_NOTE} characters)"
    )
    exported = command("export", "every payment, for other programs", _export)
    exported.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="JSON Lines (default) or CSV")
    command("verify", "check the chain of hashes over the history", _verify)
    saved = command("backup", "copy the ledger, in use or not, into a new file, and verify the copy", _backup)
    saved.add_argument("file", metavar="FILE", help="where the copy goes; nothing is overwritten")
    copied = command("copy", "copy a SQLite ledger into an empty PostgreSQL database, and verify the copy", _list)
    copied.add_argument("sqlite", metavar="SQLITE", help="the file; let no server use it meanwhile, or afterwards")
    copied.add_argument(
        "postgres", metavar="POSTGRES", help="postgresql://user@host/database; password as for BLIKK_LEDGER"
    )
    copied.set_defaults(run=run_copy)
    pruned = command("prune", "forget names, purposes, links and bank texts of payments that ended long ago", _prune)
    pruned.add_argument(
        "--older-than-days",
        type=whole(0, MAX_DAYS),
        required=True,
        metavar="DAYS",
        help="since the payment last changed",
    )
    pruned.add_argument("--yes", action="store_true", help="do not ask first, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Run a subcommand; 0 if all is well, 1 if something is not, with the reason on stderr."""
    environ = take_environment(os.environ)
    raw = raw_secrets(environ)
    redact = redactor_of(*raw).text
    try:
        asks_blikk = bool(getattr(arguments, "created", None))
        settings = read_settings(environ, need_key=asks_blikk)
        redact = partial(redact_line, redactor_of(*raw, *settings.secrets))
        environment = environment_key(settings.base_url) if asks_blikk else ""
        password = settings.ledger_password.get_secret_value()
        with open_ledger(settings.ledger, environment=environment, password=password) as ledger:
            if not ledger.exists():
                return _none_yet(arguments, settings, redact)
            return int(arguments.run_it(ledger, settings, arguments, Output(redact)))
    except SettingsError as error:
        return _fail(redact, "\n".join(map(str, error.problems)))
    except PaymentsError as error:
        return _fail(redact, error.message)


class Output:
    """Where a subcommand writes: lines for programs, and a terminal for people, both redacted."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self.terminal = Terminal(redact)

    def line(self, text: str) -> None:
        """A line as it is."""
        sys.stdout.write(f"{self._redact(text)}\n")


def _none_yet(arguments: argparse.Namespace, settings: Settings, redact: Callable[[str], str]) -> int:
    """Reading makes no ledger. That nothing was paid is a true answer to `list` and `export`, and a failure of the rest."""
    place = settings.ledger if isinstance(settings.ledger, Path) else "the database in BLIKK_LEDGER"
    message = f"There is no ledger yet at {place}: the first payment makes it."
    for_people = arguments.subcommand == "list" and not arguments.json
    if arguments.subcommand == "export" and arguments.format == "csv":
        sys.stdout.writelines(f"{line}\n" for line in csv_lines([]))
    (sys.stdout if for_people else sys.stderr).write(redact(f"{message}\n"))
    return 0 if arguments.subcommand in ("list", "export") else 1


def _list(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    records, strays = _in_order(ledger, only_open=arguments.open), ledger.stray_keys()
    if arguments.json:
        for record in records:
            out.line(json_line({**record_fields(record), "stray": record.idempotency_key in strays}))
        return 0
    for key in strays:
        out.terminal.marked("✗", stray_message(key), "bold red")
    shown = list(islice(records, arguments.limit + 1))
    if not shown:
        out.terminal.line("No payments.")
        return 0
    print_table(out.terminal, shown[: arguments.limit])
    if len(shown) > arguments.limit:
        out.terminal.line("There are more: --limit N shows N, `blikk-mcp ledger export` all.", "dim")
    return 0


def _in_order(ledger: SqlLedger, *, only_open: bool) -> Iterator[PaymentRecord]:
    """The unknown first, then the open ones, then those that have ended; the newest first in each. Read page by page."""
    now = _now()
    yield from ledger.records(Only.UNKNOWN, newest_first=True, now=now)
    yield from ledger.records(Only.OPEN, newest_first=True, now=now)
    if not only_open:
        everything = ledger.records(newest_first=True, now=now)
        yield from (record for record in everything if record.final or record.failed)


def _show(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    record = ledger.by_key(arguments.key, now=_now()) or ledger.by_payment_id(arguments.key, now=_now())
    if record is None:
        raise PaymentsError("this ledger has no payment under that key or id")
    history = ledger.history(record.idempotency_key)
    if arguments.json:
        out.line(as_json(record, history))
    else:
        print_payment(out.terminal, record, history)
    return 0


def _resolve(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    redact = redactor_of(settings.api_key.get_secret_value()).text
    note = redact(" ".join(arguments.note.split()))[:MAX_NOTE]
    if not note or not note.isprintable():
        raise PaymentsError("--note has to say who looked, and where")
    record = _record(ledger, arguments.key)
    if arguments.not_created:
        ledger.resolve_not_created(arguments.key, note=note, now=_now())
        out.terminal.line("Resolved: no payment was made. Its room is given back, and the key may be used again.")
        return 0
    answer = anyio.run(_ask_blikk, settings, arguments.created)
    if names_another_amount(record, answer):
        raise PaymentsError(
            "Blikk says another amount or currency of that payment: it is not this one. Nothing was changed."
        )
    resolved = ledger.resolve_created(arguments.key, answer, note=note, now=_now())
    out.terminal.line(f"Resolved: it was created, and Blikk says {resolved.status}.")
    return 0


def _export(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    records = ledger.records(now=_now())
    if arguments.format == "csv":
        if reconfigure := getattr(sys.stdout, "reconfigure", None):
            reconfigure(encoding="utf-8")  # a file for other programs, whatever this terminal can show
        for line in csv_lines(records):
            out.line(line)
    else:
        for record in records:
            out.line(json_line(record_fields(record)))
    return 0


def _verify(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    problems = ledger.verify()
    for problem in problems:
        out.terminal.marked("✗", problem, "bold red")
    if problems:
        out.terminal.line(f"{len(problems)} problem(s): keep a copy of the file as it is.")
        return 1
    out.terminal.marked("✓", "History intact.", "green")
    return 0


def _backup(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    if not isinstance(ledger, SqliteLedger):
        raise PaymentsError(
            "PostgreSQL makes its own backups, pg_dump for one: see docs/operate.md. Nothing was copied."
        )
    ledger.back_up(Path(arguments.file).absolute())
    out.terminal.line("The copy is made and verified.")
    return 0


def _prune(ledger: SqlLedger, settings: Settings, arguments: argparse.Namespace, out: Output) -> int:
    days = arguments.older_than_days
    question = (
        f"Forget names, purposes, links and bank texts of payments that ended more than {days} days ago, for good?"
    )
    if not arguments.yes and not agreed(question):
        return _fail(str, "nothing was changed: answer y, or give --yes in a script")
    count = ledger.prune(before=_now() - timedelta(days=days), now=_now())
    out.terminal.line(f"{count} payment(s) now without names and texts. Keys, amounts, ids and the history stay.")
    return 0


async def _ask_blikk(settings: Settings, payment_id: str) -> ChannelPayment:
    from blikk_payments.channel.client import ChannelClient
    from blikk_payments.channel.errors import ReadFailed, ReadRefused

    redactor = redactor_of(settings.api_key.get_secret_value())
    client = ChannelClient(settings.base_url, settings.api_key, redact=redactor.text, holds_key=redactor.holds_secret)
    try:
        return await client.read(payment_id)
    except (ReadRefused, ReadFailed) as error:
        raise PaymentsError(f"{error} Nothing was changed.") from error
    finally:
        await client.aclose()


def _record(ledger: SqlLedger, key: str) -> PaymentRecord:
    record = ledger.by_key(key, now=_now())
    if record is None:
        raise PaymentsError("this ledger has no payment under that key")
    return record


def _fail(redact: Callable[[str], str], reason: str) -> int:
    sys.stderr.write(redact(f"blikk-mcp ledger: {reason}\n"))
    return 1


def _now() -> datetime:
    return datetime.now(UTC)
