"""`blikk-mcp ledger copy`: from a SQLite file into PostgreSQL."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.settings import table
from blikk_mcp.settings.settings import raw_secrets
from blikk_mcp.settings.values import read_password
from blikk_payments.errors import PaymentsError
from blikk_payments.ledger.location import is_postgres, ledger_address, ledger_file, password_in
from blikk_payments.ledger.opening import copy_to_postgres

T = TypeVar("T")


def run(arguments: argparse.Namespace) -> int:
    """Copy and verify; 0 if that was done, 1 if nothing was copied, with the reason on stderr."""
    secrets = [*raw_secrets(os.environ), password_in(arguments.postgres)]
    redact = redactor_of(*secrets).text
    try:
        source = _part("SQLITE", lambda: ledger_file(os.path.abspath(os.path.expanduser(arguments.sqlite))))
        address = _part("POSTGRES", lambda: _address(arguments.postgres))
        file = os.environ.get(table.LEDGER_PASSWORD_FILE.name, "").strip()
        password = _part(
            table.LEDGER_PASSWORD_FILE.name,
            lambda: read_password(address, table.LEDGER_PASSWORD_FILE.parse(file) if file else None),
        )
        redact = redactor_of(*secrets, password).text
        count = copy_to_postgres(source, address, password=password)
    except PaymentsError as error:
        sys.stderr.write(redact(f"blikk-mcp ledger copy: {error.message}\n"))
        return 1
    sys.stdout.write(f"{count} payment(s) copied, and the copy adds up. Now name it in BLIKK_LEDGER of every server.\n")
    return 0


def _address(text: str) -> str:
    if not is_postgres(text):
        raise ValueError("must be an address like postgresql://user@host/database")
    return ledger_address(text)


def _part(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise PaymentsError(f"{name} {error}") from None
