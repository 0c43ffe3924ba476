"""What the server offers: names and annotations tied to what the code does, schemas every client takes, little weight."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from blikk_payments.channel.errors import Uncertain
from blikk_payments.channel.wire import Status
from blikk_tools.catalog import catalog
from blikk_tools.tool import Annotations, Tool
from tests.payments.doubles import Step, unread
from tests.payments.factories import KEY, LINK, answer
from tests.tools.calls import TOOLS, arguments, desk

NAMES = ["create_payment", "get_payment_status", "await_payment", "list_payments"]
READS = ["get_payment_status", "await_payment"]
STATES: list[Step] = [*(answer(status, LINK) for status in Status), Uncertain("lost")]


def wire(tool: Tool[Any], *, with_output: bool = True) -> dict[str, Any]:
    """The tool as `tools/list` has it (MCP specification, Tool)."""
    hints = tool.annotations
    listed: dict[str, Any] = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {
            "readOnlyHint": hints.read_only,
            "destructiveHint": hints.destructive,
            "idempotentHint": hints.idempotent,
            "openWorldHint": hints.open_world,
        },
    }
    return listed | ({"outputSchema": tool.output_schema} if with_output else {})


def weight(*, with_output: bool) -> int:
    """Bytes of the compact JSON of all tools."""
    tools = [wire(tool, with_output=with_output) for tool in TOOLS.values()]
    return len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())


def parts(schema: object) -> Iterator[tuple[str, object]]:
    """Every keyword of a schema and its value, at any depth; names of properties are not keywords."""
    if isinstance(schema, dict):
        for keyword, value in cast("dict[str, Any]", schema).items():
            yield keyword, value
            inside: object = value
            if keyword == "properties":
                inside = list(cast("dict[str, Any]", value).values())
            yield from parts(inside)
    elif isinstance(schema, list):
        for item in cast("list[Any]", schema):
            yield from parts(item)


# What there is


def test_there_are_four_tools_in_the_order_of_their_use() -> None:
    """create_payment, get_payment_status, await_payment, list_payments."""
    assert list(TOOLS) == NAMES
    assert [tool.name for tool in TOOLS.values()] == NAMES


def test_read_only_leaves_out_what_could_move_money() -> None:
    """BLIKK_READ_ONLY: create_payment is not offered."""
    assert list(catalog(read_only=True)) == NAMES[1:]


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("create_payment", Annotations(read_only=False, destructive=True, idempotent=True, open_world=True)),
        ("get_payment_status", Annotations(read_only=True, destructive=False, idempotent=True, open_world=True)),
        ("await_payment", Annotations(read_only=True, destructive=False, idempotent=True, open_world=True)),
        ("list_payments", Annotations(read_only=True, destructive=False, idempotent=True, open_world=False)),
    ],
)
def test_the_annotations_are_the_documented_ones(tool: str, expected: Annotations) -> None:
    """Some clients refuse tools without readOnlyHint, and ask before destructive ones."""
    assert TOOLS[tool].annotations == expected


# The annotations are true


@pytest.mark.parametrize("said", STATES)
@pytest.mark.anyio
async def test_a_read_only_tool_never_sends_a_payment(tmp_path: Path, said: Step) -> None:
    """readOnlyHint: whatever state a payment is in, known or not, nothing is created."""
    readers = [name for name, tool in TOOLS.items() if tool.annotations.read_only]
    assert readers == NAMES[1:]
    async with desk(tmp_path, said) as at:
        await at.call("create_payment", arguments())
        for failing in (None, unread(503), unread(404)):
            at.house.channel.every_read = failing
            for tool in readers:
                await at.call(tool, {"payment_id": "pay-1"})
                await at.call(tool, {"payment_id": "pay-77"})
                await at.call(tool, {"idempotency_key": KEY})
                await at.call(tool, {"idempotency_key": "order-7777"})
        assert at.house.posts == 1
        assert at.house.record("order-7777") is None


@pytest.mark.parametrize("said", STATES)
@pytest.mark.anyio
async def test_the_idempotent_destructive_tool_sends_once_however_often_it_is_called(
    tmp_path: Path, said: Step
) -> None:
    """destructiveHint: it moves money. idempotentHint: the same arguments again have no further effect."""
    async with desk(tmp_path, said) as at:
        assert at.untouched
        for _ in range(5):
            await at.call("create_payment", arguments())
        assert at.house.posts == 1


@pytest.mark.parametrize("tool", READS)
@pytest.mark.anyio
async def test_a_question_repeated_changes_nothing(tmp_path: Path, tool: str) -> None:
    """idempotentHint of the questions."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as at:
        await at.call("create_payment", arguments())
        first = await at.call(tool, {"payment_id": "pay-1"})
        before = at.house.record()
        assert await at.call(tool, {"payment_id": "pay-1"}) == first
        assert at.house.record() == before


