"""The shortest honest agent: list the tools, create a payment, tell the person, wait. Against the sandbox:

    .venv/bin/python agent_examples/plain_client.py --approve

Without `--approve` you are the person: open the link that it prints. With a server of your own set up by the BLIKK_*
variables, leave out `--sandbox` below; nothing else changes.
"""

from __future__ import annotations

import sys
from typing import Any

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

SERVER = StdioServerParameters(command=sys.executable, args=["-P", "-m", "blikk_mcp.cli", "serve", "--sandbox"])

ORDER: dict[str, Any] = {
    "amount": 1500,  # whole krónur
    "currency": "ISK",
    "creditor_name": "Bókabúðin Lind",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    # Made from the purchase, not from the attempt: a retry, a restart or another agent comes to the same key.
    "idempotency_key": "order-2026-11-0042",
}


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One tool call; every result has the same shape, errors too."""
    return dict((await client.call_tool(tool, arguments)).structured_content)


async def pay(client: Client, order: dict[str, Any], *, approve: bool = False) -> dict[str, Any]:
    """Pay an order and return how it ended, doing what each result's `next_step` says."""
    result = await call(client, "create_payment", order)
    told = ""
    while result["outcome"] in ("needs_human", "pending") and not result["error_code"]:
        if result["human_instruction"] not in ("", told):
            told = result["human_instruction"]
            print(f"\nFor you: {told}\n")  # word for word
            if approve:
                await stand_in_for_the_person(result["approval_url"])
        arguments = {"payment_id": result["payment_id"], "human_informed": bool(told)}
        result = await call(client, "await_payment", arguments)
    return result


async def stand_in_for_the_person(url: str) -> None:
    """Approve at the sandbox's bank page. An agent never does this: it is here so that the example runs by itself."""
    from blikk_sandbox.person import approve

    print(f"(The sandbox's bank: {await approve(url)})")


async def main() -> int:
    """Run it; 0 only if the payment is paid."""
    async with Client(SERVER) as client:
        print("Tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
        result = await pay(client, ORDER, approve="--approve" in sys.argv)
    print(f"outcome: {result['outcome']} (Blikk says {result['status']}). Next: {result['next_step']}")
    return 0 if result["outcome"] == "paid" else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
