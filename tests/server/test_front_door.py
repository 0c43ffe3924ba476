"""The front door: the SDK's own answers, from a file, with nothing loaded; and whatever is not plain goes to the SDK."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp import cli
from blikk_mcp.settings.door import DoorSettings, door_settings
from blikk_mcp.settings.settings import read_settings
from blikk_mcp.settings.values import SettingsError
from blikk_mcp.transports import front_door
from blikk_mcp.transports.front_door import HANDSHAKE, MODERN, FrontDoor, read_answers
from blikk_mcp.transports.wire import Wire
from blikk_sandbox.running import RunningSandbox
from docs import answers
from tests.server.running import LIMIT_SECONDS, PAYMENT, Process, environment, inherited, spawned, wired

pytestmark = pytest.mark.anyio

HEAVY = {"mcp", "mcp_types", "pydantic", "asyncio", "anyio", "httpx", "sqlite3", "argparse", "logging"}
IDLE_SECONDS = 0.3
"""A line that was written before is there sooner."""

MAKE_DOCS = "the front door answers otherwise than the server: `make docs` writes its file anew"


def door(settings: DoorSettings | None = None) -> FrontDoor:
    known = read_answers(settings or DoorSettings())
    assert known is not None, MAKE_DOCS
    return FrontDoor(Wire(0, 1), known)


def line(method: str, params: dict[str, Any] | None = None, number: Any = 1, **more: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, **more}
    return json.dumps(message if params is None else {**message, "params": params}).encode()


def initialize(version: str = HANDSHAKE[-1], **more: Any) -> dict[str, Any]:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": answers.CLIENT, **more}


@pytest.mark.parametrize("settings", answers.every_setting(), ids=lambda settings: settings.name)
async def test_the_door_says_what_the_server_says_to_the_letter(settings: DoorSettings) -> None:
    """A client must not be able to tell which of the two answered: every revision, setting, and order of keys."""
    for connection in answers.connections():
        told = await answers.ask(settings, connection)
        at_the_door = door(settings)
        for number, ((method, params), expected) in enumerate(zip(connection, told, strict=True), start=1):
            assert at_the_door.answer(line(method, params, number)) == expected, MAKE_DOCS


def test_the_file_of_answers_holds_nothing_else() -> None:
    """What was once said and no longer is would be dead weight in every start."""
    assert answers.is_written(check=True), MAKE_DOCS


def test_another_version_of_the_sdk_or_of_ours_has_no_door(tmp_path: Path) -> None:
    """Its answers may differ; the SDK's server gives them then."""
    stored = json.loads(Path(answers.ANSWERS).read_text(encoding="utf-8"))
    for name in stored["versions"]:
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({**stored, "versions": {**stored["versions"], name: "0.0.0"}}), encoding="utf-8")
        assert read_answers(DoorSettings(), str(file)) is None
    assert read_answers(DoorSettings(), str(tmp_path / "none.json")) is None
    broken = tmp_path / "broken.json"
    for text in ("{", "{}", *(json.dumps({**stored, part: {}}) for part in ("answers", "results"))):
        broken.write_text(text, encoding="utf-8")
        assert read_answers(DoorSettings(), str(broken)) is None


@pytest.mark.parametrize("words", ["true", "1", "YES", "false", "0", "no", "", " true ", "${env:X}", "on", "perhaps"])
@pytest.mark.parametrize("name", ["read_only", "always_load"])
def test_the_door_reads_its_settings_as_the_settings_do(name: str, words: str, tmp_path: Path) -> None:
    """Two readers of one setting: where they could differ, there is no door."""
    environ = {f"BLIKK_{name.upper()}": words}
    found = door_settings(environ)
    try:
        settings = read_settings(
            {**environ, "BLIKK_API_KEY": "a-key-for-this-test", "BLIKK_LEDGER": str(tmp_path / "ledger.sqlite3")}
        )
    except SettingsError:
        assert found is None
    else:
        assert found is not None
        assert getattr(found, name) is getattr(settings, name)


