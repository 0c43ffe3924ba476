"""Pay a CSV file of creditors, one after the other. Stopped anywhere and run again, nothing is paid twice.

    .venv-examples-terminal/bin/python agent_examples/payout_run.py agent_examples/payouts.csv --approve

Against a sandbox of its own, unless `--sandbox-at URL` names one or `--live` takes the BLIKK_* settings as they are.
`--approve` plays the person at the sandbox's bank. The key of a payment is made from the row's `reference`, which is
what you call the purchase: leave it as it is, whatever else you correct in the row.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from rich.console import Console
from rich.table import Table
from scene import blikk_command, person_reads, scene

COLUMNS = ("reference", "creditor_name", "creditor_ssn", "creditor_account", "amount", "purpose")
WORST_FIRST = ("unknown", "pending", "needs_human", "failed", "refused", "paid")
REPORTED = ("reference", "outcome", "status", "payment_id", "amount", "creditor_name", "error_code", "error_message")
CALL_SECONDS = 60  # await_payment takes up to 45 s
MAX_WAITS = 12  # a link lives for some minutes
HOPELESS = ("unauthorized", "wrong_channel", "not_found")  # any other read that failed may work the next time
RATE_SECONDS, MAX_RATE_WAITS = 10, 12
MAX_ROWS = 1_000
console = Console()


@dataclass(frozen=True)
class Row:
    """One creditor to be paid; `amount` is whole krónur."""

    line: int
    cells: dict[str, str]

    def problems(self) -> list[str]:
        """What is wrong with it, without its values: they are other people's accounts."""
        digits = {name: re.sub(r"[\s–-]", "", self.cells[name]) for name in ("creditor_ssn", "creditor_account")}
        iban = digits["creditor_account"].upper()
        found = {
            "reference is empty": not self.cells["reference"],
            "creditor_name has to be 1 to 70 characters": not 1 <= len(self.cells["creditor_name"]) <= 70,
            "creditor_ssn has to be 10 digits": not re.fullmatch("[0-9]{10}", digits["creditor_ssn"]),
            "amount has to be whole krónur, in digits only": not re.fullmatch("[1-9][0-9]{0,11}", self.cells["amount"]),
            "creditor_account has to be an IBAN or 12 digits": not (re.fullmatch("[0-9]{12}", iban) or is_iban(iban)),
            "purpose has to be at most 140 characters": len(self.cells["purpose"]) > 140,
        }
        return [f"line {self.line}: {problem}" for problem, wrong in found.items() if wrong]

    def arguments(self) -> dict[str, Any]:
        """The payment. Its key comes from the reference alone, so that a corrected row is still the same purchase."""
        cells = self.cells
        bban = bool(re.fullmatch(r"[0-9\s–-]+", cells["creditor_account"]))
        readable = re.fullmatch(r"[A-Za-z0-9._:-]{1,100}", cells["reference"])
        digest = hashlib.sha256(cells["reference"].encode()).hexdigest()
        return {
            "amount": int(cells["amount"]),
            "currency": "ISK",
            "creditor_name": cells["creditor_name"],
            "creditor_ssn": cells["creditor_ssn"],
            "creditor_bban" if bban else "creditor_iban": cells["creditor_account"],
            "idempotency_key": f"payout:{cells['reference']}" if readable else f"payout-sha256:{digest}",
            "purpose": cells["purpose"],
        }


