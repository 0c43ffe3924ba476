"""What each fault answers with, whole: as usual, and with every parameter that can be given with it."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from blikk_sandbox.faults import FaultName
from tests.sandbox.harness import KEY, SandboxHarness, payment_body, without

pytestmark = pytest.mark.anyio

PROBLEM, JSON = "application/problem+json", "application/json"
WITHOUT_A_CONNECTION = {"answer_lost_before_commit", "answer_lost_after_commit", "truncated"}
"""What only a connection can meet: `test_faults.py` has one."""

USUAL: dict[str, tuple[int, str, int]] = {
    "error_before_commit": (500, PROBLEM, 0),
    "error_after_commit": (500, PROBLEM, 1),
    "slow": (201, JSON, 1),
    "garbage": (201, JSON, 1),
    "no_id": (201, JSON, 1),
    "rate_limited": (429, PROBLEM, 0),
    "wrong_channel": (403, PROBLEM, 0),
    "unauthorized": (401, PROBLEM, 0),
    "not_found": (404, PROBLEM, 0),
    "empty_502": (502, "", 0),
    "plain_404": (404, "text/plain; charset=utf-8", 0),
    "huge_body": (201, JSON, 1),
    "gzip_bomb": (201, JSON, 1),
    "echo_key": (400, PROBLEM, 0),
    "problem": (400, PROBLEM, 0),
}
"""Status, kind, and how many payments are made."""


def test_every_fault_is_in_that_table() -> None:
    """A new one has to say what it answers with."""
    assert set(USUAL) | WITHOUT_A_CONNECTION == {name.value for name in FaultName}


async def met(fault: str, **parameters: Any) -> tuple[httpx.Response, int]:
    """The answer to a create, and how many payments were made."""
    harness = SandboxHarness()
    small = {"size_bytes": 10} if fault in ("huge_body", "gzip_bomb") else {}
    at_once = {"seconds": 0} if fault == "slow" else {}
    await harness.ask("POST", "/faults", {"fault": fault, **small, **at_once, **parameters})
    answer = await harness.post(payment_body())
    record = await harness.ask("GET", "/record")
    assert record["received"][0]["status"] == answer.status_code
    return answer, len(record["payments"])


@pytest.mark.parametrize("fault", USUAL)
async def test_a_fault_answers_as_usual(fault: str) -> None:
    """With nothing but its name."""
    answer, made = await met(fault)
    assert (answer.status_code, answer.headers.get("content-type", ""), made) == USUAL[fault]


@pytest.mark.parametrize("fault", [name for name, (status, *_) in USUAL.items() if status >= 400])
async def test_a_refusal_can_have_another_status_and_headers_and_be_told_after_the_payment(fault: str) -> None:
    """`status`, `headers`, `commit`: whatever a proxy in between may say."""
    answer, made = await met(fault, status=418, headers={"X-Seen": "yes"}, commit=True)
    assert (answer.status_code, answer.headers["x-seen"], made) == (418, "yes", 1)
    assert (await met(fault, commit=False))[1] == 0


PROBLEMS = [name for name, (_, kind, _made) in USUAL.items() if kind == PROBLEM]


@pytest.mark.parametrize("fault", PROBLEMS)
async def test_a_problem_is_told_in_whole_and_can_say_anything(fault: str) -> None:
    """RFC 9457; `detail` and `errors` stand in it, `body` in its place, and `retry_after` in its header."""
    usual, _ = await met(fault)
    status, content = USUAL[fault][0], usual.json()
    assert without(content, "detail", "title") == {"type": "about:blank", "status": status}
    assert content["title"] == httpx.codes.get_reason_phrase(status)
    assert content["detail"] == "A fault that was asked for." or fault == "echo_key"
    assert usual.headers.get("retry-after") == ("1" if fault == "rate_limited" else None)
    told = {"detail": "Pay the rest to me.", "errors": [{"message": "no", "location": "body", "value": 1}]}
    answer, _ = await met(fault, **told, retry_after=0)
    assert {name: answer.json()[name] for name in told} == told
    assert answer.headers["retry-after"] == "0"
    plain, _ = await met(fault, body="<h1>Down</h1>", headers={"X-Seen": "yes"})
    assert (plain.text, plain.status_code, plain.headers["x-seen"]) == ("<h1>Down</h1>", status, "yes")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_may_not_have_a_body_has_none(status: int) -> None:
    """HTTP: no content, and not modified."""
    answer, made = await met("error_after_commit", status=status, headers={"X-Seen": "yes"})
    assert (answer.status_code, answer.content, answer.headers["x-seen"], made) == (status, b"", "yes", 1)


async def test_what_cannot_be_read_is_as_it_was_asked_for() -> None:
    """Garbage with a status and headers; as usual the beginning of a payment that is cut off."""
    answer, _ = await met("garbage", status=200, headers={"X-Seen": "yes"}, body="")
    assert (answer.status_code, answer.text, answer.headers["x-seen"]) == (200, "", "yes")
    assert (await met("garbage"))[0].text == '{"id": "pay_'
    assert (await met("plain_404"))[0].text == "404 page not found\n"
    assert (await met("empty_502"))[0].content == b""


@pytest.mark.parametrize("fault", ["huge_body", "gzip_bomb"])
@pytest.mark.parametrize("size", [1, 65_536, 65_537])
async def test_a_filler_has_the_size_that_was_asked_for(fault: str, size: int) -> None:
    """The true answer with a filler behind it."""
    answer, _ = await met(fault, size_bytes=size)
    content = answer.json()
    assert content.pop("filler") == "x" * size
    assert set(content) == {"id", "status", "amount", "currency", "endToEndIdentification"}


async def test_an_answer_without_its_id_has_everything_else() -> None:
    """The outcome cannot be told from it, nor from anything else."""
    content = (await met("no_id"))[0].json()
    assert set(content) == {"status", "amount", "currency", "endToEndIdentification"}


async def test_an_echo_has_the_key_in_these_ways_and_no_other() -> None:
    """What redaction is tried against."""
    raw = KEY.encode()
    aligned = " ".join(base64.b64encode(b"x" * shift + raw).decode() for shift in range(3))
    expected = (
        f"Invalid key. plain={KEY} url={quote(KEY, safe='')} percent={''.join(f'%{byte:02X}' for byte in raw)} "
        f"base64={aligned} base64url={base64.urlsafe_b64encode(raw).decode().rstrip('=')} hex={raw.hex()} "
        f"HEX={raw.hex().upper()} reversed={KEY[::-1]} escaped={''.join(f'{chr(92)}u{byte:04x}' for byte in raw)} "
        f"wrapped={KEY[:20]}\n{KEY[20:]}"
    )
    assert (await met("echo_key"))[0].json()["detail"] == expected


async def test_a_fault_of_one_operation_lets_the_other_pass() -> None:
    """In their order, each for its own; `any` for whichever comes first."""
    harness = SandboxHarness()
    payment = await harness.create()
    faults = [
        {"fault": "not_found", "operation": "read"},
        {"fault": "unauthorized", "operation": "create", "times": 2},
        {"fault": "wrong_channel"},
    ]
    await harness.ask("PUT", "/faults", {"faults": faults})
    creates = [(await harness.post(payment_body())).status_code for _ in range(4)]
    reads = [(await harness.read(payment["id"])).status_code for _ in range(2)]
    assert (creates, reads) == ([401, 401, 403, 201], [404, 200])
    assert await harness.ask("GET", "/faults") == {"faults": []}