@pytest.mark.parametrize("words", ["off", "OFF", "false", "0", "no", "perhaps"])
def test_the_door_can_be_switched_off(words: str) -> None:
    """For whoever suspects it."""
    assert door_settings({"BLIKK_FRONT_DOOR": words}) is None
    assert door_settings({"BLIKK_FRONT_DOOR": "on"}) is not None


NOT_FOR_THE_DOOR = {
    "a cursor": line("tools/list", {"cursor": "x"}),
    "an unknown parameter": line("tools/list", {"x": 1}),
    "an unknown member": line("tools/list", {}, x=1),
    "an id that would be escaped": line("tools/list", {}, 'a"b'),
    "an id beyond whole numbers": line("tools/list", {}, 2**60),
    "an id that is none": line("tools/list", {}, 1.0),
    "a call": line("tools/call", {"name": "list_payments", "arguments": {}}),
    "the other era's envelope": line("tools/list", answers.ENVELOPE),
    "half a character": line("tools/list", {"_meta": {"x/y": "\ud83d"}}),
    "half a character in capitals": line("tools/list", {"_meta": {"x/y": "\ud83d"}}).replace(b"\\ud83d", b"\\uD83D"),
    "another version of JSON-RPC": line("tools/list", {}, jsonrpc="1.0"),
    "a method that is a number": line("tools/list", {}).replace(b'"tools/list"', b"7"),
    "a progress token that is none": line("tools/list", {"_meta": {"progressToken": {"a": 1}}}),
    "a name of the protocol's own": line("tools/list", {"_meta": {"io.modelcontextprotocol/logLevel": "debug"}}),
    "a second handshake": line("initialize", initialize()),
    "no JSON": b"{bad",
    "a batch": b"[" + line("ping") + b"]",
    "other parameters": line("ping", {"x": 1}),
    "a notification it does not know": b'{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}',
    "NaN": b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x/y":NaN}}}',
    "depth": line("tools/list", {"_meta": {"x/y": json.loads("[" * 200 + "]" * 200)}}),
    "length": line("tools/list", {"_meta": {"x/y": "a" * 20_000}}),
}


@pytest.mark.parametrize("name", NOT_FOR_THE_DOOR)
def test_what_is_not_plain_is_for_the_sdk(name: str) -> None:
    """The door answers what it is sure of."""
    opened = door()
    assert opened.answer(line("initialize", initialize()))
    assert opened.answer(line("tools/list", {}))
    assert opened.answer(NOT_FOR_THE_DOOR[name]) is None


WHOLE: dict[str, Any] = answers.ENVELOPE["_meta"]
WITHOUT_A_CLIENT = {name: value for name, value in WHOLE.items() if name != answers.CLIENT_KEY}


@pytest.mark.parametrize(
    "meta",
    [
        {**WHOLE, answers.VERSION_KEY: "2099-01-01"},
        {**WHOLE, answers.VERSION_KEY: 1},
        {**WHOLE, answers.CAPABILITIES_KEY: []},
        {**WHOLE, answers.CAPABILITIES_KEY: {"elicitation": {"form": True}}},
        {**WHOLE, answers.CLIENT_KEY: {"name": "x"}},
        {**WHOLE, answers.CLIENT_KEY: None},
        {**WHOLE, "io.modelcontextprotocol/other": 1},
        {**WHOLE, "other": 1},
        {**WHOLE, "progressToken": 1.5},
        None,
    ],
)
@pytest.mark.parametrize("method", ["server/discover", "tools/list"])
def test_a_modern_request_of_another_shape_is_for_the_sdk(method: str, meta: Any) -> None:
    """It may be wrong, and then the answer is an error; who leaves the client out, or adds a name of its own, is not."""
    assert door().answer(line(method, {"_meta": meta})) is None
    assert door().answer(line(method, {"_meta": WHOLE, "extra": 1})) is None
    for plain in (WHOLE, WITHOUT_A_CLIENT, {**WHOLE, "client.example/x": 1, "progressToken": 7}):
        assert door().answer(line(method, {"_meta": plain})) is not None


