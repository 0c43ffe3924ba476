"""The stand-in's description of itself is true, and its page for people loads nothing from outside."""

# pyright: reportUnknownMemberType=false, reportUntypedFunctionDecorator=false
# schemathesis and jsonschema are typed in part only.

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from blikk_sandbox.app import create_app
from blikk_sandbox.bodies import mod_97
from tests.sandbox.harness import KEY, SandboxHarness, payment_body

pytestmark = pytest.mark.slow

EXAMPLES = 60


def _with_right_check_digits(account: str) -> str:
    return f"IS{98 - mod_97('IS00' + account):02d}{account}"


# JSON Schema cannot say "mod 97", so the document says `format: iban`, and here is what such a one looks like.
schemathesis.openapi.format("iban", st.from_regex(r"\A[0-9]{22}\Z").map(_with_right_check_digits))

configured = schemathesis.openapi.from_asgi("/paymentchannel/openapi.json", create_app([KEY]), headers={"Api-Key": KEY})
unconfigured = schemathesis.openapi.from_asgi(
    "/paymentchannel/openapi.json", create_app([KEY], configured_account=False), headers={"Api-Key": KEY}
)


@configured.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
def test_what_it_does_is_what_it_says(case: schemathesis.Case[Any]) -> None:
    """All of schemathesis's checks: statuses, content types, schemas, auth, methods, good and bad bodies."""
    case.call_and_validate(headers={"Api-Key": KEY})


@unconfigured.parametrize()
@settings(max_examples=EXAMPLES // 2, derandomize=True, deadline=None, database=None)
def test_it_is_true_of_a_channel_without_an_account_too(case: schemathesis.Case[Any]) -> None:
    """Blikk's page: such a channel needs debtorBban in the request."""
    case.call_and_validate(headers={"Api-Key": KEY})


async def document(*, configured_account: bool = True) -> dict[str, Any]:
    response = await SandboxHarness(configured_account=configured_account).client.get("/paymentchannel/openapi.json")
    assert response.headers["content-type"] == "application/json"
    return response.json()


@pytest.mark.anyio
async def test_it_says_that_it_is_a_sandbox() -> None:
    """Nobody is to take it for Blikk's own document."""
    content = await document()
    assert content["x-sandbox"] is True
    assert "No real money moves" in content["info"]["description"]


@pytest.mark.anyio
async def test_it_lists_the_four_paths_of_blikks_page_and_nothing_of_the_control_api() -> None:
    """https://docs.blikk.tech/docs/paymentchannel."""
    content = await document()
    assert set(content["paths"]) == {"/payment", "/payment/{paymentId}", "/openapi.json", "/docs"}
    assert content["components"]["securitySchemes"]["ApiKey"]["name"] == "Api-Key"
    assert "_sandbox" not in str(content)


@pytest.mark.anyio
@pytest.mark.parametrize("configured_account", [True, False])
async def test_it_takes_what_the_schema_takes_and_refuses_what_it_refuses(configured_account: bool) -> None:
    """Said twice, so that the schema and the code cannot drift apart unseen."""
    schemas = (await document(configured_account=configured_account))["components"]["schemas"]
    schema = {"$ref": "#/components/schemas/CreatePayment", "components": {"schemas": schemas}}
    validator = Draft202012Validator(schema)
    debtor = {} if configured_account else {"debtorBban": "015926007654"}
    bodies: list[tuple[dict[str, Any], bool]] = [
        (payment_body() | debtor, True),
        (payment_body(debtorBban="015926007654"), not configured_account),
        (payment_body() | debtor | {"reference": "x"}, False),
        (payment_body(creditor={"bban": "015926007654"}) | debtor, False),
        (payment_body() | debtor | {"amount": "1000"}, False),
    ]
    for body, good in bodies:
        assert validator.is_valid(body) is good
        response = await SandboxHarness(configured_account=configured_account).post(body)
        assert (response.status_code == 201) is good


async def docs() -> httpx.Response:
    return await SandboxHarness().client.get("/paymentchannel/docs")


@pytest.mark.anyio
async def test_the_docs_page_loads_nothing_from_outside() -> None:
    """Blikk's page: GET /docs is HTML. A page fetched with a key must not tell third parties of it."""
    page = await docs()
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:src|href|action)="([^"]*)"', page.text)
    assert set(links) == {"data:,", "openapi.json"}
    assert "<script" not in page.text
    assert "url(" not in page.text
    assert "@import" not in page.text


@pytest.mark.anyio
async def test_the_docs_page_names_every_field_and_status() -> None:
    """Made from the OpenAPI document, so that it cannot say anything else."""
    text = (await docs()).text
    for name in ("scaUserSsn", "creditor", "iban", "bban", "redirectUrl", "POST /paymentchannel/payment", "415"):
        assert name in text
    for name in ("amount", "currency"):
        assert f"<code>{name}</code>" in text
