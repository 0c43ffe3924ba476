"""Creating a payment: sent once, whatever happens, on the real ledger; and what every kind of ending is told as."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import httpx
import pytest

from blikk_payments.channel.client import ChannelClient, Timeouts
from blikk_payments.channel.errors import NotSent, Refused, Uncertain
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import PaymentOrder, Status
from blikk_payments.errors import (
    ConfirmationRequired,
    IdempotencyConflict,
    LedgerUnavailable,
    PaymentNotFound,
    PaymentsError,
    PolicyDenied,
    PossibleDuplicate,
)
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.models import ClaimState, Facts, PaymentIntent, other_amount
from blikk_payments.policy import AllowedCreditor, Policy
from blikk_payments.service import PaymentService
from blikk_payments.snapshot import Snapshot
from blikk_sandbox import RunningSandbox, run_sandbox
from blikk_sandbox.person import approve
from tests.payments.doubles import (
    BBAN,
    FOREIGN_IBAN,
    IBAN,
    KENNITALA,
    KEY,
    LEDGER,
    LINK,
    NEWER_LINK,
    OTHER_BBAN,
    OTHER_KENNITALA,
    OTHER_KEY,
    START,
    BreakableLedger,
    House,
    Person,
    ScriptedChannel,
    Step,
    after,
    an_intent,
    answer,
    iban_of,
    inline,
    never,
    numbered,
    paying,
    service_over,
    unread,
    virtual_now,
    virtual_time,
    when,
)
from tests.payments.loopback import Answer, as_json, drip, free_port, hang, http, loopback, raw, reset

pytestmark = pytest.mark.anyio

T = TypeVar("T")

PAID = answer(Status.SUCCESS)
LOST = Uncertain("The connection to Blikk failed before its answer arrived.")
SHORT = Timeouts(connect_seconds=1.0, read_seconds=0.3, create_total_seconds=1.0, read_total_seconds=1.0)
NO_PAYMENT = ClaimState.REFUSED
MAYBE = ClaimState.UNKNOWN
in_real_time = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Sleeps take no time."""
    return virtual_time()


def refused(status: int) -> Refused:
    """Blikk's no."""
    return Refused(f"Blikk refused the payment (HTTP {status}).", status=status, bank_text="because")


def uncertain(status: int | None) -> Uncertain:
    """An answer that does not tell."""
    return Uncertain("Blikk's answer does not tell.", status=status, bank_text="hm")


def told(snapshot: Snapshot) -> tuple[ClaimState, str]:
    """What became of a payment, and the error code that goes with it."""
    return snapshot.record.state, snapshot.error.code if snapshot.error else ""


def in_ledger(house: House, key: str = KEY) -> ClaimState | None:
    """What the ledger has under the key."""
    record = house.record(key)
    return record.state if record else None


async def code_of(create: Awaitable[Snapshot]) -> str:
    """The code of the refusal that a create ended with; `""` if it was let through."""
    try:
        await create
    except PaymentsError as error:
        return error.code
    return ""


# What is definite and what is not

DEFINITE: list[tuple[Exception, str]] = [
    (refused(400), "rejected_by_blikk"),
    (refused(413), "rejected_by_blikk"),
    (refused(422), "rejected_by_blikk"),
    (refused(401), "unauthorized"),
    (refused(403), "wrong_channel"),
    (refused(404), "not_found"),
    (NotSent("Blikk could not be reached; nothing was sent.", bank_text="because"), "blikk_unavailable"),
]

UNCERTAIN = [None, 200, 201, 301, 302, 307, 308, 405, 406, 408, 409, 415, 418, 425, 429, 500, 501, 502, 503, 504, 599]


@pytest.mark.parametrize(("error", "code"), DEFINITE, ids=lambda value: str(getattr(value, "status", value)))
async def test_a_definite_refusal_says_that_there_is_no_payment(tmp_path: Path, error: Exception, code: str) -> None:
    """Blikk's page: 400, 401, 403, 404; ours: 413, 422 and a connection never made. Definite: no payment exists."""
    async with paying(tmp_path, error) as house:
        snapshot = await house.service.create(an_intent())
        assert told(snapshot) == (NO_PAYMENT, code)
        assert snapshot.error is not None
        assert snapshot.error.bank_text == "because"
        assert in_ledger(house) is NO_PAYMENT
        assert house.posts == 1


@pytest.mark.parametrize("status", UNCERTAIN)
async def test_anything_else_says_that_nobody_knows_and_is_never_sent_again(tmp_path: Path, status: int | None) -> None:
    """Whatever is not named as definite: the payment may exist and money may move."""
    async with paying(tmp_path, uncertain(status)) as house:
        snapshot = await house.service.create(an_intent())
        assert told(snapshot) == (MAYBE, "outcome_unknown")
        assert snapshot.error is not None
        assert snapshot.error.bank_text == "hm"
        again = await house.service.create(an_intent())
        assert told(again) == (MAYBE, "outcome_unknown")
        assert (again.replayed, house.posts, in_ledger(house)) == (True, 1, MAYBE)


@pytest.mark.parametrize("status", list(Status))
async def test_an_answer_with_an_id_is_created_whatever_its_status(tmp_path: Path, status: Status) -> None:
    """A 2xx with an id is created, whatever its status."""
    async with paying(tmp_path, answer(status)) as house:
        snapshot = await house.service.create(an_intent())
        assert told(snapshot) == (ClaimState.CREATED, "")
        assert (snapshot.record.payment_id, snapshot.record.status) == ("pay-1", status)
        assert (snapshot.replayed, snapshot.kept, house.posts) == (False, True, 1)


async def test_a_defect_in_mid_request_is_unknown_and_does_not_end_the_process(tmp_path: Path) -> None:
    """Whatever it was, the payment may exist; ours."""
    async with paying(tmp_path, RuntimeError("a defect")) as house:
        assert told(await house.service.create(an_intent())) == (MAYBE, "outcome_unknown")
        assert in_ledger(house) is MAYBE
        assert house.ledger.history(KEY)[-1].detail["reason"] == "defect"
        assert told(await house.service.create(numbered(2))) == (ClaimState.CREATED, "")


CREATED_BODY = {"id": "pay-1", "status": "SUCCESS"}
PROBLEM = {"title": "No", "status": 400, "detail": "because"}

ON_THE_WIRE: list[tuple[str, Answer, ClaimState, str]] = [
    *(
        (f"{status}", as_json(status, PROBLEM), NO_PAYMENT, code)
        for status, code in (
            (400, "rejected_by_blikk"),
            (413, "rejected_by_blikk"),
            (422, "rejected_by_blikk"),
            (401, "unauthorized"),
            (403, "wrong_channel"),
            (404, "not_found"),
        )
    ),
    *(
        (f"{status}", http(status, b"", ("Location", "/elsewhere"), ("Retry-After", "1")), MAYBE, "outcome_unknown")
        for status in (301, 302, 307, 308, 405, 408, 409, 425, 429, 500, 502, 503, 504)
    ),
    ("reset", reset, MAYBE, "outcome_unknown"),
    ("time-out", hang, MAYBE, "outcome_unknown"),
    ("slow body", drip(201), MAYBE, "outcome_unknown"),
    ("no answer", raw(b""), MAYBE, "outcome_unknown"),
    ("not HTTP", raw(b"hello\r\n\r\n"), MAYBE, "outcome_unknown"),
    ("unreadable 2xx", http(201, b'{"id": "pay-1"'), MAYBE, "outcome_unknown"),
    ("2xx without id", as_json(201, {"status": "DRAFT"}), MAYBE, "outcome_unknown"),
    ("2xx with an empty id", as_json(201, {"id": "", "status": "DRAFT"}), MAYBE, "outcome_unknown"),
    ("204", http(204), MAYBE, "outcome_unknown"),
    ("201", as_json(201, CREATED_BODY), ClaimState.CREATED, ""),
    ("200", as_json(200, CREATED_BODY), ClaimState.CREATED, ""),
]


