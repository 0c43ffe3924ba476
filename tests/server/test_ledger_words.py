"""What `blikk-mcp ledger` says, word for word, and where: results on stdout, reasons on stderr, and the exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blikk_mcp.commands import ledger as ledger_command
from blikk_mcp.commands import ledger_copy
from blikk_payments.channel.wire import ChannelPayment, Status
from blikk_payments.errors import PaymentsError
from blikk_payments.ledger.location import ledger_address
from blikk_payments.ledger.opening import SqliteLedger
from tests.payments.factories import an_intent, answer
from tests.payments.ledgers import allow
from tests.server.in_process import blikk_mcp

NONE = (0, "", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with one paid payment, one that waits, one whose outcome is unknown, and a refused one."""
    path = tmp_path / "state" / "ledger.sqlite3"
    now = datetime.now(UTC) - timedelta(minutes=11)
    with SqliteLedger(path) as ledger:
        for number, key in enumerate(("paid-0001", "open-0001", "lost-0001", "refused-1"), 1):
            asked = an_intent(key, 100 * number, account_key=f"IS{number:012}")
            ledger.claim(asked, allow, window_minutes=0, now=now)
        ledger.created("paid-0001", 1, answer(Status.SUCCESS, payment_id="pay-1"), now=now)
        ledger.created("open-0001", 1, answer(Status.SCA_REQUIRED, payment_id="pay-2"), now=now)
        ledger.unknown("lost-0001", 1, reason="no answer", now=now)
        ledger.refused("refused-1", 1, code="unauthorized", bank_text="", now=now)
    return path


