"""A ledger that cannot be trusted or written: always `ledger_unavailable`, nothing claimed, nothing lost."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.protocol import Claim, Ledger
from blikk_payments.ledger.sqlite.schema import MIGRATIONS
from blikk_payments.models import ClaimState, Facts
from tests.missing import unavailable
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent, answer, at, lookalike
from tests.payments.ledgers import allow, claim, full_disk, gone_process, in_child

FIRST = an_intent(purpose="x" * 100)
NOBODY = 65534
"""The user id of nobody in particular."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with some hundred payments, to copy from."""
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.claim(FIRST, allow, window_minutes=0, now=NOON)
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON)
        for number in range(200):
            ledger.claim(an_intent(f"filler-{number}"), allow, window_minutes=0, now=NOON)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A ledger of the test's own."""
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    return Path(shutil.copy2(whole, folder / "ledger.sqlite3"))


def claim_another(ledger: Ledger) -> Claim:
    return claim(ledger, OTHER_KEY)


def assert_unavailable(path: Path, words: str) -> None:
    """Nothing can be claimed or looked up, and the text says why without saying where."""
    with SqliteLedger(path, busy_timeout_seconds=0.05) as ledger:
        for use in (lambda: claim_another(ledger), lambda: ledger.by_key(KEY, now=NOON)):
            with pytest.raises(LedgerUnavailable, match=words) as caught:
                use()
            assert caught.value.code == "ledger_unavailable"
            assert path.name not in caught.value.message
            assert str(path.parent) not in caught.value.message


def assert_nothing_lost(path: Path) -> None:
    """Everything from before is there, and what failed is not."""
    with SqliteLedger(path) as ledger:
        paid = ledger.by_key(KEY, now=NOON)
        assert paid is not None
        assert paid.payment_id == "blikk-1"
        assert ledger.by_key(OTHER_KEY, now=NOON) is None
        assert len(list(ledger.records(now=NOON))) == 201
        assert ledger.verify() == []
        assert claim_another(ledger).fresh


# A disk that takes nothing more


