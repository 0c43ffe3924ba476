"""Looking a payment up: what Blikk says, or what is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from blikk_payments.channel.backoff import MAX_BACKOFF_SECONDS
from blikk_payments.channel.client import ChannelClient
from blikk_payments.channel.errors import ReadFailed, ReadRefused
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable, PaymentNotFound, PaymentsError
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.models import ClaimState
from tests.expecting import assert_fields, assert_snapshot
from tests.payments.doubles import LEDGER, Step, paying, service_over, unread, virtual_now
from tests.payments.factories import KEY, LINK, an_intent, answer, record_of
from tests.payments.loopback import as_json, http, loopback
from tests.payments.service.endings import LOST, MAYBE, NO_PAYMENT, PAID, SHORT, in_real_time, refused, told

pytestmark = pytest.mark.anyio


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
        payment = snapshot.payment
        assert_fields(payment, status=Status.SCA_REQUIRED, approval_url=LINK)
        assert snapshot.fresh
        assert snapshot.record is None
        assert house.record() is None


async def test_a_stray_payment_is_in_doubt_and_its_link_is_never_shown(tmp_path: Path) -> None:
    """Two payments for one key: whoever asks for either by its id gets no link, and Blikk is not asked for one."""
    async with paying(tmp_path, refused(401), answer(Status.SCA_REQUIRED, LINK)) as house:
        assert told(await house.service.create(an_intent())) == (NO_PAYMENT, "unauthorized")
        second = (await house.service.create(an_intent())).payment
        stray = answer(Status.SCA_REQUIRED, LINK, payment_id="stray-1")
        with pytest.raises(PaymentsError):
            house.ledger.created(KEY, 1, stray, now=virtual_now())
        house.channel.tell("stray-1", Status.SCA_REQUIRED, LINK)
        for payment_id in ("stray-1", second.payment_id):
            for snapshot in (
                await house.service.status(payment_id=payment_id),
                await house.service.wait(payment_id=payment_id, seconds=5, until=lambda _: False),
            ):
                record = record_of(snapshot)
                assert_fields(record, state=MAYBE, approval_url="", idempotency_key=KEY)


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
        assert_snapshot(snapshot, state=ClaimState.CREATED, code=code, status=known, fresh=False)


@pytest.mark.parametrize("error", [ReadRefused("no", status=401, bank_text="hm"), ReadFailed("no", bank_text="hm")])
async def test_what_blikk_says_to_a_look_up_that_fails_is_told(tmp_path: Path, error: Exception) -> None:
    """It may be all there is to go by."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.every_read = error
        snapshot = await house.service.status(payment_id="pay-1")
        assert snapshot.error is not None
        assert snapshot.error.bank_text == "hm"


async def test_a_payment_is_found_by_its_key_where_its_id_is_asked_for(tmp_path: Path) -> None:
    """An agent gives the one for the other; what has no id has nothing else."""
    async with paying(tmp_path, LOST, PAID) as house:
        await house.service.create(an_intent())
        for snapshot in (
            await house.service.status(payment_id=KEY),
            await house.service.wait(KEY, seconds=0, until=lambda _: False),
        ):
            assert record_of(snapshot).idempotency_key == KEY
            assert told(snapshot) == (MAYBE, "outcome_unknown")


@in_real_time
async def test_a_single_question_is_put_once_more_where_blikk_fails_to_answer_it(tmp_path: Path) -> None:
    """A wait asks again by itself; who looks once would be told of every hiccup."""

    async def no_pause(seconds: float) -> None:
        assert seconds <= MAX_BACKOFF_SECONDS

    waiting = as_json(200, {"id": "pay-1", "status": "SCA_REQUIRED"})
    async with loopback(waiting, http(503), waiting, http(503)) as server:
        channel = ChannelClient(server.base_url, SecretStr("a-key"), timeouts=SHORT, sleep=no_pause)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True) as service:
                assert told(await service.create(an_intent())) == (ClaimState.CREATED, "")
                hiccup, silence = [await service.status(payment_id="pay-1") for _ in range(2)]
        await channel.aclose()
    assert (told(hiccup), hiccup.fresh) == ((ClaimState.CREATED, ""), True)
    assert (told(silence), silence.fresh) == ((ClaimState.CREATED, "blikk_unavailable"), False)
    assert len(server.requests) == 1 + 2 + 2


async def test_a_final_payment_is_not_asked_of_blikk_again(tmp_path: Path) -> None:
    """A terminal status never changes."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        house.channel.every_read = unread(503)
        snapshot = await house.service.status(payment_id="pay-1")
        assert_snapshot(snapshot, state=ClaimState.CREATED, code="", status=Status.SUCCESS, fresh=True)
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
    """A read that cannot be written down failed: the last known outcome and ledger_unavailable."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SUCCESS)
        house.ledger.broken = {"seen"}
        snapshot = await house.service.status(payment_id="pay-1")
        assert told(snapshot) == (ClaimState.CREATED, "ledger_unavailable")
        assert snapshot.payment.status is Status.SCA_REQUIRED
