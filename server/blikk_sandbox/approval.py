"""The bank's pages over HTTP: opening a link, and answering through the page's own form and no other way."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Final, cast
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blikk_sandbox.bank import BankError, Decision, Door, Payment
from blikk_sandbox.hosts import origin_is_foreign
from blikk_sandbox.pages import closed_page, forged_page, question_page, result_page
from blikk_sandbox.sandbox import Sandbox
from blikk_sandbox.words import Language, choose_language

MAX_FORM_BYTES: Final = 4_096
COOKIE: Final = "sandbox_bank_visit"
VISITOR_HEADER: Final = "sandbox-visitor"
MAX_VISITOR_LENGTH: Final = 40
MAX_AGENT_LENGTH: Final = 200
_VISIT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STATUS: Final = {
    Door.NOT_YET: 409,
    Door.ANSWERED: 409,
    Door.REPLACED: 410,
    Door.EXPIRED: 410,
    Door.UNKNOWN: 404,
}
_CHOICES: Final = {"approve": frozenset({"approve", "reject", "cancel"}), "onboard": frozenset({"complete"})}


class ApprovalPages:
    """The pages behind a payment's `redirectUrl`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """One page to approve, one to be onboarded."""
        return [
            Route("/{page:str}/{token}", self.show, methods=["GET"]),
            Route("/{page:str}/{token}", self.answer, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The question, or why there is none."""
        language = _language(request)
        door, payment = self._behind(request)
        visitor = request.headers.get(VISITOR_HEADER, "")[:MAX_VISITOR_LENGTH]
        self._sandbox.bank.saw(door, payment, visitor, request.headers.get("user-agent", "")[:MAX_AGENT_LENGTH])
        if door is not Door.OPEN or payment is None:
            return closed_page(door, _STATUS[door], language)
        visit = request.cookies.get(COOKIE, "")
        if not _VISIT.fullmatch(visit):
            visit = secrets.token_urlsafe(32)
        page = question_page(payment, self._csrf_token(request, visit), language)
        page.set_cookie(COOKIE, visit, path="/bank", httponly=True, samesite="strict")
        return page

    async def answer(self, request: Request) -> Response:
        """Take the answer, if it comes from the page that this person was shown."""
        language = _language(request)
        form = await _read_form(request)
        visit = request.cookies.get(COOKIE, "")
        expected = self._csrf_token(request, visit)
        sent = form.get("csrf_token", "")
        if not _VISIT.fullmatch(visit) or not hmac.compare_digest(sent.encode(), expected.encode()):
            return forged_page(language)
        if origin_is_foreign(request.scope):
            return forged_page(language)
        door, payment = self._behind(request)
        if door is not Door.OPEN or payment is None:
            return closed_page(door, _STATUS[door], language)
        decision = form.get("decision", "")
        if decision not in _CHOICES[payment.phase.asks]:
            return forged_page(language)
        try:
            self._sandbox.bank.answer(payment, cast("Decision", decision))
        except BankError:
            # The link lapsed between looking and answering.
            return closed_page(Door.EXPIRED, _STATUS[Door.EXPIRED], language)
        return result_page(payment, decision, language)

    def _behind(self, request: Request) -> tuple[Door, Payment | None]:
        door, payment = self._sandbox.bank.behind(request.path_params["token"])
        page = request.path_params["page"]
        if page not in ("approve", "onboard"):
            return Door.UNKNOWN, None
        if door is Door.OPEN and payment is not None and payment.phase.asks != page:
            return Door.UNKNOWN, None
        return door, payment

    def _csrf_token(self, request: Request, visit: str) -> str:
        """Bound to this sandbox, this browser and this link."""
        message = f"{visit}|{request.path_params['token']}"
        return hmac.digest(self._sandbox.form_secret, message.encode(), "sha256").hex()


def _language(request: Request) -> Language:
    return choose_language(request.query_params.get("lang"), request.headers.get("accept-language", ""))


async def _read_form(request: Request) -> dict[str, str]:
    """The first value of each field; nothing for a form that is too large or not ours."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            return {}
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10, keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
