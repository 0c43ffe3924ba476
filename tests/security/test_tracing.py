"""Tracing: where somebody has switched it on, the process makes no spans, so nothing goes out past the redaction."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import pytest
from mcp.shared import _otel  # pyright: ignore[reportPrivateUsage]

from tests.payments.loopback import loopback
from tests.security import traced
from tests.security.callers import Place, started
from tests.security.canaries import KEY, Haul
from tests.security.echoing import EchoingBlikk
from tests.security.tours import Tour, settings
from tests.server.running import wired


@pytest.mark.anyio
async def test_a_server_that_is_traced_writes_nothing_into_spans(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The SDK's tracer is a real one where the process has a provider."""
    spans = tmp_path / "spans"
    monkeypatch.setattr(_otel, "_tracer", traced.WritingTracer(spans))
    async with wired({"BLIKK_API_KEY": KEY, "BLIKK_LEDGER": str(tmp_path / "state" / "ledger.sqlite3")}) as server:
        await server.initialize()
        assert "error" in await server.ask("tools/call", {"name": KEY, "arguments": {"key": KEY}})
        assert (await server.call("create_payment", {}))["error_code"] == "invalid_arguments"
    assert not spans.exists()


@pytest.mark.slow
def test_a_process_that_is_traced_writes_nothing_into_spans(tmp_path: Path) -> None:
    """Spans if tracing is on. The SDK's own hold the name of the tool that was called, and what clients answer."""
    spans = tmp_path / "given" / "spans"
    spans.parent.mkdir()

    async def traced_calls() -> None:
        place, blikk = Place(tmp_path), EchoingBlikk()
        async with loopback(blikk) as running:
            environ = place.environment(**settings(running.base_url, BLIKK_ASK_ABOVE_ISK="1"))
            command = (sys.executable, traced.__file__, str(spans))
            async with started(place, environ, command=command) as caller:
                tour = Tour("traced", place, caller, Haul())
                with tour.scene("calls"):
                    await caller.initialize(elicitation={"form": {}})
                    await caller.ask("tools/call", {"name": KEY, "arguments": {"key": KEY}})
                    refused = await tour.create()
                    assert refused["error_code"] == "confirmation_declined"
                await tour.end()

    anyio.run(traced_calls)
    assert [json.loads(line)[1] for line in spans.read_text().splitlines()] == [traced.OWN_SPAN]
