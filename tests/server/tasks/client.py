"""Support: a client with tasks, in memory, over a scripted channel and under virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from blikk_mcp.app import running_app
from blikk_mcp.redaction.messages import redact_line
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.settings.settings import Settings, read_settings
from blikk_mcp.transports.plain import CAPABILITIES_KEY, CLIENT_KEY, MODERN, VERSION_KEY
from blikk_mcp.transports.stdio import line_of
from tests.payments.doubles import ScriptedChannel, ServiceHarness, Step, paying
from tests.tools.calls import arguments

SECRET = "3q8Wz-Kh7TfRm2-key-of-the-channel"
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
REDACT = partial(redact_line, redactor_of(SECRET))
CLIENT = {"name": "test", "version": "1"}


def envelope(capabilities: Mapping[str, Any] = TASKS) -> dict[str, Any]:
    """What every request of the modern era carries."""
    return {"_meta": {VERSION_KEY: MODERN, CLIENT_KEY: CLIENT, CAPABILITIES_KEY: dict(capabilities)}}


@dataclass
class TaskClient:
    """A client that declares tasks, unless a request is given other capabilities."""

    house: ServiceHarness
    to_server: MemoryObjectSendStream[SessionMessage | Exception]
    answers: MemoryObjectReceiveStream[SessionMessage]
    modern: bool = True
    last_id: int = 0
    lines: list[str] = field(default_factory=list[str])

    async def send(self, method: str, declares: Mapping[str, Any] = TASKS, **params: Any) -> int:
        """One request; its id."""
        self.last_id += 1
        given = {**params, **(envelope(declares) if self.modern else {})}
        request = types.JSONRPCRequest(jsonrpc="2.0", id=self.last_id, method=method, params=given)
        await self.to_server.send(SessionMessage(request))
        return self.last_id

    async def notify(self, method: str, **params: Any) -> None:
        """One notification."""
        await self.to_server.send(
            SessionMessage(types.JSONRPCNotification(jsonrpc="2.0", method=method, params=params))
        )

    async def ask(self, method: str, declares: Mapping[str, Any] = TASKS, **params: Any) -> dict[str, Any]:
        """The answer to one request, as it goes over the wire."""
        number = await self.send(method, declares, **params)
        while True:
            line = line_of(await self.answers.receive(), REDACT).decode()
            self.lines.append(line)
            answer = json.loads(line)
            if answer.get("id") == number:
                return answer

    async def create(self, **changes: Any) -> dict[str, Any]:
        """The result of create_payment."""
        answer = await self.ask("tools/call", name="create_payment", arguments=arguments(**changes))
        return answer["result"]["structuredContent"]

    async def wait(
        self, payment_id: str = "pay-1", declares: Mapping[str, Any] = TASKS, **changes: Any
    ) -> dict[str, Any]:
        """What await_payment answers where the person is informed."""
        given = {"payment_id": payment_id, "human_informed": True, **changes}
        return (await self.ask("tools/call", declares, name="await_payment", arguments=given))["result"]

    async def begin(self, payment_id: str = "pay-1") -> str:
        """The handle of a new task."""
        begun = await self.wait(payment_id)
        assert begun["resultType"] == "task", begun
        return begun["taskId"]

    async def get(self, task_id: str) -> dict[str, Any]:
        """How a task stands."""
        answer = await self.ask("tasks/get", taskId=task_id)
        return answer.get("result") or answer["error"]


@asynccontextmanager
async def task_client(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *creates: Step,
    channel: ScriptedChannel | None = None,
    settings: Mapping[str, str] | None = None,
    version: str = MODERN,
) -> AsyncGenerator[TaskClient]:
    """A client of a server that was just started. With a channel of before, it is started again."""

    @asynccontextmanager
    async def scripted(*_: object) -> AsyncGenerator[Any]:
        async with paying(folder, *creates, channel=channel) as house:
            houses.append(house)
            yield house.service

    houses: list[ServiceHarness] = []
    monkeypatch.setattr("blikk_mcp.payments.running_service", scripted)
    to_server, received = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    to_client, answers = anyio.create_memory_object_stream[SessionMessage](10)
    given: Settings = read_settings({"BLIKK_API_KEY": SECRET, "BLIKK_LEDGER": str(folder / "no"), **(settings or {})})
    async with (
        running_app(given, redactor_of(SECRET)) as server,
        anyio.create_task_group() as tasks,
        to_server,
        answers,
    ):
        tasks.start_soon(server.run, received, to_client, server.create_initialization_options())
        client = TaskClient(None, to_server, answers)  # type: ignore[arg-type]
        if version != MODERN:
            client.modern = False
            handshake = await client.ask("initialize", protocolVersion=version, capabilities=TASKS, clientInfo=CLIENT)
            assert handshake["result"]["protocolVersion"] == version
            await client.notify("notifications/initialized")
        # Opens the desk, and with it the house.
        await client.ask("tools/list")
        (client.house,) = houses
        yield client
        tasks.cancel_scope.cancel()
