"""What the sandbox's tests share: a clock that stands still, a good request, a client inside the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from blikk_sandbox.app import create_app

KEY = "key-of-the-first-channel"
OTHER_KEY = "key-of-the-second-channel"
ORIGIN = "http://127.0.0.1:8080"
IBAN = "IS140159260076545510730339"
BBAN = "015926007654"


class StandingClock:
    """Time that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def payment_body(*, creditor: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A request that is in order, save for what is given."""
    payee = {"ssn": "5510730339", "name": "Kaffihúsið ehf.", "iban": IBAN} | dict(creditor or {})
    return {"amount": 1000, "currency": "ISK", "creditor": payee} | fields


def without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The same without some of its fields."""
    return {name: value for name, value in body.items() if name not in names}


@dataclass
class SandboxHarness:
    """A sandbox without a network, its clock, and a client with the first channel's key."""

    clock: StandingClock = field(default_factory=StandingClock)
    configured_account: bool = True
    life: str = "standard"
    speed: float = 1.0
    peer: str = "127.0.0.1"
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        app = create_app(
            [KEY, OTHER_KEY],
            clock=self.clock,
            configured_account=self.configured_account,
            life=self.life,
            speed=self.speed,
        )
        transport = httpx.ASGITransport(app, client=(self.peer, 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Api-Key": KEY}, trust_env=False)

    async def post(self, body: Any, **options: Any) -> httpx.Response:
        """POST /payment."""
        return await self.client.post("/paymentchannel/payment", json=body, **options)

    async def create(self, **fields: Any) -> dict[str, Any]:
        """A payment that the sandbox made."""
        response = await self.post(payment_body(**fields))
        assert response.status_code == 201, response.text
        return response.json()

    async def read(self, payment_id: str, **options: Any) -> httpx.Response:
        """GET /payment/{paymentId}."""
        return await self.client.get(f"/paymentchannel/payment/{payment_id}", **options)

    async def look(self, payment_id: str) -> dict[str, Any]:
        """The payment as it stands."""
        response = await self.read(payment_id)
        assert response.status_code == 200, response.text
        return response.json()

    async def status(self, payment_id: str) -> str:
        """The payment's status."""
        return str((await self.look(payment_id))["status"])

    async def control(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """One request to the control API."""
        return await self.client.request(method, f"/_sandbox{path}", json=body, **options)

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The same, which has to succeed."""
        response = await self.control(method, path, body)
        assert response.status_code == 200, response.text
        return response.json()

    async def waiting_link(self, **fields: Any) -> tuple[str, str]:
        """The id of a payment that waits for a person, and its link."""
        payment = await self.create(**fields)
        self.clock.advance(2)
        return payment["id"], str((await self.look(payment["id"]))["redirectUrl"])
