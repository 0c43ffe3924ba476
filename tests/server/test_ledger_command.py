"""`blikk-mcp ledger`: what the operator sees, and the only way out of an unknown outcome."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_mcp.cli import main
from blikk_mcp.commands import ledger as ledger_command
from blikk_mcp.settings.settings import PRODUCTION_URL
from blikk_payments.channel.wire import ChannelPayment, Status
from blikk_payments.ledger.location import environment_key
from blikk_payments.ledger.opening import SqliteLedger
from blikk_sandbox.running import RunningSandbox
from blikk_tools.create_payment import CreatePaymentArguments
from tests.expecting import assert_fields
from tests.payments.factories import an_intent, answer
from tests.payments.ledgers import allow
from tests.sandbox_control import control, received
from tests.server.in_process import blikk_mcp
from tests.server.running import PAYMENT, call, connected, environment

pytestmark = pytest.mark.anyio

KEY = str(PAYMENT["idempotency_key"])


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


async def lose_an_answer(environ: dict[str, str], sandbox: RunningSandbox, fault: str, **more: Any) -> dict[str, Any]:
    """A payment whose outcome is unknown."""
    control(sandbox, "faults", {"fault": fault, "operation": "create"})
    async with connected(environ) as client:
        result = await call(client, "create_payment", {**PAYMENT, **more})
    assert result["outcome"] == "unknown"
    return result


async def status(environ: dict[str, str]) -> dict[str, Any]:
    async with connected(environ) as client:
        return await call(client, "get_payment_status", {"idempotency_key": KEY})


async def test_the_list_shows_the_unknown_first_and_what_to_do(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Open ones first, with what to do."""
    await lose_an_answer(environ, sandbox, "answer_lost_after_commit")
    async with connected(environ) as client:
        await call(
            client,
            "create_payment",
            {**PAYMENT, "idempotency_key": "order-0002", "amount": 151, "confirmed_duplicate_of": KEY},
        )
    listed = blikk_mcp("ledger", "list", environ=environ)
    assert listed.returncode == 0, listed.stderr
    head, first, second = listed.stdout.splitlines()
    assert head.split()[:2] == ["key", "outcome"]
    assert first.split()[:2] == [KEY, "unknown"]
    assert f"ledger resolve {KEY}" in first
    assert f"ledger resolve {KEY}" in blikk_mcp("ledger", "show", KEY, environ=environ).stdout
    assert second.split()[:3] == ["order-0002", "paid", "SUCCESS"]
    only_open = blikk_mcp("ledger", "list", "--open", "--json", environ=environ)
    assert [json.loads(line)["idempotency_key"] for line in only_open.stdout.splitlines()] == [KEY]