def is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 7064, mod 97-10)."""
    if not re.fullmatch("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", text) or (text[:2] == "IS" and len(text) != 26):
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def read_rows(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of the file, and everything that is wrong with them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in COLUMNS[:-1] if name not in (reader.fieldnames or ())]:
            return [], [f"line 1: no column {name}" for name in missing]
        rows = [
            Row(reader.line_num, {name: (cells.get(name) or "").strip() for name in COLUMNS})
            for cells, _ in zip(reader, range(MAX_ROWS + 1), strict=False)
        ]
    problems = [problem for row in rows for problem in row.problems()]
    if len(rows) > MAX_ROWS:
        problems.append(f"more than {MAX_ROWS} rows")
    seen = Counter(row.cells["reference"] for row in rows)
    problems += [f"line {row.line}: reference is there twice" for row in rows if seen[row.cells["reference"]] > 1]
    return rows, problems


async def pay(client: Client, row: Row, *, approve: bool) -> dict[str, Any]:
    """Pay one row and return how it stands: paid already if an earlier run got that far."""
    result = await call(client, "create_payment", row.arguments())
    for _ in range(MAX_RATE_WAITS):
        if result["error_code"] != "rate_limited":
            break
        console.print("Too many payments in a minute: waiting.", style="dim")
        await anyio.sleep(RATE_SECONDS)
        result = await call(client, "create_payment", row.arguments())
    told = ""
    for _ in range(MAX_WAITS):
        if result["outcome"] not in ("needs_human", "pending") or result["error_code"] in HOPELESS:
            break
        if result["human_instruction"] not in ("", told):
            told = result["human_instruction"]
            console.print(f"\n{told}\n", markup=False, highlight=False, soft_wrap=True)
            if approve:
                person_reads(told)
        result = await call(client, "await_payment", {"payment_id": result["payment_id"], "human_informed": bool(told)})
    return result


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One tool call; every result has the same shape, errors too."""
    return dict((await client.call_tool(tool, arguments)).structured_content)


def report(results: list[tuple[Row, dict[str, Any]]], path: Path) -> None:
    """Every outcome, what somebody has to look at first: as a table, and as CSV that is there whole or not at all."""
    results = sorted(results, key=lambda pair: WORST_FIRST.index(pair[1]["outcome"]))
    own = ("reference", "amount", "creditor_name")  # as they are in the file, also where nothing was made of them
    lines = [{**result, **{name: row.cells[name] for name in own}} for row, result in results]
    partial = path.with_name(f"{path.name}.part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, REPORTED, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    partial.replace(path)
    table = Table("reference", "outcome", "ISK", "payee", "what to know", title="Payouts")
    for line in lines:
        cells = [line["reference"], line["outcome"], line["amount"], line["creditor_name"], line["error_message"]]
        table.add_row(*map(str, cells), style="bold red" if line["outcome"] == "unknown" else "")
    console.print(table, markup=False)


async def run(rows: list[Row], server: StdioServerParameters, *, approve: bool, report_path: Path) -> int:
    """Pay the rows; 0 only if all of them are paid."""
    results: list[tuple[Row, dict[str, Any]]] = []
    async with Client(server, read_timeout_seconds=CALL_SECONDS) as client:
        try:
            for row in rows:
                results.append((row, await pay(client, row, approve=approve)))
        finally:
            report(results, report_path)
    return 0 if all(result["outcome"] == "paid" for _, result in results) else 1


def main() -> int:
    """Read the file, name what is wrong with it, or pay it."""
    parser = argparse.ArgumentParser(description="Pay a CSV file of creditors, each row once.")
    parser.add_argument("file", type=Path, help=f"columns: {', '.join(COLUMNS)}")
    parser.add_argument("--approve", action="store_true", help="play the person at the sandbox's bank")
    parser.add_argument("--report", type=Path, default=Path("payout-report.csv"))
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--sandbox-at", metavar="URL")
    where.add_argument("--live", action="store_true", help="pay for real, with the BLIKK_* settings as they are set")
    options = parser.parse_args()
    rows, problems = read_rows(options.file)
    if problems:
        print("Nothing was paid. Correct these first:", *problems, sep="\n  ", file=sys.stderr)
        return 2
    settings = {name: value for name, value in os.environ.items() if name.startswith("BLIKK_")}
    with contextlib.ExitStack() as stack:
        if options.live:
            args, environment = ["serve"], settings
        elif options.sandbox_at:
            args, environment = ["serve", "--sandbox-at", options.sandbox_at], settings
        else:
            stage = stack.enter_context(scene())
            args, environment = stage.args, stage.env
        server = StdioServerParameters(command=blikk_command(), args=args, env=environment)

        async def paying() -> int:
            return await run(rows, server, approve=options.approve, report_path=options.report)

        return anyio.run(paying)


if __name__ == "__main__":
    sys.exit(main())
