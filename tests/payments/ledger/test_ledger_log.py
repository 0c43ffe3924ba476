"""The write-ahead log of a SQLite ledger: what it holds is in the file soon, and its loss is noticed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.sqlite.engine import FOLD_AFTER_SECONDS
from tests.payments.factories import KEY, NOON, OTHER_KEY, answer, at
from tests.payments.ledgers import claim, empty_ledger


class Clock:
    """Keeps what is to be called later, until a test says that the time has come."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """A `Timer`."""
        entry = (seconds, call)
        self.waiting.append(entry)
        return lambda: self.waiting.remove(entry)

    def strike(self) -> None:
        """Call what is waiting, once."""
        waiting, self.waiting = self.waiting, []
        for _, call in waiting:
            call()


def knows(path: Path, key: str, folder: Path) -> bool:
    """Whether the main file alone, taken elsewhere, knows the key."""
    alone = folder / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    alone.mkdir(0o700)
    shutil.copy(path, alone)
    with SqliteLedger(alone / path.name) as ledger:
        return ledger.by_key(key, now=NOON) is not None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    return empty_ledger(folder)


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_a_change_is_in_the_file_itself_within_three_seconds(path: Path, tmp_path: Path) -> None:
    """A process can be killed, and the file be moved without its log."""
    clock = Clock()
    assert FOLD_AFTER_SECONDS < 3
    with SqliteLedger(path, timer=clock) as ledger:
        claim(ledger)
        assert [seconds for seconds, _ in clock.waiting] == [FOLD_AFTER_SECONDS]
        clock.strike()
        assert knows(path, KEY, tmp_path)
        assert clock.waiting == []
        claim(ledger, OTHER_KEY)
        assert not knows(path, OTHER_KEY, tmp_path)
        clock.strike()
        assert knows(path, OTHER_KEY, tmp_path)


def test_a_closed_ledger_has_nothing_left_to_do_and_an_opened_one_has_again(path: Path, tmp_path: Path) -> None:
    """Nothing calls a ledger that was let go of; and the next change is folded in like the first."""
    clock = Clock()
    with SqliteLedger(path, timer=clock) as ledger:
        claim(ledger)
        ledger.close()
        assert clock.waiting == []
        claim(ledger, OTHER_KEY)
        clock.strike()
        assert knows(path, OTHER_KEY, tmp_path)


def test_a_steady_stream_of_changes_does_not_put_the_folding_off(path: Path) -> None:
    """The time runs from the first change that is not folded, with one timer for all."""
    clock = Clock()
    with SqliteLedger(path, timer=clock) as ledger:
        for number in range(20):
            claim(ledger, f"order-1{number:03}")
        assert len(clock.waiting) == 1


def test_a_log_that_somebody_still_reads_is_folded_later(path: Path, tmp_path: Path) -> None:
    """A reader keeps its snapshot; nothing waits for it, and nothing is forgotten."""
    clock = Clock()
    with SqliteLedger(path, timer=clock) as ledger:
        claim(ledger)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM payments").fetchone()
            claim(ledger, OTHER_KEY)
            clock.strike()
            assert len(clock.waiting) == 1
        clock.strike()
        assert clock.waiting == []
        assert knows(path, OTHER_KEY, tmp_path)


def test_what_a_killed_process_left_in_the_log_is_folded_by_the_next(path: Path, tmp_path: Path) -> None:
    """After SIGKILL all payments may lie in the log."""
    left = tmp_path / "left"
    left.mkdir(0o700)
    with SqliteLedger(path, timer=Clock()) as ledger:
        claim(ledger)
        for file in (path, log_of(path)):
            shutil.copy(file, left)
    clock = Clock()
    with SqliteLedger(left / path.name, timer=clock) as ledger:
        assert ledger.by_key(KEY, now=NOON) is not None
        clock.strike()
        assert knows(left / path.name, KEY, tmp_path)


def test_the_end_folds_the_log_in_also_where_others_go_on(path: Path, tmp_path: Path) -> None:
    """SQLite by itself does so only for the last one that closes."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM payments").fetchone()
        with SqliteLedger(path, timer=Clock()) as ledger:
            claim(ledger)
        assert knows(path, KEY, tmp_path)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_log_that_is_deleted_or_replaced_under_a_running_server_is_noticed(path: Path, replaced: bool) -> None:
    """Another process would start a log of its own: each key would go out twice."""
    with SqliteLedger(path, timer=Clock()) as ledger:
        claim(ledger)
        log_of(path).rename(path.with_name("kept"))
        if replaced:
            log_of(path).touch(0o600)
        for use in (lambda: claim(ledger, OTHER_KEY), lambda: ledger.by_key(KEY, now=NOON)):
            with pytest.raises(LedgerUnavailable, match="-wal file was moved or replaced"):
                use()
        path.with_name("kept").rename(log_of(path))
        assert claim(ledger, OTHER_KEY).fresh


