"""How much the sandbox holds and takes, to the last one; and what is beyond that, or not understood, changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blikk_sandbox import approval, bank, sandbox
from blikk_sandbox.app import MAX_BODY_BYTES
from blikk_sandbox.control import MAX_CONTROL_BYTES
from blikk_sandbox.faults import MAX_FAULTS
from blikk_sandbox.names import Names
from blikk_sandbox.sandbox import MAX_LIVES, Sandbox
from tests.sandbox.harness import KEY, SandboxHarness, payment_body
from tests.sandbox.page import csrf_token

pytestmark = pytest.mark.anyio

FAULT, LIFE = {"fault": "slow"}, {"life": "push"}


@pytest.mark.parametrize(("path", "what", "most"), [("/faults", FAULT, MAX_FAULTS), ("/lives", LIFE, MAX_LIVES)])
async def test_a_thousand_faults_and_lives_can_wait(path: str, what: dict[str, Any], most: int) -> None:
    """Set at once or added one by one; one more is refused with a reason, and those that wait go on waiting."""
    harness = SandboxHarness()
    name = path.strip("/")
    assert len((await harness.ask("PUT", path, {name: [what] * most}))[name]) == most
    for method, body in (("POST", what), ("PUT", {name: [what] * (most + 1)})):
        refused = await harness.control(method, path, body)
        assert refused.status_code == 400
        assert str(most) in refused.json()["detail"]
    assert len((await harness.ask("GET", path))[name]) == most
    assert len((await harness.ask("PUT", path, {name: [what] * (most - 1)}))[name]) == most - 1
    assert len((await harness.ask("POST", path, what))[name]) == most


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {**FAULT, "sort": "x"}),
        ("PUT", "/faults", {"faults": [], "sort": "x"}),
        ("PUT", "/faults", {"faults": [{**FAULT, "sort": "x"}]}),
        ("PUT", "/faults", [FAULT]),
        ("POST", "/lives", {**LIFE, "sort": "x"}),
        ("PUT", "/lives", {"lives": [], "sort": "x"}),
        ("PUT", "/lives", {"lives": [{**LIFE, "sort": "x"}]}),
        ("PUT", "/lives", {"lives": LIFE}),
        ("POST", "/clock", {"advance_seconds": 1, "sort": "x"}),
        ("POST", "/clock", {}),
    ],
)
async def test_a_name_that_is_not_known_is_refused_on_every_floor(method: str, path: str, body: Any) -> None:
    """What is misspelt beside something right is not meant to be left out."""
    harness = SandboxHarness()
    await harness.ask("PUT", "/faults", {"faults": [FAULT]})
    await harness.ask("PUT", "/lives", {"lives": [LIFE]})
    before = await harness.ask("GET", "/state")
    assert (await harness.control(method, path, body)).status_code == 400
    assert await harness.ask("GET", "/state") == before


async def test_a_bank_holds_so_many_payments_and_says_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server error, as a full bank's would be: a payment is not made."""
    monkeypatch.setattr(bank, "MAX_PAYMENTS", 3)
    harness = SandboxHarness()
    for _ in range(3):
        await harness.create()
    full = await harness.post(payment_body())
    assert (full.status_code, full.json()["detail"]) == (500, "the sandbox holds 3 payments and no more")
    record = await harness.ask("GET", "/record")
    assert (len(record["payments"]), record["received"][-1]["status"]) == (3, 500)
    await harness.ask("DELETE", "/record")
    await harness.create()


@pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 413)])
async def test_a_body_may_have_so_many_bytes(more: int, status: int) -> None:
    """To the byte; what it was is not kept, only that it was too large."""
    harness = SandboxHarness()
    body = b'{"amount":1000,"currency":"ISK","creditor":{"ssn":"5510730339","name":"A","bban":"015926007654"}}'
    padded = body.ljust(MAX_BODY_BYTES + more)
    headers = {"Content-Type": "application/json"}
    answer = await harness.client.post("/paymentchannel/payment", content=padded, headers=headers)
    assert answer.status_code == status
    (received,) = (await harness.ask("GET", "/record"))["received"]
    assert received["body"] == (f"(more than {MAX_BODY_BYTES} bytes)" if more else json.loads(body))


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
async def test_the_control_api_takes_so_many_bytes(more: int, status: int) -> None:
    """To the byte, a whole state apart: that may have more."""
    harness = SandboxHarness()
    sent = b'{"fault":"slow"}'.ljust(MAX_CONTROL_BYTES + more)
    assert (await harness.client.post("/_sandbox/faults", content=sent)).status_code == status
    state = (await harness.control("GET", "/state")).content.ljust(MAX_CONTROL_BYTES + more)
    assert (await harness.client.put("/_sandbox/state", content=state)).status_code == 200


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 403)])
async def test_a_form_may_have_so_many_bytes(more: int, status: int) -> None:
    """The page's own has a hundred."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link()
    form = f"csrf_token={csrf_token(await harness.client.get(link))}&decision=approve&x="
    sent = form.ljust(approval.MAX_FORM_BYTES + more, "y")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await harness.client.post(link, content=sent, headers=headers)).status_code == status


@pytest.mark.parametrize("speed", [sandbox.MIN_SPEED, sandbox.MAX_SPEED])
def test_a_speed_is_between_bounds(speed: float) -> None:
    """Beyond them the bank's times mean nothing."""
    Sandbox([KEY], speed=speed, names=Names())
    beyond = speed / 2 if speed < 1 else speed * 2
    with pytest.raises(ValueError, match=r"speed is a factor from 0.001 to 1e\+06"):
        Sandbox([KEY], speed=beyond, names=Names())


