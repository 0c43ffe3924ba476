"""Whether a process is gone on Windows, where a signal would end it: by a handle, against a kernel that is stood in for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from blikk_payments.system.processes import Seen
from blikk_payments.system.windows_processes import ERROR_INVALID_PARAMETER, look_through

ERROR_ACCESS_DENIED = 5
HANDLE = 64


@dataclass
class Kernel:
    """A kernel32 with one process in it."""

    handle: int = HANDLE
    error: int = 0
    ended: bool = False
    time: int = 133_000_000_000_000_000
    closed: list[int] = field(default_factory=list[int])

    def open(self, pid: int) -> tuple[int, int]:
        return self.handle, self.error

    def has_ended(self, handle: int) -> bool:
        assert handle == HANDLE
        return self.ended

    def created(self, handle: int) -> int:
        assert handle == HANDLE
        return self.time

    def close(self, handle: int) -> None:
        self.closed.append(handle)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Kernel(), Seen(is_gone=False, started="133000000000000000")),
        (Kernel(ended=True), Seen(is_gone=True, started="133000000000000000")),
        (Kernel(time=0), Seen(is_gone=False, started="")),
    ],
    ids=["it runs", "it ended and somebody holds a handle", "its times are not told"],
)
def test_a_process_that_can_be_opened_tells_when_it_started_and_whether_it_ended(
    kernel: Kernel, expected: Seen
) -> None:
    """Windows keeps an ended process as long as anybody has a handle to it; ours is given back."""
    assert look_through(kernel, 4242) == expected
    assert kernel.closed == [HANDLE]


def test_a_pid_that_nobody_has_is_gone() -> None:
    """OpenProcess: ERROR_INVALID_PARAMETER for a pid of no process."""
    kernel = Kernel(handle=0, error=ERROR_INVALID_PARAMETER)
    assert look_through(kernel, 4242) == Seen(is_gone=True)
    assert kernel.closed == []


@pytest.mark.parametrize("error", [ERROR_ACCESS_DENIED, 0, 8])
def test_a_process_that_cannot_be_opened_is_not_called_gone(error: int) -> None:
    """Another user's process lives, and cannot be looked at: nobody can tell."""
    assert look_through(Kernel(handle=0, error=error), 4242) == Seen(is_gone=False)


def test_a_number_that_is_no_pid_there_tells_nothing() -> None:
    """A pid has 32 bits; a longer one would be cut to somebody else's."""
    assert look_through(Kernel(handle=0, error=ERROR_INVALID_PARAMETER), 2**32) == Seen(is_gone=False)
