"""What every kind of answer means: definite, or unknown and never sent again; and what is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blikk_payments.channel.client import ChannelClient
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import PaymentOrder, Status
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.models import ClaimState
from tests.expecting import assert_snapshot
from tests.payments.doubles import LEDGER, BreakableLedger, ScriptedChannel, paying, service_over, virtual_now
from tests.payments.factories import (
    IBAN,
    KENNITALA,
    KEY,
    LINK,
    OTHER_BBAN,
    OTHER_KENNITALA,
    an_intent,
    answer,
    numbered,
    record_of,
)
from tests.payments.loopback import Answer, as_json, drip, free_port, hang, http, loopback, raw, reset
from tests.payments.service.endings import (
    CREATED_BODY,
    DEFINITE,
    MAYBE,
    NO_PAYMENT,
    PAID,
    SHORT,
    in_ledger,
    in_real_time,
    told,
    uncertain,
)

pytestmark = pytest.mark.anyio


UNCERTAIN = [None, 200, 201, 301, 302, 307, 308, 405, 406, 408, 409, 415, 418, 425, 429, 500, 501, 502, 503, 504, 599]


@pytest.mark.parametrize(("error", "code"), DEFINITE, ids=lambda value: str(getattr(value, "status", value)))
async def test_a_definite_refusal_says_that_there_is_no_payment(tmp_path: Path, error: Exception, code: str) -> None:
    """Blikk's page: 400, 401, 403, 404; our rule: 413, 422 and a connection never made. Definite: no payment exists."""
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
        assert again.replayed
        assert house.posts == 1
        assert in_ledger(house) == MAYBE


@pytest.mark.parametrize("status", list(Status))
async def test_an_answer_with_an_id_is_created_whatever_its_status(tmp_path: Path, status: Status) -> None:
    """A 2xx with an id is created, whatever its status."""
    async with paying(tmp_path, answer(status)) as house:
        snapshot = await house.service.create(an_intent())
        assert told(snapshot) == (ClaimState.CREATED, "")
        assert (snapshot.payment.payment_id, snapshot.payment.status) == ("pay-1", status)
        assert_snapshot(snapshot, replayed=False, recorded=True)
        assert house.posts == 1


async def test_a_defect_in_mid_request_is_unknown_and_does_not_end_the_process(tmp_path: Path) -> None:
    """Whatever it was, the payment may exist."""
    async with paying(tmp_path, RuntimeError("a defect")) as house:
        assert told(await house.service.create(an_intent())) == (MAYBE, "outcome_unknown")
        assert in_ledger(house) is MAYBE
        assert house.ledger.history(KEY)[-1].detail["reason"] == "defect"
        assert told(await house.service.create(numbered(2))) == (ClaimState.CREATED, "")


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
    """Blikk's page and, for what it does not name, our rule: over real HTTP, with the real client and ledger."""
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
    twice = answer(Status.SUCCESS, LINK, payment_id="pay-1")
    async with paying(tmp_path, twice, twice) as house:
        await house.service.create(numbered(1))
        second = await house.service.create(numbered(2))
        assert in_ledger(house, "order-0002") is MAYBE
        assert told(second) == (MAYBE, "outcome_unknown")
        assert_snapshot(second, payment_id="", status=None, approval_url="")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (uncertain(503), "status 503"),
        (uncertain(None), "no answer"),
        (RuntimeError("a defect"), "defect"),
    ],
    ids=["status", "silence", "defect"],
)
async def test_the_history_says_why_an_outcome_is_unknown(tmp_path: Path, said: Exception, reason: str) -> None:
    """Whoever looks into it has to know whether Blikk answered."""
    async with paying(tmp_path, said) as house:
        await house.service.create(an_intent())
        assert [entry.detail.get("reason") for entry in house.ledger.history(KEY)][-1] == reason


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
    assert record_of(snapshot).purpose == "Invoice 7"