@pytest.mark.parametrize(
    "params",
    [
        initialize(extra=1),
        initialize(protocolVersion=1),
        initialize(capabilities=[]),
        initialize(capabilities={"roots": {"listChanged": "yes"}}),
        initialize(capabilities={"sampling": {"tools": 1}}),
        initialize(capabilities={"elicitation": {"form": True}}),
        initialize(capabilities={"tasks": {"requests": {"sampling": {"createMessage": 1}}}}),
        initialize(capabilities={"experimental": {"x": 1}}),
        initialize(clientInfo={"name": "x"}),
        initialize(clientInfo={"name": "x", "version": 1}),
        initialize(clientInfo={"name": "x", "version": "1", "icons": [{"src": 1}]}),
        {"protocolVersion": HANDSHAKE[-1]},
        {},
    ],
)
def test_a_handshake_of_another_shape_is_for_the_sdk(params: dict[str, Any]) -> None:
    """It may be wrong, and then the answer is an error."""
    assert door().answer(line("initialize", params)) is None


CAPABILITIES: dict[str, Any] = {
    "roots": {"listChanged": True},
    "sampling": {"context": {}, "tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "experimental": {"x": {"y": 1}},
    "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html"]}},
    "tasks": {"list": {}, "cancel": {}, "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}}},
}
CLIENT = {
    "name": "x",
    "version": "1",
    "title": "X",
    "websiteUrl": "https://client.example",
    "icons": [{"src": "https://client.example/i.png", "mimeType": "image/png", "sizes": ["48x48"]}],
}


def test_clients_that_declare_all_there_is_are_answered() -> None:
    """Capabilities are for later: they change no answer of the door's."""
    assert door().answer(line("initialize", initialize(capabilities=CAPABILITIES, clientInfo=CLIENT)))


def test_a_key_made_of_our_own_words_is_not_said_at_the_door() -> None:
    """Redaction comes after the door: what it would change, the door does not say."""
    text = json.loads(door().answer(line("initialize", initialize())) or b"")["result"]["instructions"]
    assert door(DoorSettings(key=f"xx{text[40:80]}xx")).answer(line("initialize", initialize())) is None
    assert door(DoorSettings(key=text[40:50])).answer(line("initialize", initialize())) is None
    beside = "3q8Wz-no-key-of-anybody"
    for key in (f"{beside}{text[40:56]}", f"{text[40:56]}{beside}", text[40:56]):
        assert door(DoorSettings(key=key)).answer(line("initialize", initialize())) is None
    assert door(DoorSettings(key=f"{beside}{text[40:55]}")).answer(line("initialize", initialize())) is not None
    assert door(DoorSettings(key="3q8Wz-no-key-of-anybody")).answer(line("initialize", initialize())) is not None


PING, INITIALIZE = line("ping"), line("initialize", initialize())
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
DISCOVER, MODERN_LIST = line("server/discover", answers.ENVELOPE), line("tools/list", answers.ENVELOPE)
LIST, CALL = line("tools/list", {}), line("tools/call", {"name": "list_payments", "arguments": {}})


def door_on_pipes(said: list[bytes]) -> tuple[FrontDoor, Wire, int, int]:
    """A door to which a client has said this, and the client's two ends."""
    reads, client_writes = os.pipe()
    client_reads, writes = os.pipe()
    known = read_answers(DoorSettings())
    assert known is not None, MAKE_DOCS
    wire = Wire(reads, writes)
    wire.start()
    os.write(client_writes, b"".join(text + b"\n" for text in said))
    return FrontDoor(wire, known), wire, client_reads, client_writes


def test_the_door_ends_when_its_answers_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """`printf … | blikk-mcp`: more than a pipe holds was asked for before the input ended."""
    monkeypatch.setattr(front_door, "LAST_ANSWERS_SECONDS", LIMIT_SECONDS)
    at_the_door, wire, client_reads, client_writes = door_on_pipes([INITIALIZE, *[LIST] * 20])
    os.close(client_writes)
    heard = bytearray()

    def read() -> None:
        while heard.count(b"\n") < 21:
            heard.extend(os.read(client_reads, 65_536))

    client = threading.Thread(target=read, daemon=True)
    client.start()
    assert at_the_door.serve() is None
    assert wire.is_sent
    client.join(LIMIT_SECONDS)
    os.close(client_reads)


