"""A client that does not read: neither its stderr nor its answers stop the process, fill its memory or hold its end up."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from unittest.mock import Mock

import anyio
import pytest

from blikk_mcp.app import running_app
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.settings.settings import read_settings
from blikk_mcp.stderr import FINISH_SECONDS, MAX_UNWRITTEN_CHARACTERS, QueuedStderr
from blikk_mcp.transports import stdio
from blikk_mcp.transports.front_door import LAST_ANSWERS_SECONDS, Handover
from blikk_mcp.transports.wire import (
    LOOK_SECONDS,
    MAX_HELD_BYTES,
    MAX_LINE_BYTES,
    MAX_UNSENT_BYTES,
    STALL_SECONDS,
    Wire,
)
from blikk_sandbox.running import RunningSandbox
from tests.server.running import LIMIT_SECONDS, MODERN_META, PipedServer, Process, environment, inherited, spawned

pytestmark = pytest.mark.anyio

CALLS_THAT_FILL_A_PIPE = 600
"""A log line has some 200 bytes, a pipe 65,536."""

LISTS_THAT_FILL_ALL = 500
"""A list of tools has some 20,000 bytes: more than the pipe and the queue of answers hold."""

PATIENCE_SECONDS = 2.0
MOST_TAKEN = 2 * (MAX_HELD_BYTES + MAX_LINE_BYTES + MAX_UNSENT_BYTES)
MOST_MEMORY = 200_000_000
LONG_ID = 1000
"""It comes back in the answer: few pings fill what is held of both."""


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


async def end_unread(server: Process) -> int:
    """The exit code of a process whose stdout and stderr stay unread."""
    with anyio.fail_after(LIMIT_SECONDS):
        return await server.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["EOF", "SIGTERM", "SIGINT"])
async def test_a_client_that_never_reads_stderr_is_served_and_ends_it(environ: dict[str, str], end: str) -> None:
    """Seen in clients: stderr is a pipe that nobody reads. MCP: a client may ignore it."""
    async with spawned(environ) as server:
        await server.initialize()
        for _ in range(CALLS_THAT_FILL_A_PIPE):
            assert (await server.call("create_payment", {}))["error_code"] == "invalid_arguments"
        if end == "EOF":
            await server.close_stdin()
            assert await end_unread(server) == 0
        else:
            number = signal.Signals[end]
            server.process.send_signal(number)
            assert await end_unread(server) == 128 + number


def write_until_it_blocks(stdin: int) -> int:
    """Pings by the thousand, until the process takes no more of them; how many bytes it took."""
    os.set_blocking(stdin, False)
    taken, number = 0, 0
    long = b"x" * LONG_ID
    while taken < 4 * MOST_TAKEN and select.select([], [stdin], [], PATIENCE_SECONDS)[1]:
        number += 1
        taken += os.write(stdin, b'{"jsonrpc":"2.0","id":"%d%s","method":"ping"}\n' % (number, long))
    return taken


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("end", ["SIGTERM", pytest.param("EOF", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["pipe", pytest.param("socket", marks=pytest.mark.slow)])
def test_unread_answers_stop_the_reading_and_not_the_end(environ: dict[str, str], kind: str, end: str) -> None:
    """Seen: 66 MB of memory became 1,151 MB. Whoever reads no answers is not read either.

    Node.js and asyncio give a child sockets for pipes.
    """
    ours, theirs = socket.socketpair()
    read, write = (ours.fileno(), theirs.fileno()) if kind == "socket" else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "blikk_mcp.cli"],
        env={**inherited(), **environ},
        stdin=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        ours.close() if kind == "socket" else os.close(read)
        assert write_until_it_blocks(write) < MOST_TAKEN
        assert resident_bytes(process.pid) < MOST_MEMORY
        if end == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            theirs.close() if kind == "socket" else os.close(write)
        assert process.wait(LIMIT_SECONDS) == (143 if end == "SIGTERM" else 0)
    finally:
        process.kill()
        process.communicate()
        ours.close()
        theirs.close()


async def test_a_client_that_reads_late_gets_every_answer_once(environ: dict[str, str]) -> None:
    """What is held back is neither lost nor answered twice."""
    ids = Counter[int]()
    numbers = range(1000, 1000 + LISTS_THAT_FILL_ALL)
    async with spawned(environ) as server:
        await server.initialize()
        lines = [f'{{"jsonrpc":"2.0","id":{number},"method":"tools/list"}}\n' for number in numbers]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.send_raw, "".join(lines).encode())
            await anyio.wait_all_tasks_blocked()
            for _ in numbers:
                ids[(await server.receive())["id"]] += 1
    assert ids == Counter(numbers)


async def test_a_slow_reader_gets_its_answers_after_the_writer_has_gone(environ: dict[str, str]) -> None:
    """`printf … | blikk-mcp | less`: stdin is at its end while answers are still to be read."""
    async with spawned(environ) as server:
        await server.initialize()
        numbers = [await server.send("ping") for _ in range(200)]
        await server.close_stdin()
        assert await server.end() == 0
    assert [json.loads(line)["id"] for line in server.rest.splitlines()] == numbers


def accounted_for(text: str, line: str) -> int:
    """The lines that came, and those that are said to have been dropped."""
    others = [other for other in text.splitlines(keepends=True) if other != line]
    return text.count(line) + sum(int(other.partition(" ")[0]) for other in others if other.endswith("read it\n"))


def test_stderr_drops_what_nobody_reads_and_says_how_much() -> None:
    """The queue is bounded; a line is written whole or not at all, and the count of the dropped ones follows."""
    read, write = os.pipe()
    stderr = QueuedStderr(write)
    line = "x" * 1023 + "\n"
    lines = 2 * (MAX_UNWRITTEN_CHARACTERS + 65_536) // len(line)
    for _ in range(lines):
        stderr.write(line)
    text = ""
    while not text.endswith("nobody read it\n") or accounted_for(text, line) < lines:
        text += os.read(read, 65_536).decode()
    assert accounted_for(text, line) == lines
    assert text.count(line) < lines
    os.close(write)
    os.close(read)


def test_stderr_that_is_closed_is_no_error() -> None:
    """A client may close the pipe."""
    read, write = os.pipe()
    os.close(read)
    stderr = QueuedStderr(write)
    for _ in range(3):
        stderr.write("a line\n")
        stderr.finish()
    os.close(write)


def test_a_text_for_stderr_that_is_larger_than_the_queue_is_dropped_as_a_whole() -> None:
    """One huge traceback must not take the memory that the queue may not."""
    read, write = os.pipe()
    stderr = QueuedStderr(write)
    stderr.write("x" * (MAX_UNWRITTEN_CHARACTERS + 1))
    stderr.write("after\n")
    text = ""
    while not {"after", "read it"} <= {line.removesuffix("\n")[-7:].strip() for line in text.splitlines()}:
        text += os.read(read, 65_536).decode()
    assert sorted(text.splitlines()) == ["1 lines for stderr were dropped: nobody read it", "after"]
    os.close(write)
    os.close(read)


async def test_a_client_that_closes_its_end_of_stdout_ends_the_server(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads no answers can ask for nothing, though it goes on writing."""
    monkeypatch.setattr(stdio, "exit_soon", Mock())
    pipes = PipedServer()
    wire = Wire(pipes.reads, pipes.writes)
    wire.start()
    await pipes.stdout.aclose()

    async def write() -> None:
        while True:
            await pipes.stdin.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')

    async with running_app(read_settings(dict(environ)), redactor_of()) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        with anyio.fail_after(PATIENCE_SECONDS):
            assert await stdio.serve_stdio(server, str, wire, Handover()) == 0
        tasks.cancel_scope.cancel()
    await pipes.stdin.aclose()
    # Not the end that the wire's thread may still be about to read.
    os.close(pipes.writes)


