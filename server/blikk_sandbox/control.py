"""The control API under `/_sandbox`: faults, lives, the person's part, the clock, the bank's own record and its state.

It has no key, so it listens only to this machine: not to other peers, not to foreign host names (DNS
rebinding), not to pages of another origin.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blikk_sandbox.bank import BankError, Decision, Payment, Receipt, View
from blikk_sandbox.faults import Fault, FaultName
from blikk_sandbox.hosts import host_is_loopback, origin_is_foreign, origin_of, peer_is_loopback
from blikk_sandbox.lives import LifeName
from blikk_sandbox.problems import Problem, json_response
from blikk_sandbox.sandbox import LifeRequest, Sandbox, State

CONTROL_PREFIX: Final = "/_sandbox"
MAX_CONTROL_BYTES: Final = 1_048_576
MAX_STATE_BYTES: Final = 64 * 1024**2
DECISIONS: Final[dict[str, Decision]] = {
    "approve": "approve",
    "reject": "reject",
    "cancel": "cancel",
    "complete": "complete",
    "expire": "expire",
}
assert set(DECISIONS) == set(get_args(Decision))

Endpoint = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=BaseModel)


class ClockRequest(BaseModel):
    """How far to move the clock forward, in seconds."""

    model_config = ConfigDict(extra="forbid")

    advance_seconds: Annotated[float, Field(ge=0, le=10 * 365 * 86_400)]


class FaultsRequest(BaseModel):
    """All the faults still to come."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault]


class LivesRequest(BaseModel):
    """All the lives still to be led."""

    model_config = ConfigDict(extra="forbid")

    lives: list[LifeRequest]


class Control:
    """The control API of one sandbox, whose API is under `api_prefix`."""

    def __init__(self, sandbox: Sandbox, api_prefix: str) -> None:
        self._sandbox = sandbox
        self._api_prefix = api_prefix
        self._table: list[tuple[str, str, Endpoint]] = [
            ("", "GET", self.show_index),
            ("/faults", "POST", self.add_fault),
            ("/faults", "PUT", self.set_faults),
            ("/faults", "GET", self.list_faults),
            ("/faults", "DELETE", self.clear_faults),
            ("/lives", "POST", self.add_life),
            ("/lives", "PUT", self.set_lives),
            ("/lives", "GET", self.list_lives),
            ("/lives", "DELETE", self.clear_lives),
            ("/payments/{payment_id}/{decision}", "POST", self.decide),
            ("/record", "GET", self.show_record),
            ("/record", "DELETE", self.clear_record),
            ("/requests", "GET", self.show_requests),
            ("/clock", "POST", self.advance_clock),
            ("/state", "GET", self.show_state),
            ("/state", "PUT", self.set_state),
        ]

    def routes(self) -> list[Route]:
        """Every path, behind the guard."""
        return [Route(path or "/", guarded(endpoint), methods=[method]) for path, method, endpoint in self._table]

    async def show_index(self, request: Request) -> Response:
        """Say where the API is, its key, what the control API takes, and which faults, lives and decisions there are."""
        control_url = f"{origin_of(request.scope)}{CONTROL_PREFIX}"
        return json_response(
            {
                "base_url": f"{origin_of(request.scope)}{self._api_prefix}",
                "api_key": self._sandbox.api_keys[0],
                "control_url": control_url,
                "bank_id": self._sandbox.bank_id,
                "paths": [
                    {"method": method, "url": f"{control_url}{path}", "does": (endpoint.__doc__ or "").split("\n")[0]}
                    for path, method, endpoint in self._table
                ],
                "faults": [name.value for name in FaultName],
                "fault_fields": sorted(Fault.model_fields),
                "lives": [name.value for name in LifeName],
                "life_fields": sorted(LifeRequest.model_fields),
                "decisions": list(DECISIONS),
            }
        )

    async def add_fault(self, request: Request) -> Response:
        """Queue a fault for the next requests."""
        fault = await _read(request, Fault)
        _or_400(lambda: self._sandbox.faults.add(fault))
        return await self.list_faults(request)

    async def set_faults(self, request: Request) -> Response:
        """Have these faults and no others: `{"faults": […]}`."""
        faults = (await _read(request, FaultsRequest)).faults
        _or_400(lambda: self._sandbox.faults.set(faults))
        return await self.list_faults(request)

    async def list_faults(self, request: Request) -> Response:
        """Tell the faults still to come."""
        return json_response({"faults": self._sandbox.faults.waiting()})

    async def clear_faults(self, request: Request) -> Response:
        """Have no more faults."""
        self._sandbox.faults.set([])
        return await self.list_faults(request)

    async def add_life(self, request: Request) -> Response:
        """Queue a life for the next payments."""
        life = await _read(request, LifeRequest)
        _or_400(lambda: self._sandbox.lives.add(life))
        return await self.list_lives(request)

    async def set_lives(self, request: Request) -> Response:
        """Have these lives, one after the other, and then the usual one: `{"lives": […]}`."""
        lives = (await _read(request, LivesRequest)).lives
        _or_400(lambda: self._sandbox.lives.set(lives))
        return await self.list_lives(request)

    async def list_lives(self, request: Request) -> Response:
        """Tell the lives still to be led."""
        return json_response({"lives": self._sandbox.lives.waiting()})

    async def clear_lives(self, request: Request) -> Response:
        """Go back to the usual life."""
        self._sandbox.lives.set([])
        return await self.list_lives(request)

    async def decide(self, request: Request) -> Response:
        """Do what a person would do in a banking app, or let the approval lapse."""
        payment = self._sandbox.bank.find(request.path_params["payment_id"])
        decision = DECISIONS.get(request.path_params["decision"])
        if payment is None or decision is None:
            raise Problem(404, "no such payment, or no such decision")
        try:
            self._sandbox.bank.answer(payment, decision)
        except BankError as error:
            raise Problem(409, str(error)) from error
        return json_response({"id": payment.id, "status": payment.phase.status})

    async def show_record(self, request: Request) -> Response:
        """Tell the bank's truth: what was received, what became of it, what was paid, and who opened a link."""
        payments = self._sandbox.bank.payments()
        return json_response(
            {
                "now": _iso(self._sandbox.clock()),
                "received": [_receipt_as_json(receipt) for receipt in self._sandbox.bank.received],
                "payments": [_payment_as_json(payment) for payment in payments],
                "paid": [payment.id for payment in payments if payment.paid_at is not None],
                "views": [_view_as_json(view) for view in self._sandbox.bank.views],
            }
        )

    async def clear_record(self, request: Request) -> Response:
        """Forget everything that was ever received."""
        self._sandbox.bank.forget_everything()
        return await self.show_record(request)

    async def show_requests(self, request: Request) -> Response:
        """Tell how often each payment was read."""
        bank = self._sandbox.bank
        reads = {payment.id: payment.reads for payment in bank.payments()}
        return json_response({"creates": len(bank.received), "reads": reads})

    async def advance_clock(self, request: Request) -> Response:
        """Move the sandbox's own clock forward: `{"advance_seconds": 600}`."""
        seconds = (await _read(request, ClockRequest)).advance_seconds
        _or_400(lambda: self._sandbox.clock.advance(seconds))
        return json_response({"now": _iso(self._sandbox.clock())})

    async def show_state(self, request: Request) -> Response:
        """Hand out all that this sandbox knows, for another one that is to go on as the same bank."""
        return json_response(self._sandbox.dump().model_dump(mode="json"))

    async def set_state(self, request: Request) -> Response:
        """Go on as the sandbox that this state is from, with its keys, its clock and its payments."""
        self._sandbox.load(await _read(request, State, at_most=MAX_STATE_BYTES))
        return await self.show_index(request)


def guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, for callers on this machine only."""

    async def guard(request: Request) -> Response:
        if not peer_is_loopback(request.scope):
            raise Problem(403, "the control API listens to this machine only")
        if not host_is_loopback(request.scope):
            raise Problem(403, "the Host header does not name this machine")
        if origin_is_foreign(request.scope):
            raise Problem(403, "the control API takes nothing from pages of another origin")
        return await endpoint(request)

    return guard


async def _read(request: Request, model: type[Body], at_most: int = MAX_CONTROL_BYTES) -> Body:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > at_most:
            raise Problem(413, f"more than {at_most} bytes")
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise Problem(400, str(error)) from error


def _or_400(act: Callable[[], None]) -> None:
    try:
        act()
    except ValueError as error:
        raise Problem(400, str(error)) from error


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _receipt_as_json(receipt: Receipt) -> dict[str, Any]:
    return {
        "at": _iso(receipt.at),
        "channel": receipt.channel,
        "body": receipt.body,
        "status": receipt.status,
        "payment_id": receipt.payment_id,
    }


def _payment_as_json(payment: Payment) -> dict[str, Any]:
    order = payment.order
    return {
        "id": payment.id,
        "channel": payment.channel,
        "amount": order.amount,
        "currency": order.currency,
        "creditor": {
            "ssn": order.creditor_ssn,
            "name": order.creditor_name,
            "iban": order.iban,
            "bban": order.bban,
        },
        "sca_user_ssn": order.sca_user_ssn,
        "debtor_bban": order.debtor_bban,
        "life": payment.life.name,
        "status": payment.phase.status,
        "decision": payment.decision,
        "created_at": _iso(payment.created_at),
        "paid_at": _iso(payment.paid_at),
        "history": [{"status": status, "at": _iso(at)} for status, at in payment.history],
        "reads": payment.reads,
        "page_views": payment.page_views,
    }


def _view_as_json(view: View) -> dict[str, Any]:
    return {
        "at": _iso(view.at),
        "payment_id": view.payment_id,
        "door": view.door.value,
        "visitor": view.visitor,
        "user_agent": view.user_agent,
    }