def test_the_door_does_not_wait_for_a_client_that_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has hung up: what it left unread is nobody's any more."""
    monkeypatch.setattr(front_door, "LAST_ANSWERS_SECONDS", 0.01)
    at_the_door, wire, client_reads, client_writes = door_on_pipes([INITIALIZE, *[LIST] * 20])
    os.close(client_writes)
    assert at_the_door.serve() is None
    assert not wire.is_sent
    os.close(client_reads)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([CALL], []),
        ([INITIALIZE, INITIALIZED, LIST, PING, CALL], [INITIALIZE, INITIALIZED]),
        ([INITIALIZE, INITIALIZED, INITIALIZED, CALL], [INITIALIZE, INITIALIZED]),
        ([INITIALIZE, CALL], [INITIALIZE]),
        ([PING, PING, INITIALIZE, LIST, CALL], [PING, INITIALIZE]),
        ([DISCOVER, DISCOVER, CALL], []),
        ([DISCOVER, INITIALIZE, INITIALIZED, CALL], [INITIALIZE, INITIALIZED]),
        ([DISCOVER, MODERN_LIST, MODERN_LIST, CALL], [MODERN_LIST]),
        ([INITIALIZE, INITIALIZED, PING], [INITIALIZE, INITIALIZED]),
    ],
)
def test_the_lines_that_brought_the_client_where_it_is_are_handed_over_and_no_others(
    said: list[bytes], kept: list[bytes]
) -> None:
    """What chose the era and what the SDK's server counts on, each once; the rest was answered and is over."""
    at_the_door, wire, client_reads, client_writes = door_on_pipes(said)
    handover = at_the_door.serve(idle_seconds=IDLE_SECONDS)
    assert handover is not None
    assert (list(handover.replayed), handover.line) == (kept, CALL if CALL in said else None)
    wire.drain(LIMIT_SECONDS)
    os.close(client_writes)
    os.close(client_reads)


def modules_of(arguments: Sequence[str], stdin: bytes) -> tuple[set[str], list[dict[str, Any]]]:
    """What a process loads, by the names of packages, and the messages it writes."""
    command = [sys.executable, "-X", "importtime", cli.__file__, *arguments]
    ended = subprocess.run(
        command, input=stdin, env=inherited(), capture_output=True, timeout=LIMIT_SECONDS, check=True
    )
    loaded = {text.rpartition("|")[2].strip().partition(".")[0] for text in ended.stderr.decode().splitlines()}
    return loaded, [json.loads(text) for text in ended.stdout.splitlines() if text.startswith(b"{")]


@pytest.mark.parametrize(
    "lines",
    [
        [line("initialize", initialize(), 1), line("ping", None, 2), line("tools/list", {}, 3)],
        [line("server/discover", answers.ENVELOPE, 1), line("tools/list", answers.ENVELOPE, 2)],
        [line("server/discover", answers.ENVELOPE, 1), line("initialize", initialize(), 2), line("tools/list", {}, 3)],
    ],
    ids=["handshake", "modern", "probe"],
)
def test_the_door_loads_nothing_but_the_standard_library_and_little_of_that(lines: list[bytes]) -> None:
    """An idle window costs a Python and its door."""
    loaded, messages = modules_of([], b"\n".join(lines) + b"\n")
    assert [message["id"] for message in messages] == list(range(1, len(lines) + 1))
    assert all("result" in message for message in messages)
    assert loaded.isdisjoint(HEAVY), loaded & HEAVY
    assert "blikk_mcp" in loaded


def test_the_version_loads_no_sdk_either() -> None:
    """Installers and scripts ask for it."""
    loaded, _ = modules_of(["--version"], b"")
    assert loaded.isdisjoint({"mcp", "mcp_types", "pydantic", "asyncio"})


