"""What a plain wrapper of Blikk's API does: the same tools, and nothing between the agent and the bank.

No ledger, no limits, no duplicates held up, nothing looked at twice. It stands in for the guard that is off.
"""

from __future__ import annotations

import os
from typing import Any, Final

import httpx
from mcp.server import MCPServer

TIMEOUT_SECONDS: Final = 10.0
_OUTCOMES: Final = {
    "SUCCESS": "paid",
    "REJECTED": "failed",
    "CANCELLED": "failed",
    "ERROR": "failed",
    "SCA_REQUIRED": "needs_human",
}

server = MCPServer("plain-wrapper")


@server.tool()
async def create_payment(
    amount: int,
    currency: str,
    creditor_name: str,
    creditor_ssn: str,
    idempotency_key: str,
    creditor_iban: str = "",
    creditor_bban: str = "",
    purpose: str = "",
    confirmed_duplicate_of: str = "",
) -> dict[str, Any]:
    """Pay a creditor."""
    digits = creditor_ssn.replace("-", "")
    account = {"iban": creditor_iban.replace(" ", "")} if creditor_iban else {"bban": creditor_bban.replace("-", "")}
    body = {"amount": amount, "currency": currency, "creditor": {"ssn": digits, "name": creditor_name, **account}}
    told = {"amount": amount, "creditor_name": creditor_name, "idempotency_key": idempotency_key}
    try:
        created = await _ask("POST", "/payment", body)
        # The link comes a moment later.
        return await _told(created["id"], told)
    except httpx.HTTPError as error:
        return {
            **_EMPTY,
            **told,
            "outcome": "unknown",
            "error_code": "outcome_unknown",
            "error_message": type(error).__name__,
        }


@server.tool()
async def get_payment_status(payment_id: str) -> dict[str, Any]:
    """Look up a payment."""
    return await _told(payment_id, {})


@server.tool()
async def await_payment(payment_id: str, human_informed: bool = False) -> dict[str, Any]:
    """Look up a payment once more."""
    return await _told(payment_id, {})


_EMPTY: Final[dict[str, Any]] = {"human_instruction": "", "approval_url": "", "payment_id": "", "error_code": ""}


async def _told(payment_id: str, told: dict[str, Any]) -> dict[str, Any]:
    payment = await _ask("GET", f"/payment/{payment_id}")
    url = payment.get("redirectUrl") or ""
    outcome = _OUTCOMES.get(payment["status"], "pending")
    text = f"Approve the payment here: {url}" if url else "Approve the payment in your bank's app."
    return {
        **_EMPTY,
        **told,
        "payment_id": payment_id,
        "outcome": outcome,
        "status": payment["status"],
        "human_instruction": text if outcome == "needs_human" else "",
        "approval_url": url,
    }


async def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Api-Key": os.environ["BLIKK_API_KEY"]}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        answer = await client.request(method, f"{os.environ['BLIKK_BASE_URL']}{path}", json=body)
    answer.raise_for_status()
    return answer.json()


if __name__ == "__main__":
    server.run()
