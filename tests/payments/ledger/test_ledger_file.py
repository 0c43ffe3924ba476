"""The SQLite ledger's file: where it lies, who may read it, what it costs, and what is not in it."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable, PolicyDenied
from blikk_payments.ledger.location import default_ledger_path, environment_key
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.models import Facts
from tests.payments.factories import ACCOUNT, KENNITALA, KEY, NOON, an_intent, answer, at
from tests.payments.ledgers import allow, every_connection, heard_statements

STATE = Path("/state")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_can_read_the_ledger_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """File mode 0600 in a 0700 folder; the log and the index beside it too."""
    folder = tmp_path / "state" / "blikk-mcp"
    before = os.umask(umask)
    try:
        with SqliteLedger(folder / "ledger.sqlite3") as ledger:
            ledger.claim(an_intent(), allow, window_minutes=0, now=NOON)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    finally:
        os.umask(before)

    assert modes == {"ledger.sqlite3": 0o600, "ledger.sqlite3-shm": 0o600, "ledger.sqlite3-wal": 0o600}
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent)] == [0o700, 0o700]


def test_a_ledger_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """A copy or a restored backup often comes with 0644."""
    path = _ledger_with_one_claim(tmp_path)
    path.chmod(0o644)

    with SqliteLedger(path) as ledger:
        assert ledger.by_key(KEY, now=NOON) is not None

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_touched_before_the_first_use(tmp_path: Path) -> None:
    """The server starts and lists its tools whatever the settings are."""
    with SqliteLedger(tmp_path / "state" / "ledger.sqlite3"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_neither_account_nor_kennitala_is_in_the_file(tmp_path: Path) -> None:
    """What the operator needs to find the payment, no more."""
    path = _ledger_with_one_claim(tmp_path)

    content = path.read_bytes()

    assert KEY.encode() in content
    assert KENNITALA.encode() not in content
    assert ACCOUNT[2:].encode() not in content


def test_a_ledger_has_what_is_deleted_overwritten_whatever_sqlite_does_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builds of SQLite differ in their default, and in what their pages happen to leave."""
    opened: list[sqlite3.Connection] = []

    def without(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA secure_delete=OFF").fetchall()
        opened.append(connection)

    every_connection(monkeypatch, without)
    with SqliteLedger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.check_writable()
        assert [one.execute("PRAGMA secure_delete").fetchone() for one in opened] == [(1,)]


def test_what_was_pruned_is_not_left_in_the_file_or_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting means that the bytes are gone, also with an SQLite that leaves them unless it is told."""
    path = tmp_path / "ledger.sqlite3"
    every_connection(monkeypatch, lambda connection: connection.execute("PRAGMA secure_delete=OFF").fetchall())
    with SqliteLedger(path) as ledger:
        ledger.claim(an_intent(name="Sigríður", purpose="secret"), allow, window_minutes=0, now=NOON)
        ledger.created(KEY, 1, answer(Status.SUCCESS, "https://bank.is/hidden", payment_id="blikk-1"), now=NOON)
        ledger.prune(before=at(1), now=at(2))
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert KEY.encode() in content
    assert not re.search(b"Sigr|secret|hidden", content)


def test_a_create_costs_two_durable_commits_and_a_poll_without_news_none(tmp_path: Path) -> None:
    """No more than three durable commits a create."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.verify()
        commits = [_log_commits(path)]
        ledger.claim(an_intent(), allow, window_minutes=1440, now=NOON)
        commits.append(_log_commits(path))
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON)
        commits.append(_log_commits(path))
        ledger.seen(answer(payment_id="blikk-1"), now=at(1))
        ledger.claim(an_intent(), allow, window_minutes=1440, now=at(1))
        ledger.facts(an_intent("order-9"), window_minutes=1440, now=at(1))
        commits.append(_log_commits(path))
        ledger.seen(answer(Status.PENDING, payment_id="blikk-1"), now=at(2))
        commits.append(_log_commits(path))

    assert [after - before for before, after in pairwise(commits)] == [1, 1, 0, 1]