def test_a_full_ledger_claims_nothing_and_goes_on_when_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full disk (SQLITE_FULL, brought about by SQLite's own limit on pages)."""
    decided: list[Facts] = []

    with monkeypatch.context() as patch, SqliteLedger(path) as ledger:
        full_disk(patch)
        unclaimed = 0
        for number in range(50):
            try:
                ledger.claim(an_intent(f"late-{number}"), decided.append, window_minutes=0, now=at(1))
            except LedgerUnavailable as error:
                assert "disk is full" in error.message  # noqa: PT017 - not every one fails
                unclaimed += 1
        assert unclaimed
        assert len(decided) == 50
        records = list(ledger.records(now=NOON))
        assert len(records) == 201 + 50 - unclaimed

    with SqliteLedger(path) as ledger:
        assert ledger.verify() == []
        assert claim_another(ledger).fresh


def claim_with_file_size_limit(path: Path) -> tuple[str, int]:
    """Claim until the kernel refuses to let the file grow; its word, and how many claims were kept."""
    with SqliteLedger(path) as ledger:
        ledger.verify()
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        for number in range(1000):
            try:
                claim(ledger, f"late-{number}")
            except LedgerUnavailable as error:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                return error.message, number
    return "", 1000


def test_a_write_that_the_kernel_refuses_leaves_nothing_behind(path: Path) -> None:
    """Full disk, as a real failing `write` in the middle of a commit."""
    words, kept = in_child(claim_with_file_size_limit, path)

    assert "disk answers with an error" in words
    assert 0 < kept < 1000
    with SqliteLedger(path) as ledger:
        assert ledger.by_key(f"late-{kept}", now=NOON) is None
        assert len(list(ledger.records(now=NOON))) == 201 + kept
        assert ledger.verify() == []


def claim_on_small_disk(path: Path, mount_point: Path) -> tuple[str, int, list[str]] | None:
    """Claim on a file system of 1 MB, mounted for this process alone, until it is full; None if we may not mount."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private, recursive = 0x00020000, 1 << 18, 1 << 14
    if libc.unshare(new_namespace) or libc.mount(b"none", b"/", None, recursive | private, None):
        return None
    if libc.mount(b"tmpfs", os.fsencode(mount_point), b"tmpfs", 0, b"size=1m,mode=700"):
        return None
    small = mount_point / path.name
    shutil.copy(path, small)
    small.chmod(0o600)
    with SqliteLedger(small) as ledger:
        for number in range(5000):
            try:
                claim(ledger, f"late-{number}")
            except LedgerUnavailable as error:
                assert len(list(ledger.records(now=NOON))) == 201 + number
                return error.message, number, ledger.verify()
    return "", 5000, []


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_the_claims(path: Path, tmp_path: Path) -> None:
    """Full disk, a real one."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir(0o700)
    told = in_child(claim_on_small_disk, path, mount_point)
    if told is None:
        unavailable("mounting is not permitted here")

    words, kept, problems = told

    assert "disk is full" in words or "disk answers with an error" in words
    assert 0 < kept < 5000
    assert problems == []


# A file or folder that must not be written


def claim_without_privileges(path: Path) -> str:
    """Claim as an owner who has no right to override file modes; the ledger's word, or `""` if it let us."""
    if os.geteuid() == 0:
        version, no_capabilities = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None).capset(version, no_capabilities) == 0
    with SqliteLedger(path) as ledger:
        try:
            claim_another(ledger)
        except LedgerUnavailable as error:
            return error.message
    return ""


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o400, 0o700), (0o600, 0o500), (0o000, 0o700)])
def test_a_read_only_ledger_claims_nothing(path: Path, file_mode: int, folder_mode: int) -> None:
    """Read-only file; a folder in which the log cannot be made is the same."""
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    try:
        words = in_child(claim_without_privileges, path)
    finally:
        path.parent.chmod(0o700)

    assert "read-only" in words or "cannot be opened" in words
    assert path.stat().st_mode & 0o777 == file_mode
    path.chmod(0o600)
    assert_nothing_lost(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A wrong path in the settings ends in words, not in a traceback."""
    (tmp_path / "file").write_text("")

    assert_unavailable(tmp_path / "file" / "ledger.sqlite3", "cannot be opened or created: Not a directory")


# A ledger that somebody else holds


def test_a_ledger_that_another_process_has_locked_claims_nothing(path: Path) -> None:
    """Locked by another process, beyond the busy time-out."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with SqliteLedger(path, busy_timeout_seconds=0.05) as ledger:
            with pytest.raises(LedgerUnavailable, match="Another process is holding the ledger"):
                claim_another(ledger)
            assert ledger.by_key(KEY, now=NOON) is not None
            other.execute("ROLLBACK")
            assert claim_another(ledger).fresh


def test_a_file_that_cannot_have_its_log_because_somebody_reads_it_is_not_waited_for_for_ever(path: Path) -> None:
    """A copy that an editor of databases turned back, say, and still has open."""
    _edit(path, "PRAGMA journal_mode=DELETE")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM payments").fetchone()
        with SqliteLedger(path, busy_timeout_seconds=0.05) as ledger:
            with pytest.raises(LedgerUnavailable, match="Another process is holding the ledger"):
                ledger.check_writable()
            other.execute("ROLLBACK")
            ledger.check_writable()
    assert_nothing_lost(path)


def test_a_task_that_hangs_in_the_ledger_holds_up_the_others_for_a_bounded_time(path: Path) -> None:
    """Every wait has a bound."""
    entered, leave = threading.Event(), threading.Event()

    def hang(facts: Facts) -> None:
        entered.set()
        leave.wait()

    with SqliteLedger(path, busy_timeout_seconds=0.05) as ledger:
        holder = threading.Thread(
            target=lambda: ledger.claim(an_intent("slow-0001"), hang, window_minutes=0, now=at(1))
        )
        holder.start()
        entered.wait()
        with pytest.raises(LedgerUnavailable, match="busy with another task"):
            claim_another(ledger)
        leave.set()
        holder.join()
        assert claim_another(ledger).fresh


# A file that is not what it was


@pytest.mark.parametrize("filler", [b"\xa5", b"\x00"])
def test_a_corrupted_page_never_makes_a_paid_key_a_new_one(path: Path, filler: bytes) -> None:
    """A corrupted page. It may have held a key that was paid: whoever comes upon it is told, and `verify` is."""
    intact = path.read_bytes()
    keys = [KEY, *(f"filler-{number}" for number in range(0, 200, 10))]
    stopped = 0
    for page in range(len(intact) // 4096):
        with path.open("r+b") as file:
            file.seek(page * 4096)
            file.write(filler * 4096)
        with SqliteLedger(path) as ledger:
            with suppress(LedgerUnavailable):
                assert ledger.verify(), page
            for key in keys:
                try:
                    assert ledger.by_key(key, now=NOON) is not None, (page, key)
                except LedgerUnavailable as error:
                    stopped += "damaged" in error.message
        path.write_bytes(intact)
    assert stopped > len(keys)
    assert_nothing_lost(path)


def test_a_cut_off_file_stops_everything(path: Path) -> None:
    """What a full backup disk leaves behind."""
    intact = path.read_bytes()
    path.write_bytes(intact[: len(intact) // 2])

    assert_unavailable(path, "damaged")

    path.write_bytes(intact)
    assert_nothing_lost(path)


@pytest.mark.parametrize("version", [len(MIGRATIONS) + 1, 999])
def test_a_ledger_from_a_newer_version_is_left_alone(path: Path, version: int) -> None:
    """From a newer version, be it the next one."""
    _edit(path, f"PRAGMA user_version={version}")
    before = path.read_bytes()

    assert_unavailable(path, "written by a newer blikk-mcp")

    assert before == path.read_bytes()
    _edit(path, f"PRAGMA user_version={len(MIGRATIONS)}")
    assert_nothing_lost(path)


def test_a_ledger_from_the_first_version_learns_its_payees_and_loses_nothing(path: Path) -> None:
    """From version 2 on the ledger knows whom it paid; older ledgers are brought up to date when opened."""
    _make_version_1(path)

    with SqliteLedger(path) as ledger:
        assert ledger.facts(lookalike(), window_minutes=0, now=NOON).lookalike
        assert ledger.verify() == []

    assert_nothing_lost(path)


@pytest.mark.parametrize("statement", ["DELETE FROM meta", "UPDATE meta SET value = 'x'"])
def test_a_damaged_ledger_from_the_first_version_stops_everything(path: Path, statement: str) -> None:
    """Bringing it up to date must not be the first to trip over the damage in its own way."""
    _make_version_1(path)
    _edit(path, statement)

    assert_unavailable(path, "damaged")


@pytest.mark.parametrize("statement", ["PRAGMA application_id=1", "PRAGMA user_version=1", "CREATE TABLE notes (text)"])
def test_another_programs_database_is_left_alone(tmp_path: Path, statement: str) -> None:
    """A wrong path in the settings must not turn somebody's database into a ledger."""
    path = tmp_path / "foreign.sqlite3"
    _edit(path, statement)
    before = path.read_bytes()

    assert_unavailable(path, "another program's database")

    assert before == path.read_bytes()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Nor a text."""
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 1000)
    before = path.read_bytes()

    assert_unavailable(path, "no ledger, or is damaged")

    assert before == path.read_bytes()


def test_an_empty_file_left_by_a_crash_becomes_a_ledger(tmp_path: Path) -> None:
    """A process can die between creating the file and filling it."""
    path = tmp_path / "ledger.sqlite3"
    path.touch(0o600)

    with SqliteLedger(path) as ledger:
        assert claim_another(ledger).fresh


@pytest.mark.parametrize("put_back", [True, False])
def test_a_ledger_that_was_moved_away_is_never_replaced_by_an_empty_one(path: Path, put_back: bool) -> None:
    """An empty ledger has forgotten what was paid, and a moved one is not seen by other processes."""
    with SqliteLedger(path) as ledger:
        assert ledger.by_key(KEY, now=NOON) is not None
        path.rename(path.with_suffix(".moved"))
        if not put_back:
            path.touch(0o600)
        with pytest.raises(LedgerUnavailable, match="moved or replaced"):
            claim_another(ledger)
        ledger.close()
        with pytest.raises(LedgerUnavailable, match="moved or replaced"):
            claim_another(ledger)
        path.with_suffix(".moved").rename(path)
        assert claim_another(ledger).fresh


# A file that others could swap


def test_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    """It may point to where others write."""
    link = tmp_path / "state" / "link.sqlite3"
    link.symlink_to(path)
    dangling = tmp_path / "state" / "dangling.sqlite3"
    dangling.symlink_to(tmp_path / "nowhere")

    assert_unavailable(link, "symbolic link")
    assert_unavailable(dangling, "symbolic link")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_a_folder_that_others_can_write_is_refused(path: Path, mode: int) -> None:
    """Who writes the folder can swap the ledger."""
    path.parent.chmod(mode)

    assert_unavailable(path, "written by others")

    path.parent.chmod(0o700)
    assert_nothing_lost(path)


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file, folder or link somebody else's: really, as root; else by being somebody else from here on."""
    if os.geteuid() == 0:
        os.lchown(path, NOBODY, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)


def test_a_folder_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the folder can swap the ledger, whatever the folder's mode."""
    give_away(path.parent, monkeypatch)

    assert_unavailable(path, "folder belongs to another user")


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o703, True), (0o1777, False), (0o775, False)])
def test_a_folder_above_that_everybody_can_write_is_refused(path: Path, mode: int, refused: bool) -> None:
    """It lets others move the ledger's whole folder away, unless it is sticky, as /tmp is."""
    path.parent.parent.chmod(mode)

    if refused:
        assert_unavailable(path, "folder above")
        path.parent.parent.chmod(0o700)

    assert_nothing_lost(path)


def test_another_users_symbolic_link_on_the_way_is_not_followed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symlink tricks on the ledger path. A link of one's own is fine: many a home is one."""
    link = tmp_path / "link"
    link.symlink_to(path.parent)
    assert_nothing_lost(link / path.name)

    give_away(link, monkeypatch)

    assert_unavailable(link / path.name, "symbolic link|another user")


def test_a_folder_above_the_one_that_a_link_leads_to_is_looked_at_too(path: Path, tmp_path: Path) -> None:
    """A link of one's own may lead below a folder that everybody can write."""
    shared = tmp_path / "shared"
    shared.mkdir(0o700)
    path.parent.rename(shared / "state")
    link = tmp_path / "link"
    link.symlink_to(shared / "state")
    shared.chmod(0o777)

    assert_unavailable(link / path.name, "folder above")

    shared.chmod(0o700)
    assert_nothing_lost(link / path.name)


def look_without_privileges(path: Path) -> tuple[str, bool, str]:
    """As `claim_without_privileges`; and what is read of a payment, by its key and in the list."""
    words = claim_without_privileges(path)
    with SqliteLedger(path) as ledger:
        record = ledger.by_key(KEY, now=NOON)
        assert record is not None
        assert record == ledger.find_key(FIRST, now=NOON)
        return words, ledger.recent(limit=1, now=NOON).more, record.payment_id


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o400, 0o700), (0o600, 0o500), (0o400, 0o500)])
def test_a_ledger_that_can_only_be_read_still_answers_for_a_known_key(
    path: Path, file_mode: int, folder_mode: int
) -> None:
    """A retry must not be told "nothing was sent" of a key that was."""
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    try:
        words, more, payment_id = in_child(look_without_privileges, path)
    finally:
        path.parent.chmod(0o700)

    assert "read-only" in words or "cannot be opened" in words
    assert more
    assert payment_id == "blikk-1"


