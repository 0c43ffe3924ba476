"""What a hostile or broken client sends, through the real process: refused or queued within a bound; the server lives."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.payments.loopback import Loopback, loopback
from tests.security.callers import Caller, Place, started
from tests.security.echoing import EchoingBlikk
from tests.server.running import PAYMENT

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PENDING_CALLS = 10_000
MEMORY_GROWTH_MB = 150
WAITS = 1_500
WAITS_GROWTH_MB = 15
WAITS_READ_SECONDS = 5
GARBAGE_LINES = 5_000
CANCELLED_CALLS = 500
CREATES_PER_MINUTE = 10


@dataclass
class Scene:
    """A server that was shaken hands with, and the Blikk behind it."""

    caller: Caller
    blikk: Loopback
    bodies: list[bytes]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The payments that Blikk was asked for."""
        return [json.loads(body) for body in self.bodies]

    async def lives(self) -> None:
        """The server still answers."""
        assert "result" in await self.caller.ask("ping")


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Scene]:
    """One server for most of what follows: it has to live through all of it."""
    async with talking(tmp_path_factory.mktemp("hostile")) as scene:
        yield scene


@asynccontextmanager
async def talking(folder: Path, **settings: str) -> AsyncGenerator[Scene]:
    """A conversation with a server whose Blikk says SCA_REQUIRED to everything."""
    place, blikk = Place(folder), EchoingBlikk()
    async with loopback(blikk) as running:
        environ = place.environment(
            BLIKK_API_KEY="a-key-of-no-meaning", BLIKK_BASE_URL=running.base_url, BLIKK_LOG_LEVEL="error", **settings
        )
        async with started(place, environ) as caller:
            await caller.initialize()
            yield Scene(caller, running, blikk.bodies)
            if caller.process.returncode is None:
                assert await caller.hang_up() == 0


async def said(caller: Caller, wanted: set[object]) -> list[dict[str, Any]]:
    """The answers to these requests, in whatever order they come."""
    answers: list[dict[str, Any]] = []
    while wanted:
        message = await caller.hear()
        if message.get("id") in wanted:
            wanted.discard(message["id"])
            answers.append(message)
    return answers


async def test_ten_megabytes_of_arguments_are_refused_and_cost_no_memory(scene: Scene) -> None:
    """Every message has a bound; what is larger is dropped, what is just below it is refused."""
    caller, before = scene.caller, scene.caller.memory_mb()
    for _ in range(3):
        arguments = {**PAYMENT, "purpose": "x" * 10_000_000}
        _, message = caller.request("tools/call", {"name": "create_payment", "arguments": arguments})
        await caller.say(message)
        await caller.bytes(b"y" * 10_000_000 + b"\n")
    await scene.lives()
    refused = await caller.call("create_payment", {**PAYMENT, "purpose": "x" * 3_900_000})
    assert refused["error_code"] == "invalid_arguments"
    many = {f"name_{number}": number for number in range(100_000)}
    refused = await caller.call("create_payment", {**PAYMENT, **many})
    assert refused["error_code"] == "invalid_arguments"
    await scene.lives()
    assert scene.bodies == []
    assert caller.memory_mb() - before < MEMORY_GROWTH_MB


async def test_ten_thousand_calls_at_once_are_each_answered_once(scene: Scene) -> None:
    """A flood is refused or queued within a bound, and memory stays bounded."""
    caller = scene.caller
    before, growth = caller.memory_mb(), 0.0
    questions = [{"idempotency_key": "no-such-order"}, {"payment_id": "no such id"}, {"payment_id": "/"}]
    calls = [
        {"name": "get_payment_status", "arguments": questions[number % len(questions)]}
        for number in range(PENDING_CALLS)
    ]
    lines = [json.dumps({"jsonrpc": "2.0", **caller.request("tools/call", call)[1]}) for call in calls]

    async def flood() -> None:
        await caller.line("\n".join(lines))

    answered: Counter[object] = Counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(flood)
        while answered.total() < PENDING_CALLS:
            message = await caller.hear()
            answered[message["id"]] += 1
            if "error" not in message:  # which says that there are too many
                assert message["result"]["structuredContent"]["error_code"] in ("not_found", "invalid_arguments")
            if answered.total() % 500 == 0:
                growth = max(growth, caller.memory_mb() - before)
    assert set(answered.values()) == {1}
    assert growth < MEMORY_GROWTH_MB
    await scene.lives()


async def test_calls_that_wait_are_taken_up_to_a_bound(tmp_path: Path) -> None:
    """10,000 pending calls are refused or queued within a bound; beyond it one more wait costs no more memory."""
    async with talking(tmp_path) as scene:
        caller = scene.caller
        created = await caller.call("create_payment", PAYMENT)
        wait = {"payment_id": created["payment_id"], "wait_seconds": 40, "human_informed": True}
        memory: list[float] = []

        async def send_waits() -> None:
            for _ in range(WAITS):
                await caller.say(caller.request("tools/call", {"name": "await_payment", "arguments": wait})[1])
            await scene.lives()

        for _ in range(2):
            # A server that stops reading has queued them within a bound, too: in the caller's own pipe.
            with anyio.move_on_after(WAITS_READ_SECONDS):
                await send_waits()
            memory.append(caller.memory_mb())
        # Nobody waits for the waits.
        caller.process.kill()
        await caller.hang_up()
        assert memory[1] - memory[0] < WAITS_GROWTH_MB