def ran(path: Path, *arguments: str, given: str = "", **environ: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    ended = blikk_mcp("ledger", *arguments, environ={"BLIKK_LEDGER": str(path), **environ}, given=given)
    return ended.returncode, ended.stdout, ended.stderr


def keys(path: Path, *arguments: str) -> list[str]:
    """The keys that `list` shows."""
    code, out, err = ran(path, "list", *arguments, "--json")
    assert (code, err) == (0, "")
    return [json.loads(line)["idempotency_key"] for line in out.splitlines()]


def test_a_list_has_the_unknown_first_then_the_open_then_those_that_ended(path: Path) -> None:
    """With --open not the ended ones; JSON knows no limit."""
    assert keys(path) == ["lost-0001", "open-0001", "refused-1", "paid-0001"]
    assert keys(path, "--open") == ["lost-0001", "open-0001"]
    assert keys(path, "--limit", "1") == keys(path)
    code, out, err = ran(path, "list", "--limit", "2")
    assert (code, err, len(out.splitlines())) == (0, "", 4)
    assert out.splitlines()[-1] == "There are more: --limit N shows N, `blikk-mcp ledger export` all."
    assert len(ran(path, "list", "--limit", "4")[1].splitlines()) == 5


def test_a_list_without_payments_says_so(tmp_path: Path) -> None:
    """A ledger that was made and holds nothing open; a program gets nothing at all."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        now = datetime.now(UTC)
        ledger.claim(an_intent("paid-0001"), allow, window_minutes=0, now=now)
        ledger.created("paid-0001", 1, answer(Status.SUCCESS, payment_id="pay-1"), now=now)
    assert ran(path, "list", "--open") == (0, "No payments.\n", "")
    assert ran(path, "list", "--open", "--json") == NONE


@pytest.mark.parametrize(
    ("arguments", "code", "for_people"),
    [
        (["list"], 0, True),
        (["list", "--json"], 0, False),
        (["export"], 0, False),
        (["export", "--format", "csv"], 0, False),
        (["verify"], 1, False),
        (["show", "k"], 1, False),
        (["backup", "/nowhere/x"], 1, False),
    ],
)
def test_where_there_is_none_that_is_said(arguments: list[str], code: int, for_people: bool, tmp_path: Path) -> None:
    """To people on stdout, beside a program's output on stderr."""
    path = tmp_path / "none.sqlite3"
    said = f"There is no ledger yet at {path}: the first payment makes it.\n"
    ended, out, err = ran(path, *arguments)
    assert (ended, out if for_people else err) == (code, said)
    other = err if for_people else out
    assert other.startswith("idempotency_key,outcome") if "csv" in arguments else other == ""
    assert not path.exists()


def test_a_payment_that_is_not_there_is_said_to_be_none(path: Path) -> None:
    """A key or an id to show; a key alone to resolve."""
    no_key = "blikk-mcp ledger: this ledger has no payment under that key"
    assert ran(path, "show", "nonsense") == (1, "", f"{no_key} or id\n")
    resolve = ("--not-created", "--note", "Anna looked")
    assert ran(path, "resolve", "nonsense", *resolve) == (1, "", f"{no_key}\n")
    assert ran(path, "resolve", "pay-1", *resolve) == (1, "", f"{no_key}\n")
    assert '"pay-1"' in ran(path, "show", "pay-1", "--json")[1]


@pytest.mark.parametrize("note", ["", "  \n ", "a\x07b"])
def test_a_note_has_to_say_something(note: str, path: Path) -> None:
    """And to be a line that a person can read."""
    said = "blikk-mcp ledger: --note has to say who looked, and where\n"
    assert ran(path, "resolve", "lost-0001", "--not-created", "--note", note) == (1, "", said)
    assert keys(path, "--open")[0] == "lost-0001"


def test_what_was_resolved_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not made: its room is free again. Made: what Blikk says of it."""
    environ = {"BLIKK_API_KEY": "words-canary-key-0123456789"}

    async def blikk(settings: object, payment_id: str) -> ChannelPayment:
        return ChannelPayment(payment_id=payment_id, status=Status.SUCCESS, amount_isk=amount, currency="ISK")

    monkeypatch.setattr(ledger_command, "_ask_blikk", blikk)
    created = ("resolve", "lost-0001", "--created", "pay-9", "--note", "Anna looked")
    amount = 301
    another = "Blikk says another amount or currency of that payment: it is not this one. Nothing was changed."
    assert ran(path, *created, **environ) == (1, "", f"blikk-mcp ledger: {another}\n")
    amount = 300
    assert ran(path, *created, **environ) == (0, "Resolved: it was created, and Blikk says SUCCESS.\n", "")
    assert json.loads(ran(path, "show", "lost-0001", "--json")[1])["payment_id"] == "pay-9"
    with SqliteLedger(path) as ledger:
        now = datetime.now(UTC) - timedelta(minutes=11)
        ledger.claim(an_intent("lost-0002", 900), allow, window_minutes=0, now=now)
        ledger.unknown("lost-0002", 1, reason="no answer", now=now)
    not_made = "Resolved: no payment was made. Its room is given back, and the key may be used again.\n"
    assert ran(path, "resolve", "lost-0002", "--not-created", "--note", "Anna") == (0, not_made, "")


def test_to_resolve_as_created_blikk_has_to_be_asked(path: Path) -> None:
    """Which needs a key, and an answer; without either nothing is changed."""
    created = ("resolve", "lost-0001", "--created", "pay-9", "--note", "Anna looked")
    code, out, err = ran(path, *created)
    assert (code, out) == (1, "")
    assert err.startswith("blikk-mcp ledger: BLIKK_API_KEY")
    nobody = {"BLIKK_API_KEY": "words-canary-key-0123456789", "BLIKK_BASE_URL": "http://127.0.0.1:1/paymentchannel"}
    code, out, err = ran(path, *created, **nobody)
    assert (code, out) == (1, "")
    assert err.startswith("blikk-mcp ledger: ")
    assert err.endswith(" Nothing was changed.\n")
    assert keys(path, "--open")[0] == "lost-0001"


def test_a_history_that_was_changed_is_told_with_what_to_keep(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each problem, how many there are, and exit 1."""
    assert ran(path, "verify") == (0, "✓ History intact.\n", "")

    def verify(_: SqliteLedger) -> list[str]:
        return ["row 3 was changed", "row 4 is missing"]

    monkeypatch.setattr(SqliteLedger, "verify", verify)
    told = "✗ row 3 was changed\n✗ row 4 is missing\n2 problem(s): keep a copy of the file as it is.\n"
    assert ran(path, "verify") == (1, told, "")


def test_a_backup_is_said_to_be_made(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a folder is one in the folder where the command runs."""
    folder = tmp_path / "backups"
    folder.mkdir(0o700)
    monkeypatch.chdir(folder)
    assert ran(path, "backup", "copy.sqlite3") == (0, "The copy is made and verified.\n", "")
    assert keys(folder / "copy.sqlite3") == keys(path)


def test_what_is_forgotten_is_asked_about_and_counted(path: Path) -> None:
    """The question names what and how old; without a yes nothing is changed."""
    asked = "Forget names, purposes, links and bank texts of payments that ended more than 0 days ago, for good? [y/N] "
    refused = "blikk-mcp ledger: nothing was changed: answer y, or give --yes in a script\n"
    assert ran(path, "prune", "--older-than-days", "0") == (1, "", asked + refused)
    told = "2 payment(s) now without names and texts. Keys, amounts, ids and the history stay.\n"
    assert ran(path, "prune", "--older-than-days", "0", given="y\n") == (0, told, asked)
    assert ran(path, "prune", "--older-than-days", "0", "--yes") == (0, told.replace("2", "0"), "")
    names = {
        fields["idempotency_key"]: fields["creditor_name"]
        for fields in map(json.loads, ran(path, "export")[1].splitlines())
    }
    assert [bool(names[key]) for key in ("paid-0001", "refused-1", "open-0001", "lost-0001")] == [
        False,
        False,
        True,
        True,
    ]


def test_an_export_is_in_the_order_of_the_ledger(path: Path) -> None:
    """Oldest first, whatever became of them; CSV has the same."""
    order = ["paid-0001", "open-0001", "lost-0001", "refused-1"]
    lines = ran(path, "export")[1].splitlines()
    assert [json.loads(line)["idempotency_key"] for line in lines] == order
    assert [line.partition(",")[0] for line in ran(path, "export", "--format", "csv")[1].splitlines()[1:]] == order


def test_a_wrong_setting_is_a_reason(path: Path) -> None:
    """Every one of them, before anything is looked at."""
    code, out, err = ran(path, "list", BLIKK_LANGUAGE="xx", BLIKK_MAX_AMOUNT_ISK="x")
    assert (code, out) == (1, "")
    assert err.startswith("blikk-mcp ledger: ")
    assert ("BLIKK_LANGUAGE" in err, "BLIKK_MAX_AMOUNT_ISK" in err) == (True, True)


def test_a_copy_is_made_of_the_file_that_was_meant_with_the_password_of_the_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths may be short; the password is neither argument nor output."""
    asked: list[tuple[Path, str, str]] = []

    def copy(source: Path, address: str, *, password: str) -> int:
        asked.append((source, address, password))
        if len(asked) > 2:
            raise PaymentsError(f"it says {password} at {address}")
        return 4

    monkeypatch.setattr(ledger_copy, "copy_to_postgres", copy)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(path.parent)
    (tmp_path / "password").write_text("secret-of-mine\n")
    (tmp_path / "password").chmod(0o600)
    address = "postgresql://me@127.0.0.1/x"
    said = "4 payment(s) copied, and the copy adds up. Now name it in BLIKK_LEDGER of every server.\n"
    assert ran(path, "copy", path.name, address) == (0, said, "")
    with_password = {"BLIKK_LEDGER_PASSWORD_FILE": str(tmp_path / "password"), "HOME": str(tmp_path)}
    assert ran(path, "copy", "~/state/ledger.sqlite3", address, **with_password) == (0, said, "")
    meant = ledger_address(address)
    assert asked == [(path, meant, ""), (path, meant, "secret-of-mine")]
    code, out, err = ran(path, "copy", str(path), address, **with_password)
    assert (code, out) == (1, "")
    assert err.startswith("blikk-mcp ledger copy: it says [redacted]")


def test_a_password_within_the_address_is_not_repeated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the database answers."""

    def copy(source: Path, address: str, *, password: str) -> int:
        raise PaymentsError(f"it refuses {address}")

    monkeypatch.setattr(ledger_copy, "copy_to_postgres", copy)
    code, out, err = ran(path, "copy", str(path), "postgresql://me:password-of-the-address@127.0.0.1/x")
    assert (code, out) == (1, "")
    assert err.startswith("blikk-mcp ledger copy: it refuses ")
    assert "password-of" not in err


@pytest.mark.parametrize("address", ["mysql://me@db/x", "ledger.sqlite3", ""])
def test_a_copy_goes_into_postgresql_alone(address: str, path: Path) -> None:
    """What was given is not repeated."""
    said = "blikk-mcp ledger copy: POSTGRES must be an address like postgresql://user@host/database\n"
    assert ran(path, "copy", str(path), address) == (1, "", said)


def test_a_password_that_cannot_be_read_is_told_by_its_setting(path: Path, tmp_path: Path) -> None:
    """The file's name is no secret; what is wrong with it is said."""
    gone = {"BLIKK_LEDGER_PASSWORD_FILE": str(tmp_path / "gone")}
    code, out, err = ran(path, "copy", str(path), "postgresql://me@127.0.0.1/x", **gone)
    assert (code, out) == (1, "")
    assert err.startswith("blikk-mcp ledger copy: BLIKK_LEDGER_PASSWORD_FILE ")
