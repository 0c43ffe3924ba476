"""What the server makes of its settings: refusals that name the right environment, and a real key that stays hidden."""

from __future__ import annotations

import pytest

from tests.server.in_process_server import serve, tool_call
from tests.server.running import PAYMENT, call, connected

pytestmark = pytest.mark.anyio

WRONG = {"BLIKK_READ_ONLY": "maybe"}


@pytest.mark.parametrize(
    ("base_url", "environment"),
    [("https://stage.blikk.tech/paymentchannel", "stage"), ("https://example.com", "custom"), (None, "production")],
)
async def test_a_refusal_over_wrong_settings_names_the_environment(base_url: str | None, environment: str) -> None:
    """The base URL says it, whatever else is wrong."""
    async with connected({**WRONG, **({"BLIKK_BASE_URL": base_url} if base_url else {})}) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert (result["error_code"], result["environment"]) == ("not_configured", environment)


def test_an_own_sandbox_is_named_also_with_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve --sandbox` pays nobody: a refusal must not speak of production, or of a custom Blikk."""
    result = serve(monkeypatch, WRONG, [tool_call("create_payment", **PAYMENT)], sandbox=True).result
    assert (result["error_code"], result["environment"]) == ("not_configured", "sandbox")


def test_the_real_key_is_kept_out_of_a_sandboxs_answers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is set up for production and somebody tries the sandbox: the real key is as secret there."""
    key = "production-key-canary-0123456789"
    served = serve(monkeypatch, {"BLIKK_API_KEY": key}, [tool_call("get_payment_status", payment_id=key)], sandbox=True)
    assert served.result["outcome"] != "paid"
    assert key not in "".join(served.lines) + served.log


async def test_a_refusal_over_wrong_settings_names_them_all() -> None:
    """Nobody should correct settings one call at a time."""
    async with connected({**WRONG, "BLIKK_MAX_AMOUNT_ISK": "much", "BLIKK_LANGUAGE": "de"}) as client:
        result = await call(client, "create_payment", PAYMENT)
    names = ("BLIKK_API_KEY", "BLIKK_READ_ONLY", "BLIKK_MAX_AMOUNT_ISK", "BLIKK_LANGUAGE")
    assert [name for name in names if name not in result["error_message"]] == []