async def test_calls_that_are_cancelled_by_the_hundred_are_let_go(tmp_path: Path) -> None:
    """MCP, cancellation: what is cancelled stops; what never was is ignored."""
    async with talking(tmp_path) as scene:
        caller = scene.caller
        created = await caller.call("create_payment", PAYMENT)
        wait = {"payment_id": created["payment_id"], "wait_seconds": 40, "human_informed": True}
        before = caller.memory_mb()
        for _ in range(CANCELLED_CALLS):
            number, message = caller.request("tools/call", {"name": "await_payment", "arguments": wait})
            await caller.say(message)
            for cancelled in (number, number, f"{number}", number + 100_000, None):
                await caller.say({"method": "notifications/cancelled", "params": {"requestId": cancelled}})
        await scene.lives()
        reads = len(scene.blikk.requests)
        assert (await caller.call("get_payment_status", {"payment_id": created["payment_id"]}))["final"] is False
        assert len(scene.blikk.requests) <= reads + 2
        assert caller.memory_mb() - before < MEMORY_GROWTH_MB


BATCH = [{"jsonrpc": "2.0", "id": f"b{number}", "method": "ping"} for number in range(1000)]
CALL = '{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"create_payment","arguments":%s}}'

GARBAGE: dict[str, str | bytes] = {
    "a batch": json.dumps(BATCH),
    "an empty batch": "[]",
    "a batch of batches": json.dumps([[BATCH[:2]], [], BATCH[:2]]),
    "brackets": "[" * 200_000,
    "braces": '{"a":' * 100_000,
    "deep parameters": '{"jsonrpc":"2.0","id":"d","method":"ping","params":{"a":'
    + "[" * 100_000
    + "]" * 100_000
    + "}}",
    "deep arguments": CALL % ('"e"', '{"amount":' * 3_000 + "1" + "}" * 3_000),
    "an id of a megabyte": '{"jsonrpc":"2.0","id":"' + "i" * 1_000_000 + '","method":"ping"}',
    "an id of a thousand digits": '{"jsonrpc":"2.0","id":' + "9" * 1000 + ',"method":"ping"}',
    "an id beyond 64 bits": '{"jsonrpc":"2.0","id":18446744073709551617,"method":"ping"}',
    "an id that is a fraction": '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    "an id beyond all numbers": '{"jsonrpc":"2.0","id":1e999,"method":"ping"}',
    "an id that is true": '{"jsonrpc":"2.0","id":true,"method":"ping"}',
    "an id that is null": '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    "an id that is an object": '{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}',
    "an id with a lone surrogate": r'{"jsonrpc":"2.0","id":"\ud800","method":"ping"}',
    "a method with a lone surrogate": r'{"jsonrpc":"2.0","id":"s","method":"\udfff"}',
    "a tool with a lone surrogate": r'{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"\ud800"}}',
    "an argument with a lone surrogate": CALL % ('"u"', r'{"creditor_name":"J\ud800n"}'),
    "a name with a lone surrogate": CALL % ('"v"', r'{"\udc00":1}'),
    "no UTF-8": b'{"jsonrpc":"2.0","id":"w","method":"\xff\xfe"}',
    "NUL": b"\0" * 1000,
    "a number that is none": CALL % ('"x"', '{"amount":NaN}'),
    "a number beyond all": CALL % ('"y"', '{"amount":1e999}'),
    "a number of many digits": CALL % ('"z"', '{"amount":' + "1" * 5000 + "}"),
    "arguments that are a list": CALL % ('"A"', "[1]"),
    "arguments that are null": CALL % ('"B"', "null"),
    "an answer to nothing": '{"jsonrpc":"2.0","id":"C","result":{}}',
    "an error to nothing": '{"jsonrpc":"2.0","id":"D","error":{"code":1,"message":"x"}}',
    "a second handshake": '{"jsonrpc":"2.0","id":"E","method":"initialize","params":{}}',
    "another version": '{"jsonrpc":"1.0","id":"F","method":"ping"}',
    "a request and an answer": '{"jsonrpc":"2.0","id":"G","method":"ping","result":{}}',
    "a progress of nothing": '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1e999}}',
}


async def test_a_flood_of_what_is_no_message_ends_nothing(scene: Scene) -> None:
    """JSON-RPC 2.0 and MCP's stdio transport; our rule: garbage on stdin does not end it, and nothing is made of it."""
    caller, before = scene.caller, scene.caller.memory_mb()
    for name, garbage in GARBAGE.items():
        await caller.line(garbage)
        try:
            await scene.lives()
        except Exception as error:
            raise AssertionError(f"the server did not live through {name}") from error
    short = [line for line in GARBAGE.values() if len(line) < 1000]
    for number in range(GARBAGE_LINES):
        await caller.line(short[number % len(short)])
        if number % 500 == 0:
            await scene.lives()
    await scene.lives()
    assert scene.bodies == []
    assert caller.memory_mb() - before < MEMORY_GROWTH_MB


