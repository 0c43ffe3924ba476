"""What the tools' tests share: good arguments, a call over a scripted channel, and a result that keeps its shape."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from jsonschema import Draft202012Validator

from blikk_payments.errors import PaymentsError
from blikk_payments.snapshot import Snapshot
from blikk_tools.arguments import NO_SUBJECT, checked
from blikk_tools.catalog import catalog
from blikk_tools.instructions import Presentation
from blikk_tools.link_history import LinkHistory, Opener
from blikk_tools.list_payments import ListPaymentsArguments
from blikk_tools.listing import PaymentList, list_schema
from blikk_tools.phrases import Language
from blikk_tools.refusal import of_error
from blikk_tools.result import Result, approval_step, of_snapshot, output_schema
from blikk_tools.tool import Call, Reply, WaitLimits
from tests.payments.doubles import LEDGER, ServiceHarness, Step, paying
from tests.payments.factories import IBAN, KENNITALA, KEY

TOOLS = catalog(read_only=False)
LANGUAGES: tuple[Language, ...] = get_args(Language)
ERROR_CODES = [
    "invalid_arguments",
    "not_configured",
    "over_limit",
    "creditor_not_allowed",
    "rate_limited",
    "confirmation_required",
    "confirmation_declined",
    "idempotency_conflict",
    "possible_duplicate",
    "outcome_unknown",
    "rejected_by_blikk",
    "unauthorized",
    "wrong_channel",
    "not_found",
    "blikk_unavailable",
    "ledger_unavailable",
    "internal_error",
]
SHAPE = Draft202012Validator(output_schema())
LIST_SHAPE = Draft202012Validator(list_schema())


def arguments(**changes: Any) -> dict[str, Any]:
    """Good arguments of create_payment, save for what is given; `None` as a value stays, `...` leaves a name out."""
    good = {
        "amount": 1_000,
        "currency": "ISK",
        "creditor_name": "Kaffihúsið ehf.",
        "creditor_ssn": KENNITALA,
        "creditor_iban": IBAN,
        "idempotency_key": KEY,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


@dataclass
class ToolHarness:
    """The tools as a caller meets them."""

    house: ServiceHarness
    presentation: Presentation
    ledger_path: Path
    links: LinkHistory = field(default_factory=LinkHistory)
    opener: Opener | None = None
    progress: list[tuple[float, float, str]] = field(default_factory=list[tuple[float, float, str]])

    async def call(self, tool: str, raw: Mapping[str, Any] | None) -> Result:
        """One call, with what went wrong turned into its result."""

        async def report(done_seconds: float, of_seconds: float, message: str) -> None:
            self.progress.append((done_seconds, of_seconds, message))

        call = Call(
            self.house.service,
            self.presentation,
            report,
            WaitLimits(),
            opener=self.opener,
            links=self.links,
        )
        subject = NO_SUBJECT
        try:
            arguments = checked(TOOLS[tool].arguments, raw)
            subject = arguments.subject()
            reply = await TOOLS[tool].run(call, arguments)
            assert isinstance(reply, Reply)
            return in_shape(reply.result)
        except PaymentsError as error:
            return in_shape(of_error(error, tool, self.presentation, subject))

    async def list(self, **raw: Any) -> PaymentList:
        """One call of list_payments that can be answered."""

        async def report(done_seconds: float, of_seconds: float, message: str) -> None:
            raise AssertionError("a list waits for nothing")

        asked = checked(ListPaymentsArguments, raw)
        result = await TOOLS["list_payments"].run(Call(self.house.service, self.presentation, report), asked)
        assert isinstance(result, PaymentList)
        assert LIST_SHAPE.is_valid(result.model_dump(mode="json"))  # pyright: ignore[reportUnknownMemberType]
        return result

    @property
    def untouched(self) -> bool:
        """Whether neither Blikk nor the ledger, which is opened on first use, has heard of anything."""
        channel = self.house.channel
        return not channel.orders and not channel.read_ids and not self.ledger_path.exists()


@asynccontextmanager
async def desk(
    tmp_path: Path, *creates: Step, presentation: Presentation | None = None, **rules: Any
) -> AsyncGenerator[ToolHarness]:
    """The tools over a scripted channel and a real ledger."""
    async with paying(tmp_path, *creates, **rules) as house:
        yield ToolHarness(house, presentation or Presentation(), tmp_path / LEDGER)


def result_of(
    snapshot: Snapshot, presentation: Presentation | None = None, *, replaces: bool = False, lapsed: bool = False
) -> Result:
    """What is told of a payment that stands like this; the rest is about its link."""
    presentation = presentation or Presentation()
    approval = replace(approval_step(snapshot, presentation), replaces=replaces, lapsed=lapsed)
    return of_snapshot(snapshot, approval, presentation)


def in_shape(result: Result) -> Result:
    """The result, once it is sure that it is one flat object of the one shape."""
    told = result.model_dump(mode="json")
    assert [error.message for error in SHAPE.iter_errors(told)] == []  # pyright: ignore[reportUnknownMemberType]
    assert not result.error_code or LIST_SHAPE.is_valid(told)  # pyright: ignore[reportUnknownMemberType]
    assert [name for name, value in told.items() if not isinstance(value, (str, int, bool))] == []
    return result