@in_real_time
@pytest.mark.parametrize(
    ("said", "state", "code"),
    [row[1:] for row in ON_THE_WIRE],
    ids=[row[0] for row in ON_THE_WIRE],
)
async def test_every_kind_of_answer_ends_as_what_it_means_and_is_sent_once(
    tmp_path: Path, said: Answer, state: ClaimState, code: str
) -> None:
    """Blikk's page and, for what it does not name, ours: over real HTTP, with the real client and ledger."""
    async with loopback(said) as server:
        channel = ChannelClient(server.base_url, SecretStr("a-key"), timeouts=SHORT)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True) as service:
                assert told(await service.create(an_intent())) == (state, code)
                if state is not NO_PAYMENT:
                    assert (await service.create(an_intent())).replayed
        await channel.aclose()
        assert [received.method for received in server.requests].count("POST") == 1


@in_real_time
async def test_a_connection_that_was_never_made_is_definite(tmp_path: Path) -> None:
    """Connection refused before the request was sent: no payment exists."""
    channel = ChannelClient(f"http://127.0.0.1:{free_port()}/paymentchannel", SecretStr("a-key"), timeouts=SHORT)
    with SqliteLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, real_time=True) as service:
            assert told(await service.create(an_intent())) == (NO_PAYMENT, "blikk_unavailable")
    await channel.aclose()


async def test_an_id_that_another_payment_has_makes_the_outcome_unknown(tmp_path: Path) -> None:
    """Two payments are never one: the ledger takes no id twice, and nobody may be told that the second was made."""
    twice = answer(Status.SUCCESS, payment_id="pay-1")
    async with paying(tmp_path, twice, twice) as house:
        await house.service.create(numbered(1))
        second = await house.service.create(numbered(2))
        assert in_ledger(house, "order-0002") is MAYBE
        assert told(second) == (MAYBE, "outcome_unknown")
        assert (second.record.payment_id, second.record.status, second.record.approval_url) == ("", None, "")


# What is sent


async def test_the_claim_is_written_down_before_anything_is_sent(tmp_path: Path) -> None:
    """Intent first: the claim is committed before the request is sent."""
    seen: list[ClaimState | None] = []

    def look(order: PaymentOrder) -> None:
        with SqliteLedger(tmp_path / LEDGER) as other:
            record = other.by_key(KEY, now=virtual_now())
            seen.append(record.state if record else None)

    channel = ScriptedChannel(PAID)
    channel.before_create = look
    async with paying(tmp_path, channel=channel) as house:
        await house.service.create(an_intent())
        assert seen == [ClaimState.SENDING]


async def test_blikk_gets_the_payment_and_the_operators_settings_and_no_purpose(tmp_path: Path) -> None:
    """`purpose` is kept in the ledger for people and never sent; scaUserSsn and debtorBban are settings."""
    channel = ScriptedChannel(PAID)
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        options: dict[str, Any] = {"sca_user_ssn": OTHER_KENNITALA, "debtor_bban": OTHER_BBAN}
        async with service_over(channel, ledger, **options) as service:
            snapshot = await service.create(an_intent(purpose="Invoice 7"))
    expected = PaymentOrder(1_000, "Kaffihúsið ehf.", KENNITALA, IBAN, "", OTHER_KENNITALA, OTHER_BBAN)
    assert channel.orders == [expected]
    assert snapshot.record.purpose == "Invoice 7"


