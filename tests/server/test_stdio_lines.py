"""Lines that cannot be taken: each is answered and leaves one warning, and the next line is served."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_mcp.transports.messages import Refused, read_message
from blikk_mcp.transports.wire import EDGE_BYTES, MAX_LINE_BYTES, TooLong, split_lines
from tests.server.running import Process, spawned, wired

CANARY = "sentinel-7f3a"
"""Stands in every bad line and must be in no answer and no log."""

LONG = "a" * (MAX_LINE_BYTES + 1_000_000)


def call(arguments: str, number: str = "7") -> str:
    params = f'{{"name":"create_payment","arguments":{arguments}}}'
    return f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{params}}}'


WITH_AN_ID = {
    "half an emoji": (call(f'{{"purpose":"{CANARY} \\ud83d"}}'), 7, -32602),
    "half an emoji as a name": (call(f'{{"\\udc00{CANARY}":1}}'), 7, -32602),
    "half an emoji, text id": (call('{"purpose":"\\ud83d"}', '"a-7"'), "a-7", -32602),
    "params a list": (f'{{"jsonrpc":"2.0","id":7,"method":"ping","params":["{CANARY}"]}}', 7, -32602),
    "params too deep": (call("[" * 500 + "]" * 500), 7, -32602),
    "params much too deep": (call("[" * 100_000 + "]" * 100_000), 7, -32602),
    "params much too deep, id last": (
        f'{{"method":"ping","params":{{"x":{"[" * 100_000}{"]" * 100_000}}},"jsonrpc":"2.0","id":7}}',
        7,
        -32602,
    ),
    "no method": (f'{{"jsonrpc":"2.0","id":7,"x":"{CANARY}"}}', 7, -32600),
    "method a number": ('{"jsonrpc":"2.0","id":7,"method":7}', 7, -32600),
    "other version": (f'{{"jsonrpc":"1.0","id":7,"method":"{CANARY}"}}', 7, -32600),
    "too long, id first": (call(f'{{"purpose":"{LONG}"}}'), 7, -32600),
    "too long, id last": (
        f'{{"method":"tools/call","params":{{"name":"x","arguments":{{"y":"{LONG}"}}}},"jsonrpc":"2.0","id":7}}',
        7,
        -32600,
    ),
}

WITHOUT_AN_ID = {
    "id null": f'{{"jsonrpc":"2.0","id":null,"method":"{CANARY}"}}',
    "id a fraction": '{"jsonrpc":"2.0","id":1.0,"method":"ping"}',
    "id true": '{"jsonrpc":"2.0","id":true,"method":"ping"}',
    "id true, no method": '{"jsonrpc":"2.0","id":true}',
    "id a fraction, no method": '{"jsonrpc":"2.0","id":1.5}',
    "id an object, no method": '{"jsonrpc":"2.0","id":{}}',
    "id an object": '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    "id half an emoji": '{"jsonrpc":"2.0","id":"\\ud83d","method":"ping"}',
    "brace": f"{{bad {CANARY}",
    "cut off": '{"jsonrpc":"2.0","id":7,"method":"ping"',
    "batch": '[{"jsonrpc":"2.0","id":7,"method":"ping"}]',
    "batch, empty": "[]",
    "word": CANARY,
    "null": "null",
    "number": "12",
    "text": f'"{CANARY}"',
    "empty message": '{"jsonrpc":"2.0"}',
    "notification with half an emoji": '{"jsonrpc":"2.0","method":"notifications/x","params":{"a":"\\ud83d"}}',
    "depth": "[" * 100_000,
    "too long, no message": LONG,
}


@pytest.fixture(scope="module")
async def server(anyio_backend: str) -> AsyncIterator[Process]:
    """One process for all lines: none of them may end it."""
    async with spawned({}) as process:
        await process.initialize()
        yield process


async def answer_to(server: Process, line: str | bytes) -> dict[str, Any]:
    await server.send_line(line)
    answer = await server.receive()
    assert "result" in await server.ask("ping")
    assert CANARY not in json.dumps(answer)
    return answer


@pytest.mark.anyio
@pytest.mark.parametrize("name", WITH_AN_ID)
async def test_a_bad_line_is_answered_with_its_id(server: Process, name: str) -> None:
    """JSON-RPC 2.0: an invalid request is -32600, invalid params are -32602, and the answer has the request's id."""
    line, number, code = WITH_AN_ID[name]
    answer = await answer_to(server, line)
    assert (answer["id"], answer["error"]["code"]) == (number, code)


