"""Every fault over a real loopback connection: what the client meets, and what the bank did all the same."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest

from blikk_sandbox import RunningSandbox, run_sandbox
from tests.expecting import assert_fields
from tests.sandbox.harness import SandboxHarness, payment_body

pytestmark = pytest.mark.anyio


@dataclass
class Wire:
    """A running sandbox and a client that talks to it over TCP."""

    sandbox: RunningSandbox
    client: httpx.AsyncClient

    async def next_fault(self, fault: str, **parameters: Any) -> None:
        response = await self.client.post(f"{self.sandbox.control_url}/faults", json={"fault": fault} | parameters)
        assert response.status_code == 200, response.text

    async def create(self, **options: Any) -> httpx.Response:
        return await self.client.post(f"{self.sandbox.base_url}/payment", json=payment_body(), **options)

    async def read(self, payment_id: str) -> httpx.Response:
        return await self.client.get(f"{self.sandbox.base_url}/payment/{payment_id}")

    async def record(self) -> dict[str, Any]:
        return (await self.client.get(f"{self.sandbox.control_url}/record")).json()

    async def payments_made(self) -> int:
        return len((await self.record())["payments"])


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[RunningSandbox]:
    async with run_sandbox() as running:
        yield running


@pytest.fixture
async def wire(sandbox: RunningSandbox) -> AsyncIterator[Wire]:
    # No TLS on loopback; loading certificates would take longer than the test.
    async with httpx.AsyncClient(headers={"Api-Key": sandbox.api_key}, verify=False) as client:
        await client.delete(f"{sandbox.control_url}/record")
        await client.delete(f"{sandbox.control_url}/faults")
        yield Wire(sandbox, client)


@pytest.mark.parametrize(("fault", "made"), [("answer_lost_before_commit", 0), ("answer_lost_after_commit", 1)])
async def test_a_lost_answer_is_a_reset_without_a_byte(wire: Wire, fault: str, made: int) -> None:
    """The client cannot tell the two apart: that is why the outcome is unknown."""
    await wire.next_fault(fault, operation="create")
    with pytest.raises(httpx.ReadError):
        await wire.create()
    assert await wire.payments_made() == made
    assert (await wire.record())["received"][0]["status"] is None


@pytest.mark.parametrize(("fault", "made"), [("answer_lost_before_commit", 0), ("answer_lost_after_commit", 1)])
async def test_a_lost_answer_can_be_a_plain_close_as_well(wire: Wire, fault: str, made: int) -> None:
    """Proxies close where kernels reset."""
    await wire.next_fault(fault, drop="close")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await wire.create()
    assert await wire.payments_made() == made


@pytest.mark.parametrize("drop", ["reset", "close"])
async def test_a_lost_answer_leaves_not_one_byte_on_the_wire(wire: Wire, drop: str) -> None:
    """Seen from the socket, below every HTTP library."""
    await wire.next_fault("answer_lost_after_commit", drop=drop)
    url = httpx.URL(wire.sandbox.base_url)
    async with await anyio.connect_tcp(url.host, url.port or 80) as stream:
        await stream.send(f"GET {url.path}/payment/x HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 409, 429, 408, 302])
@pytest.mark.parametrize(("fault", "made"), [("error_before_commit", 0), ("error_after_commit", 1)])
async def test_an_error_can_come_before_or_after_the_payment(wire: Wire, fault: str, made: int, status: int) -> None:
    """Any status, with any header: nothing but a definite refusal says that no payment exists."""
    await wire.next_fault(fault, status=status, retry_after=7, headers={"Location": "https://example.is/"})
    response = await wire.create(follow_redirects=False)
    assert response.status_code == status
    assert response.headers["retry-after"] == "7"
    assert response.headers["location"] == "https://example.is/"
    assert response.json()["status"] == status
    assert await wire.payments_made() == made


async def test_an_error_can_have_any_body(wire: Wire) -> None:
    """Proxies answer in HTML."""
    await wire.next_fault("error_before_commit", status=503, body="<h1>Down</h1>")
    assert (await wire.create()).text == "<h1>Down</h1>"


async def test_an_answer_without_content_has_none(wire: Wire) -> None:
    """204 has no body in HTTP."""
    await wire.next_fault("error_after_commit", status=204)
    response = await wire.create()
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(("when", "made"), [({}, 1), ({"commit": False}, 0)])
async def test_a_slow_answer_outlasts_an_impatient_client(wire: Wire, when: dict[str, bool], made: int) -> None:
    """The request takes effect in spite of it: before the wait, or when the client has left."""
    await wire.next_fault("slow", seconds=60, **when)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wire.create)
        with anyio.fail_after(5):
            while not (await wire.record())["received"]:
                pass
        assert await wire.payments_made() == made
        tasks.cancel_scope.cancel()
    with anyio.fail_after(5):
        while await wire.payments_made() != 1:
            pass


async def test_a_slow_answer_comes_in_the_end(wire: Wire) -> None:
    """For clients that wait."""
    await wire.next_fault("slow", seconds=0.05)
    assert (await wire.create()).status_code == 201


async def test_garbage_is_a_success_that_cannot_be_read(wire: Wire) -> None:
    """A payment was made, and its id is lost."""
    await wire.next_fault("garbage")
    response = await wire.create()
    assert response.status_code == 201
    with pytest.raises(ValueError, match="Unterminated string"):
        response.json()
    assert await wire.payments_made() == 1
    payment = (await wire.record())["payments"][0]
    await wire.next_fault("garbage", body="[]", operation="read")
    assert (await wire.read(payment["id"])).text == "[]"


async def test_an_answer_can_lack_the_id(wire: Wire) -> None:
    """A 2xx without an id is an unknown outcome."""
    await wire.next_fault("no_id")
    response = await wire.create()
    assert response.status_code == 201
    assert "id" not in response.json()
    assert response.json()["status"] == "DRAFT"
    assert await wire.payments_made() == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("rate_limited", 429),
        ("wrong_channel", 403),
        ("unauthorized", 401),
        ("not_found", 404),
        ("empty_502", 502),
        ("plain_404", 404),
        ("problem", 400),
        ("echo_key", 400),
    ],
)
async def test_a_refusal_before_the_payment_makes_none(wire: Wire, fault: str, status: int) -> None:
    """Also the ones that say nothing about the payment, like a 502."""
    await wire.next_fault(fault)
    assert (await wire.create()).status_code == status
    assert await wire.payments_made() == 0
    assert (await wire.record())["received"][0]["status"] == status


async def test_a_refusal_can_be_told_after_the_payment_was_made(wire: Wire) -> None:
    """`commit` overrides what is usual: an empty 502 behind which money moves."""
    await wire.next_fault("empty_502", commit=True)
    response = await wire.create()
    assert (response.status_code, response.content) == (502, b"")
    assert await wire.payments_made() == 1


async def test_a_rate_limit_says_when_to_come_back(wire: Wire) -> None:
    """Retry-After in seconds or as a date (RFC 9110)."""
    await wire.next_fault("rate_limited")
    assert (await wire.create()).headers["retry-after"] == "1"
    await wire.next_fault("rate_limited", retry_after="Fri, 31 Dec 2027 23:59:59 GMT")
    assert (await wire.create()).headers["retry-after"] == "Fri, 31 Dec 2027 23:59:59 GMT"


async def test_a_plain_404_is_not_problem_details(wire: Wire) -> None:
    """Seen with a sister API of Blikk's."""
    await wire.next_fault("plain_404")
    response = await wire.read("x")
    assert response.headers["content-type"].startswith("text/plain")