def read_without_privileges(path: Path) -> str:
    """As `claim_without_privileges`; the key of a payment that only the log holds, and what is said of it."""
    words = claim_without_privileges(path)
    with SqliteLedger(path) as ledger:
        try:
            record = ledger.by_key(OTHER_KEY, now=NOON)
        except LedgerUnavailable as error:
            return f"{words} {error.message}"
        return "known" if record else "unknown"


def test_a_file_that_can_only_be_read_is_not_believed_without_the_log_beside_it(path: Path, tmp_path: Path) -> None:
    """A payment whose process was killed may lie in the log alone: "no such key" would let it go out twice."""
    left = tmp_path / "left" / path.name
    left.parent.mkdir(0o700)
    with SqliteLedger(path, timer=lambda seconds, call: lambda: None) as ledger:
        claim_another(ledger)
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), left.with_name(name))
    left.chmod(0o400)
    left.parent.chmod(0o500)
    try:
        told = in_child(read_without_privileges, left)
    finally:
        left.parent.chmod(0o700)

    assert told != "unknown"
    assert told == "known" or "cannot be opened" in told or "read-only" in told


def test_a_ledger_whose_lock_another_process_holds_opens_and_answers_for_a_known_key(path: Path) -> None:
    """Reading waits for no writer, in a process that has just started too; a dead claim is *unknown*, written or not."""
    with SqliteLedger(path, process=gone_process()) as before:
        claim_another(before)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE payments SET purpose = 'half'")
        with SqliteLedger(path, busy_timeout_seconds=0.0) as ledger:
            assert ledger.find_key(FIRST, now=NOON) is not None
            dead = ledger.by_key(OTHER_KEY, now=at(2))
            assert dead is not None
            assert dead.state is ClaimState.UNKNOWN
            assert dead.purpose != "half"
            assert len(ledger.recent(limit=5, now=at(2)).records) == 5


