"""Support: the command line with leaks planted in it. Run as a script: `planted.py PLANT[,PLANT] [ARGUMENTS]`.

Each plant goes around a net or takes it away, as a careless change would. `nothing` and `crash` plant no leak.
"""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import blikk_mcp.commands.checks
import blikk_mcp.commands.doctor
import blikk_mcp.commands.ledger
import blikk_mcp.transports.stdio
import blikk_tools.arguments
import blikk_tools.create_payment
from blikk_mcp.cli import main
from blikk_mcp.logs import SafeFormatter
from blikk_mcp.redaction.redactor import Redactor
from blikk_payments.channel.client import ChannelClient
from blikk_payments.service import PaymentService

KEY = os.environ.get("BLIKK_API_KEY", "")
APPROVER = os.environ.get("BLIKK_SCA_USER_SSN", "")

Wrapper = Callable[[Any], Callable[..., Any]]


def unchanged(text: str) -> str:
    return text


def replace_by(owner: object, name: str, other: object) -> None:
    """Put another in its place."""
    if not hasattr(owner, name):
        raise AttributeError(f"{name} is not there any more: plant this leak elsewhere")
    setattr(owner, name, other)


def wrap(owner: object, name: str, wrapper: Wrapper) -> None:
    """Put a wrapper's result in the place of what it is given."""
    replace_by(owner, name, wrapper(getattr(owner, name)))


def at_start(act: Callable[[], object]) -> None:
    """Do something when the server starts, with all its guards in place."""

    def wrapper(original: Any) -> Any:
        async def serve(*args: Any) -> Any:
            act()
            return await original(*args)

        return serve

    wrap(blikk_mcp.transports.stdio, "serve_stdio", wrapper)


def no_redaction_on_stdout() -> None:
    """As if the transport had forgotten it."""

    def wrapper(original: Any) -> Any:
        def serve(server: Any, redact: object, *others: Any) -> Any:
            return original(server, unchanged, *others)

        return serve

    wrap(blikk_mcp.transports.stdio, "serve_stdio", wrapper)


def no_redaction_at_all() -> None:
    """As if the redactor knew no secret."""

    def nothing_leaks(self: Redactor, text: str) -> bool:
        return False

    replace_by(Redactor, "leaks", nothing_leaks)


def plain_on_stderr() -> None:
    at_start(lambda: os.write(2, f"using {KEY}\n".encode()))


def base64_on_stderr() -> None:
    basic = base64.b64encode(f"me:{KEY}".encode())
    at_start(lambda: os.write(2, b"Authorization: Basic " + basic + b"\n"))


def wrapped_on_stderr() -> None:
    lines = "".join(f"  {KEY[at : at + 6]}\n" for at in range(0, len(KEY), 6))
    at_start(lambda: os.write(2, lines.encode()))


def split_over_log_fields() -> None:
    """Pieces that the redactor cannot know for parts of the key."""
    parts = {f"part_{at}": KEY[at : at + 8] for at in range(0, len(KEY), 8)}

    def wrapper(original: Any) -> Any:
        def format_(self: SafeFormatter, record: Any) -> Any:
            record.fields = {**getattr(record, "fields", {}), **parts}
            return original(self, record)

        return format_

    wrap(SafeFormatter, "format", wrapper)


def error_message() -> None:
    no_redaction_on_stdout()
    original: Any = blikk_tools.arguments.InvalidArguments

    def with_key(message: str) -> Exception:
        return original(f"{message}, with {KEY}")

    replace_by(blikk_tools.arguments, "InvalidArguments", with_key)


def echo_into_the_ledger() -> None:
    """Blikk's message is cleaned, and no longer redacted."""

    def wrapper(original: Any) -> Any:
        def made(self: ChannelClient, *args: Any, **more: Any) -> None:
            original(self, *args, **{**more, "redact": unchanged})

        return made

    wrap(ChannelClient, "__init__", wrapper)


def temporary_file() -> None:
    def write() -> None:
        descriptor, _ = tempfile.mkstemp()
        os.write(descriptor, f"key={quote(KEY, safe='')}".encode())
        os.close(descriptor)

    at_start(write)


def traceback_of_a_thread() -> None:
    """An exception's text, past the hooks."""

    def fail() -> None:
        threading.excepthook = threading.__excepthook__
        sys.stderr = sys.__stderr__

        def sink() -> None:
            raise ValueError(KEY.encode().hex())

        thread = threading.Thread(target=sink)
        thread.start()
        thread.join()

    at_start(fail)


def export() -> None:
    no_redaction_at_all()
    escaped = "".join(f"\\u{ord(character):04x}" for character in KEY)

    def with_key(*_: object) -> int:
        sys.stdout.write(f'{{"purpose": "{escaped}"}}')
        return 0

    replace_by(blikk_mcp.commands.ledger, "_none_yet", with_key)


def doctor() -> None:
    no_redaction_at_all()
    finding = blikk_mcp.commands.doctor.Finding("note", f"key: {KEY.encode().hex(':')}")

    def with_key(*_: object, **__: object) -> list[blikk_mcp.commands.doctor.Finding]:
        return [finding]

    replace_by(blikk_mcp.commands.checks, "surroundings", with_key)


def people() -> None:
    """The creditor's kennitala and name in the log, the account in a result, the approver's kennitala in the ledger."""

    def wrapper(original: Any) -> Any:
        async def create(self: PaymentService, intent: Any, **more: Any) -> Any:
            ssn = intent.creditor_ssn
            fields = {"ssn": f"{ssn[:6]}-{ssn[6:]}", "name": intent.creditor_name.upper()}
            logging.getLogger("blikk_mcp").critical("creating", extra={"fields": fields})
            return await original(self, replace(intent, purpose=f"for {APPROVER}"), **more)

        return create

    def spaced(account: str) -> str:
        return f"{account[:2]} {account[2:6]} {account[6:8]} {account[8:]}"

    wrap(PaymentService, "create", wrapper)
    replace_by(blikk_tools.create_payment, "mask_account", spaced)


def crash() -> None:
    """No leak, but every call ends in an exception that holds all there is to hold, and so does a thread."""

    def wrapper(original: Any) -> Any:
        async def status(self: PaymentService, **more: Any) -> Any:
            raise RuntimeError(f"{KEY} {APPROVER} {more}")

        return status

    def fail() -> None:
        def sink() -> None:
            raise ValueError(KEY, APPROVER)

        thread = threading.Thread(target=sink)
        thread.start()
        thread.join()
        sys.stderr.write(f"{KEY}\n")

    wrap(PaymentService, "status", wrapper)
    at_start(fail)


def child() -> None:
    """No leak: a child process writes down the names in the environment that it was given."""
    told = Path(os.environ["TMPDIR"]) / "names"
    code = "import os, sys; open(sys.argv[1], 'w').write('\\n'.join(sorted(os.environ)))"
    at_start(lambda: subprocess.run([sys.executable, "-c", code, str(told)], check=True))


def nothing() -> None:
    """No leak."""


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        plain_on_stderr,
        base64_on_stderr,
        wrapped_on_stderr,
        split_over_log_fields,
        error_message,
        echo_into_the_ledger,
        temporary_file,
        traceback_of_a_thread,
        export,
        doctor,
        people,
        crash,
        child,
        nothing,
    )
}

if __name__ == "__main__":
    for chosen in sys.argv[1].split(","):
        PLANTS[chosen]()
    sys.exit(main(sys.argv[2:]))