# The same key


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "Another name"},
        {"purpose": "another purpose"},
        {"bban": BBAN},
        {"iban": iban_of(BBAN, OTHER_KENNITALA)},
        {"confirmed_duplicate_of": "pay-77"},
    ],
    ids=["same", "name", "purpose", "bban", "iban of another holder", "confirmed_duplicate_of"],
)
async def test_the_same_payment_under_the_same_key_is_answered_again_and_not_sent_again(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Amount, account and creditor_ssn decide whether it is the same payment; name and purpose do not."""
    async with paying(tmp_path, PAID) as house:
        first = await house.service.create(an_intent())
        again = await house.service.create(an_intent(**change))
        assert (first.replayed, again.replayed, house.posts) == (False, True, 1)
        assert again.record == first.record


@pytest.mark.parametrize(
    "change",
    [{"amount_isk": 1_001}, {"iban": iban_of(OTHER_BBAN)}, {"bban": OTHER_BBAN}, {"ssn": OTHER_KENNITALA}],
    ids=["amount", "account", "bban", "kennitala"],
)
@pytest.mark.parametrize("first", [PAID, answer(Status.ERROR), LOST], ids=["paid", "failed", "unknown"])
async def test_another_payment_under_the_same_key_is_a_conflict(
    tmp_path: Path, change: dict[str, Any], first: Step
) -> None:
    """Same key, other payment: idempotency_conflict, and nothing is sent."""
    async with paying(tmp_path, first) as house:
        before = (await house.service.create(an_intent())).record
        with pytest.raises(IdempotencyConflict):
            await house.service.create(an_intent(**change))
        with pytest.raises(IdempotencyConflict):
            await house.service.create(an_intent(**change), asker=Person())
        assert house.posts == 1
        assert house.record() == replace(before, bank_text="")


async def test_a_conflict_leaves_the_first_payment_to_be_answered_again(tmp_path: Path) -> None:
    """A replay after a conflict is still the first payment; ours."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(amount_isk=2))) == "idempotency_conflict"
        again = await house.service.create(an_intent())
        assert (again.replayed, again.record.amount_isk, house.posts) == (True, 1_000, 1)


async def test_the_earlier_answer_is_brought_up_to_date(tmp_path: Path) -> None:
    """Same key: the earlier answer brought up to date; at SCA_REQUIRED with the newest link."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK)
        again = await house.service.create(an_intent())
        assert (again.replayed, again.fresh, again.record.approval_url) == (True, True, NEWER_LINK)
        house.channel.tell("pay-1", Status.SUCCESS)
        paid = await house.service.create(an_intent())
        assert (paid.replayed, paid.record.status, house.posts) == (True, Status.SUCCESS, 1)


async def test_a_replay_that_cannot_be_brought_up_to_date_says_what_was_known(tmp_path: Path) -> None:
    """A read that fails keeps the last known outcome and adds the error code."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.every_read = unread(404)
        again = await house.service.create(an_intent())
        assert (again.replayed, again.fresh, told(again)) == (True, False, (ClaimState.CREATED, "not_found"))
        assert again.record.status is Status.SCA_REQUIRED


async def test_a_replay_passes_whatever_limits_and_lists_say_now(tmp_path: Path) -> None:
    """Same key: the earlier answer, `replayed` true, whatever limits and lists say now."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
    strict: dict[str, Any] = {
        "max_amount_isk": 1,
        "daily_limit_isk": 1,
        "creates_per_minute": 0,
        "ask_above_isk": 0,
        "allowed_creditors": (AllowedCreditor(kennitala=OTHER_KENNITALA),),
    }
    async with paying(tmp_path, channel=house.channel, **strict) as restarted:
        person = Person(yes=False)
        again = await restarted.service.create(an_intent(), asker=person)
        assert (again.replayed, again.record.status, person.questions) == (True, Status.SUCCESS, [])
        assert (await restarted.service.create(an_intent())).replayed
        assert restarted.posts == 1


async def test_a_restart_changes_nothing_about_a_key(tmp_path: Path) -> None:
    """One key: the same on every retry, also after an error or a restart."""
    async with paying(tmp_path, LOST) as house:
        await house.service.create(an_intent())
    async with paying(tmp_path, channel=house.channel) as restarted:
        again = await restarted.service.create(an_intent())
        assert (told(again), again.replayed) == ((MAYBE, "outcome_unknown"), True)
        assert restarted.posts == 1


@pytest.mark.parametrize(("error", "code"), DEFINITE, ids=lambda value: str(getattr(value, "status", value)))
async def test_after_a_definite_refusal_the_key_may_be_sent_again(tmp_path: Path, error: Exception, code: str) -> None:
    """After a definite refusal the key may be sent again, with the same or corrected arguments."""
    async with paying(tmp_path, error, error, PAID) as house:
        await house.service.create(an_intent())
        same = await house.service.create(an_intent())
        assert (told(same), same.replayed, house.posts) == ((NO_PAYMENT, code), False, 2)
        corrected = await house.service.create(an_intent(amount_isk=2_000, iban=iban_of(OTHER_BBAN)))
        assert (told(corrected), corrected.replayed, house.posts) == ((ClaimState.CREATED, ""), False, 3)
        assert house.channel.orders[-1].amount_isk == 2_000
        assert (corrected.record.amount_isk, corrected.record.attempt) == (2_000, 3)


async def test_a_payment_that_blikk_ended_is_not_made_again_under_its_key(tmp_path: Path) -> None:
    """It was created, so its key is used up: REJECTED, CANCELLED and ERROR are true answers; ours."""
    async with paying(tmp_path, answer(Status.REJECTED)) as house:
        await house.service.create(an_intent())
        again = await house.service.create(an_intent())
        assert (again.record.status, again.replayed, house.posts) == (Status.REJECTED, True, 1)


async def test_what_an_operator_found_not_to_exist_may_be_sent_again(tmp_path: Path) -> None:
    """Unknown stays so until `ledger resolve`; --not-created is then a definite refusal."""
    async with paying(tmp_path, LOST, PAID) as house:
        await house.service.create(an_intent())
        await anyio.sleep(600)
        house.ledger.resolve_not_created(KEY, note="looked in the portal", now=virtual_now())
        assert told(await house.service.status(idempotency_key=KEY)) == (NO_PAYMENT, "")
        again = await house.service.create(an_intent())
        assert (told(again), again.replayed, house.posts) == ((ClaimState.CREATED, ""), False, 2)


# At the same moment


async def test_eight_tasks_with_one_key_send_one_payment(tmp_path: Path) -> None:
    """While the first call is under way the others wait for it and answer from its outcome."""
    answers: list[Snapshot] = []
    async with paying(tmp_path, after(2, PAID)) as house:

        async def create() -> None:
            answers.append(await house.service.create(an_intent()))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(create)
        assert house.posts == 1
        assert sorted(snapshot.replayed for snapshot in answers) == [False] + [True] * 7
        assert {(snapshot.record.payment_id, told(snapshot)) for snapshot in answers} == {
            ("pay-1", (ClaimState.CREATED, ""))
        }


@in_real_time
async def test_eight_tasks_and_their_threads_send_one_payment(tmp_path: Path) -> None:
    """The same with the worker threads that the process really uses, over two services on one ledger."""
    answers: list[Snapshot] = []
    channel = ScriptedChannel(PAID)
    async with (
        paying(tmp_path, channel=channel, real_time=True) as one,
        paying(tmp_path, channel=channel, real_time=True) as other,
    ):

        async def create(service: PaymentService) -> None:
            answers.append(await service.create(an_intent()))

        async with anyio.create_task_group() as tasks:
            for house in [one, other] * 4:
                tasks.start_soon(create, house.service)
    assert len(channel.orders) == 1
    assert sorted(snapshot.replayed for snapshot in answers) == [False] + [True] * 7
    assert {snapshot.record.payment_id for snapshot in answers} == {"pay-1"}


@pytest.mark.parametrize(
    ("ending", "state", "code"), [(LOST, MAYBE, "outcome_unknown"), (PAID, ClaimState.CREATED, "")]
)
async def test_the_second_call_tells_what_became_of_the_first(
    tmp_path: Path, ending: Step, state: ClaimState, code: str
) -> None:
    """The second waits for the first and answers from its outcome."""
    async with paying(tmp_path, after(3, ending)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        second = await house.service.create(an_intent())
        assert (told(second), second.replayed, house.posts) == ((state, code), True, 1)
        assert anyio.current_time() == pytest.approx(3, abs=0.5)


async def test_a_first_call_that_stays_open_leaves_the_second_pending_after_a_bounded_time(tmp_path: Path) -> None:
    """If the first is still open then: pending."""
    answered = anyio.Event()
    async with paying(tmp_path, when(answered, PAID)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        second = await house.service.create(an_intent())
        assert (told(second), second.replayed) == ((ClaimState.SENDING, ""), True)
        assert 1 < anyio.current_time() <= 15
        answered.set()
        await anyio.sleep(1)
        third = await house.service.create(an_intent())
        assert (third.record.status, third.replayed, house.posts) == (Status.SUCCESS, True, 1)


async def test_a_ledger_that_fails_while_the_second_call_waits_costs_it_nothing(tmp_path: Path) -> None:
    """In the process that sends, the outcome is known without the ledger."""
    async with paying(tmp_path, after(5, PAID)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        house.ledger.broken = {"by_key", "find_key"}
        second = await house.service.create(an_intent())
        assert (told(second), second.replayed, second.record.payment_id) == ((ClaimState.CREATED, ""), True, "pay-1")


# A process that died


def claimed_by(tmp_path: Path, process: ProcessIdentity) -> None:
    """Another process claims the usual payment and says no more."""

    def decide(facts: Facts) -> None:
        return

    with SqliteLedger(tmp_path / LEDGER, process=process) as ledger:
        ledger.claim(an_intent(), decide, window_minutes=0, now=virtual_now())


def gone() -> ProcessIdentity:
    """A process of this machine that is certainly gone."""
    return replace(ProcessIdentity.current(), pid=2**31 - 1)


async def test_a_claim_whose_process_died_is_unknown_at_once_and_never_sent_again(tmp_path: Path) -> None:
    """A claim whose process died while sending is unknown as soon as that process is known to be gone."""
    claimed_by(tmp_path, gone())
    async with paying(tmp_path) as house:
        again = await house.service.create(an_intent())
        assert (told(again), again.replayed, house.posts) == ((MAYBE, "outcome_unknown"), True, 0)
        assert anyio.current_time() == 0


async def test_a_claim_of_another_machine_is_pending_and_after_thirty_seconds_unknown(tmp_path: Path) -> None:
    """At the latest after 30 s it is unknown; before that, pending."""
    claimed_by(tmp_path, replace(ProcessIdentity.current(), host="elsewhere"))
    async with paying(tmp_path) as house:
        early = await house.service.create(an_intent())
        assert told(early) == (ClaimState.SENDING, "")
        await anyio.sleep(30 - anyio.current_time())
        late = await house.service.create(an_intent())
        assert (told(late), late.replayed, house.posts) == ((MAYBE, "outcome_unknown"), True, 0)


async def test_what_a_dead_process_left_holds_an_equal_payment_up(tmp_path: Path) -> None:
    """Its outcome is unknown, and that cannot be confirmed away."""
    claimed_by(tmp_path, gone())
    async with paying(tmp_path) as house:
        with pytest.raises(PossibleDuplicate) as caught:
            await house.service.create(an_intent(OTHER_KEY), asker=Person())
        assert (caught.value.confirmable, house.posts) == (False, 0)


# Cancelled, and shut down


async def test_a_cancelled_create_keeps_its_claim_and_its_answer_is_written_down(tmp_path: Path) -> None:
    """A cancelled create keeps its claim."""
    async with paying(tmp_path, after(5, PAID)) as house:
        with anyio.move_on_after(1) as scope:
            await house.service.create(an_intent())
        assert scope.cancelled_caught
        assert in_ledger(house) is ClaimState.SENDING
        await anyio.sleep(5)
        assert in_ledger(house) is ClaimState.CREATED
        again = await house.service.create(an_intent())
        assert (again.record.payment_id, again.replayed, house.posts) == ("pay-1", True, 1)


@pytest.mark.parametrize("moment", range(12))
async def test_wherever_a_create_is_cancelled_what_is_claimed_is_sent(tmp_path: Path, moment: int) -> None:
    """A claim that nobody sends would be unknown for ever: between the claim and its request there is no way out."""
    scope = anyio.CancelScope()
    steps = 0

    def step() -> None:
        nonlocal steps
        if steps == moment:
            scope.cancel()
        steps += 1

    async def run_blocking(call: Callable[[], T]) -> T:
        step()
        result = await inline(call)
        step()
        await anyio.lowlevel.checkpoint()
        return result

    channel = ScriptedChannel(after(1, answer(Status.PENDING)))
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, Policy(ask_above_isk=0), run_blocking=run_blocking) as service:
            with scope:
                await service.create(an_intent(), asker=Person())
            await anyio.sleep(5)
            record = ledger.by_key(KEY, now=virtual_now())
            assert (len(channel.orders) == 1) == (record is not None)
            assert record is None or record.state is ClaimState.CREATED


async def test_a_shutdown_in_mid_send_ends_as_unknown(tmp_path: Path) -> None:
    """What was sent and not answered when the process ended may have been paid."""
    answers: list[Snapshot] = []
    async with anyio.create_task_group() as tasks, paying(tmp_path, never) as house:

        async def create() -> None:
            answers.append(await house.service.create(an_intent()))

        tasks.start_soon(create)
        await anyio.sleep(1)
    assert [told(snapshot) for snapshot in answers] == [(MAYBE, "outcome_unknown")]
    assert anyio.current_time() <= 3
    async with paying(tmp_path, channel=house.channel) as restarted:
        assert in_ledger(restarted) is MAYBE
        assert told(await restarted.service.create(an_intent())) == (MAYBE, "outcome_unknown")
        assert restarted.posts == 1


async def test_a_shutdown_lets_an_answer_that_is_nearly_there_arrive(tmp_path: Path) -> None:
    """Requests that are under way may finish within the bound of the shutdown; ours."""
    async with paying(tmp_path, after(1.5, PAID)) as house:
        with anyio.move_on_after(1):
            await house.service.create(an_intent())
    async with paying(tmp_path, channel=house.channel) as restarted:
        assert in_ledger(restarted) is ClaimState.CREATED


# A ledger that fails


@pytest.mark.parametrize("method", ["claim", "find_key", "facts"])
async def test_a_ledger_that_fails_before_keeps_everything_unsent(tmp_path: Path, method: str) -> None:
    """ledger_unavailable: what cannot be written down first is not sent."""
    async with paying(tmp_path, ask_above_isk=0) as house:
        house.ledger.broken = {method}
        with pytest.raises(LedgerUnavailable):
            await house.service.create(an_intent(), asker=Person())
        assert (house.posts, in_ledger(house)) == (0, None)


async def test_a_damaged_ledger_keeps_everything_unsent(tmp_path: Path) -> None:
    """ledger_unavailable: the same with a file that is no ledger, and the file is left as it is."""
    (tmp_path / LEDGER).write_bytes(b"not a ledger" * 100)
    async with paying(tmp_path) as house:
        with pytest.raises(LedgerUnavailable):
            await house.service.create(an_intent())
        assert house.posts == 0
    assert (tmp_path / LEDGER).read_bytes() == b"not a ledger" * 100


@pytest.mark.parametrize(
    ("method", "said", "expected"),
    [
        ("created", PAID, (ClaimState.CREATED, "")),
        ("created", answer(Status.SCA_REQUIRED, LINK), (ClaimState.CREATED, "")),
        ("refused", refused(400), (NO_PAYMENT, "rejected_by_blikk")),
        ("unknown", LOST, (MAYBE, "outcome_unknown")),
    ],
    ids=["paid", "link", "refused", "unknown"],
)
async def test_a_ledger_that_fails_after_blikk_answered_cannot_unmake_the_outcome(
    tmp_path: Path, method: str, said: Step, expected: tuple[ClaimState, str]
) -> None:
    """The outcome is told all the same, with the word that it was not kept; and the key is not sent again."""
    async with paying(tmp_path, said) as house:
        house.ledger.broken = {method}
        snapshot = await house.service.create(an_intent())
        assert (told(snapshot), snapshot.kept) == (expected, False)
        if said is not LOST and not isinstance(said, Exception):
            assert snapshot.record.payment_id == "pay-1"
        if expected[0] is not NO_PAYMENT:
            # The same truth for everybody, however long the ledger takes nothing.
            await anyio.sleep(31)
            again = await house.service.create(an_intent())
            assert (told(again), again.replayed, house.posts) == (expected, True, 1)
            by_key = await house.service.status(idempotency_key=KEY)
            assert (told(by_key), by_key.record.amount_isk) == (expected, 1_000)
        if snapshot.record.payment_id:
            by_id = await house.service.status(payment_id="pay-1")
            assert (told(by_id), by_id.record.amount_isk) == (expected, 1_000)
        house.ledger.broken = set()
        await anyio.sleep(6)
        assert in_ledger(house) is expected[0]


async def test_an_outcome_that_was_not_written_is_written_at_the_end(tmp_path: Path) -> None:
    """What this process alone knows is lost with it."""
    async with paying(tmp_path, PAID) as house:
        house.ledger.broken = {"created"}
        assert not (await house.service.create(an_intent())).kept
        house.ledger.broken = set()
    async with paying(tmp_path, channel=house.channel) as restarted:
        assert in_ledger(restarted) is ClaimState.CREATED


async def test_a_key_that_is_known_is_answered_by_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    """Only a new payment needs the ledger's lock."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
    async with paying(tmp_path, channel=house.channel) as restarted:
        restarted.ledger.broken = {"claim", "seen", "created"}
        again = await restarted.service.create(an_intent())
        assert (again.replayed, again.record.status, restarted.posts) == (True, Status.SUCCESS, 1)


@pytest.mark.parametrize("which", ["wall clock", "boot clock"])
async def test_the_order_may_not_leave_ten_seconds_after_its_claim(tmp_path: Path, which: str) -> None:
    """A process that was stopped in between, and others have given up on, must not send when it goes on."""
    ahead = {"wall clock": 0.0, "boot clock": 0.0}
    passed: list[bool] = []

    def look(order: PaymentOrder) -> None:
        assert order.deadline is not None
        for seconds in (0.0, 10.0, 10.1):
            ahead[which] = seconds
            passed.append(order.deadline.passed())

    channel = ScriptedChannel(PAID)
    channel.before_create = look
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        options: dict[str, Any] = {
            "now": lambda: START + timedelta(seconds=ahead["wall clock"]),
            "since_boot": lambda: ahead["boot clock"],
        }
        async with service_over(channel, ledger, **options) as service:
            await service.create(an_intent())
    assert passed == [False, False, True]


@in_real_time
async def test_an_order_that_is_too_late_sends_no_byte_and_its_key_may_be_sent_again(tmp_path: Path) -> None:
    """The deadline is looked at when the first byte is about to leave, after connecting."""
    boot = 0.0

    def stopped_after_the_claim() -> float:
        nonlocal boot
        boot += 11.0
        return boot

    async with loopback(as_json(201, CREATED_BODY)) as server:
        channel = ChannelClient(server.base_url, SecretStr("a-key"), timeouts=SHORT)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True, since_boot=stopped_after_the_claim) as service:
                assert told(await service.create(an_intent())) == (NO_PAYMENT, "blikk_unavailable")
                assert (server.requests, server.raw) == ([], b"")
            async with service_over(channel, ledger, real_time=True) as service:
                assert told(await service.create(an_intent())) == (ClaimState.CREATED, "")
        await channel.aclose()