EVERY_READ: dict[str, Callable[[SqliteLedger], object]] = {
    "by_key": lambda ledger: ledger.by_key(KEY, now=NOON),
    "find_key": lambda ledger: ledger.find_key(FIRST, now=NOON),
    "by_payment_id": lambda ledger: ledger.by_payment_id("blikk-1", now=NOON),
    "facts": lambda ledger: ledger.facts(FIRST, window_minutes=1440, now=NOON),
    "failed_equals": lambda ledger: ledger.failed_equals(FIRST, since=NOON),
    "seen without news": lambda ledger: ledger.seen(answer(payment_id="blikk-1"), now=NOON),
    "recent": lambda ledger: ledger.recent(limit=1, now=NOON),
    "records": lambda ledger: next(iter(ledger.records(now=NOON))),
    "history": lambda ledger: ledger.history(KEY),
    "stray_keys": lambda ledger: ledger.stray_keys(),
    "verify": lambda ledger: ledger.verify(),
}


@pytest.mark.parametrize("read", EVERY_READ)
def test_nothing_that_only_reads_waits_for_a_writer(path: Path, read: str) -> None:
    """A question must not fail, nor a person be asked late, because another process is paying."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with SqliteLedger(path, busy_timeout_seconds=0.0) as ledger:
            EVERY_READ[read](ledger)
            with pytest.raises(LedgerUnavailable, match="Another process"):
                ledger.check_writable()


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could change it."""
    real = os.geteuid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: real + 1)
        assert_unavailable(path, "belongs to another user")

    assert_nothing_lost(path)


