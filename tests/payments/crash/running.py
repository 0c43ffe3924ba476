"""Runs a plan in processes of its own, one for each share of it, and adds up what they found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from blikk_sandbox.running import run_sandbox_in_thread
from tests.payments.crash.calls import Story
from tests.payments.crash.harness import Plan, Point, Report

ROOT = Path(__file__).resolve().parents[3]
LIMIT_SECONDS = 3_600.0
FULL = os.environ.get("BLIKK_CRASH_FULL", "") == "1"
"""Whether to take every line of every story, rather than every line of the first and a sample of the others."""


def carry_out(plan: Plan, parts: int = 1, *, program: str = "harness") -> Report:
    """The report on the whole plan, its points in order. `program`: what carries it out, `harness` or `stop_and_go`."""
    plans = [replace(plan, part=part, parts=parts) for part in range(parts)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", f"tests.payments.crash.{program}", json.dumps(asdict(one))],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for one in plans
    ]
    try:
        texts = [process.communicate(timeout=LIMIT_SECONDS)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert [process.returncode for process in running] == [0] * parts
    reports = [json.loads(text) for text in texts]
    points = [Point(**point) for report in reports for point in report["points"]]
    return Report(
        lines=reports[0]["lines"],
        recovery_lines=reports[0]["recovery_lines"],
        points=sorted(points, key=lambda point: (point.first, point.next)),
    )


def broken(report: Report) -> list[str]:
    """Every broken promise, with where it was broken."""
    return [f"{point.first}/{point.next}: {problem}" for point in report.points for problem in point.problems]


def stop_and_go(*, overruled: bool, every: int = 1, mutant: str = "", parts: int = 1, server: str = "") -> Report:
    """The story at one in `every` lines, at a bank that pays at once. `server`: PostgreSQL's, if it has the ledger."""
    with run_sandbox_in_thread(life="instant_success") as sandbox:
        story = Story("stopped", base_url=sandbox.base_url, api_key=sandbox.api_key, server=server)
        plan = Plan(story, every=every, control_url=sandbox.control_url, overruled=overruled, mutant=mutant)
        return carry_out(plan, parts, program="stop_and_go")