async def test_a_failure_is_read_again_for_a_quarter_of_an_hour_and_a_late_success_told(tmp_path: Path) -> None:
    """A SUCCESS can come after a failure was said; after that, the failure stands."""
    async with paying(tmp_path, answer(Status.ERROR), answer(Status.ERROR)) as house:
        await house.service.create(numbered(1))
        await house.service.create(numbered(2))
        house.channel.tell("pay-1", Status.SUCCESS)
        house.channel.tell("pay-2", Status.SUCCESS)
        assert (await house.service.status(payment_id="pay-1")).record.status is Status.SUCCESS
        await anyio.sleep(901)
        assert (await house.service.status(payment_id="pay-2")).record.status is Status.ERROR


@pytest.mark.parametrize("asked", ["create", "wait", "key"])
async def test_every_way_to_ask_notices_a_late_success(tmp_path: Path, asked: str) -> None:
    """Status, wait and replay alike."""
    async with paying(tmp_path, answer(Status.REJECTED)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SUCCESS)
        calls: dict[str, Callable[[], Awaitable[Snapshot]]] = {
            "create": lambda: house.service.create(an_intent()),
            "wait": lambda: house.service.wait("pay-1", seconds=0, until=lambda record: False),
            "key": lambda: house.service.status(idempotency_key=KEY),
        }
        assert (await calls[asked]()).record.status is Status.SUCCESS