def test_a_folder_in_the_ledgers_place_is_refused(tmp_path: Path) -> None:
    """A wrong path in the settings."""
    (tmp_path / "ledger.sqlite3").mkdir()

    assert_unavailable(tmp_path / "ledger.sqlite3", "not a regular file")


def test_an_outcome_that_cannot_be_written_leaves_the_claim_as_it_was(path: Path) -> None:
    """A claim without an outcome is *sending*, and later *unknown*: never free again by itself."""
    with SqliteLedger(path, busy_timeout_seconds=0.05) as ledger:
        claimed = claim_another(ledger).record
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable):
                ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-2"), now=at(2))
        assert claimed == ledger.by_key(OTHER_KEY, now=at(3))
        late = ledger.by_key(OTHER_KEY, now=at(60))
        assert late == replace(claimed, state=ClaimState.UNKNOWN, updated_at=at(60))
        assert ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-2"), now=at(61)).payment_id == "blikk-2"


def _make_version_1(path: Path) -> None:
    """Take back what the later versions added."""
    for statement in (
        "CREATE TABLE tallies (period TEXT PRIMARY KEY, claims INTEGER, reserved_isk INTEGER) WITHOUT ROWID",
        "INSERT INTO tallies SELECT day, 0, reserved_isk FROM days",
        "INSERT INTO tallies SELECT substr(claimed_at, 1, 19), count(*), 0 FROM payments GROUP BY 1",
        "DROP TABLE days",
        "DROP TABLE payees",
        "DROP INDEX history_by_event",
        "DROP INDEX payments_failed",
        "ALTER TABLE payments DROP COLUMN claim_token",
        "ALTER TABLE payments ADD COLUMN day TEXT GENERATED ALWAYS AS (substr(claimed_at, 1, 10)) VIRTUAL",
        "PRAGMA user_version=1",
    ):
        _edit(path, statement)


def _edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
