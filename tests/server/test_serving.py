"""The server behind its door: what it keeps out of answers and logs, and what it tells the operator."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest

from blikk_mcp.redaction.process import guard_process, redactor_of
from blikk_mcp.redaction.redactor import MARK
from blikk_sandbox.running import RunningSandbox
from tests.expecting import assert_fields
from tests.server.in_process_server import Served, serve, tool_call
from tests.server.running import PAYMENT, environment

REAL_KEY = "production-key-canary-0123456789"
CANARY = "canary-of-a-line"
NO_SANDBOX = "http://127.0.0.1:9"


def in_a_sandbox(where: str, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, *lines: str) -> Served:
    at = {"own": None, "running": sandbox.base_url.removesuffix("/paymentchannel"), "none": NO_SANDBOX}[where]
    return serve(monkeypatch, {"BLIKK_API_KEY": REAL_KEY}, lines, sandbox=at is None, sandbox_at=at)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("where", ["own", "running"])
def test_the_real_key_is_known_as_a_secret_in_a_sandbox(
    where: str, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that has come by the production key tries it: it must not get it anywhere."""
    served = in_a_sandbox(where, sandbox, monkeypatch, tool_call("create_payment", **{**PAYMENT, "purpose": REAL_KEY}))
    assert (served.result["environment"], served.result["error_code"]) == ("sandbox", "invalid_arguments")
    assert "API key" in served.result["error_message"]


@pytest.mark.usefixtures("home")
def test_the_real_key_is_known_as_a_secret_where_no_sandbox_answers(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of an unknown method's answer is the SDK's, and repeats the method."""
    told = json.dumps({"jsonrpc": "2.0", "id": 1, "method": REAL_KEY, "params": {}})
    served = in_a_sandbox("none", sandbox, monkeypatch, told)
    assert len(served.lines) == 1
    assert REAL_KEY not in served.lines[0]
    assert [record["setting"] for record in served.events("not_configured")] == ["--sandbox-at"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("where", ["own", "running"])
def test_a_sandboxs_control_address_is_in_the_log(
    where: str, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer asks for faults there."""
    (record,) = in_a_sandbox(where, sandbox, monkeypatch).events("sandbox")
    assert record["control_url"].endswith("/_sandbox")
    assert (record["control_url"] == sandbox.control_url) is (where == "running")


def test_a_log_line_from_which_the_key_was_taken_is_json_still(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody wrote the key where a name belongs. It goes and its neighbours stay: a log has to be readable."""
    key = "canary_key_0123456789"
    served = serve(monkeypatch, environment(sandbox, tmp_path, **{"BLIKK_API_KEY": key, f"BLIKK_{key}": "x"}), [])
    (record,) = served.events("not_configured")
    assert served.code == 0
    assert_fields(record, setting=MARK, problem="there is no such setting")


def test_a_call_that_waits_is_not_waited_for_when_the_client_has_hung_up(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is prompt: a wait of half a minute is given up, and nothing is said of it."""
    environ = environment(sandbox, tmp_path)
    created = serve(monkeypatch, environ, [tool_call("create_payment", **PAYMENT)]).result
    wait = tool_call("await_payment", payment_id=created["payment_id"], human_informed=True)
    served = serve(monkeypatch, environ, [wait], last_answers_seconds=0.0)
    assert (served.code, served.lines) == (0, [])


def test_a_server_that_was_started_collects_its_garbage(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector rests while the modules load; a server that runs for weeks must not grow."""
    assert serve(monkeypatch, environment(sandbox, tmp_path), []).collects_garbage


def test_every_wrong_setting_is_an_error_in_the_log_by_name(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many clients show a server's log and nothing else."""
    wrong = {"BLIKK_READ_ONLY": "maybe", "BLIKK_MAX_AMOUNT_ISK": "1.000"}
    served = serve(monkeypatch, environment(sandbox, tmp_path, **wrong), [])
    told = [(record["level"], record["setting"], record["problem"]) for record in served.events("not_configured")]
    assert sorted(told) == [
        ("error", "BLIKK_MAX_AMOUNT_ISK", "must be whole krónur, digits only"),
        ("error", "BLIKK_READ_ONLY", "must be true or false"),
    ]


def test_a_key_file_that_others_can_read_is_a_warning_in_the_log(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works, and the operator should know."""
    file = tmp_path / "key"
    file.write_text(sandbox.api_key)
    file.chmod(0o644)
    environ = environment(sandbox, tmp_path, BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    (record,) = serve(monkeypatch, environ, []).events("settings_warning")
    assert record["level"] == "warning"
    assert "chmod 600" in record["text"]


def test_a_bad_line_leaves_one_warning_without_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator learns that a line was refused and why; what stood in it may be anything."""
    lines = [
        f"{{bad {CANARY}",
        f'{{"jsonrpc":"2.0","id":7,"method":"ping","params":{{"x":"\\ud83d {CANARY}"}}}}',
        f'{{"jsonrpc":"2.0","id":1,"error":"{CANARY}"}}',
    ]
    served = serve(monkeypatch, {"BLIKK_API_KEY": "a-key-for-this-test"}, lines)
    warnings = [json.loads(line) for line in served.log.splitlines()]
    assert [(line["level"], line["event"]) for line in warnings] == [("warning", "line_refused")] * 3
    assert CANARY not in served.log + "".join(served.lines)
    # A response is never answered, or two programs could go on for ever.
    assert [json.loads(line)["id"] for line in served.lines] == [None, 7]


@pytest.mark.parametrize(("form", "said"), [("json", '"event":"log_lines_dropped","count":7'), ("text", "count=7")])
def test_lines_that_nobody_read_are_counted_in_the_form_of_the_log(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, said: str
) -> None:
    """A program that reads the log must be able to read this, too."""
    line = serve(monkeypatch, environment(sandbox, tmp_path, BLIKK_LOG_FORMAT=form), []).say_dropped
    assert said in line
    assert line.endswith("\n")
    assert "warning" in line


def test_what_nobody_caught_is_reported_without_its_message_and_an_interrupt_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is the operator's own doing, wherever it arrives; anything else is a defect that has to be heard of."""
    for hook in ("sys.stderr", "sys.excepthook", "threading.excepthook", "sys.unraisablehook"):
        monkeypatch.setattr(hook, sys.stderr)
    forbid_core_dumps = Mock()
    monkeypatch.setattr("blikk_mcp.redaction.process.forbid_core_dumps", forbid_core_dumps)
    monkeypatch.setattr("atexit.register", Mock())
    guard_process(redactor_of(REAL_KEY))
    sys.stderr.write(f"a library says {REAL_KEY}\n")
    for error in (KeyboardInterrupt(), ValueError(f"about {REAL_KEY}")):
        arguments = threading.ExceptHookArgs((type(error), error, None, None))
        sys.excepthook(type(error), error, None)
        threading.excepthook(arguments)
        sys.unraisablehook(arguments)  # type: ignore[arg-type]
    assert [(record.levelname, record.message) for record in caplog.records] == [("CRITICAL", "uncaught exception")] * 3
    assert all(record.exc_info and record.exc_info[0] is ValueError for record in caplog.records)
    assert capsys.readouterr().err == f"a library says {MARK}\n"
    forbid_core_dumps.assert_called_once()
