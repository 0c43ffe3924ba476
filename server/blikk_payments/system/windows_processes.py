"""Whether a process is gone, asked of Windows. A handle to it sends it nothing, unlike `os.kill(pid, 0)`, which ends it."""

from __future__ import annotations

import sys
from typing import Protocol

from blikk_payments.system.processes import Seen

MAX_PID = 2**32 - 1
SYNCHRONIZE, PROCESS_QUERY_LIMITED_INFORMATION = 0x0010_0000, 0x1000
ERROR_INVALID_PARAMETER = 87
"""OpenProcess's answer to a pid that nobody has; one that may not be opened is 5."""
WAIT_OBJECT_0 = 0


class Kernel(Protocol):
    """The four calls that are made of kernel32."""

    def open(self, pid: int) -> tuple[int, int]:
        """A handle; or 0, and the error's number."""
        ...

    def has_ended(self, handle: int) -> bool:
        """Whether it runs no more: as long as somebody holds a handle, an ended process can be opened."""
        ...

    def created(self, handle: int) -> int:
        """When it was created, in units of 100 ns since 1601; 0 if that is not told."""
        ...

    def close(self, handle: int) -> None:
        """Give a handle back."""
        ...


def look_through(kernel: Kernel, pid: int) -> Seen:
    """What Windows tells of a process. A wall clock's time of creation is unlike that of any later process."""
    if pid > MAX_PID:
        return Seen(is_gone=False)
    handle, error = kernel.open(pid)
    if not handle:
        return Seen(is_gone=error == ERROR_INVALID_PARAMETER)
    try:
        created = kernel.created(handle)
        return Seen(is_gone=kernel.has_ended(handle), started=str(created) if created else "")
    finally:
        kernel.close(handle)


if sys.platform == "win32":
    import ctypes
    from ctypes.wintypes import BOOL, DWORD, FILETIME, HANDLE

    class Kernel32:
        """`Kernel`, by ctypes."""

        def __init__(self) -> None:
            library = ctypes.WinDLL("kernel32", use_last_error=True)
            times = ctypes.POINTER(FILETIME)
            self._open_process = library.OpenProcess
            self._open_process.argtypes, self._open_process.restype = (DWORD, BOOL, DWORD), HANDLE
            self._wait = library.WaitForSingleObject
            self._wait.argtypes, self._wait.restype = (HANDLE, DWORD), DWORD
            self._times = library.GetProcessTimes
            self._times.argtypes, self._times.restype = (HANDLE, times, times, times, times), BOOL
            self._close_handle = library.CloseHandle
            self._close_handle.argtypes, self._close_handle.restype = (HANDLE,), BOOL

        def open(self, pid: int) -> tuple[int, int]:
            """See `Kernel.open`."""
            handle: int | None = self._open_process(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
            return handle or 0, ctypes.get_last_error()

        def has_ended(self, handle: int) -> bool:
            """See `Kernel.has_ended`."""
            return self._wait(handle, 0) == WAIT_OBJECT_0

        def created(self, handle: int) -> int:
            """See `Kernel.created`."""
            created, *others = (FILETIME() for _ in range(4))
            if not self._times(handle, ctypes.byref(created), *map(ctypes.byref, others)):
                return 0
            return (created.dwHighDateTime << 32) | created.dwLowDateTime

        def close(self, handle: int) -> None:
            """See `Kernel.close`."""
            self._close_handle(handle)