async def test_an_equal_payment_that_failed_just_now_is_read_once_more_before_another_one_goes_out(
    tmp_path: Path,
) -> None:
    """Else a payment that was paid after all is paid twice."""
    async with paying(tmp_path, answer(Status.ERROR)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SUCCESS)
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == "possible_duplicate"
        assert house.posts == 1


@pytest.mark.parametrize(("amount_isk", "currency"), [(999_900, ""), (None, "EUR"), (999_900, "EUR"), (999, "ISK")])
async def test_another_amount_or_currency_of_blikks_shows_no_link_and_is_warned_of(
    tmp_path: Path, amount_isk: int | None, currency: str
) -> None:
    """Nobody is to approve what was not asked for."""
    said = replace(answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1"), amount_isk=amount_isk, currency=currency)
    async with paying(tmp_path, said) as house:
        snapshot = await house.service.create(an_intent())
        told = amount_isk or 1_000, currency or "ISK"
        assert (snapshot.record.approval_url, snapshot.record.warnings) == ("", (other_amount(*told),))
        assert house.record() == snapshot.record


async def test_the_newest_of_blikks_other_amounts_is_the_one_that_is_told(tmp_path: Path) -> None:
    """A figure that Blikk has corrected since would be told as its word."""
    said = [replace(answer(payment_id="pay-1"), amount_isk=amount_isk) for amount_isk in (999_900, *[2_000] * 9)]
    async with paying(tmp_path, said[0]) as house:
        house.channel.reads.extend(said[1:])
        await house.service.create(an_intent())
        record = (await house.service.status(idempotency_key=KEY)).record
        assert record.warnings == (other_amount(2_000, "ISK"),)
        assert house.record() == record


async def test_after_an_unknown_outcome_another_amount_to_the_account_needs_a_persons_word(tmp_path: Path) -> None:
    """A model that is refused changes the amount by one króna."""
    async with paying(tmp_path, LOST, duplicate_window_minutes=0) as house:
        await house.service.create(an_intent())
        changed = an_intent(OTHER_KEY, 1_001)
        with pytest.raises(PossibleDuplicate) as caught:
            await house.service.create(changed)
        assert (caught.value.confirmable, caught.value.earlier.name, house.posts) == (True, KEY, 1)
        assert await code_of(house.service.create(replace(changed, confirmed_duplicate_of=KEY))) == ""
        assert await code_of(house.service.create(an_intent("order-0003", 1_002), asker=Person())) == ""


async def test_a_ledger_that_fails_during_the_look_at_the_new_payment_takes_nothing_back(tmp_path: Path) -> None:
    """It was created and written down; the look is a courtesy."""
    async with paying(tmp_path, answer(Status.DRAFT)) as house:
        house.ledger.broken = {"by_payment_id", "seen"}
        snapshot = await house.service.create(an_intent())
        assert (told(snapshot), snapshot.record.payment_id, snapshot.kept) == ((ClaimState.CREATED, ""), "pay-1", True)


# The look at the new payment


async def test_a_create_comes_back_with_the_link(tmp_path: Path) -> None:
    """It may look at the new payment for up to 3 s to come back with the link."""
    async with paying(tmp_path) as house:
        house.channel.tell("pay-1", Status.PENDING)
        house.channel.tell("pay-1", Status.SCA_REQUIRED, LINK, at=2)
        snapshot = await house.service.create(an_intent())
        assert (snapshot.record.status, snapshot.record.approval_url) == (Status.SCA_REQUIRED, LINK)
        assert (snapshot.fresh, anyio.current_time() <= 3) == (True, True)


async def test_a_create_does_not_wait_longer_than_three_seconds_for_the_link(tmp_path: Path) -> None:
    """It may look for up to 3 s; then it is pending."""
    async with paying(tmp_path) as house:
        house.channel.tell("pay-1", Status.SCA_REQUIRED, LINK, at=4)
        snapshot = await house.service.create(an_intent())
        assert (snapshot.record.status, anyio.current_time()) == (Status.DRAFT, pytest.approx(3, abs=0.1))


@pytest.mark.parametrize("hindrance", ["slow", "backing off"])
async def test_the_three_seconds_hold_when_blikk_is_slow_to_answer_the_look(tmp_path: Path, hindrance: str) -> None:
    """It answers within a few seconds of Blikk's answer, whatever becomes of its look at the payment."""
    async with paying(tmp_path) as house, anyio.create_task_group() as tasks:
        if hindrance == "slow":
            house.channel.every_read = never
        else:
            house.channel.reads.append(unread(503, retry_after_seconds=20))
            tasks.start_soon(lambda: house.service.wait("pay-other", seconds=5, until=lambda record: False))
            await anyio.sleep(1)
        started = anyio.current_time()
        snapshot = await house.service.create(an_intent())
        assert told(snapshot) == (ClaimState.CREATED, "")
        assert anyio.current_time() - started <= 3.1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("status", [503, 401, 404, None])
async def test_a_look_that_fails_is_not_worth_a_word(tmp_path: Path, status: int | None) -> None:
    """The payment was created; that it could not be looked at for once is no error of the create; ours."""
    async with paying(tmp_path) as house:
        house.channel.every_read = unread(status)
        snapshot = await house.service.create(an_intent())
        assert (told(snapshot), snapshot.record.status) == ((ClaimState.CREATED, ""), Status.DRAFT)
        assert anyio.current_time() <= 3.1


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.ERROR, Status.SCA_REQUIRED])
async def test_where_there_is_nothing_to_look_for_nothing_is_looked_at(tmp_path: Path, status: Status) -> None:
    """A payment that is final, or needs a person, is told at once."""
    async with paying(tmp_path, answer(status, LINK)) as house:
        snapshot = await house.service.create(an_intent())
        assert (snapshot.record.status, snapshot.fresh) == (status, True)
        assert (house.channel.read_ids, anyio.current_time()) == ([], 0)


# Limits


