"""Tell whether the other end of a pipe was closed."""

from __future__ import annotations

import sys


def has_hung_up(fd: int) -> bool:
    """Whether the other end of a pipe or socket is closed, though there may still be something to read.

    On Windows nobody can tell before all is read: False.
    """
    if sys.platform == "win32":
        return False
    import select

    poll = select.poll()
    poll.register(fd, getattr(select, "POLLRDHUP", 0))  # macOS reports a hang-up unasked
    return bool(poll.poll(0))