Step = tuple[str, Any]

DECLARED: dict[str, Any] = {
    "_meta": {
        **answers.ENVELOPE["_meta"],
        answers.CAPABILITIES_KEY: {"elicitation": {"url": {}}, "extensions": {"io.modelcontextprotocol/tasks": {}}},
    }
}

REQUESTS: dict[str, Any] = {
    "initialize": ("initialize", initialize()),
    "initialize, older": ("initialize", initialize("2024-11-05")),
    "initialize, unknown": ("initialize", initialize("2099-01-01")),
    "initialize, modern": ("initialize", initialize(MODERN)),
    "initialize, broken": ("initialize", {"protocolVersion": "2025-11-25"}),
    "list": ("tools/list", {}),
    "list, no params": ("tools/list", None),
    "list, token": ("tools/list", {"_meta": {"progressToken": 7, "client.example/x": [1]}}),
    "list, cursor": ("tools/list", {"cursor": "x"}),
    "list, modern": ("tools/list", answers.ENVELOPE),
    "list, other envelope": ("tools/list", {"_meta": {**answers.ENVELOPE["_meta"], answers.VERSION_KEY: "2099-01-01"}}),
    "ping": ("ping", None),
    "ping, modern": ("ping", answers.ENVELOPE),
    "discover": ("server/discover", answers.ENVELOPE),
    "discover, bare": ("server/discover", {}),
    "unknown method": ("no/such", {}),
    "unknown tool": ("tools/call", {"name": "no-such-tool", "arguments": {}}),
    "unknown tool, modern": ("tools/call", {"name": "no-such-tool", "arguments": {}, **answers.ENVELOPE}),
    "call": ("tools/call", {"name": "await_payment", "arguments": {"payment_id": 5}}),
    "templates": ("resources/templates/list", {}),
    "task": ("tasks/get", {"taskId": "no-such-task"}),
    "task, undeclared": ("tasks/get", {"taskId": "no-such-task", **answers.ENVELOPE}),
    "task, declared": ("tasks/get", {"taskId": "no-such-task", **DECLARED}),
    "list, declared": ("tools/list", DECLARED),
    "discover, declared": ("server/discover", DECLARED),
}
OTHERS = {
    "initialized": b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
    "cancelled": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
    "roots": b'{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}',
    "empty": b"",
    "blank": b" \t",
}
BAD = {
    "bad": b"{bad",
    "id null": b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    "no method": b'{"jsonrpc":"2.0","id":9}',
}

ORDERS = [
    ["initialize", "initialized", "list", "call"],
    ["initialize", "initialize, older", "list", "call"],
    ["list", "initialize", "list"],
    ["ping", "initialize", "initialized", "ping", "list", "unknown tool"],
    ["ping", "discover", "list"],
    ["discover", "initialize, older", "initialized", "list", "unknown tool"],
    ["discover", "discover", "list, modern", "unknown tool, modern"],
    ["list, modern", "initialize", "discover", "unknown tool, modern"],
    ["list, modern", "list", "ping", "ping, modern"],
    ["initialize", "list", "cancelled", "initialized", "list, token", "list, cursor"],
    ["initialized", "initialize", "list"],
    ["initialize", "call", "initialized", "list"],
    ["initialize, broken", "initialize", "list"],
    ["initialize, unknown", "discover", "list, modern", "list"],
    ["bad", "initialize", "bad", "list", "id null"],
    ["discover, bare", "initialize, modern", "list, no params", "templates"],
    ["roots", "initialize", "initialized", "initialized", "roots", "list"],
    ["discover, declared", "list, declared", "task, declared", "task, undeclared", "task"],
    ["initialize", "initialized", "task", "task, declared"],
    ["empty", "list, modern", "blank", "cancelled", "list, modern"],
]


Start = Callable[[dict[str, str], bool], AbstractAsyncContextManager[Process]]


def in_this_process(environ: dict[str, str], with_door: bool) -> AbstractAsyncContextManager[Process]:
    return wired(environ, door=with_door)