def test_a_log_that_is_lost_during_a_claim_leaves_that_claim_unsent(path: Path) -> None:
    """The commit went to a file without a name: nobody else can know of it, so nothing may be sent for it."""
    with SqliteLedger(path, timer=Clock()) as ledger:
        ledger.check_writable()
        with pytest.raises(LedgerUnavailable, match="-wal file"):
            claim(ledger, decide=lambda _: log_of(path).unlink())


def test_a_file_whose_payments_lay_in_a_log_that_is_missing_is_no_empty_ledger(tmp_path: Path) -> None:
    """As earlier versions left it after SIGKILL: 4 KiB, in write-ahead mode, and not one table."""
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    path.chmod(0o600)
    before = path.read_bytes()
    assert len(before) == 4096

    with SqliteLedger(path) as ledger:
        for use in (lambda: claim(ledger), lambda: ledger.by_key(KEY, now=NOON), ledger.verify):
            with pytest.raises(LedgerUnavailable, match="-wal file, which held them, is missing"):
                use()
    assert path.read_bytes() == before


def test_a_ledger_is_never_without_tables_once_it_has_a_page(tmp_path: Path) -> None:
    """So that such a file can be told from one that nobody filled yet."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path, timer=Clock()) as ledger:
        claim(ledger)
        alone = tmp_path / "alone.sqlite3"
        shutil.copy(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        assert connection.execute("SELECT count(*) FROM payments").fetchone() == (0,)


@pytest.mark.parametrize("lacks_one_change", [False, True])
def test_an_older_copy_in_the_ledgers_place_is_refused(path: Path, lacks_one_change: bool) -> None:
    """The same file, with what it held an hour ago: a key that was paid is a new one there. One change is enough."""
    old = path.read_bytes()
    with SqliteLedger(path) as ledger:
        claim(ledger)
        if lacks_one_change:
            ledger.close()
            old = path.read_bytes()
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=at(1))
        ledger.close()
        path.write_bytes(old)
        with pytest.raises(LedgerUnavailable, match="forgotten payments"):
            claim(ledger)


EVERY_WRITE: dict[str, Callable[[SqliteLedger], object]] = {
    "claim": claim,
    "created": lambda ledger: ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-2"), now=at(1)),
    "refused": lambda ledger: ledger.refused(OTHER_KEY, 1, code="unauthorized", bank_text="", now=at(1)),
    "unknown": lambda ledger: ledger.unknown(OTHER_KEY, 1, reason="no answer", now=at(1)),
    "seen": lambda ledger: ledger.seen(answer(payment_id="blikk-1", status=Status.SUCCESS), now=at(1)),
    "resolve_created": lambda ledger: ledger.resolve_created(
        OTHER_KEY, answer(payment_id="blikk-2"), note="", now=at(3600)
    ),
    "resolve_not_created": lambda ledger: ledger.resolve_not_created(OTHER_KEY, note="", now=at(3600)),
    "prune": lambda ledger: ledger.prune(before=at(3600), now=at(3600)),
    "check_writable": lambda ledger: ledger.check_writable(),
}


@pytest.mark.parametrize("write", EVERY_WRITE)
def test_nothing_is_written_into_an_older_copy(path: Path, write: str) -> None:
    """What was decided by a ledger that has forgotten may be wrong: an operator's word too."""
    with SqliteLedger(path) as ledger:
        claim(ledger)
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON)
        claim(ledger, OTHER_KEY)
        ledger.close()
        old = path.read_bytes()
        claim(ledger, "order-0003")
        ledger.close()
        path.write_bytes(old)
        with pytest.raises(LedgerUnavailable, match="forgotten payments"):
            EVERY_WRITE[write](ledger)
    assert path.read_bytes() == old