@pytest.mark.anyio
@pytest.mark.parametrize("name", WITHOUT_AN_ID)
async def test_a_line_without_a_readable_id_is_answered_all_the_same(server: Process, name: str) -> None:
    """JSON-RPC 2.0: what cannot be made out is -32700, with id null."""
    answer = await answer_to(server, WITHOUT_AN_ID[name])
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)


@pytest.mark.anyio
async def test_bytes_that_are_no_utf_8_are_a_parse_error(server: Process) -> None:
    """MCP: messages are UTF-8."""
    for line in (b"\xff\xfe\xfd", b'{"jsonrpc":"2.0","id":7,"method":"ping\xff"}', "{}".encode("utf-16")):
        answer = await answer_to(server, line)
        assert (answer["id"], answer["error"]["code"]) == (None, -32700)


@pytest.mark.anyio
async def test_a_byte_order_mark_before_the_first_line_is_skipped() -> None:
    """PowerShell and some editors write one."""
    async with spawned({}) as server:
        await server.send_line(b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}')
        assert (await server.receive())["id"] == 1
        assert "result" in await server.initialize()


@pytest.mark.anyio
async def test_a_message_in_the_rest_of_a_line_that_is_too_long_is_not_taken() -> None:
    """Half a line is no line, whatever stands in it."""
    async with wired({}) as server:
        await server.initialize()
        await server.send_line(LONG + '{"jsonrpc":"2.0","id":7,"method":"ping"}')
        assert (await server.receive())["error"]["code"] == -32700
        assert "result" in await server.ask("ping")


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))),
    cuts=st.lists(st.integers(min_value=1, max_value=9), min_size=1),
)
def test_lines_are_the_same_however_they_are_cut_into_reads(lines: list[bytes], cuts: list[int]) -> None:
    """A pipe gives what it has: half a line, or ten."""
    data = b"".join(line + b"\n" for line in lines)
    chunks: list[bytes] = []
    while data:
        cut = cuts[len(chunks) % len(cuts)]
        chunks.append(data[:cut])
        data = data[cut:]
    pending = iter(chunks)
    assert list(split_lines(lambda: next(pending, b""))) == lines


def test_the_longest_line_is_taken_and_one_byte_more_is_not() -> None:
    """The bound is of the line without its end, in one read or in many."""
    for size, kind in ((MAX_LINE_BYTES, bytes), (MAX_LINE_BYTES + 1, TooLong)):
        for chunk in (size + 1, 65_536):
            data = b"x" * size + b"\nnext\n"
            pending = iter([data[at : at + chunk] for at in range(0, len(data), chunk)])
            first, second = split_lines(lambda pending=pending: next(pending, b""))
            assert isinstance(first, kind)
            assert second == b"next"


def test_of_a_line_that_is_too_long_only_the_edges_are_kept() -> None:
    """However long it is, it costs no memory."""
    chunks = iter([b"head", *[b"x" * 65_536] * 200, b"tail\n"])
    (line,) = split_lines(lambda: next(chunks, b""))
    assert isinstance(line, TooLong)
    assert (line.head[:4], line.tail[-4:]) == (b"head", b"tail")
    assert max(len(line.head), len(line.tail)) <= EDGE_BYTES


def test_a_line_after_one_that_is_too_long_is_a_line_of_its_own() -> None:
    """Else one oversized message would spoil every later one."""
    chunks = iter([*[b"x" * 65_536] * 200, b"\nfirst\nsec", b"ond\n"])
    too_long, *others = split_lines(lambda: next(chunks, b""))
    assert isinstance(too_long, TooLong)
    assert others == [b"first", b"second"]


@given(st.text(max_size=60), st.integers())
def test_no_id_of_an_inner_object_is_taken_for_the_lines_own(text: str, inner: int) -> None:
    """A wrong id would answer another request."""
    inside = json.dumps({"id": inner, "x": text})
    for line in (
        TooLong(f'{{"jsonrpc":"2.0","method":"x","params":{inside}'.encode(), b'x"}}'),
        TooLong(b'{"params":{"', f'","y":{inside}}}}}'.encode()),
        TooLong(b'{"x":"', f'{text}", "id": {inner}}}}}'.encode()),
    ):
        refused = read_message(line)
        assert isinstance(refused, Refused)
        assert refused.answer is not None
        assert getattr(refused.answer.message, "id", 0) is None