def test_nothing_that_a_create_asks_is_looked_for_among_all_payments(tmp_path: Path) -> None:
    """As quick among 100,000 payments as among a few: each question has its index, and what is under way is little."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as new:
        new.check_writable()
    with pytest.MonkeyPatch.context() as patch, SqliteLedger(path) as ledger:
        statements = heard_statements(patch)
        ledger.find_key(an_intent(), now=NOON)
        ledger.failed_equals(an_intent(), since=NOON)
        ledger.facts(an_intent(), window_minutes=1440, now=NOON)
        ledger.claim(an_intent(), allow, window_minutes=1440, now=NOON)
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON)
        ledger.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(1))
        ledger.by_payment_id("blikk-1", now=at(2))
        ledger.stray_keys()
    with closing(sqlite3.connect(path)) as connection:
        plans = {
            one: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
            for one in statements
            if " FROM payments" in one or " FROM history" in one
        }
    assert len(plans) > 8
    scans = {one: plan for one, plan in plans.items() if any(step.startswith("SCAN") for step in plan)}
    assert {step for plan in scans.values() for step in plan} == {"SCAN payments USING INDEX payments_sending"}
    # Among the payments of one account, and not among all of a day or all that failed.
    to_account = [plan for one, plan in plans.items() if "account_fingerprint =" in one]
    assert len(to_account) > 5
    assert [
        plan for plan in to_account if "(account_fingerprint=?" not in plan[0] and "payments_sending" not in plan[0]
    ] == []


def test_commits_are_as_durable_as_sqlite_can_make_them(tmp_path: Path) -> None:
    """WAL with `synchronous=FULL`."""
    with pytest.MonkeyPatch.context() as patch, SqliteLedger(tmp_path / "ledger.sqlite3") as ledger:
        statements = heard_statements(patch)
        ledger.claim(an_intent(), allow, window_minutes=0, now=NOON)

    assert "PRAGMA journal_mode=WAL" in statements
    assert "PRAGMA synchronous=FULL" in statements
    assert not [one for one in statements if "synchronous" in one and "FULL" not in one]


def test_each_base_url_has_a_ledger_of_its_own() -> None:
    """One file per base URL, so that sandbox and production never mix."""
    urls = [
        "https://api.blikk.tech/paymentchannel",
        "https://stage.blikk.tech/paymentchannel",
        "http://127.0.0.1:8000/paymentchannel",
        "http://127.0.0.1:8001/paymentchannel",
        "https://api.blikk.tech/other",
    ]

    paths = {default_ledger_path(url, STATE) for url in urls}

    assert len(paths) == len(urls)
    assert {path.parent for path in paths} == {STATE / "blikk-mcp"}


@pytest.mark.parametrize(
    "same",
    [
        "https://api.blikk.tech/paymentchannel/",
        "HTTPS://API.blikk.tech:443/paymentchannel",
        " https://api.blikk.tech/paymentchannel\n",
    ],
)
def test_one_base_url_written_in_two_ways_has_one_ledger(same: str) -> None:
    """A slash at the end must not make the server forget what it paid."""
    path = default_ledger_path("https://api.blikk.tech/paymentchannel", STATE)

    assert path == default_ledger_path(same, STATE)
    assert re.fullmatch(r"ledger-api\.blikk\.tech-[0-9a-f]{8}\.sqlite3", path.name)


@pytest.mark.parametrize("url", ["", "https://", "https://[::1]:8000/x", "https://../../etc", "not a url"])
def test_no_base_url_leads_out_of_the_folder(url: str) -> None:
    """A setting is text from outside."""
    assert default_ledger_path(url, STATE).parent == STATE / "blikk-mcp"


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("http://127.0.0.1:8000/paymentchannel", "https://api.blikk.tech/paymentchannel"),
        ("https://stage.blikk.tech/paymentchannel", "https://api.blikk.tech/paymentchannel"),
        ("https://api.blikk.tech/paymentchannel", "https://stage.blikk.tech/paymentchannel"),
        ("https://api.blikk.tech/paymentchannel", "https://api.blikk.tech/other"),
    ],
)
def test_one_ledger_never_holds_two_blikks(tmp_path: Path, first: str, other: str) -> None:
    """Sandbox and production never mix; nor where the operator names the file."""
    path = _ledger_with_one_claim(tmp_path, environment_key(first))

    with SqliteLedger(path, environment=environment_key(other)) as ledger:
        with pytest.raises(LedgerUnavailable, match="another base URL"):
            ledger.claim(an_intent("purchase-2"), allow, window_minutes=0, now=NOON)
        with pytest.raises(LedgerUnavailable, match="another base URL"):
            ledger.by_key(an_intent().idempotency_key, now=NOON)
    with SqliteLedger(path, environment=environment_key(first)) as ledger:
        assert [record.idempotency_key for record in ledger.records(now=NOON)] == [an_intent().idempotency_key]


@pytest.mark.parametrize(
    ("first", "same"),
    [
        ("https://api.blikk.tech/paymentchannel", " HTTPS://API.blikk.tech:443/paymentchannel/"),
        ("http://127.0.0.1:8000/paymentchannel", "http://127.0.0.1:8001/paymentchannel"),
        ("http://127.0.0.1:8000/paymentchannel", "http://[::1]:8000/paymentchannel"),
        ("http://127.0.0.1:8000/paymentchannel", "http://localhost:9000"),
    ],
)
def test_a_ledger_is_open_to_its_own_blikk_however_that_is_written(tmp_path: Path, first: str, same: str) -> None:
    """A sandbox has another port every time."""
    path = _ledger_with_one_claim(tmp_path, environment_key(first))

    with SqliteLedger(path, environment=environment_key(same)) as ledger:
        assert ledger.by_key(an_intent().idempotency_key, now=NOON) is not None


def test_only_a_payment_ties_a_ledger(tmp_path: Path) -> None:
    """Who looks, or is denied, puts nothing there that could be mixed; a ledger of before is the next payer's."""
    path = _ledger_with_one_claim(tmp_path)

    def deny(facts: Facts) -> None:
        raise PolicyDenied("no room")

    with SqliteLedger(path, environment="first") as first, SqliteLedger(path, environment="second") as second:
        first.check_writable()
        with pytest.raises(PolicyDenied):
            first.claim(an_intent("purchase-2"), deny, window_minutes=0, now=NOON)
        for key in ("purchase-3", "purchase-4"):
            second.claim(an_intent(key), allow, window_minutes=0, now=NOON)
        # It has been open since before the ledger was tied.
        with pytest.raises(LedgerUnavailable, match="another base URL"):
            first.claim(an_intent("purchase-3"), allow, window_minutes=0, now=NOON)
        assert second.verify() == []