PATH_TRICKS = [
    "..",
    ".",
    "../payment",
    "..%2f",
    "%2e%2e",
    "%2e%2e%2fopenapi.json",
    "..%252f",
    "..;/openapi.json",
    "..\\openapi.json",
    "/openapi.json",
    "//evil.example/",
    "https://evil.example/",
    "pay/../../openapi.json",
    "pay?x=1",
    "pay#x",
    "pay x",
    "pay\tx",
    "pay\0",
    "pay\r\nHost: evil.example",
    "pay%0d%0a",
    "@evil.example",
    "\u2024\u2024\u2215openapi.json",
    "\uff0e\uff0e\uff0fopenapi.json",
    "\u202e..",
    "pay\u200b",
    "p\u0430y_1",
    "",
    " ",
    "x" * 129,
    "x" * 100_000,
]


async def test_no_trick_in_a_payment_id_reaches_blikk(scene: Scene) -> None:
    """OWASP, path traversal: an id is checked before it becomes part of a path; our rule: nothing is sent."""
    before = len(scene.blikk.requests)
    for trick in PATH_TRICKS:
        for tool in ("get_payment_status", "await_payment"):
            refused = await scene.caller.call(tool, {"payment_id": trick})
            assert refused["error_code"] == "invalid_arguments", ascii(trick)[:40]
        refused = await scene.caller.call("create_payment", {**PAYMENT, "confirmed_duplicate_of": trick or "/"})
        assert refused["error_code"] == "invalid_arguments", ascii(trick)[:40]
    assert len(scene.blikk.requests) == before
    await scene.caller.call("get_payment_status", {"payment_id": "..."})
    assert [request.target for request in scene.blikk.requests[before:]] == ["/paymentchannel/payment/..."]


UNSEEN = [
    *"\0\x07\x08\t\n\r\x1b\x7f\x85\x9b",
    *"\u00ad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029",
    *"\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u3164\ufe0f\ufeff\uffa0\ufff9\uffff",
    *"\U000e0041\U000e007f\U000e0100\U000f0000",
    "<",
    ">",
]


async def test_a_name_that_a_person_would_not_see_as_it_is_is_refused(scene: Scene) -> None:
    """No control, bidi, zero-width or otherwise invisible character in what a person reads; Unicode TR 36."""
    for character in UNSEEN:
        for name in ("creditor_name", "purpose"):
            for text in (f"Jón{character}Jónsson", f"{character}Jón", f"Jón{character}"):
                refused = await scene.caller.call("create_payment", {**PAYMENT, name: text})
                assert refused["error_code"] == "invalid_arguments", ascii(character)
    await scene.lives()
    assert scene.bodies == []


async def test_an_argument_given_twice_is_told_as_it_is_sent(scene: Scene) -> None:
    """RFC 8259 leaves open which of two members counts; what the person is told has to be what the bank is."""
    arguments = json.dumps(PAYMENT).removesuffix("}")
    line = CALL % (77, f'{arguments}, "amount": 5, "creditor_name": "Another", "amount": 7}}')
    await scene.caller.line(line)
    result = (await scene.caller.answer_to(77))["result"]["structuredContent"]
    told = [(result["amount"], result["creditor_name"])] if result["outcome"] != "refused" else []
    assert [(body["amount"], body["creditor"]["name"]) for body in scene.sent] == told


async def test_a_runaway_agent_is_stopped_after_ten_creates_in_a_minute(tmp_path: Path) -> None:
    """`BLIKK_CREATES_PER_MINUTE` is 10 if nobody says otherwise; replays and refusals do not count."""
    async with talking(tmp_path) as scene:
        caller = scene.caller

        def order(number: int, **more: Any) -> dict[str, Any]:
            return {**PAYMENT, "amount": 1000 + number, "idempotency_key": f"order-{number:04}", **more}

        for number in range(CREATES_PER_MINUTE + 2):
            refused = await caller.call("create_payment", order(number, amount=10**7))
            assert refused["error_code"] == "over_limit"
            refused = await caller.call("create_payment", order(number, currency="EUR"))
            assert refused["error_code"] == "invalid_arguments"
        for _ in range(CREATES_PER_MINUTE + 2):
            assert (await caller.call("create_payment", order(0)))["error_code"] == ""
        wanted: set[object] = set()
        for number in range(1, 4 * CREATES_PER_MINUTE):
            request, message = caller.request("tools/call", {"name": "create_payment", "arguments": order(number)})
            wanted.add(request)
            await caller.say(message)
        codes = Counter(answer["result"]["structuredContent"]["error_code"] for answer in await said(caller, wanted))
        assert codes == {"": CREATES_PER_MINUTE - 1, "rate_limited": 3 * CREATES_PER_MINUTE}
        assert len(scene.bodies) == CREATES_PER_MINUTE
        assert (await caller.call("create_payment", order(0)))["replayed"] is True
