"""`payout_run.py`: bad rows stop everything, a row is paid once however often the run was killed, the worst comes first."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread
from tests.examples.environments import ROOT, RUN_SECONDS, python_of, run
from tests.sandbox_control import control

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILLS = 20
SEED = 16
READS_OF_A_ROW = 2  # at least: one finds the link, one finds it paid
LOOK_SECONDS = 0.02
A_LITTLE_SECONDS = 0.3
HEADER = ["reference", "creditor_name", "creditor_ssn", "creditor_account", "amount", "purpose"]
IBAN = "IS14 0159 2600 7654 5510 7303 39"
SCRIPT = "agent_examples/payout_run.py"


@pytest.fixture
def bank() -> Iterator[RunningSandbox]:
    """A bank that is in no need of time."""
    with run_sandbox_in_thread(speed=500) as running:
        yield running


def rows_of(*amounts: int, batch: str = "run") -> list[list[str]]:
    return [[f"{batch}-{n}", f"Payee {n}", "551073-0339", IBAN, str(amount), ""] for n, amount in enumerate(amounts)]


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def command(file: Path, bank: RunningSandbox, folder: Path) -> list[str]:
    report = str(folder / "report.csv")
    return [python_of("terminal"), SCRIPT, str(file), "--approve", "--sandbox-at", bank.base_url, "--report", report]


def environment(folder: Path) -> dict[str, str]:
    """A ledger of the test's own, and no limit that a quick run would meet."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BLIKK_")}
    return own | {"BLIKK_LEDGER": str(folder / "state" / "ledger.sqlite3"), "BLIKK_CREATES_PER_MINUTE": "1000"}


def outcomes(folder: Path) -> list[tuple[str, str]]:
    with (folder / "report.csv").open(encoding="utf-8", newline="") as file:
        return [(line["reference"], line["outcome"]) for line in csv.DictReader(file)]


def paid_amounts(bank: RunningSandbox) -> Counter[int]:
    record = control(bank, "record")
    return Counter(payment["amount"] for payment in record["payments"] if payment["id"] in record["paid"])


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_a_random_moment_and_run_again_it_pays_each_row_once(
    bank: RunningSandbox, tmp_path: Path, number: int
) -> None:
    """SIGKILL somewhere in a run; the run after it finishes what is left, and only that.

    The moment is a point of the run's progress, not of its time: fast or slow, a machine kills at the same one.
    """
    chance = random.Random(SEED + number)
    amounts = (1000, 2000, 3000)
    start = command(write(tmp_path / "rows.csv", rows_of(*amounts)), bank, tmp_path)
    reads = chance.randint(0, READS_OF_A_ROW * len(amounts))
    # Half of them end while the bank holds back its answer, the others a little after it.
    held = reads > 0 and number % 2 == 0
    passing = {"fault": "slow", "operation": "read", "seconds": 0}
    last = passing | {"seconds": RUN_SECONDS if held else 0}
    control(bank, "faults", {"faults": [*[passing] * (reads - 1), last][:reads]}, "PUT")
    with subprocess.Popen(
        start, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for_the_reads(process, bank)
            assert not held or process.poll() is None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0 if held else chance.uniform(0, A_LITTLE_SECONDS))
        finally:
            process.kill()
    control(bank, "faults", method="DELETE")
    again = subprocess.run(
        start, cwd=ROOT, env=environment(tmp_path), capture_output=True, timeout=RUN_SECONDS, check=False
    )
    assert again.returncode == 0, again.stderr.decode()
    control(bank, "clock", {"advance_seconds": 600})
    assert paid_amounts(bank) == Counter(amounts)
    assert outcomes(tmp_path) == [(f"run-{n}", "paid") for n in range(len(amounts))]


def wait_for_the_reads(process: subprocess.Popen[bytes], bank: RunningSandbox) -> None:
    """Return when the bank got as many reads as faults were set for them, or when the process has ended."""
    deadline = time.monotonic() + RUN_SECONDS
    while control(bank, "faults")["faults"] and time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LOOK_SECONDS)
            return


def test_bad_rows_are_named_before_anything_is_paid(bank: RunningSandbox, tmp_path: Path) -> None:
    """One bad row stops the good ones too; what is in it is not repeated."""
    rows = rows_of(1000, 2000, 3000, 4000, 5000)
    rows[1][4] = "2.000"
    rows[2][3] = "IS15 0159 2600 7654 5510 7303 39"
    rows[3][2] = "12345"
    rows[4][0] = "run-0"
    ended = run(*command(write(tmp_path / "rows.csv", rows), bank, tmp_path))
    assert ended.returncode == 2
    for line, word in ((3, "amount"), (4, "creditor_account"), (5, "creditor_ssn"), (2, "reference"), (6, "reference")):
        assert f"line {line}: {word}" in ended.stderr
    assert "IS15" not in ended.stderr
    assert control(bank, "record")["received"] == []


def test_an_unknown_outcome_comes_first_and_is_not_paid_again(bank: RunningSandbox, tmp_path: Path) -> None:
    """The answer to the second row is lost: nothing is sent again, also by a second run, and the exit code says so."""
    file = write(tmp_path / "rows.csv", [*rows_of(1000), *rows_of(2000, batch="lost")])
    file.write_text(
        file.read_text().replace("lost-0,Payee 0,551073-0339," + IBAN, "lost-0,Payee,551073-0339,0159-26-007655")
    )
    ledger = environment(tmp_path)["BLIKK_LEDGER"]
    in_order = {"fault": "slow", "operation": "create", "seconds": 0}
    lost = {"fault": "answer_lost_after_commit", "operation": "create"}
    control(bank, "faults", {"faults": [in_order, lost]}, "PUT")
    for _ in range(2):
        ended = run(*command(file, bank, tmp_path), BLIKK_LEDGER=ledger)
        assert ended.returncode == 1, ended.stderr
        assert outcomes(tmp_path) == [("lost-0", "unknown"), ("run-0", "paid")]
    assert len(control(bank, "record")["received"]) == 2


def test_a_row_that_was_corrected_is_the_same_purchase(bank: RunningSandbox, tmp_path: Path) -> None:
    """Its key is its reference: another amount under it is refused, not paid on top."""
    ledger = environment(tmp_path)["BLIKK_LEDGER"]
    for amount, code in ((1000, 0), (1001, 1)):
        ended = run(*command(write(tmp_path / "rows.csv", rows_of(amount)), bank, tmp_path), BLIKK_LEDGER=ledger)
        assert ended.returncode == code, ended.stderr
    assert paid_amounts(bank) == Counter([1000])
    assert outcomes(tmp_path) == [("run-0", "refused")]