async def test_the_ledger_can_be_looked_at_without_a_key(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """Looking needs no secret."""
    async with connected(environ) as client:
        await call(client, "create_payment", PAYMENT)
    without = {name: value for name, value in environ.items() if name != "BLIKK_API_KEY"}
    assert KEY in blikk_mcp("ledger", "list", environ=without).stdout


async def test_nothing_identifies_an_account_or_a_person_by_number(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Key and full account never shown; the ledger holds no kennitala."""
    async with connected(environ) as client:
        await call(client, "create_payment", PAYMENT)
    for command in (
        ["list"],
        ["list", "--json"],
        ["show", KEY],
        ["show", KEY, "--json"],
        ["export"],
        ["export", "--format", "csv"],
    ):
        ended = blikk_mcp("ledger", *command, environ=environ)
        assert ended.returncode == 0, ended.stderr
        for leak in ("5510730339", "551073", "007654", sandbox.api_key):
            assert leak not in ended.stdout


async def test_an_unknown_outcome_is_resolved_as_created_after_asking_blikk(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Checked against Blikk by GET; the note is kept in the history."""
    await lose_an_answer(environ, sandbox, "answer_lost_after_commit")
    (payment,) = control(sandbox, "record")["payments"]
    ended = blikk_mcp(
        "ledger", "resolve", KEY, "--created", payment["id"], "--note", "Anna looked in the portal", environ=environ
    )
    assert ended.returncode == 0, ended.stderr
    assert (await status(environ))["payment_id"] == payment["id"]
    assert "Anna looked in the portal" in blikk_mcp("ledger", "show", KEY, environ=environ).stdout
    assert blikk_mcp("ledger", "verify", environ=environ).returncode == 0


async def test_another_payments_id_does_not_resolve_it(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """Amount and currency have to agree where Blikk's answer has them."""
    async with connected({**environ, "BLIKK_LEDGER": environ["BLIKK_LEDGER"] + "-other"}) as client:
        other = await call(client, "create_payment", {**PAYMENT, "amount": 999})
    await lose_an_answer(environ, sandbox, "answer_lost_before_commit")
    for wrong in (other["payment_id"], "pay_invented"):
        ended = blikk_mcp("ledger", "resolve", KEY, "--created", wrong, "--note", "guess", environ=environ)
        assert ended.returncode == 1
        assert "Nothing was changed" in ended.stderr
    assert (await status(environ))["outcome"] == "unknown"


async def test_an_unknown_outcome_is_resolved_as_not_created_and_its_key_is_free(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Its room is given back, and the key may be sent again."""
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    with SqliteLedger(Path(environ["BLIKK_LEDGER"])) as ledger:
        asked_for = CreatePaymentArguments.model_validate(PAYMENT).intent()
        ledger.claim(asked_for, lambda facts: None, window_minutes=0, now=long_ago)
        ledger.unknown(KEY, 1, reason="no answer", now=long_ago)
    ended = blikk_mcp("ledger", "resolve", KEY, "--not-created", "--note", "not in the portal", environ=environ)
    assert ended.returncode == 0, ended.stderr
    assert ((await status(environ))["outcome"], (await status(environ))["error_code"]) == ("refused", "")
    async with connected(environ) as client:
        again = await call(client, "create_payment", PAYMENT)
    assert (again["outcome"], again["replayed"]) == ("needs_human", False)
    assert len(received(sandbox)) == 1


async def test_nobody_can_say_at_once_that_a_payment_was_not_made(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Blikk may still show it, and a process that was stopped may still send it."""
    await lose_an_answer(environ, sandbox, "answer_lost_before_commit")
    ended = blikk_mcp("ledger", "resolve", KEY, "--not-created", "--note", "not in the portal", environ=environ)
    assert (ended.returncode, "10 minutes" in ended.stderr) == (1, True)
    assert (await status(environ))["outcome"] == "unknown"


async def test_only_an_unknown_outcome_can_be_resolved(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """What Blikk has said is not the operator's to change; and a key that is not there is told as that."""
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
    before = blikk_mcp("ledger", "show", KEY, "--json", environ=environ).stdout
    for key, how, said in (
        (KEY, ["--not-created"], "unknown outcome"),
        (KEY, ["--created", created["payment_id"]], "unknown outcome"),
        ("no-such-key-at-all", ["--not-created"], "no payment under that key"),
    ):
        ended = blikk_mcp("ledger", "resolve", key, *how, "--note", "x", environ=environ)
        assert ended.returncode == 1
        assert ended.stderr.startswith("blikk-mcp ledger: ")
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr
    assert blikk_mcp("ledger", "show", KEY, "--json", environ=environ).stdout == before


async def test_another_currency_does_not_resolve_it(
    environ: dict[str, str],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """1,000 EUR is not the 1,000 ISK that were asked for."""
    await lose_an_answer(environ, sandbox, "answer_lost_before_commit")

    async def in_euros(settings: object, payment_id: str) -> ChannelPayment:
        return ChannelPayment(payment_id=payment_id, status=Status.SUCCESS, amount_isk=1000, currency="EUR")

    monkeypatch.setattr(ledger_command, "_ask_blikk", in_euros)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    code = await anyio.to_thread.run_sync(
        lambda: main(["ledger", "resolve", KEY, "--created", "pay_euros", "--note", "looked"])
    )
    assert code == 1
    assert "another amount or currency" in capsys.readouterr().err
    assert (await status(environ))["outcome"] == "unknown"


async def test_only_what_has_not_ended_is_open(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """Refused, failed and paid payments have ended; the one that waits for a person has not."""
    async with connected(environ) as client:
        await call(client, "create_payment", PAYMENT)
        for amount in (151, 121):
            await call(client, "create_payment", {**PAYMENT, "idempotency_key": f"ended-{amount}", "amount": amount})
        control(sandbox, "faults", {"fault": "wrong_channel", "operation": "create"})
        refused = await call(client, "create_payment", {**PAYMENT, "idempotency_key": "refused-1", "amount": 77})
    assert refused["outcome"] == "refused"
    listed = blikk_mcp("ledger", "list", "--json", environ=environ).stdout.splitlines()
    outcomes = {fields["idempotency_key"]: fields["outcome"] for fields in map(json.loads, listed)}
    assert outcomes == {KEY: "needs_human", "ended-151": "paid", "ended-121": "failed", "refused-1": "refused"}
    only_open = blikk_mcp("ledger", "list", "--open", environ=environ).stdout.splitlines()[1:]
    assert [line.split()[:3] for line in only_open] == [[KEY, "needs_human", "SCA_REQUIRED"]]


async def test_a_long_list_says_that_there_is_more(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """Nobody reads a hundred thousand lines."""
    async with connected(environ) as client:
        for amount in (151, 152):
            await call(client, "create_payment", {**PAYMENT, "idempotency_key": f"order-{amount}", "amount": amount})
    one = blikk_mcp("ledger", "list", "--limit", "1", environ=environ).stdout.splitlines()
    assert (len(one), "There are more" in one[-1]) == (3, True)
    assert "There are more" not in blikk_mcp("ledger", "list", "--limit", "2", environ=environ).stdout


async def test_a_payment_is_shown_by_its_id_too(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """An operator who looks in Blikk's portal has the id and not the key."""
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
    by_id = blikk_mcp("ledger", "show", created["payment_id"], "--json", environ=environ)
    assert json.loads(by_id.stdout) == json.loads(blikk_mcp("ledger", "show", KEY, "--json", environ=environ).stdout)
    assert json.loads(by_id.stdout)["history"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["list"], 0),
        (["list", "--json"], 0),
        (["export"], 0),
        (["show", KEY], 1),
        (["verify"], 1),
        (["prune", "--older-than-days", "0", "--yes"], 1),
        (["resolve", KEY, "--not-created", "--note", "n"], 1),
    ],
    ids=str,
)
def test_looking_makes_no_ledger(command: list[str], code: int, tmp_path: Path) -> None:
    """Seen: a mistyped path came back as an empty ledger in which all was well."""
    path = tmp_path / "state" / "ledger.sqlite3"
    ended = blikk_mcp("ledger", *command, environ={"BLIKK_LEDGER": str(path)})
    assert ended.returncode == code
    assert f"no ledger yet at {path}" in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []
    if "--json" in command or "export" in command:
        assert ended.stdout == ""


async def test_prune_asks_first(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """What is forgotten is gone: nobody there to answer means no."""
    async with connected(environ) as client:
        await call(client, "create_payment", {**PAYMENT, "amount": 151})
    command = ("ledger", "prune", "--older-than-days", "0")
    for given in ("", "\n", "n\n", "yesterday\n"):
        asked = blikk_mcp(*command, environ=environ, given=given)
        assert (asked.returncode, asked.stdout) == (1, "")
        assert "[y/N]" in asked.stderr
        assert json.loads(blikk_mcp("ledger", "export", environ=environ).stdout)["creditor_name"]
    assert "1 payment(s)" in blikk_mcp(*command, environ=environ, given="y\n").stdout
    assert json.loads(blikk_mcp("ledger", "export", environ=environ).stdout)["creditor_name"] == ""


async def test_a_backup_is_a_ledger_that_adds_up_and_overwrites_nothing(
    environ: dict[str, str], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Made while a server has the ledger open: a copy of the file alone could miss the newest payments."""
    copy = tmp_path / "backup" / "copy.sqlite3"
    copy.parent.mkdir(0o700)
    async with connected(environ) as client:
        await call(client, "create_payment", PAYMENT)
        made = blikk_mcp("ledger", "backup", str(copy), environ=environ)
    assert made.returncode == 0, made.stderr
    of_the_copy = {**environ, "BLIKK_LEDGER": str(copy)}
    assert blikk_mcp("ledger", "verify", environ=of_the_copy).returncode == 0
    assert KEY in blikk_mcp("ledger", "export", environ=of_the_copy).stdout
    again = blikk_mcp("ledger", "backup", str(copy), environ=environ)
    assert again.returncode == 1
    assert "overwrites nothing" in again.stderr


async def test_an_export_runs_no_formula_in_a_spreadsheet(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """OWASP, CSV injection: a field that begins like a formula is harmless text. Without payments there is a header."""
    nothing = blikk_mcp("ledger", "export", "--format", "csv", environ=environ).stdout
    assert nothing.startswith("idempotency_key,outcome,state,")
    async with connected(environ) as client:
        await call(client, "create_payment", {**PAYMENT, "creditor_name": '=HYPERLINK("x")', "purpose": "@SUM(1)"})
    ended = blikk_mcp("ledger", "export", "--format", "csv", environ=environ)
    (row,) = csv.DictReader(ended.stdout.splitlines())
    assert (row["creditor_name"], row["purpose"]) == ('\'=HYPERLINK("x")', "'@SUM(1)")


async def test_prune_forgets_people_and_keeps_the_key(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """A key that was paid must never pay again, however long ago."""
    async with connected(environ) as client:
        await call(client, "create_payment", {**PAYMENT, "amount": 151})
    assert "1 payment(s)" in blikk_mcp("ledger", "prune", "--older-than-days", "0", "--yes", environ=environ).stdout
    exported = json.loads(blikk_mcp("ledger", "export", environ=environ).stdout)
    assert_fields(exported, creditor_name="", purpose="", idempotency_key=KEY)
    assert blikk_mcp("ledger", "verify", environ=environ).returncode == 0
    async with connected(environ) as client:
        again = await call(client, "create_payment", {**PAYMENT, "amount": 151})
    assert (again["outcome"], again["replayed"]) == ("paid", True)


async def test_the_doctor_reports_what_is_unresolved(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """An unknown outcome has to be looked into."""
    await lose_an_answer(environ, sandbox, "answer_lost_before_commit")
    ended = blikk_mcp("doctor", environ=environ)
    assert ended.returncode == 1
    assert "1 payment(s) with an unknown outcome" in ended.stdout


def test_a_ledger_that_cannot_be_written_is_reported(environ: dict[str, str], tmp_path: Path) -> None:
    """Doctor finds a ledger that cannot be written; nothing would be sent."""
    (tmp_path / "state").write_text("not a folder")
    ended = blikk_mcp("doctor", environ=environ)
    assert ended.returncode == 1
    assert "ledger: " in ended.stdout


async def test_another_blikks_ledger_pays_nothing_and_can_be_looked_at(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Sandbox and production never mix; our rule: nor in a file that the operator names for both."""
    with SqliteLedger(Path(environ["BLIKK_LEDGER"]), environment=environment_key(PRODUCTION_URL)) as ledger:
        ledger.claim(an_intent("in production"), allow, window_minutes=0, now=datetime.now(UTC))

    async with connected(environ) as client:
        result = await call(client, "create_payment", PAYMENT)
        looked_up = await call(client, "get_payment_status", {"idempotency_key": KEY})

    assert result["error_code"] == looked_up["error_code"] == "ledger_unavailable"
    assert "BLIKK_BASE_URL" in result["error_message"]
    assert received(sandbox) == []
    for command in (["doctor"], ["ledger", "resolve", KEY, "--created", "id-1", "--note", "seen by me"]):
        refused = blikk_mcp(*command, environ=environ)
        assert refused.returncode == 1
        assert "another base URL" in refused.stdout + refused.stderr
    assert blikk_mcp("ledger", "list", environ=environ).returncode == 0


def test_of_a_note_the_first_two_hundred_characters_are_kept_on_one_line_and_without_the_key(tmp_path: Path) -> None:
    """The history is chained for ever: what a person pastes into it cannot be taken out again."""
    key = "note-canary-key-0123456789"
    path = tmp_path / "state" / "ledger.sqlite3"
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    with SqliteLedger(path) as ledger:
        ledger.claim(an_intent("order-1"), allow, window_minutes=0, now=long_ago)
        ledger.unknown("order-1", 1, reason="no answer", now=long_ago)
    environ = {"BLIKK_LEDGER": str(path), "BLIKK_API_KEY": key}
    pasted = f"Anna looked,\n  with {key} " + "x" * 300
    ended = blikk_mcp("ledger", "resolve", "order-1", "--not-created", "--note", pasted, environ=environ)
    assert ended.returncode == 0, ended.stderr
    shown = json.loads(blikk_mcp("ledger", "show", "order-1", "--json", environ=environ).stdout)
    (note,) = [entry["detail"]["note"] for entry in shown["history"] if "note" in entry["detail"]]
    assert note.startswith("Anna looked, with [redacted] xxx")
    assert len(note) == 200
    with SqliteLedger(path) as ledger:
        kept = str(ledger.history("order-1"))
    assert key not in kept


def test_of_the_unknown_ones_the_newest_is_first_and_no_digest_is_shown_to_a_person(tmp_path: Path) -> None:
    """What was lost a minute ago is what somebody looks for; a digest says nothing to anybody."""
    path = tmp_path / "state" / "ledger.sqlite3"
    now = datetime.now(UTC)
    with SqliteLedger(path) as ledger:
        for number in (1, 2, 3):
            asked = an_intent(f"order-{number}", 100 * number, account_key=f"IS{number:012}")
            at = now - timedelta(minutes=10 - number)
            ledger.claim(asked, allow, window_minutes=0, now=at)
            ledger.unknown(f"order-{number}", 1, reason="no answer", now=at)
    environ = {"BLIKK_LEDGER": str(path)}
    listed = blikk_mcp("ledger", "list", "--json", environ=environ).stdout.splitlines()
    assert [json.loads(line)["idempotency_key"] for line in listed] == ["order-3", "order-2", "order-1"]
    in_full = blikk_mcp("ledger", "show", "order-1", "--json", environ=environ).stdout
    assert "digest" in in_full
    assert "digest" not in blikk_mcp("ledger", "show", "order-1", environ=environ).stdout


def test_prune_counts_days_since_a_payment_last_changed(tmp_path: Path) -> None:
    """What ended this morning is still asked about."""
    path = tmp_path / "state" / "ledger.sqlite3"
    now = datetime.now(UTC)
    with SqliteLedger(path) as ledger:
        for number, ago in ((1, timedelta(hours=25)), (2, timedelta(hours=23))):
            asked = an_intent(f"order-{number}", 100 * number, account_key=f"IS{number:012}")
            ledger.claim(asked, allow, window_minutes=0, now=now - ago)
            ledger.created(f"order-{number}", 1, answer(Status.SUCCESS, payment_id=f"pay-{number}"), now=now - ago)
    environ = {"BLIKK_LEDGER": str(path)}
    pruned = blikk_mcp("ledger", "prune", "--older-than-days", "1", "--yes", environ=environ)
    assert pruned.stdout.startswith("1 payment(s)")
    kept = [json.loads(line) for line in blikk_mcp("ledger", "export", environ=environ).stdout.splitlines()]
    assert [bool(payment["creditor_name"]) for payment in kept] == [False, True]
