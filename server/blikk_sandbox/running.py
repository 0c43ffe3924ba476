"""The sandbox as a running server on loopback: inside the caller's event loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, ParamSpec

import anyio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from blikk_sandbox.app import PREFIX, create_app
from blikk_sandbox.bank import Clock, wall_clock
from blikk_sandbox.dropping import TRANSPORT
from blikk_sandbox.hosts import is_loopback
from blikk_sandbox.lives import LifeName
from blikk_sandbox.names import Names

START_TIMEOUT_SECONDS: Final = 10.0
STOP_TIMEOUT_SECONDS: Final = 5.0
DATE_SECONDS: Final = 1.0

P = ParamSpec("P")


@dataclass(frozen=True)
class RunningSandbox:
    """Where a sandbox listens, and the key of its first channel."""

    base_url: str
    api_key: str = field(repr=False)
    control_url: str


@asynccontextmanager
async def run_sandbox(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_keys: Sequence[str] = (),
    speed: float = 1.0,
    clock: Clock = wall_clock,
    configured_account: bool = True,
    life: str = LifeName.STANDARD,
    link_seconds: float | None = None,
    seed: int | None = None,
    allow_remote: bool = False,
) -> AsyncGenerator[RunningSandbox]:
    """A sandbox that listens while the block runs. Needs asyncio; prints nothing; handles no signals.

    Port 0 takes any free port; with no key one is made up. `link_seconds` is how long an approval link lives; the
    same `seed` and the same requests give the same key, ids and links. Raises `ValueError` for a host beyond this machine
    unless `allow_remote`, and `OSError` when the port is taken.
    """
    if not allow_remote and not is_loopback(host):
        raise ValueError("the sandbox listens on loopback only, unless allow_remote is given")
    names = Names(seed)
    # No word of ours in it: whoever redacts it would have to look twice at every text that holds the word.
    keys = list(api_keys) or [names.text_of("key", size=30)]
    app = create_app(
        keys,
        speed=speed,
        clock=clock,
        configured_account=configured_account,
        life=life,
        link_seconds=link_seconds,
        names=names,
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        # asyncio sets this only on sockets that it opened itself; without it each kept-alive answer waits for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = _Server(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="blikk-sandbox")
        try:
            await server.wait_until_started(serving)
            bound = listener.getsockname()
            origin = f"http://[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"http://{bound[0]}:{bound[1]}"
            yield RunningSandbox(f"{origin}{PREFIX}", keys[0], f"{origin}/_sandbox")
        finally:
            server.stop()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([serving], timeout=STOP_TIMEOUT_SECONDS)


def _in_thread(
    run_in_loop: Callable[P, AbstractAsyncContextManager[RunningSandbox]],
) -> Callable[P, AbstractContextManager[RunningSandbox]]:
    @contextmanager
    def running_in_thread(*arguments: P.args, **options: P.kwargs) -> Generator[RunningSandbox]:
        with _served_in_thread(run_in_loop(*arguments, **options)) as running:
            yield running

    return running_in_thread


run_sandbox_in_thread = _in_thread(run_sandbox)
"""`run_sandbox` with the same options, for callers that have no event loop: in a thread with one of its own."""


@contextmanager
def _served_in_thread(sandbox: AbstractAsyncContextManager[RunningSandbox]) -> Generator[RunningSandbox]:
    started: Future[tuple[RunningSandbox, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with sandbox as running:
            started.set_result((running, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="blikk-sandbox", daemon=True)
    thread.start()
    running, loop, stop = started.result(START_TIMEOUT_SECONDS)
    try:
        yield running
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stop.set)
        thread.join(STOP_TIMEOUT_SECONDS)


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets a fault reach the connection it is to drop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _Server(uvicorn.Server):
    """A server that starts and stops at a word, and leaves the caller's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_started = asyncio.Event()
        self._is_stopping = asyncio.Event()

    async def wait_until_started(self, serving: asyncio.Task[None]) -> None:
        """Return when it listens; raise what `serving` raised if it ended instead."""
        waiting = asyncio.create_task(self._is_started.wait())
        try:
            await asyncio.wait([waiting, serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if serving.done():
            serving.result()
            raise RuntimeError("the sandbox did not start")

    def stop(self) -> None:
        """Ask it to end."""
        self._is_stopping.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self.on_tick(0)
        self._is_started.set()

    async def main_loop(self) -> None:
        while not self._is_stopping.is_set():
            with anyio.move_on_after(DATE_SECONDS):
                await self._is_stopping.wait()
            # Renews the Date header, which clients compare their clocks with.
            await self.on_tick(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Clients that keep their connection open, or wait for a slow answer, do not hold up the end.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