async def test_a_payment_above_the_limit_leaves_no_trace(tmp_path: Path) -> None:
    """over_limit: nothing is sent, nothing is claimed, and the key stays free."""
    async with paying(tmp_path, max_amount_isk=1_000) as house:
        assert await code_of(house.service.create(an_intent(amount_isk=1_001))) == "over_limit"
        assert (house.posts, in_ledger(house)) == (0, None)
        assert await code_of(house.service.create(an_intent(amount_isk=1_000))) == ""


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (PAID, True),
        (answer(Status.DRAFT), True),
        (answer(Status.PENDING), True),
        (answer(Status.SCA_REQUIRED), True),
        (answer(Status.OTHER), True),
        (LOST, True),
        (answer(Status.REJECTED), False),
        (answer(Status.CANCELLED), False),
        (answer(Status.ERROR), False),
        (refused(422), False),
        (NotSent("not sent"), False),
    ],
    ids=[
        "paid",
        "draft",
        "pending",
        "sca",
        "other",
        "unknown",
        "rejected",
        "cancelled",
        "error",
        "refused",
        "not sent",
    ],
)
async def test_open_paid_and_unknown_payments_take_room_and_failed_ones_give_it_back(
    tmp_path: Path, said: Step, counts: bool
) -> None:
    """Limits: open, paid and unknown payments count; failed and refused ones give their room back."""
    async with paying(tmp_path, said, daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 6_000))
        assert await code_of(house.service.create(numbered(2, 4_001))) == ("over_limit" if counts else "")
        assert await code_of(house.service.create(numbered(3, 4_000))) == ""


async def test_a_payment_that_fails_later_gives_its_room_back_then(tmp_path: Path) -> None:
    """Failed ones give their room back: also those that were open before."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED), daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 10_000))
        assert await code_of(house.service.create(numbered(2, 1))) == "over_limit"
        house.channel.tell("pay-1", Status.REJECTED)
        await house.service.status(payment_id="pay-1")
        assert await code_of(house.service.create(numbered(2, 10_000))) == ""


async def test_what_an_operator_found_not_to_exist_gives_its_room_back(tmp_path: Path) -> None:
    """Its reservation counts until it is resolved."""
    async with paying(tmp_path, LOST, daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 10_000))
        await anyio.sleep(600)
        house.ledger.resolve_not_created("order-0001", note="", now=virtual_now())
        assert await code_of(house.service.create(numbered(2, 10_000))) == ""


async def test_a_day_ends_at_midnight_utc_and_a_payment_counts_on_the_day_it_was_created(tmp_path: Path) -> None:
    """A day is a UTC day, which is Iceland's; a payment of yesterday that is still open takes no room today."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED), daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 10_000))
        await anyio.sleep(12 * 3600 - 1)
        assert virtual_now().date() == START.date()
        assert await code_of(house.service.create(numbered(2, 1))) == "over_limit"
        await anyio.sleep(1)
        assert await code_of(house.service.create(numbered(2, 10_000))) == ""
        house.channel.tell("pay-1", Status.REJECTED)
        await house.service.status(payment_id="pay-1")
        assert await code_of(house.service.create(numbered(3, 1))) == "over_limit"


async def test_more_payments_than_the_rate_allows_are_held_back_for_a_minute(tmp_path: Path) -> None:
    """BLIKK_CREATES_PER_MINUTE: stops a runaway agent; replays and refusals do not count."""
    rules: dict[str, Any] = {"creates_per_minute": 3, "max_amount_isk": 1_000}
    async with paying(tmp_path, refused(400), PAID, LOST, PAID, PAID, **rules) as house:
        codes = [await code_of(house.service.create(numbered(number))) for number in (1, 2, 3)]
        await house.service.create(numbered(2))
        codes.append(await code_of(house.service.create(numbered(4, 1_001))))
        codes.append(await code_of(house.service.create(numbered(4))))
        codes.append(await code_of(house.service.create(numbered(5))))
        assert codes == ["", "", "", "over_limit", "", "rate_limited"]
        assert (await house.service.create(numbered(2))).replayed
        await anyio.sleep(59)
        assert await code_of(house.service.create(numbered(5))) == "rate_limited"
        await anyio.sleep(1)
        assert await code_of(house.service.create(numbered(5))) == ""


@in_real_time
async def test_forty_creates_that_race_for_the_last_room_are_never_over_the_limit(tmp_path: Path) -> None:
    """One transaction checks the limits and reserves the amount; separately, two calls could both pass."""
    rules: dict[str, Any] = {"daily_limit_isk": 10_500, "creates_per_minute": 1_000}
    channel = ScriptedChannel(*([PAID] * 40))
    codes: list[str] = []
    async with (
        paying(tmp_path, channel=channel, real_time=True, **rules) as one,
        paying(tmp_path, channel=channel, real_time=True, **rules) as other,
    ):

        async def create(service: PaymentService, intent: PaymentIntent) -> None:
            codes.append(await code_of(service.create(intent)))

        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(create, (one, other)[number % 2].service, numbered(number))
    assert (codes.count(""), codes.count("over_limit")) == (10, 30)
    assert sum(order.amount_isk for order in channel.orders) == 10_000


@in_real_time
async def test_creates_that_race_for_the_last_place_in_a_minute_are_never_over_the_rate(tmp_path: Path) -> None:
    """The rate is checked in the same transaction."""
    codes: list[str] = []
    async with paying(tmp_path, *([PAID] * 12), real_time=True, creates_per_minute=5) as house:

        async def create(number: int) -> None:
            codes.append(await code_of(house.service.create(numbered(number))))

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(create, number)
        assert (codes.count(""), codes.count("rate_limited"), house.posts) == (5, 7, 5)


# Possible duplicates


@pytest.mark.parametrize(
    "said", [PAID, answer(Status.PENDING), answer(Status.SCA_REQUIRED)], ids=["paid", "open", "sca"]
)
@pytest.mark.parametrize("change", [{}, {"bban": BBAN}, {"ssn": OTHER_KENNITALA}, {"name": "Another name"}])
async def test_an_equal_payment_under_another_key_is_held_up(
    tmp_path: Path, said: Step, change: dict[str, Any]
) -> None:
    """Another key, equal payment (same account, same amount): possible_duplicate, naming the earlier one."""
    async with paying(tmp_path, said) as house:
        await house.service.create(an_intent())
        with pytest.raises(PossibleDuplicate) as caught:
            await house.service.create(an_intent(OTHER_KEY, **change))
        assert (caught.value.earlier.payment_id, house.posts, in_ledger(house, OTHER_KEY)) == ("pay-1", 1, None)