@pytest.mark.anyio
async def test_every_tool_but_the_list_reaches_beyond_this_machine(tmp_path: Path) -> None:
    """openWorldHint: Blikk is asked."""
    async with desk(tmp_path) as at:
        await at.call("create_payment", arguments())
        assert at.house.posts == 1
        for tool in READS:
            asked = len(at.house.channel.read_ids)
            await at.call(tool, {"payment_id": "pay-1"})
            assert len(at.house.channel.read_ids) > asked


# Schemas


@pytest.mark.parametrize("tool", NAMES)
@pytest.mark.parametrize("kind", ["input", "output"])
def test_a_schema_is_flat_and_plain(tool: str, kind: str) -> None:
    """Clients choke on references, unions, null and titles; unknown arguments are refused."""
    schema = TOOLS[tool].input_schema if kind == "input" else TOOLS[tool].output_schema
    Draft202012Validator.check_schema(schema)
    found = list(parts(schema))
    banned = {"$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not", "title", "nullable", "format"}
    assert banned & {keyword for keyword, _ in found} == set()
    assert [value for keyword, value in found if value is None or (keyword == "type" and value == "null")] == []
    assert {value for keyword, value in found if keyword == "type"} <= {
        "object",
        "array",
        "string",
        "integer",
        "boolean",
    }
    # google-genai cannot read `additionalProperties` in an input schema; that there are no others is checked.
    assert (schema["type"], schema.get("additionalProperties", ...)) == ("object", ... if kind == "input" else False)
    assert [name for name, value in schema["properties"].items() if value["type"] == "object"] == []


@pytest.mark.parametrize(
    ("tool", "required", "optional"),
    [
        (
            "create_payment",
            ["amount", "creditor_name", "creditor_ssn", "currency", "idempotency_key"],
            ["confirmed_duplicate_of", "creditor_bban", "creditor_iban", "purpose"],
        ),
        ("get_payment_status", [], ["idempotency_key", "payment_id"]),
        ("await_payment", ["payment_id"], ["human_informed", "wait_seconds"]),
        ("list_payments", [], ["limit", "only"]),
    ],
)
def test_the_arguments_are_the_documented_ones(tool: str, required: list[str], optional: list[str]) -> None:
    """The tables of arguments."""
    schema = TOOLS[tool].input_schema
    assert sorted(schema.get("required", [])) == required
    assert sorted(schema["properties"]) == sorted(required + optional)
    assert [name for name, value in schema["properties"].items() if not value.get("description")] == []


def test_the_schema_says_the_limits_that_a_model_can_keep() -> None:
    """amount: integer, 1 or more; currency: "ISK"; the key's characters; wait_seconds: 0 or more, no maximum."""
    create = TOOLS["create_payment"].input_schema["properties"]
    assert (create["amount"]["type"], create["amount"]["minimum"]) == ("integer", 1)
    assert create["currency"].get("const") == "ISK" or create["currency"].get("enum") == ["ISK"]
    assert create["idempotency_key"]["pattern"] == r"^[A-Za-z0-9._:-]{8,128}$"
    seconds = TOOLS["await_payment"].input_schema["properties"]["wait_seconds"]
    assert (seconds["type"], seconds["minimum"], "maximum" in seconds) == ("integer", 0, False)


@pytest.mark.parametrize(
    ("tool", "good"),
    [
        ("create_payment", arguments()),
        ("get_payment_status", {"payment_id": "pay-1"}),
        ("get_payment_status", {"idempotency_key": KEY}),
        ("await_payment", {"payment_id": "pay-1"}),
        ("await_payment", {"payment_id": "pay-1", "wait_seconds": 10**6, "human_informed": True}),
        ("list_payments", {}),
        ("list_payments", {"only": "unknown", "limit": 50}),
    ],
)
def test_what_the_code_takes_the_schema_takes(tool: str, good: dict[str, Any]) -> None:
    """A client that validates by the schema must not refuse a good call."""
    validator = Draft202012Validator(TOOLS[tool].input_schema)
    assert validator.is_valid(good)  # pyright: ignore[reportUnknownMemberType]


def test_the_unit_is_said_where_an_amount_is_asked_for() -> None:
    """People and models bring a habit of cents from card APIs and pay 100 times too much."""
    tool = TOOLS["create_payment"]
    assert "krónur" in tool.input_schema["properties"]["amount"]["description"]
    assert "whole krónur" in tool.description


# Weight, and what it stands on


def test_the_list_of_tools_keeps_its_weight() -> None:
    """At most 2,400 tokens (bytes / 4) of compact JSON; without the output schemas at most 1,100."""
    assert weight(with_output=True) <= 9_600
    assert weight(with_output=False) <= 4_400


def test_the_tools_know_no_mcp_and_open_nothing_when_they_are_imported() -> None:
    """Three floors, and no import that climbs; no I/O on import."""
    script = "import sys, blikk_tools.catalog; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    imported = set(done.stdout.replace("'", "").strip("[]\n").split(", "))
    assert imported & {"mcp", "mcp_types", "httpx", "httpx2", "blikk_mcp", "blikk_sandbox", "starlette"} == set()
    assert "blikk_payments" in imported
