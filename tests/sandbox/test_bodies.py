"""What a POST may hold. The strictness is the point: one unknown field and the whole request is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blikk_sandbox.app import MAX_BODY_BYTES
from blikk_sandbox.bodies import mod_97
from tests.expecting import assert_fields
from tests.sandbox.harness import BBAN, IBAN, SandboxHarness, payment_body, without

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}


def locations(problem: dict[str, Any]) -> list[str]:
    return [error["location"] for error in problem["errors"]]


async def test_a_payment_in_order_is_created_with_what_was_asked_for() -> None:
    """Blikk's page: POST /payment makes a payment; the fields of the answer are a sister API's."""
    response = await SandboxHarness().post(payment_body(scaUserSsn="0101307789"))
    assert response.status_code == 201
    content = response.json()
    assert set(content) == {"id", "status", "amount", "currency", "endToEndIdentification"}
    assert_fields(content, status="DRAFT", amount=1000, currency="ISK")


async def test_a_bban_does_as_well_as_an_iban() -> None:
    """Our reading: exactly one of the two."""
    body = payment_body()
    body["creditor"] = without(body["creditor"], "iban") | {"bban": BBAN}
    assert (await SandboxHarness().post(body)).status_code == 201


@pytest.mark.parametrize(
    "field", ["reference", "description", "callbackUrl", "redirectUrl", "idempotencyKey", "expiresAt"]
)
async def test_one_unknown_field_and_the_whole_request_is_refused(field: str) -> None:
    """A public integrator's code: Blikk's body allows no additional properties."""
    response = await SandboxHarness().post(payment_body() | {field: "x"})
    assert response.status_code == 400
    assert locations(response.json()) == [f"body.{field}"]


async def test_one_unknown_field_of_the_creditor_and_the_whole_request_is_refused() -> None:
    """The same at the second level."""
    response = await SandboxHarness().post(payment_body(creditor={"email": "a@example.is"}))
    assert response.status_code == 400
    assert locations(response.json()) == ["body.creditor.email"]


@pytest.mark.parametrize("field", ["amount", "currency", "creditor"])
async def test_a_missing_field_is_named(field: str) -> None:
    """Blikk's page: 400 for a missing required field."""
    response = await SandboxHarness().post(without(payment_body(), field))
    assert response.status_code == 400
    assert locations(response.json()) == [f"body.{field}"]


@pytest.mark.parametrize("creditor", ["Kaffihúsið", [], None, 7])
async def test_a_creditor_that_is_no_object_is_refused(creditor: Any) -> None:
    """The creditor is an object."""
    response = await SandboxHarness().post(without(payment_body(), "creditor") | {"creditor": creditor})
    assert response.status_code == 400
    assert "body.creditor" in locations(response.json())


@pytest.mark.parametrize("amount", ["1000", True, None, 10.5, 0, -1, 2**53, [1000]])
async def test_an_amount_that_is_no_whole_number_of_kronur_is_refused(amount: Any) -> None:
    """A public integrator's code: amounts sent as strings are refused; ISK has no minor unit."""
    response = await SandboxHarness().post(payment_body(amount=amount))
    assert response.status_code == 400
    assert response.json()["errors"][0]["location"] == "body.amount"
    assert response.json()["errors"][0]["value"] == amount


async def test_a_whole_number_may_be_written_with_a_fraction_of_nothing() -> None:
    """JSON Schema: 5.0 is an integer. The record keeps what was sent, so that a test can tell."""
    harness = SandboxHarness()
    response = await harness.client.post(
        "/paymentchannel/payment",
        content=json.dumps(payment_body()).replace("1000", "1000.0"),
        headers=JSON,
    )
    assert response.json()["amount"] == 1000
    received = (await harness.ask("GET", "/record"))["received"]
    assert isinstance(received[0]["body"]["amount"], float)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "EUR"),
        ("currency", "isk"),
        ("scaUserSsn", "010130-7789"),
        ("scaUserSsn", "010130778"),
        ("scaUserSsn", 101307789),
        ("scaUserSsn", None),
    ],
)
async def test_a_field_of_the_wrong_form_is_refused_and_named(field: str, value: Any) -> None:
    """Kennitalas have ten digits and no dash on the wire; ISK is the only currency."""
    response = await SandboxHarness().post(payment_body() | {field: value})
    assert response.status_code == 400
    assert locations(response.json()) == [f"body.{field}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ssn", "551073-0339"),
        ("ssn", "5510730339\n"),
        ("ssn", "٥٥١٠٧٣٠٣٣٩"),
        ("name", ""),
        ("name", "x" * 71),
        ("name", 7),
        ("iban", "IS14 0159 2600 7654 5510 7303 39"),
        ("iban", IBAN.lower()),
        ("iban", "IS150159260076545510730339"),
        ("iban", IBAN[:-1]),
        ("iban", None),
    ],
)
async def test_a_creditor_of_the_wrong_form_is_refused_and_named(field: str, value: Any) -> None:
    """IBAN: ISO 13616, mod 97, 26 characters for Iceland; upper case and no spaces on the wire."""
    response = await SandboxHarness().post(payment_body(creditor={field: value}))
    assert response.status_code == 400
    assert locations(response.json()) == [f"body.creditor.{field}"]