@pytest.mark.parametrize("change", [{"amount_isk": 999}, {"iban": iban_of(OTHER_BBAN)}, {"iban": FOREIGN_IBAN}])
async def test_another_amount_or_account_is_no_duplicate(tmp_path: Path, change: dict[str, Any]) -> None:
    """Equal is: same account, same amount."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(OTHER_KEY, **change))) == ""


@pytest.mark.parametrize(
    "said", [answer(Status.REJECTED), answer(Status.CANCELLED), answer(Status.ERROR), refused(400), NotSent("no")]
)
async def test_one_that_failed_or_was_refused_holds_nothing_up(tmp_path: Path, said: Step) -> None:
    """One that failed or was refused holds nothing up."""
    async with paying(tmp_path, said) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""
        assert house.posts == 2


@pytest.mark.parametrize(("minutes", "held_up_until"), [(1440, 1440), (10, 10)])
async def test_an_equal_payment_is_held_up_while_the_earlier_one_is_younger_than_the_window(
    tmp_path: Path, minutes: int, held_up_until: int
) -> None:
    """BLIKK_DUPLICATE_WINDOW_MINUTES: how long an equal payment is held up."""
    async with paying(tmp_path, PAID, duplicate_window_minutes=minutes) as house:
        await house.service.create(an_intent())
        await anyio.sleep(held_up_until * 60 - 1)
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == "possible_duplicate"
        await anyio.sleep(1)
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""


async def test_a_window_of_zero_turns_it_off(tmp_path: Path) -> None:
    """BLIKK_DUPLICATE_WINDOW_MINUTES: 0 turns it off."""
    async with paying(tmp_path, PAID, PAID, duplicate_window_minutes=0) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""


@pytest.mark.parametrize("minutes", [0, 10])
async def test_an_unknown_outcome_holds_up_without_regard_to_the_window(tmp_path: Path, minutes: int) -> None:
    """An unknown one holds up without regard to the window and cannot be confirmed away; `ledger resolve` ends that."""
    async with paying(tmp_path, LOST, duplicate_window_minutes=minutes) as house:
        await house.service.create(an_intent())
        await anyio.sleep(30 * 86_400)
        for person in (None, Person()):
            for named in ("", "pay-1"):
                intent = an_intent(OTHER_KEY, confirmed_duplicate_of=named)
                assert await code_of(house.service.create(intent, asker=person)) == "possible_duplicate"
        assert house.posts == 1
        house.ledger.resolve_not_created(KEY, note="", now=virtual_now())
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""


async def test_an_equal_payment_that_is_being_sent_holds_up(tmp_path: Path) -> None:
    """It is open; two keys for one purchase at the same moment are one payment too many."""
    async with paying(tmp_path, after(2, PAID)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        assert await code_of(house.service.create(an_intent(OTHER_KEY), asker=Person())) == "possible_duplicate"
        assert house.posts == 1


async def test_the_named_earlier_payment_lets_the_second_one_pass_once_each(tmp_path: Path) -> None:
    """confirmed_duplicate_of: once a person has said that both are meant; a third one needs its own word."""
    async with paying(tmp_path, PAID, PAID) as house:
        await house.service.create(an_intent())
        await anyio.sleep(1)
        meant = an_intent(OTHER_KEY, confirmed_duplicate_of="pay-1")
        assert await code_of(house.service.create(meant)) == ""
        third = an_intent("order-0003", confirmed_duplicate_of="pay-1")
        assert await code_of(house.service.create(third)) == "possible_duplicate"
        assert house.posts == 2


# Asking the person


@pytest.mark.parametrize("amount", [5_001, 100_000])
async def test_a_declined_confirmation_sends_nothing(tmp_path: Path, amount: int) -> None:
    """Declined: confirmation_declined, inside create, before anything is claimed or sent."""
    async with paying(tmp_path, ask_above_isk=5_000, daily_limit_isk=100_000) as house:
        declining = Person(yes=False)
        code = await code_of(house.service.create(an_intent(amount_isk=amount), asker=declining))
        assert (code, house.posts, in_ledger(house)) == ("confirmation_declined", 0, None)
        assert [question.amount_isk for question in declining.questions] == [amount]
        assert await code_of(house.service.create(numbered(2, 100_000), asker=Person())) == ""


async def test_a_declined_duplicate_sends_nothing_although_the_model_says_that_it_is_meant(tmp_path: Path) -> None:
    """A client that can ask is always asked, also when confirmed_duplicate_of is given."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        person = Person(yes=False)
        intent = an_intent(OTHER_KEY, confirmed_duplicate_of="pay-1")
        assert await code_of(house.service.create(intent, asker=person)) == "confirmation_declined"
        assert ([question.duplicate_of for question in person.questions], house.posts) == (["pay-1"], 1)


async def test_a_yes_sends_it_once_and_is_not_asked_for_again(tmp_path: Path) -> None:
    """Asked inside create; a replay asks nobody."""
    person = Person()
    async with paying(tmp_path, PAID, ask_above_isk=0) as house:
        await house.service.create(an_intent(), asker=person)
        again = await house.service.create(an_intent(), asker=person)
        assert (len(person.questions), again.replayed, house.posts) == (1, True, 1)


async def test_nobody_is_asked_about_what_needs_no_asking_or_cannot_be(tmp_path: Path) -> None:
    """A person is asked about the threshold and duplicates only, and not where a limit says no anyway."""
    person = Person()
    async with paying(tmp_path, PAID, ask_above_isk=5_000, max_amount_isk=10_000) as house:
        assert await code_of(house.service.create(an_intent(amount_isk=5_000), asker=person)) == ""
        assert await code_of(house.service.create(numbered(2, 10_001), asker=person)) == "over_limit"
        assert person.questions == []


async def test_a_way_to_ask_that_breaks_sends_nothing(tmp_path: Path) -> None:
    """In the modern era asking ends the call: it is repeated with the answer, and until then nothing is claimed."""

    class AnswerNeeded(Exception):
        pass

    async def interrupt() -> None:
        raise AnswerNeeded

    async with paying(tmp_path, ask_above_isk=0) as house:
        with pytest.raises(AnswerNeeded):
            await house.service.create(an_intent(), asker=Person(meanwhile=interrupt))
        assert (house.posts, in_ledger(house)) == (0, None)


async def test_an_equal_payment_made_while_the_person_was_reading_is_a_new_question(tmp_path: Path) -> None:
    """A yes is bound to what was asked; the claim's own transaction checks it against what is true then."""
    async with paying(tmp_path, PAID, ask_above_isk=500) as house:

        async def meanwhile() -> Snapshot:
            return await house.service.create(an_intent(OTHER_KEY), asker=Person())

        with pytest.raises(ConfirmationRequired) as caught:
            await house.service.create(an_intent(), asker=Person(meanwhile=meanwhile))
        assert (caught.value.question.duplicate_of, house.posts, in_ledger(house)) == ("pay-1", 1, None)


async def test_a_limit_that_was_used_up_while_the_person_was_reading_still_holds(tmp_path: Path) -> None:
    """A yes lifts no limit."""
    async with paying(tmp_path, PAID, ask_above_isk=500, daily_limit_isk=1_500) as house:

        async def meanwhile() -> Snapshot:
            return await house.service.create(numbered(2), asker=Person())

        with pytest.raises(PolicyDenied) as caught:
            await house.service.create(an_intent(), asker=Person(meanwhile=meanwhile))
        assert (caught.value.code, house.posts) == ("over_limit", 1)


async def test_a_client_that_cannot_ask_is_refused_above_the_threshold(tmp_path: Path) -> None:
    """A client that cannot: confirmation_required above the threshold."""
    async with paying(tmp_path, ask_above_isk=500) as house:
        assert await code_of(house.service.create(an_intent())) == "confirmation_required"
        assert (house.posts, in_ledger(house)) == (0, None)


# Looking up


async def test_an_unknown_key_is_not_found_and_blikk_is_not_asked(tmp_path: Path) -> None:
    """An unknown key is `not_found` from the ledger."""
    async with paying(tmp_path) as house:
        with pytest.raises(PaymentNotFound):
            await house.service.status(idempotency_key=KEY)
        assert house.channel.read_ids == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (PAID, (ClaimState.CREATED, "")),
        (LOST, (MAYBE, "outcome_unknown")),
        (refused(422), (NO_PAYMENT, "rejected_by_blikk")),
    ],
    ids=["paid", "unknown", "refused"],
)
async def test_a_look_up_by_key_tells_what_the_create_told(
    tmp_path: Path, said: Step, expected: tuple[ClaimState, str]
) -> None:
    """get_payment_status: payment_id or idempotency_key."""
    async with paying(tmp_path, said) as house:
        first = await house.service.create(an_intent())
        assert told(first) == expected
        assert told(await house.service.status(idempotency_key=KEY)) == expected
        assert house.channel.read_ids == []


