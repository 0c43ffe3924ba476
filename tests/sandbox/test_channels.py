"""Keys and paths: every request needs a key, and every key sees its own payments only."""

from __future__ import annotations

import httpx
import pytest

from blikk_sandbox.app import create_app
from tests.sandbox.harness import OTHER_KEY, SandboxHarness, payment_body

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/payment"), ("GET", "/payment/x"), ("GET", "/openapi.json"), ("GET", "/docs")],
)
@pytest.mark.parametrize("key", [None, "", "wrong", "key-of-the-first-channel "])
async def test_every_request_needs_a_key_that_is_known(method: str, path: str, key: str | None) -> None:
    """Blikk's page: the Api-Key header on every request, the docs and the schema included; 401 otherwise."""
    harness = SandboxHarness()
    del harness.client.headers["Api-Key"]
    headers = {} if key is None else {"Api-Key": key}
    response = await harness.client.request(
        method, f"/paymentchannel{path}", headers=headers, json=payment_body() if method == "POST" else None
    )
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_key_that_is_sent_twice_is_no_key() -> None:
    """Our own strictness: which of the two was meant?"""
    harness = SandboxHarness()
    key = harness.client.headers.pop("Api-Key")
    two_keys = httpx.Headers([("Api-Key", key), ("Api-Key", key)])
    assert (await harness.read("x", headers=two_keys)).status_code == 401


async def test_the_payment_of_another_channel_is_403() -> None:
    """Blikk's page: the payment exists but belongs to a different payment channel."""
    harness = SandboxHarness()
    payment = await harness.create()
    response = await harness.read(payment["id"], headers={"Api-Key": OTHER_KEY})
    assert response.status_code == 403
    assert await harness.status(payment["id"]) == "DRAFT"


async def test_an_unknown_payment_is_404() -> None:
    """Blikk's page: the payment is not a PaymentChannel payment."""
    assert (await SandboxHarness().read("pay_nobody-knows")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/paymentchannel",
        "/paymentchannel/",
        "/paymentchannel/payments",
        "/paymentchannel/payment/",
        "/paymentchannel/payment/a/b",
        "/payment",
        "/",
    ],
)
async def test_an_unknown_path_is_404_with_problem_details(path: str) -> None:
    """A prefix that was dropped, or a slash too many, is not put right by a redirect."""
    response = await SandboxHarness().client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/payment", "POST"),
        ("DELETE", "/payment/x", "GET, HEAD"),
        ("PATCH", "/payment/x", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_405_and_says_which_are_right(method: str, path: str, allowed: str) -> None:
    """There is no list, no cancel and no change (Blikk's page); HTTP wants the Allow header."""
    response = await SandboxHarness().client.request(method, f"/paymentchannel{path}")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == set(allowed.split(", "))
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("keys", [[], [""], ["good", ""]])
def test_a_sandbox_without_a_key_is_refused(keys: list[str]) -> None:
    """An empty key would let everybody in."""
    with pytest.raises(ValueError, match="key"):
        create_app(keys)