async def test_a_foreign_iban_is_let_through_if_its_check_digits_are_right() -> None:
    """Whether Blikk takes foreign IBANs is not known; the stand-in does."""
    assert mod_97("DE89370400440532013000") == 1
    response = await SandboxHarness().post(payment_body(creditor={"iban": "DE89370400440532013000"}))
    assert response.status_code == 201


async def test_two_accounts_or_none_are_refused() -> None:
    """Exactly one of iban and bban."""
    both = payment_body(creditor={"bban": BBAN})
    neither = payment_body()
    neither["creditor"] = without(neither["creditor"], "iban")
    for body in (both, neither):
        response = await SandboxHarness().post(body)
        assert response.status_code == 400
        assert locations(response.json()) == ["body.creditor"]


async def test_every_violation_is_named_at_once() -> None:
    """A sister API of Blikk's lists them in `errors`."""
    response = await SandboxHarness().post({"amount": "5", "creditor": {"ssn": "1", "bban": BBAN}})
    assert locations(response.json()) == [
        "body.currency",
        "body.amount",
        "body.creditor.name",
        "body.creditor.ssn",
    ]


async def test_refusals_are_problem_details() -> None:
    """RFC 9457, as a sister API of Blikk's sends them."""
    response = await SandboxHarness().post(payment_body(currency="EUR"))
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "validation failed",
        "errors": [{"message": 'expected "ISK"', "location": "body.currency", "value": "EUR"}],
    }


async def test_a_channel_with_an_account_takes_no_debtor_account() -> None:
    """Blikk's page: debtorBban only if the channel has no configured account."""
    response = await SandboxHarness(configured_account=True).post(payment_body(debtorBban=BBAN))
    assert response.status_code == 400
    assert "account of its own" in response.json()["errors"][0]["message"]


async def test_a_channel_without_an_account_needs_a_debtor_account() -> None:
    """Blikk's page: 400 for an invalid payment-channel account configuration."""
    harness = SandboxHarness(configured_account=False)
    assert (await harness.post(payment_body())).status_code == 400
    assert (await harness.post(payment_body(debtorBban=BBAN[:-1]))).status_code == 400
    assert (await harness.post(payment_body(debtorBban=BBAN))).status_code == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1, 2",
        b'"text"',
        b"null",
        b'{"amount": NaN}',
        b'{"amount": 1e999}',
        b'{"amount": ' + b"9" * 5000 + b"}",
        b"[" * 30_000,
        '{"creditor": "é"}'.encode("latin-1"),
        json.dumps(payment_body()).encode("utf-16"),
    ],
    ids=range(11),
)
async def test_what_is_no_json_object_in_utf_8_is_refused(raw: bytes) -> None:
    """Our own strictness: the answer is a 400, never a crash."""
    response = await SandboxHarness().client.post("/paymentchannel/payment", content=raw, headers=JSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_lone_surrogate_in_a_value_is_echoed_without_a_crash() -> None:
    """JSON can name characters that have no UTF-8 form."""
    response = await SandboxHarness().client.post(
        "/paymentchannel/payment", content=b'{"currency": "\\ud800"}', headers=JSON
    )
    assert response.status_code == 400
    assert b"\\ud800" in response.content


async def test_a_body_that_is_too_large_is_413() -> None:
    """Seen with the framework that a sister API of Blikk's is built on."""
    response = await SandboxHarness().post(payment_body(creditor={"name": "x" * MAX_BODY_BYTES}))
    assert response.status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_by_its_header_is_415(content_type: str) -> None:
    """Our own choice, written down in the OpenAPI document."""
    response = await SandboxHarness().client.post(
        "/paymentchannel/payment",
        content=json.dumps(payment_body()),
        headers={"Content-Type": content_type},
    )
    assert response.status_code == 415


async def test_a_charset_beside_the_content_type_does_not_matter() -> None:
    """Many HTTP libraries send one."""
    response = await SandboxHarness().client.post(
        "/paymentchannel/payment",
        content=json.dumps(payment_body()),
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert response.status_code == 201