async def test_a_payment_that_only_blikk_knows_is_asked_of_blikk(tmp_path: Path) -> None:
    """An unknown payment_id asks Blikk; what only the ledger would know is 0 and empty."""
    async with paying(tmp_path) as house:
        house.channel.tell("pay-77", Status.SCA_REQUIRED, LINK)
        snapshot = await house.service.status(payment_id="pay-77")
        record = snapshot.record
        assert (record.status, record.approval_url, snapshot.fresh) == (Status.SCA_REQUIRED, LINK, True)
        assert (record.idempotency_key, record.amount_isk, record.creditor_name) == ("", 0, "")
        assert house.record() is None


async def test_a_stray_payment_is_in_doubt_and_its_link_is_never_shown(tmp_path: Path) -> None:
    """Two payments for one key: whoever asks for either by its id gets no link, and Blikk is not asked for one."""
    async with paying(tmp_path, refused(401), answer(Status.SCA_REQUIRED, LINK)) as house:
        assert told(await house.service.create(an_intent())) == (NO_PAYMENT, "unauthorized")
        second = (await house.service.create(an_intent())).record
        stray = answer(Status.SCA_REQUIRED, LINK, payment_id="stray-1")
        with pytest.raises(PaymentsError):
            house.ledger.created(KEY, 1, stray, now=virtual_now())
        house.channel.tell("stray-1", Status.SCA_REQUIRED, LINK)
        for payment_id in ("stray-1", second.payment_id):
            for snapshot in (
                await house.service.status(payment_id=payment_id),
                await house.service.wait(payment_id=payment_id, seconds=5, until=lambda _: False),
            ):
                record = snapshot.record
                assert (record.state, record.approval_url, record.idempotency_key) == (MAYBE, "", KEY)


async def test_a_payment_that_nobody_knows_is_unknown(tmp_path: Path) -> None:
    """A read that fails keeps the last known outcome, `unknown` if there is none."""
    async with paying(tmp_path) as house:
        assert told(await house.service.status(payment_id="pay-77")) == (MAYBE, "not_found")


@pytest.mark.parametrize("known", [Status.PENDING, Status.SCA_REQUIRED])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "unauthorized"),
        (403, "wrong_channel"),
        (404, "not_found"),
        (429, "blikk_unavailable"),
        (503, "blikk_unavailable"),
        (None, "blikk_unavailable"),
    ],
)
async def test_a_look_up_that_fails_keeps_what_was_known(
    tmp_path: Path, known: Status, status: int | None, code: str
) -> None:
    """A read that fails keeps the last known outcome and adds the error code, and is never paid, failed or refused."""
    async with paying(tmp_path, answer(known, LINK)) as house:
        house.channel.every_read = unread(status)
        await house.service.create(an_intent())
        snapshot = await house.service.status(payment_id="pay-1")
        assert (told(snapshot), snapshot.record.status, snapshot.fresh) == ((ClaimState.CREATED, code), known, False)


async def test_a_final_payment_is_not_asked_of_blikk_again(tmp_path: Path) -> None:
    """A terminal status never changes."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        house.channel.every_read = unread(503)
        snapshot = await house.service.status(payment_id="pay-1")
        assert (told(snapshot), snapshot.record.status, snapshot.fresh) == (
            (ClaimState.CREATED, ""),
            Status.SUCCESS,
            True,
        )
        assert house.channel.read_ids == []


@pytest.mark.parametrize(
    ("method", "by"), [("by_key", {"idempotency_key": KEY}), ("by_payment_id", {"payment_id": "pay-1"})]
)
async def test_a_ledger_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, method: str, by: dict[str, str]) -> None:
    """ledger_unavailable."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        house.ledger.broken = {method}
        with pytest.raises(LedgerUnavailable):
            await house.service.status(**by)


async def test_what_blikk_said_but_the_ledger_could_not_keep_is_not_told_as_final(tmp_path: Path) -> None:
    """A read that cannot be written down failed: the last known outcome and ledger_unavailable; ours."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SUCCESS)
        house.ledger.broken = {"seen"}
        snapshot = await house.service.status(payment_id="pay-1")
        assert told(snapshot) == (ClaimState.CREATED, "ledger_unavailable")
        assert snapshot.record.status is Status.SCA_REQUIRED


# Against the sandbox, over loopback


def channel_of(sandbox: RunningSandbox) -> ChannelClient:
    """The real client of a running sandbox."""
    return ChannelClient(sandbox.base_url, SecretStr(sandbox.api_key), timeouts=SHORT)


async def control(sandbox: RunningSandbox, path: str, body: dict[str, Any]) -> None:
    """Prepare the sandbox."""
    async with httpx.AsyncClient(verify=False) as client:
        response = await client.post(f"{sandbox.control_url}{path}", json=body)
        assert response.status_code == 200, response.text


async def bank_record(sandbox: RunningSandbox) -> dict[str, Any]:
    """What the bank received and paid."""
    async with httpx.AsyncClient(verify=False) as client:
        return (await client.get(f"{sandbox.control_url}/record")).json()


@in_real_time
async def test_a_person_approves_and_the_payment_is_paid_once(tmp_path: Path) -> None:
    """The main job: create, the person's link, approval, paid."""
    async with run_sandbox(speed=20) as sandbox:
        channel = channel_of(sandbox)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True) as service:
                created = await service.create(an_intent())
                assert created.record.status is Status.SCA_REQUIRED
                await approve(created.record.approval_url)
                paid = await service.wait(created.record.payment_id, seconds=5, until=lambda record: False)
                assert (paid.record.status, paid.record.final) == (Status.SUCCESS, True)
        await channel.aclose()
        record = await bank_record(sandbox)
        assert (len(record["received"]), record["paid"]) == (1, [paid.record.payment_id])


@in_real_time
@pytest.mark.parametrize(
    ("fault", "made"),
    [
        ("answer_lost_after_commit", 1),
        ("answer_lost_before_commit", 0),
        ("error_after_commit", 1),
        ("error_before_commit", 0),
        ("garbage", 1),
        ("no_id", 1),
        ("truncated", 1),
        ("huge_body", 1),
        ("gzip_bomb", 1),
        ("rate_limited", 0),
        ("empty_502", 0),
    ],
)
async def test_a_lost_answer_is_never_sent_again(tmp_path: Path, fault: str, made: int) -> None:
    """The bank may have made the payment or not: the same call, an equal one and a restart send nothing more."""
    async with run_sandbox(speed=20, life="instant_success") as sandbox:
        await control(sandbox, "/faults", {"fault": fault, "operation": "create", "size_bytes": 4 * 1024**2})
        for _ in range(2):
            channel = channel_of(sandbox)
            with SqliteLedger(tmp_path / LEDGER) as ledger:
                async with service_over(channel, ledger, real_time=True) as service:
                    assert told(await service.create(an_intent())) == (MAYBE, "outcome_unknown")
                    assert await code_of(service.create(an_intent(OTHER_KEY))) == "possible_duplicate"
            await channel.aclose()
        record = await bank_record(sandbox)
        assert (len(record["payments"]), len(record["paid"])) == (made, made)
        assert len(record["received"]) <= 1


@in_real_time
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("problem", "rejected_by_blikk"),
        ("unauthorized", "unauthorized"),
        ("wrong_channel", "wrong_channel"),
        ("plain_404", "not_found"),
    ],
)
async def test_a_refusal_by_the_sandbox_is_definite_and_the_retry_is_the_only_payment(
    tmp_path: Path, fault: str, code: str
) -> None:
    """After a definite refusal by Blikk the key may be sent again."""
    async with run_sandbox(speed=20, life="instant_success") as sandbox:
        await control(sandbox, "/faults", {"fault": fault, "operation": "create"})
        channel = channel_of(sandbox)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True) as service:
                assert told(await service.create(an_intent())) == (NO_PAYMENT, code)
                assert (await service.create(an_intent())).record.status is Status.SUCCESS
        await channel.aclose()
        assert len((await bank_record(sandbox))["paid"]) == 1
