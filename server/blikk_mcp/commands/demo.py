"""`blikk-mcp demo`: one complete payment, with a transcript a person can read."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.request
import webbrowser
from typing import Any
from urllib.parse import urlsplit

import anyio

from blikk_mcp.commands.terminal import StdoutConsole
from blikk_mcp.commands.transcript import Transcript
from blikk_mcp.settings import table

PAYMENT: dict[str, Any] = {
    "amount": 4900,
    "currency": "ISK",
    "creditor_name": "Kaffihúsið Kría ehf.",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    "idempotency_key": "demo-order-2026-0001",
    "purpose": "Coffee for the office",
}
PLAIN_LOG = {table.LOG_FORMAT.name: "text", table.LOG_LEVEL.name: "warning"}
MAX_ROUNDS = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--open", action="store_true", help="approve it yourself: the bank's page opens in your browser"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 if the payment was paid, once."""
    return anyio.run(play, Transcript(StdoutConsole()), arguments.open)


async def play(transcript: Transcript, in_browser: bool = False) -> int:
    """Start a server with a sandbox, pay through it as an agent does, and approve as a person does."""
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    started = time.monotonic()
    transcript.title("blikk-mcp demo: an agent pays, a person approves")
    transcript.say(
        "This starts the real server as your MCP client would: a process of its own on stdio, with --sandbox, so that it "
        "pays into a stand-in for Blikk on this machine. No key is needed and no money moves."
    )
    server = StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "blikk_mcp.cli", "serve", "--sandbox"],
        env={**_without_settings(dict(os.environ)), **PLAIN_LOG},
    )
    async with Client(server) as client:
        transcript.title("1. The agent asks which tools there are")
        for tool in (await client.list_tools()).tools:
            transcript.item(tool.name, f"{(tool.description or '').split('. ')[0].rstrip('.')}.")

        transcript.title("2. The agent calls create_payment")
        transcript.arguments(PAYMENT)
        transcript.say("and is answered:")
        created = await _call(client, "create_payment", PAYMENT)
        transcript.result(created, "outcome", "status", "payment_id", "human_action", "approval_host", "next_step")
        for _ in range(MAX_ROUNDS):
            if created["approval_url"]:
                break
            transcript.say("The bank has no link yet: the agent calls await_payment.")
            created = await _call(client, "await_payment", {"payment_id": created["payment_id"]})

        transcript.title("3. Word for word, what the agent shows the person")
        transcript.quote(created["human_instruction"])

        transcript.title("4. The agent retries, as agents do: same arguments, same idempotency_key")
        again = await _call(client, "create_payment", PAYMENT)
        transcript.result(again, "outcome", "payment_id", "replayed")
        transcript.say("It is answered with the same payment. Nothing was sent to the bank again.")

        url = created["approval_url"]
        if in_browser:
            transcript.title("5. You approve at the (sandbox) bank, in your browser")
            webbrowser.open(url)
        else:
            transcript.title("5. The person approves at the (sandbox) bank")
            from blikk_sandbox.person import approve

            transcript.say(f"They open the link and press the page's button. The page says: {await approve(url)}")

        transcript.title("6. The agent calls await_payment with human_informed=true")
        ended = await _wait(client, transcript, created["payment_id"])
        transcript.result(ended, "outcome", "status", "final", "next_step")

        transcript.title("7. The bank's own record")
        record = await anyio.to_thread.run_sync(_bank_record, url)
        transcript.say(f"Payment requests received: {len(record['received'])}. Payments made: {len(record['paid'])}.")

    once = paid_once(ended, record)
    verdict, style = ("Paid, once", "bold green") if once else ("NOT paid once", "bold red")
    transcript.title(f"{verdict}, after {time.monotonic() - started:.1f} s", style)
    return 0 if once else 1


def paid_once(ended: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether the agent was told that it is paid, and the bank received one request and made one payment."""
    return ended["outcome"] == "paid" and len(record["received"]) == len(record["paid"]) == 1


async def _call(client: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    return dict(result.structured_content)


async def _wait(client: Any, transcript: Transcript, payment_id: str) -> dict[str, Any]:
    result: dict[str, Any] = {"final": False}
    for _ in range(MAX_ROUNDS):
        result = await _call(client, "await_payment", {"payment_id": payment_id, "human_informed": True})
        if result["final"]:
            break
        transcript.say(f"outcome: {result['outcome']}. Not final yet: the agent calls await_payment again.")
    return result


def _bank_record(url: str) -> dict[str, Any]:
    origin = urlsplit(url)
    with urllib.request.urlopen(f"http://{origin.netloc}/_sandbox/record", timeout=5) as answer:
        return json.load(answer)


def _without_settings(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(table.PREFIX)}
