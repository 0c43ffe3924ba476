"""What Inspect finds of this package, by its entry point: the task, the scorers and the scripted models."""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.model import ModelAPI, modelapi

from blikk_evals.score import SCORERS
from blikk_evals.task import choose, make_task
from blikk_evals.world import Guard


@task
def payments(names: str | list[str] = "", guard: Guard = "on") -> Task:
    """All scenarios, or those named: `inspect eval blikk_evals/payments -T names=happy,slow --model scripted/good`."""
    return make_task(choose(names), name="payments", guard=guard)


@modelapi(name="scripted")
def scripted() -> type[ModelAPI]:
    """Agents that follow a script."""
    from blikk_evals.scripted.model import ScriptedModel

    return ScriptedModel


__all__ = ["SCORERS", "payments", "scripted"]
