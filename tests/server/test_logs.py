"""Logs: on stderr, one line a call, and nothing in them that identifies a person."""

from __future__ import annotations

import io
import itertools
import json
import logging
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types as types
import pytest

from blikk_mcp.logs import MAX_FRAMES, log_event, start_logging
from blikk_mcp.redaction.redactor import Redactor
from blikk_payments.service import PaymentService
from blikk_sandbox.running import RunningSandbox
from tests.server.canary import find
from tests.server.in_process_server import serve, tool_call
from tests.server.running import PAYMENT, call, connected, environment, spawned

KEY = "canary/Key+0123456789=x"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logging as the process has it, into memory; put back afterwards."""
    root, raising = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    quieted = {name: logging.getLogger(name).level for name in ("mcp", "httpx", "asyncio", "uvicorn")}
    stream = io.StringIO()
    start_logging("debug", "json", Redactor([KEY]).text, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    for name, before in quieted.items():
        logging.getLogger(name).setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.anyio
@pytest.mark.parametrize("taken_for_an_id", ["5510730339", "551073-0339", "IS140159260076545510730339", "015926007654"])
async def test_a_number_of_a_person_that_an_agent_takes_for_an_id_is_not_in_the_log(
    stream: io.StringIO, sandbox: RunningSandbox, tmp_path: Path, taken_for_an_id: str
) -> None:
    """The log names a payment by its id; a kennitala or an account in its place is left out."""
    async with connected(environment(sandbox, tmp_path)) as client:
        await call(client, "get_payment_status", {"payment_id": taken_for_an_id})
        await call(client, "get_payment_status", {"payment_id": "pay-of-nobody"})
    told = [line.get("payment_id", "") for line in lines(stream) if line["event"] == "tool_call"]
    assert told == ["", "pay-of-nobody"]
    assert taken_for_an_id not in stream.getvalue()


def test_a_call_is_one_line_with_its_outcome(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Event, tool, outcome, duration, payment id and a correlation id, in one canonical line."""
    calls = [tool_call("create_payment", **PAYMENT), tool_call("create_payment", 2, **{**PAYMENT, "amount": "5"})]
    served = serve(monkeypatch, environment(sandbox, tmp_path), calls)
    results = {message["id"]: message["result"] for message in map(json.loads, served.lines)}
    first, second = sorted(map(json.loads, served.log.splitlines()), key=lambda line: line["outcome"])
    assert {"event": "tool_call", "tool": "create_payment", "outcome": "needs_human"}.items() <= first.items()
    assert first["payment_id"] == results[1]["structuredContent"]["payment_id"]
    assert (second["outcome"], second["error_code"]) == ("refused", "invalid_arguments")
    assert first["call"] != second["call"]


