"""Telling that a process is gone, and never saying so of one that may live."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from blikk_payments.ledger.processes import ProcessIdentity, is_gone
from blikk_payments.system import processes
from tests.expecting import assert_fields
from tests.missing import unavailable
from tests.payments.ledgers import in_child


@pytest.fixture(scope="module", autouse=True)
def _proc() -> None:
    """A process's start is read from there."""
    if not Path("/proc/self/stat").exists():
        unavailable("this system has no /proc")


def current_token() -> str:
    return ProcessIdentity.current().dump()


def test_this_process_is_not_gone() -> None:
    """A token tells of the process that wrote it."""
    identity = ProcessIdentity.current()

    assert identity.pid == os.getpid()
    assert identity == ProcessIdentity.parse(identity.dump())
    assert not is_gone(identity.dump())


def test_a_child_that_ended_is_gone() -> None:
    """Unknown as soon as that process is known to be gone."""
    assert is_gone(in_child(current_token))


def test_a_child_that_lives_is_not_gone_and_a_zombie_is() -> None:
    """A process that was killed but not yet collected sends nothing any more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        mine = ProcessIdentity.current()
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        token = replace(mine, pid=child.pid, started=stat[stat.rindex(")") + 1 :].split()[19]).dump()
        assert not is_gone(token)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(token)


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"started": "1"}, True),
        ({"pid": 2**22 + 1}, True),
        ({"boot": "00000000-0000-0000-0000-000000000000"}, True),
        ({"boot": ""}, False),
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "boot": "x"}, False),
        ({"namespace": "pid:[1]", "started": "1"}, False),
        ({"pid": 2**62}, False),
    ],
)
def test_gone_is_said_only_where_it_is_certain(changes: dict[str, str | int], gone: bool) -> None:
    """A reused pid or another boot of this machine is certain; another machine or container is not."""
    token = replace(ProcessIdentity.current(), **changes).dump()  # pyright: ignore[reportArgumentType]

    assert is_gone(token) is gone


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "{}",
        "[]",
        "null",
        '["h","b","n",0,"s"]',
        '["h","b","n",-1,"s"]',
        '["h","b","n",true,"s"]',
        '["h","b","n","1","s"]',
        "[1,2,3,4,5]",
    ],
)
def test_what_is_no_token_tells_nothing(token: str) -> None:
    """Junk proves nothing."""
    assert ProcessIdentity.parse(token) is None
    assert not is_gone(token)


def test_a_command_name_with_brackets_and_spaces_is_read_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """proc(5): field 2 is the command name in brackets, whatever characters it has."""
    fields = ["S", *(str(number) for number in range(4, 53))]
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getpid()) / "stat").write_text(f"{os.getpid()} (a) Z (b) {' '.join(fields)}")
    monkeypatch.setattr(processes, "PROC", tmp_path)

    assert ProcessIdentity.current().started == "22"


@pytest.mark.parametrize("told", [None, "", "1 (sh", "1 (sh) S 1"])
def test_a_process_of_which_little_or_nothing_may_be_read_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None
) -> None:
    """/proc hides other users' processes, and one can end between two reads: a ledger must not stumble over either."""
    monkeypatch.setattr(processes, "PROC", tmp_path)
    stat = tmp_path / str(os.getpid()) / "stat"
    stat.parent.mkdir()
    if told is None:
        # Reading a folder is an error that is no "not found", for root too.
        stat.mkdir()
    else:
        stat.write_text(told)
    assert processes.look_at(os.getpid()) == processes.Seen(is_gone=False)


def test_without_proc_the_kernel_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS has no /proc; there only an absent pid is certain."""
    monkeypatch.setattr(processes, "PROC", tmp_path)
    mine = ProcessIdentity.current()

    assert_fields(mine, boot="", namespace="", started="")
    assert not is_gone(mine.dump())
    assert not is_gone(replace(mine, pid=os.getppid()).dump())
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert is_gone(replace(mine, pid=child.pid).dump())