def as_a_process(environ: dict[str, str], with_door: bool) -> AbstractAsyncContextManager[Process]:
    return spawned(environ if with_door else {**environ, "BLIKK_FRONT_DOOR": "off"})


STARTED = pytest.mark.parametrize("start", [in_this_process, pytest.param(as_a_process, marks=pytest.mark.slow)])


@STARTED
async def test_a_call_after_the_door_is_served_where_the_client_is(
    sandbox: RunningSandbox, tmp_path: Path, start: Start
) -> None:
    """The lines before it are said again to the SDK's server, and their answers are not given twice."""
    async with start(environment(sandbox, tmp_path), True) as server:
        await server.initialize("2025-06-18", {"elicitation": {}})
        for _ in range(3):
            assert "result" in await server.ask("tools/list")
        created = await server.call("create_payment", PAYMENT)
        assert created["outcome"] == "needs_human"
        answer = await server.ask("tools/list", {"_meta": answers.ENVELOPE["_meta"]})
        assert answer["error"]["code"] == -32600
    assert sum('"serverInfo"' in text for text in server.lines) == 1


@STARTED
async def test_wrong_settings_change_no_list_of_tools(start: Start) -> None:
    """The door does not read the other settings, and the list must not depend on who answers."""
    environ = {"BLIKK_READ_ONLY": "true", "BLIKK_ALWAYS_LOAD": "false", "BLIKK_MAX_AMOUNT_ISK": "much"}
    order = ["initialize", "initialized", "list"]
    with_door, without = [await answers_to(start(environ, door), order, joined=False) for door in (True, False)]
    assert with_door == without
    assert not any('"create_payment"' in text for text in with_door)


async def answers_to(
    starting: AbstractAsyncContextManager[Process],
    order: list[str],
    *,
    joined: bool,
    end: bytes = b"\n",
    cuts: Sequence[float] = (0.5,),
) -> list[str]:
    """What a client hears: one step after the other, or everything joined and cut somewhere else than at the lines."""
    without_number = {**OTHERS, **BAD}
    lines = [
        without_number[step] if step in without_number else line(*REQUESTS[step], number=number)
        for number, step in enumerate(order, start=1)
    ]
    async with starting as server:
        heard: list[dict[str, Any]] = []
        if joined:
            data = b"".join(text + end for text in lines)
            places = [0, *sorted(int(len(data) * cut) for cut in cuts), len(data)]
            for first, last in pairwise(places):
                await server.send_raw(data[first:last])
            heard = [await server.receive() for step in order if step not in OTHERS]
        else:
            for step, text in zip(order, lines, strict=True):
                await server.send_raw(text + end)
                if step not in OTHERS:
                    heard.append(await server.receive())
        heard.append(await last_answer(server))
    return sorted(json.dumps(message) for message in heard)


async def last_answer(server: Process) -> dict[str, Any]:
    """The answer to a request that is told at the end: whatever was said too much comes before it."""
    await server.send_line(line("no/such/method", {}, "the end"))
    return await server.receive()


@STARTED
@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
async def test_every_order_of_messages_gets_the_same_answers_without_the_door(order: list[str], start: Start) -> None:
    """The door is quicker, and nothing else."""
    joined = len(order) % 2 == 1 and "cancelled" not in order
    with_door, without = [await answers_to(start({}, door), order, joined=joined) for door in (True, False)]
    assert with_door == without


@STARTED
@pytest.mark.parametrize("seed", range(20))
async def test_random_orders_of_messages_get_the_same_answers_without_the_door(seed: int, start: Start) -> None:
    """The same, for orders that nobody thought of."""
    choose = random.Random(seed)
    order = choose.choices([*REQUESTS, *OTHERS, *BAD], k=choose.randint(2, 9))
    joined = "cancelled" not in order and choose.random() < 0.5
    cuts = [choose.random() for _ in range(choose.randint(0, 6))]
    end = choose.choice([b"\n", b"\r\n"])
    with_door, without = [
        await answers_to(start({}, door), order, joined=joined, end=end, cuts=cuts) for door in (True, False)
    ]
    assert with_door == without