@pytest.mark.anyio
async def test_a_call_has_its_line_however_it_ends(
    stream: io.StringIO, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list, a question to the person, a call that the client gave up, and a defect, whose cause is in a line before."""

    async def person(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(action="decline")

    environ = environment(sandbox, tmp_path, BLIKK_ASK_ABOVE_ISK="500")
    async with connected(environ, elicitation_callback=person) as client:
        await call(client, "list_payments", {})
        await call(client, "create_payment", PAYMENT)
        created = await call(client, "create_payment", {**PAYMENT, "amount": 500})
        async with anyio.create_task_group() as tasks:
            wait = {"payment_id": created["payment_id"], "human_informed": True}
            tasks.start_soon(client.call_tool, "await_payment", wait)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        monkeypatch.setattr(PaymentService, "status", None)
        await call(client, "get_payment_status", {"payment_id": created["payment_id"]})
    told = [(line["event"], line.get("outcome"), line.get("error_code")) for line in lines(stream)]
    assert told == [
        ("tool_call", "listed", None),
        ("tool_call", "asked", None),
        ("tool_call", "refused", "confirmation_declined"),
        ("tool_call", "needs_human", None),
        ("tool_call", "cancelled", None),
        ("a tool failed unexpectedly", None, None),
        ("tool_call", "unknown", "internal_error"),
    ]


ASKED = [PAYMENT, {**PAYMENT, "creditor_ssn": "5510730339x"}, {**PAYMENT, "surprise": "5510730339"}]
MUCH = {"BLIKK_LOG_LEVEL": "debug", "BLIKK_LOG_FORMAT": "text"}


def of_a_person(text: str) -> list[str]:
    return [leak for leak in ("551073", "7654", "Jón", "Jónsson", "order-0001") if leak in text]


def test_no_person_and_no_account_is_in_the_log(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither kennitala, account nor name, at any level."""
    calls = [tool_call("create_payment", number, **arguments) for number, arguments in enumerate(ASKED)]
    log = serve(monkeypatch, environment(sandbox, tmp_path, **MUCH), calls).log
    assert log.count("tool_call") == len(ASKED)
    assert of_a_person(log) == []


@pytest.mark.slow
@pytest.mark.anyio
async def test_no_person_and_no_account_is_on_stderr(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """Whatever else a process writes there."""
    async with spawned(environment(sandbox, tmp_path, **MUCH)) as server:
        await server.initialize()
        for arguments in ASKED:
            await server.call("create_payment", arguments)
        await server.close_stdin()
        await server.end()
    assert server.stderr
    assert of_a_person(server.stderr) == []


def test_an_exception_is_logged_with_its_place_and_without_its_message(stream: io.StringIO) -> None:
    """Seen leaking: what libraries put into an exception's message."""
    try:
        raise ValueError(f"holds {KEY} and 551073-0339")
    except ValueError:
        logging.getLogger("blikk_mcp.test").exception("went wrong")
    (line,) = lines(stream)
    assert line["exception"]["type"] == "ValueError"
    assert line["exception"]["where"][-1].startswith("test_logs.py:")
    assert "551073" not in stream.getvalue()


def test_of_foreign_records_only_the_template_is_kept(stream: io.StringIO) -> None:
    """Seen leaking: httpx logs every URL at info, httpcore headers at debug, the SDK what it could not parse."""
    logging.getLogger("somebody.else").error("could not use %r", "551073-0339")
    logging.getLogger("httpx").info("GET https://example.is/payment/1")
    (line,) = lines(stream)
    assert line["event"] == "somebody.else: could not use %r"


def test_the_key_is_redacted_wherever_it_stands_in_a_line(stream: io.StringIO) -> None:
    """Redaction sees the whole formatted line."""
    log_event(logging.getLogger("blikk_mcp.test"), logging.INFO, f"event {KEY}", field=KEY, name_x=[KEY])
    assert find(KEY, stream.getvalue()) == []


def test_text_is_one_line_a_record(stream: io.StringIO) -> None:
    """`text` is for people; a line break in a field forges no record."""
    start_logging("info", "text", Redactor([]).text, stream)
    log_event(logging.getLogger("blikk_mcp.test"), logging.INFO, "event", field="a\nb")
    assert re.fullmatch(r"\S+ info    event field=a \| b\n", stream.getvalue())


def test_an_exception_names_what_it_came_of_and_the_last_places_of_a_long_way(stream: io.StringIO) -> None:
    """The cause by its type; of a recursion the end, which is where it broke."""

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        raise LookupError("first")

    try:
        try:
            deeper(100)
        except LookupError as error:
            raise ValueError("second") from error
    except ValueError:
        logging.getLogger("blikk_mcp.test").exception("with a cause")
    try:
        deeper(100)
    except LookupError:
        logging.getLogger("blikk_mcp.test").exception("from afar")
    with_cause, from_afar = (line["exception"] for line in lines(stream))
    assert (with_cause["type"], with_cause["cause"]) == ("ValueError", "LookupError")
    assert "cause" not in from_afar
    assert len(from_afar["where"]) == MAX_FRAMES
    assert from_afar["where"][-1].endswith(" deeper")


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_log_begins_at_its_level(stream: io.StringIO, level: str, told: list[str]) -> None:
    """BLIKK_LOG_LEVEL: what is below it is not written; and what libraries say of their work is not, at any level."""
    start_logging(level, "json", Redactor([]).text, stream)
    for name in ("debug", "info", "warning", "error"):
        log_event(logging.getLogger("blikk_mcp.test"), logging.getLevelNamesMapping()[name.upper()], "event")
    for library in ("httpx", "httpcore.http11", "httpx2", "httpcore2", "hpack", "mcp.server", "asyncio", "uvicorn"):
        logging.getLogger(library).info("about a request")
    assert [line["level"] for line in lines(stream)] == told


def test_a_warning_of_a_library_is_a_line_of_the_log_without_its_words(stream: io.StringIO) -> None:
    """Seen: pydantic's warnings hold the value that they are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("about 551073-0339: of Jón", stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(stream)
    assert line["level"] == "warning"
    assert re.fullmatch(r"py\.warnings: test_logs\.py:[0-9]+ UserWarning", line["event"])


@pytest.mark.anyio
async def test_a_call_tells_how_many_milliseconds_it_took_and_whether_it_was_a_repetition(
    stream: io.StringIO, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator sees slow calls; an agent that repeats itself is seen, too."""
    now = itertools.count(1000.0, 0.25)
    monkeypatch.setattr("blikk_mcp.desk.desk.time", SimpleNamespace(monotonic=lambda: next(now)))
    async with connected(environment(sandbox, tmp_path)) as client:
        for _ in range(2):
            await call(client, "create_payment", PAYMENT)
    assert [(line["duration_ms"], line.get("replayed")) for line in lines(stream)] == [(250.0, None), (250.0, True)]


def test_a_record_is_dated_in_utc_to_the_millisecond(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of several machines are put side by side."""
    monkeypatch.setattr(time, "time", lambda: 1_772_452_800.25)
    monkeypatch.setattr(time, "time_ns", lambda: 1_772_452_800_250_000_000)
    log_event(logging.getLogger("blikk_mcp.test"), logging.INFO, "event")
    assert [line["at"] for line in lines(stream)] == ["2026-03-02T12:00:00.250+00:00"]