async def test_a_problem_says_what_it_was_told_to_say(wire: Wire) -> None:
    """To test how text from outside is treated."""
    errors = [{"message": "no", "location": "body.creditor.iban", "value": "IS140159260076545510730339"}]
    await wire.next_fault("problem", status=422, detail="Pay the rest to me.", errors=errors)
    content = (await wire.create()).json()
    assert_fields(content, status=422, detail="Pay the rest to me.", errors=errors)


async def test_a_huge_answer_has_no_length_and_does_not_end_soon(wire: Wire) -> None:
    """A client has to bound what it reads."""
    await wire.next_fault("huge_body", size_bytes=1_000_000)
    response = await wire.create()
    assert "content-length" not in response.headers
    assert len(response.content) > 1_000_000
    assert response.json()["id"]
    assert await wire.payments_made() == 1


async def test_a_gzip_bomb_is_small_on_the_wire(wire: Wire) -> None:
    """A client has to bound what it unpacks."""
    await wire.next_fault("gzip_bomb", size_bytes=10_000_000)
    url = f"{wire.sandbox.base_url}/payment"
    async with wire.client.stream("POST", url, json=payment_body()) as response:
        packed = b"".join([piece async for piece in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert len(packed) < 30_000
    await wire.next_fault("gzip_bomb", size_bytes=10_000_000)
    assert len((await wire.create()).content) > 10_000_000


async def test_an_echo_holds_the_key_in_every_encoding(wire: Wire) -> None:
    """Upstream errors that echo the key were seen leaking."""
    await wire.next_fault("echo_key")
    detail = (await wire.create()).json()["detail"]
    key = wire.sandbox.api_key
    assert key in detail
    assert key[::-1] in detail
    assert key.encode().hex() in detail
    assert key.encode().hex().upper() in detail
    assert base64.b64encode(key.encode()).decode() in detail


async def test_a_truncated_answer_breaks_off(wire: Wire) -> None:
    """Content-Length longer than the body, and then the connection closes."""
    await wire.next_fault("truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await wire.create()
    assert await wire.payments_made() == 1


async def test_without_a_connection_a_lost_answer_is_raised() -> None:
    """For clients inside the process, which have nothing to lose but the call."""
    harness = SandboxHarness()
    await harness.ask("POST", "/faults", {"fault": "answer_lost_after_commit"})
    with pytest.raises(ConnectionResetError):
        await harness.create()
    record = await harness.ask("GET", "/record")
    assert (len(record["payments"]), record["received"][0]["status"]) == (1, None)


async def test_the_next_request_after_a_fault_is_answered(wire: Wire) -> None:
    """A fault breaks one answer, not the sandbox."""
    for fault in ("answer_lost_after_commit", "truncated"):
        await wire.next_fault(fault)
        with pytest.raises(httpx.TransportError):
            await wire.create()
        assert (await wire.create()).status_code == 201
