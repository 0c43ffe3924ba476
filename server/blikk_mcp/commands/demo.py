"""`blikk-mcp demo`: the main job, played once, with a transcript a person can read."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
import urllib.request
import webbrowser
from typing import Any
from urllib.parse import urlsplit

import anyio

PAYMENT: dict[str, Any] = {
    "amount": 4900,
    "currency": "ISK",
    "creditor_name": "Kaffihúsið Kría ehf.",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    "idempotency_key": "demo-order-2026-0001",
    "purpose": "Coffee for the office",
}
ROUNDS_AT_MOST = 20
WIDTH = 96


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--open", action="store_true", help="approve it yourself: the bank's page opens in your browser"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 if the payment was paid, once."""
    return anyio.run(_play, arguments.open)


async def _play(in_browser: bool) -> int:
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    started = time.monotonic()
    _title("blikk-mcp demo: an agent pays, a person approves")
    _say(
        "This starts the real server as your MCP client would: a process of its own on stdio, with `--sandbox`, so that it "
        "pays into a stand-in for Blikk on this machine. No key is needed and no money moves."
    )
    server = StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "blikk_mcp.cli", "serve", "--sandbox"],
        env={**_without_settings(dict(os.environ)), "BLIKK_LOG_FORMAT": "text", "BLIKK_LOG_LEVEL": "warning"},
    )
    async with Client(server) as client:
        _title("1. The agent asks which tools there are")
        for tool in (await client.list_tools()).tools:
            _say(f"{tool.name}: {tool.description}", bullet="- ")

        _title("2. The agent calls create_payment")
        _show(PAYMENT)
        created = await _call(client, "create_payment", PAYMENT)
        _tell(created, "outcome", "status", "payment_id", "human_action", "approval_host", "next_step")

        _title("3. Word for word, what the agent shows the person")
        _say(created["human_instruction"], bullet="> ")

        _title("4. The agent retries, as agents do: same arguments, same idempotency_key")
        again = await _call(client, "create_payment", PAYMENT)
        _tell(again, "outcome", "payment_id", "replayed")
        _say("The same payment is answered again. Nothing was sent to the bank a second time.")

        url = again["approval_url"]
        if in_browser:
            _title("5. You approve at the (sandbox) bank, in your browser")
            webbrowser.open(url)
        else:
            _title("5. The person approves at the (sandbox) bank, through its page's own form")
            from blikk_sandbox.person import approve

            _say(f"The bank's page answers: {await approve(url)}")

        _title("6. The agent calls await_payment with human_informed=true")
        ended = await _wait(client, created["payment_id"])
        _tell(ended, "outcome", "status", "final", "human_instruction", "next_step")

        _title("7. The bank's own record")
        record = await anyio.to_thread.run_sync(_bank_record, url)
        _say(
            f"Requests to pay that it received: {len(record['received'])}. Payments that it made: {len(record['paid'])}."
        )

    once = paid_once(ended, record)
    _title(f"{'Paid, once' if once else 'NOT paid once'}, after {time.monotonic() - started:.1f} s")
    return 0 if once else 1


def paid_once(ended: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether the agent was told that it is paid, and the bank received one request and made one payment."""
    return ended["outcome"] == "paid" and len(record["received"]) == len(record["paid"]) == 1


async def _call(client: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    return dict(result.structured_content)


async def _wait(client: Any, payment_id: str) -> dict[str, Any]:
    result: dict[str, Any] = {"final": False}
    for _ in range(ROUNDS_AT_MOST):
        result = await _call(client, "await_payment", {"payment_id": payment_id, "human_informed": True})
        if result["final"]:
            break
        _say(f"outcome: {result['outcome']}. Not final yet: the agent calls await_payment again.")
    return result


def _bank_record(url: str) -> dict[str, Any]:
    origin = urlsplit(url)
    with urllib.request.urlopen(f"http://{origin.netloc}/_sandbox/record", timeout=5) as answer:
        return json.load(answer)


def _without_settings(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("BLIKK_")}


def _title(text: str) -> None:
    _print(f"\n{text}\n{'-' * len(text)}")


def _say(text: str, bullet: str = "") -> None:
    _print(
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=bullet,
            subsequent_indent=bullet if bullet == "> " else " " * len(bullet),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _show(arguments: dict[str, Any]) -> None:
    _print(textwrap.indent(json.dumps(arguments, indent=2, ensure_ascii=False), "  "))


def _tell(result: dict[str, Any], *fields: str) -> None:
    for field in fields:
        _say(f"{field}: {json.dumps(result[field], ensure_ascii=False)}", bullet="  ")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
