"""Support: the command line in a process where tracing is on. Run as a script: `traced.py FILE [ARGUMENTS]`.

Every span of the process goes into the file, as a line of JSON, as an exporter would send it somewhere. The first one is
the script's own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import trace

from blikk_mcp.cli import main

OWN_SPAN = "the script's own span"


class WrittenSpan(trace.NonRecordingSpan):
    """A span that tells all that it is told."""

    def __init__(self, tell: Callable[..., None]) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self._tell = tell

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: Any) -> None:
        self._tell("attribute", key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._tell("attributes", attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._tell("event", name, attributes)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._tell("status", status, description)

    def record_exception(self, exception: BaseException, *details: Any, **more: Any) -> None:
        self._tell("exception", exception)


class WritingTracer(trace.Tracer):
    """Writes what becomes of its spans."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def start_span(self, name: str, *details: Any, **more: Any) -> trace.Span:
        self._tell("span", name, more)
        return WrittenSpan(self._tell)

    @contextmanager
    def start_as_current_span(self, name: str, *details: Any, **more: Any) -> Generator[trace.Span]:  # pyright: ignore[reportIncompatibleMethodOverride] - the API's is a decorator too
        span = self.start_span(name, *details, **more)
        with trace.use_span(span):
            yield span

    def _tell(self, *parts: Any) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(parts, default=repr) + "\n")


class WritingProvider(trace.TracerProvider):
    """Gives everybody the one tracer."""

    def __init__(self, file: Path) -> None:
        self._tracer = WritingTracer(file)

    def get_tracer(self, *details: Any, **more: Any) -> trace.Tracer:
        return self._tracer


if __name__ == "__main__":
    trace.set_tracer_provider(WritingProvider(Path(sys.argv.pop(1))))
    with trace.get_tracer("test").start_as_current_span(OWN_SPAN):
        pass
    sys.exit(main())