async def test_the_newest_of_what_was_received_and_seen_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record does not grow for ever."""
    monkeypatch.setattr(bank, "MAX_RECEIVED", 2)
    monkeypatch.setattr(bank, "MAX_VIEWS", 2)
    harness = SandboxHarness()
    for amount in (1, 2, 3):
        await harness.create(amount=amount)
        await harness.client.get("/bank/approve/guessed", headers={"Sandbox-Visitor": str(amount)})
    record = await harness.ask("GET", "/record")
    assert [received["body"]["amount"] for received in record["received"]] == [2, 3]
    assert [view["visitor"] for view in record["views"]] == ["2", "3"]
    assert len(record["payments"]) == 3


async def test_a_record_is_whole_and_nothing_else() -> None:
    """Evaluations read it: every name and value of it is a promise, before a person has answered and after."""
    harness = SandboxHarness()
    await harness.ask("POST", "/lives", {"life": "slow_to_show"})
    created = await harness.create(scaUserSsn="0101307789")
    assert (await harness.read(created["id"])).status_code == 404
    harness.clock.advance(3)
    link = (await harness.look(created["id"]))["redirectUrl"]
    expected: dict[str, Any] = {
        "id": created["id"],
        "channel": 0,
        "amount": 1000,
        "currency": "ISK",
        "creditor": {**payment_body()["creditor"], "bban": None},
        "sca_user_ssn": "0101307789",
        "debtor_bban": None,
        "life": "slow_to_show",
        "status": "SCA_REQUIRED",
        "decision": "",
        "created_at": "2026-03-02T12:00:00+00:00",
        "paid_at": None,
        "history": [
            {"status": "DRAFT", "at": "2026-03-02T12:00:00+00:00"},
            {"status": "PENDING", "at": "2026-03-02T12:00:00.400000+00:00"},
            {"status": "SCA_REQUIRED", "at": "2026-03-02T12:00:01.200000+00:00"},
        ],
        "reads": 2,
        "page_views": 1,
    }
    await harness.client.get(link, headers={"User-Agent": "a browser"})
    record = await harness.ask("GET", "/record")
    assert record == {
        "now": "2026-03-02T12:00:03+00:00",
        "received": [
            {
                "at": "2026-03-02T12:00:00+00:00",
                "channel": 0,
                "body": payment_body(scaUserSsn="0101307789"),
                "status": 201,
                "payment_id": created["id"],
            }
        ],
        "payments": [expected],
        "paid": [],
        "views": [
            {
                "at": "2026-03-02T12:00:03+00:00",
                "payment_id": created["id"],
                "door": "open",
                "visitor": "",
                "user_agent": "a browser",
            }
        ],
    }
    await harness.ask("POST", f"/payments/{created['id']}/approve")
    harness.clock.advance(1)
    after = await harness.ask("GET", "/record")
    settled = {"status": "SUCCESS", "decision": "approve", "paid_at": "2026-03-02T12:00:04+00:00"}
    later = [
        {"status": "SCA_COMPLETE", "at": "2026-03-02T12:00:03+00:00"},
        {"status": "SUCCESS", "at": "2026-03-02T12:00:04+00:00"},
    ]
    assert after["payments"] == [{**expected, **settled, "history": [*expected["history"], *later]}]
    assert after["paid"] == [created["id"]]
    assert await harness.ask("GET", "/requests") == {"creates": 1, "reads": {created["id"]: 2}}


async def test_a_record_of_a_channel_without_an_account_tells_all_its_accounts_apart() -> None:
    """The payer's, the payee's, and that there is no IBAN."""
    harness = SandboxHarness(configured_account=False)
    creditor = {"ssn": "5510730339", "name": "Kaffihúsið ehf.", "bban": "015926007654"}
    body = {"amount": 1, "currency": "ISK", "creditor": creditor, "debtorBban": "051526123456"}
    assert (await harness.post(body)).status_code == 201
    (entry,) = (await harness.ask("GET", "/record"))["payments"]
    assert entry["creditor"] == {**creditor, "iban": None}
    assert (entry["debtor_bban"], entry["sca_user_ssn"]) == ("051526123456", None)