def test_the_end_is_forced_by_a_thread_that_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that could end at once does not wait for what would have ended it."""
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    before = set(threading.enumerate())
    monkeypatch.setattr(stdio, "EXIT_SECONDS", 0.05)
    monkeypatch.setattr("os._exit", end)
    stdio.exit_soon(143)
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)
    assert ended.wait(LIMIT_SECONDS)
    assert codes == [143]


def test_what_holds_up_the_end_adds_up_to_two_seconds_at_most() -> None:
    """Clients kill a server that does not end: the last answers, what does not let go, and the last lines of the log."""
    assert stdio.LAST_ANSWERS_SECONDS + stdio.EXIT_SECONDS + FINISH_SECONDS <= 2
    assert LAST_ANSWERS_SECONDS + FINISH_SECONDS <= 2
    assert STALL_SECONDS + LOOK_SECONDS <= 1


def test_what_a_client_says_after_the_end_disturbs_nobody(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that reads outlives the event loop; a traceback about it would look like a crash."""
    monkeypatch.setattr(stdio, "exit_soon", Mock())
    pipes = PipedServer()
    wire = Wire(pipes.reads, pipes.writes)

    async def serve() -> None:
        async with running_app(read_settings(dict(environ)), redactor_of()) as server:
            await pipes.stdin.aclose()
            wire.start()
            assert await stdio.serve_stdio(server, str, wire, Handover()) == 0

    anyio.run(serve)
    assert wire.on_change is not None
    wire.on_change()
    os.close(pipes.reads)
    os.close(pipes.writes)


async def test_the_end_is_forced_after_eof_though_nobody_reads_the_answers(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that hung up and keeps the other pipe open would otherwise keep the process for ever."""
    forced: list[int] = []
    is_forced = anyio.Event()

    def force(code: int) -> None:
        forced.append(code)
        is_forced.set()

    monkeypatch.setattr(stdio, "exit_soon", force)
    monkeypatch.setattr(stdio, "LAST_ANSWERS_SECONDS", 0.01)
    pipes = PipedServer()
    wire = Wire(pipes.reads, pipes.writes)
    wire.start()
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": MODERN_META}})
    async with running_app(read_settings(dict(environ)), redactor_of()) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(stdio.serve_stdio, server, str, wire, Handover())
        # More than what may be unsent, so that some of them cannot be taken any more.
        await pipes.stdin.send(f"{asked}\n".encode() * 300)
        await pipes.stdin.aclose()
        with anyio.fail_after(LIMIT_SECONDS):
            await is_forced.wait()
        tasks.cancel_scope.cancel()
    assert forced == [0]
    await pipes.stdout.aclose()
    for fd in (pipes.reads, pipes.writes):
        os.close(fd)


def test_what_a_terminal_cannot_show_is_escaped_on_stderr() -> None:
    """Half an emoji in a library's message must not end the thread that writes, and with it every later line."""
    read, write = os.pipe()
    stderr = QueuedStderr(write)
    stderr.write("half \ud83d\n")
    stderr.finish()
    stderr.write("Þórunn\n")
    stderr.finish()
    os.close(write)
    with open(read, "rb") as stream:
        assert stream.read().decode() == "half \\ud83d\nÞórunn\n"
