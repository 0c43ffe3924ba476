"""Support: Codex's app-server with our server in its configuration, and the person whom it puts questions to.

No model is called and nobody is logged in: the provider is a closed port, and what fetches by itself is turned off.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio

from blikk_sandbox.person import approve
from tests.interop.node import SERVER
from tests.missing import unavailable
from tests.npm import node_with
from tests.server.running import Process

HERE = Path(__file__).parent
NAME = "blikk"

ASK_SECONDS = 60.0
START_SECONDS = 30

Era = Literal["handshake", "modern"]

CONFIG = """\
check_for_update_on_startup = false
suppress_unstable_features_warning = true
model = "none"
model_provider = "none"

[analytics]
enabled = false

[features]
plugins = false
mcp_2026_07_28 = {modern}

[model_providers.none]
name = "none"
base_url = "http://127.0.0.1:9/v1"
wire_api = "responses"
supports_websockets = false

[mcp_servers.{name}]
command = "sh"
args = ["-c", 'tee "$0/from_codex.$$" | "$1" | tee "$0/to_codex.$$"', {folder}, {server}]
startup_timeout_sec = {seconds}
"""
"""The shell copies what passes in either direction into files, one for each process of our server."""

MODERN = {"CODEX_MCP_PROTOCOL_VERSION": "2026-07-28"}
"""With the feature, what a server's entry needs for Codex to speak the modern era to it over stdio."""


def installed_codex() -> Path:
    """Codex's program, once its package is in place."""
    node_with(HERE)
    # The program itself, not its wrapper in Node.js, which would be a second process to end.
    programs = sorted((HERE / "node_modules").glob("@openai/codex-*/vendor/*/bin/codex"))
    if not programs:
        unavailable("Codex has no program for this machine")
    return programs[0]


class Person:
    """Whom Codex puts our server's questions to. Gives these answers, one each time, and approves what a link leads to."""

    def __init__(self, answers: Iterable[Mapping[str, Any]] = (), *, approves: bool = False) -> None:
        self._answers = iter(answers)
        self._approves = approves
        self.asked: list[dict[str, Any]] = []

    async def answer(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """The next answer; a question too many fails the test."""
        self.asked.append(question)
        if self._approves:
            await approve(question["url"])
        return next(self._answers)


class Codex:
    """A running app-server with one thread, spoken to as an editor does."""

    def __init__(self, process: Process, folder: Path, person: Person) -> None:
        self._process = process
        self._folder = folder
        self._person = person
        self._thread = ""

    async def start(self) -> None:
        """The handshake with Codex, and a thread."""
        await self.ask("initialize", clientInfo={"name": "blikk-tests", "version": "1"})
        await self._process.send("initialized", notify=True)
        started = await self.ask("thread/start", cwd=str(self._folder), ephemeral=True)
        self._thread = started["result"]["thread"]["id"]

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request; a question for the person on the way is put to them."""
        number = await self._process.send(method, params)
        with anyio.fail_after(ASK_SECONDS):
            while True:
                message = await self._process.receive()
                if "method" not in message and message["id"] == number:
                    return message
                if "method" in message and "id" in message:
                    await self._put(message)
        raise AssertionError("unreachable")

    async def listed(self) -> dict[str, Any]:
        """What Codex knows of our server."""
        (server,) = (await self.ask("mcpServerStatus/list"))["result"]["data"]
        assert server["name"] == NAME
        return server

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool's answer as Codex passes it on, or the error that it makes of it."""
        return await self.ask("mcpServer/tool/call", threadId=self._thread, server=NAME, tool=tool, arguments=arguments)

    def declared(self) -> tuple[str, dict[str, Any]]:
        """The revision in which Codex speaks to our server, and the capabilities that it declares."""
        first = self._passed("from_codex")[0]["params"]
        if "_meta" not in first:
            return first["protocolVersion"], first["capabilities"]
        prefix = "io.modelcontextprotocol/"
        return first["_meta"][f"{prefix}protocolVersion"], first["_meta"][f"{prefix}clientCapabilities"]

    def questions(self) -> list[dict[str, Any]]:
        """Every request that our server made of Codex, on its own or as the input that a call requires."""
        received = self._passed("to_codex")
        required = [message["result"].get("inputRequests", {}) for message in received if "result" in message]
        return [
            *(message for message in received if "method" in message and "id" in message),
            *(request for requests in required for request in requests.values()),
        ]

    def notifications(self) -> list[str]:
        """The method of every notification from our server."""
        return [message["method"] for message in self._passed("to_codex") if "id" not in message]

    def _passed(self, direction: str) -> list[dict[str, Any]]:
        # The last message of a direction may not be in its file yet, or not whole; those before it are.
        files = sorted(self._folder.glob(f"{direction}.*"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n")[:-1]]

    async def _put(self, request: dict[str, Any]) -> None:
        assert request["method"] == "mcpServer/elicitation/request"
        answer = await self._person.answer(request["params"])
        await self._process.send_line(json.dumps({"id": request["id"], "result": answer}))


@asynccontextmanager
async def running_codex(
    program: Path, era: Era, settings: Mapping[str, str], folder: Path, person: Person | None = None
) -> AsyncGenerator[Codex]:
    """Codex with a home of its own in `folder`; `settings` are those of our server."""
    _configure(era, settings, folder)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    opened = await anyio.open_process(
        [program, "app-server", "--strict-config"],
        env={**kept, "HOME": str(folder), "CODEX_HOME": str(folder)},
        cwd=folder,
        start_new_session=True,
    )
    process = Process(opened)
    codex = Codex(process, folder, person or Person())
    try:
        await codex.start()
        yield codex
        await process.close_stdin()
        assert await process.end() == 0, process.stderr
    finally:
        if opened.returncode is None:
            # Our server is a child of Codex's and ends when its stdin does.
            os.killpg(opened.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await opened.aclose()


def _configure(era: Era, settings: Mapping[str, str], folder: Path) -> None:
    config = CONFIG.format(
        modern=json.dumps(era == "modern"),
        name=NAME,
        folder=json.dumps(str(folder)),
        server=json.dumps(SERVER),
        seconds=START_SECONDS,
    )
    environ = {**settings, **(MODERN if era == "modern" else {})}
    lines = [f"{name} = {json.dumps(value)}" for name, value in environ.items()]
    (folder / "config.toml").write_text("\n".join([config, f"[mcp_servers.{NAME}.env]", *lines, ""]), encoding="utf-8")