def _ledger_with_one_claim(folder: Path, blikk: str = "") -> Path:
    path = folder / "ledger.sqlite3"
    with SqliteLedger(path, environment=blikk) as ledger:
        ledger.claim(an_intent(), allow, window_minutes=0, now=NOON)
    return path


def _log_commits(path: Path) -> int:
    """Commit frames in the write-ahead log (https://sqlite.org/fileformat2.html#walformat)."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    frames = [log[at : at + 24] for at in range(32, len(log), page_size + 24)]
    return sum(1 for frame in frames if frame[4:8] != bytes(4) and frame[8:16] == log[16:24])


def test_a_create_reads_through_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs among 100,000 payments what it costs among 100: each of its statements finds its rows by an index."""
    statements = heard_statements(monkeypatch)
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.check_writable()
        statements.clear()
        ledger.find_key(an_intent(), now=NOON)
        ledger.claim(an_intent(), allow, window_minutes=1440, now=NOON)
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON)
    asked = [one for one in statements if one.startswith(("SELECT", "UPDATE"))]
    assert len(asked) > 10
    with closing(sqlite3.connect(path)) as connection:
        plans = [str(row[3]) for one in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
    # Few payments are ever under way, and that index holds only those.
    small = ("SCAN CONSTANT ROW", "SCAN payments USING INDEX payments_sending")
    assert [plan for plan in plans if plan.startswith("SCAN") and not plan.startswith(small)] == []
