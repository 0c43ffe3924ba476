"""The sandbox as one ASGI application: Blikk's paths under `/paymentchannel`, and how they answer.

The paths, the `Api-Key` header and what 400, 401, 403, 404 and 500 mean are from Blikk's page
(https://docs.blikk.tech/docs/paymentchannel); 413, 415 and 405 are this stand-in's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from blikk_sandbox.approval import ApprovalPages
from blikk_sandbox.bank import BankError, Clock, Payment, wall_clock
from blikk_sandbox.bodies import parse_json, read_order
from blikk_sandbox.control import CONTROL_PREFIX, Control, guarded
from blikk_sandbox.docs_page import docs_page
from blikk_sandbox.dropping import LostAnswer
from blikk_sandbox.hosts import origin_of
from blikk_sandbox.lives import LifeName
from blikk_sandbox.names import Names
from blikk_sandbox.openapi import openapi
from blikk_sandbox.problems import Problem, json_response, problem_response
from blikk_sandbox.sandbox import Sandbox

MAX_BODY_BYTES: Final = 65_536
PREFIX: Final = "/paymentchannel"


def create_app(
    api_keys: Sequence[str],
    *,
    speed: float = 1.0,
    clock: Clock = wall_clock,
    configured_account: bool = True,
    life: str = LifeName.STANDARD,
    link_seconds: float | None = None,
    names: Names | None = None,
) -> Starlette:
    """The sandbox as an ASGI application. Faults that drop a connection need the server in `running`."""
    sandbox = Sandbox(
        api_keys,
        speed=speed,
        clock=clock,
        configured_account=configured_account,
        life=life,
        link_seconds=link_seconds,
        names=names or Names(),
    )
    control = Control(sandbox, PREFIX)
    rooms = {
        PREFIX: PaymentChannel(sandbox).routes(),
        "/bank": ApprovalPages(sandbox).routes(),
        CONTROL_PREFIX: control.routes(),
    }
    # No redirects to or from a trailing slash: a path that is not known is not found.
    mounted = [Mount(path, app=Router(routes, redirect_slashes=False)) for path, routes in rooms.items()]
    app = Starlette(
        routes=[Route(CONTROL_PREFIX, guarded(control.show_index)), *mounted],
        exception_handlers={
            Problem: _answer_problem,
            HTTPException: _answer_http_exception,
            Exception: _answer_crash,
        },
    )
    app.router.redirect_slashes = False
    return app


class PaymentChannel:
    """The API. Every request needs the key of a channel, those for the docs and the schema too."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """The four paths of Blikk's page."""
        return [
            Route("/payment", self.create, methods=["POST"]),
            Route("/payment/{payment_id}", self.read, methods=["GET"]),
            Route("/openapi.json", self.show_openapi, methods=["GET"]),
            Route("/docs", self.show_docs, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make a payment, and write down that it was asked for whatever the answer is."""
        raw = await _read_body(request)
        receipt = self._sandbox.bank.receive(_as_recorded(raw))

        def perform() -> Response:
            try:
                receipt.channel = self._authorise(request)
                payment = self._make(request, raw, receipt.channel)
            except Problem as problem:
                return problem.response()
            receipt.payment_id = payment.id
            return json_response(_as_json(payment, request), 201)

        response = await self._sandbox.faults.around("create", request, perform)
        receipt.status = None if isinstance(response, LostAnswer) else response.status_code
        return response

    async def read(self, request: Request) -> Response:
        """Tell how a payment stands, to the channel that made it. Every try counts as a read."""
        if payment := self._sandbox.bank.find(request.path_params["payment_id"]):
            payment.reads += 1

        def perform() -> Response:
            try:
                return json_response(_as_json(self._find(request), request))
            except Problem as problem:
                return problem.response()

        return await self._sandbox.faults.around("read", request, perform)

    async def show_openapi(self, request: Request) -> Response:
        """The API's description of itself."""
        self._authorise(request)
        return json_response(self._openapi)

    async def show_docs(self, request: Request) -> Response:
        """The same for people."""
        self._authorise(request)
        return docs_page(self._openapi)

    @cached_property
    def _openapi(self) -> dict[str, Any]:
        return openapi(configured_account=self._sandbox.configured_account)

    def _authorise(self, request: Request) -> int:
        sent = request.headers.getlist("api-key")
        channel = self._sandbox.channel_of(sent[0].encode("latin-1")) if len(sent) == 1 else None
        if channel is None:
            raise Problem(401, "The Api-Key header is missing or not valid.")
        return channel

    def _make(self, request: Request, raw: bytes | None, channel: int) -> Payment:
        if raw is None:
            raise Problem(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "The body has to be application/json.")
        order = read_order(parse_json(raw), configured_account=self._sandbox.configured_account)
        try:
            return self._sandbox.bank.create(order, channel)
        except BankError as error:
            raise Problem(500, str(error)) from error

    def _find(self, request: Request) -> Payment:
        channel = self._authorise(request)
        payment = self._sandbox.bank.find(request.path_params["payment_id"], show_hidden=False)
        if payment is None:
            raise Problem(404, "The payment is not a PaymentChannel payment.")
        if payment.channel != channel:
            raise Problem(403, "The payment belongs to a different payment channel.")
        return payment


def _as_json(payment: Payment, request: Request) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": payment.id,
        "status": payment.phase.status,
        "amount": payment.order.amount,
        "currency": payment.order.currency,
        "endToEndIdentification": payment.end_to_end_identification,
    }
    if payment.phase.link != "none":
        page = "onboard" if payment.phase.asks == "onboard" else "approve"
        own_page = f"{origin_of(request.scope)}/bank/{page}/{payment.token}"
        content["redirectUrl"] = own_page if payment.life.redirect_url is None else payment.life.redirect_url
    elif payment.life.missing_url != "absent":
        content["redirectUrl"] = None if payment.life.missing_url == "null" else ""
    if payment.life.bank_message is not None:
        content["message"] = payment.life.bank_message
    return content


async def _read_body(request: Request) -> bytes | None:
    """The body, or None if it is too large."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _as_recorded(raw: bytes | None) -> Any:
    if raw is None:
        return f"(more than {MAX_BODY_BYTES} bytes)"
    try:
        return parse_json(raw)
    except Problem:
        return raw.decode("utf-8", "replace")


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_response(error.status_code, str(error.detail), headers=error.headers)


async def _answer_crash(request: Request, error: Exception) -> Response:
    return problem_response(500, "A defect of the sandbox, not a fault that was asked for.")
