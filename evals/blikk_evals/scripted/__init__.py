"""Agents that follow a script: the good one, each bad one by one change of it, and the baselines."""

from blikk_evals.scripted.bad import BAD
from blikk_evals.scripted.baselines import BASELINES
from blikk_evals.scripted.good import Good

AGENTS: dict[str, type[Good]] = {"good": Good, **BAD, **BASELINES}

__all__ = ["AGENTS", "BAD", "BASELINES", "Good"]
