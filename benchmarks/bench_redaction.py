"""What redaction costs: an ordinary log line against serialising it, and text by its length.

Run: python benchmarks/bench_redaction.py. Exits with 1 if redacting costs more than serialising.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "server"))

from blikk_mcp.redaction import Redactor

KEY = "bk7Live/9fQ+2ZtW_m4xKdRa8.Yc3=uH"
RECORD = {
    "at": "2026-07-14T12:34:56.789+00:00",
    "level": "info",
    "event": "tool_call",
    "tool": "create_payment",
    "outcome": "awaiting_approval",
    "payment_id": "9b2f6a3e-51c7-4c8e-9d0f-0f6f1d2a7c11",
    "duration_ms": 182,
    "attempt": 1,
    "country": "IS",
    "bank": "0133",
}
ROUNDS = 40
CALLS = 1000


def best_microseconds(*jobs: Callable[[], object]) -> list[float]:
    """The best time of each job, their rounds taken in turn so that all see the same machine."""
    best = [float("inf")] * len(jobs)
    for _ in range(ROUNDS):
        for number, job in enumerate(jobs):
            start = time.perf_counter()
            for _ in range(CALLS):
                job()
            best[number] = min(best[number], (time.perf_counter() - start) / CALLS * 1e6)
    return best


def main() -> int:
    """Prints the table."""
    start = time.perf_counter()
    redactor = Redactor([KEY])
    construction = (time.perf_counter() - start) * 1e3
    line = json.dumps(RECORD)
    message = json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"text": line, "structuredContent": RECORD}})
    leaking = line.replace("0133", KEY)

    dumps, clean, in_message, found = best_microseconds(
        lambda: json.dumps(RECORD),
        lambda: redactor.text(line),
        lambda: redactor.text(message),
        lambda: redactor.text(leaking),
    )
    ratio = clean / dumps
    print(f"{'construction, once':24}{construction:8.2f} ms")
    print(f"{'json.dumps(record)':24}{dumps:8.2f} µs")
    for name, text, taken in (
        ("text(log line)", line, clean),
        ("text(JSON-RPC message)", message, in_message),
        ("text(line with the key)", leaking, found),
    ):
        print(f"{name:24}{taken:8.2f} µs {taken / len(text) * 100:8.2f} µs per 100 characters")
    print(f"{'ratio text / json.dumps':24}{ratio:8.2f}    (at most 1.00)")
    return 0 if ratio <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
