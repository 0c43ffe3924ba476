"""Measure how late pollers see a payment change, and draw it: `python benchmarks/bench_polling.py`.

A simulation in virtual time of the very schedule that the server polls by, beside fixed intervals and the schedules that
others use with Blikk's APIs. Prints the tables, writes docs/polling-frontier.svg, exits 1 if the promise is broken.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from polling_simulation import (
    AS_BELIEVED,
    ECOM,
    FIXED_1,
    FIXED_2,
    FIXED_5,
    ISLAND_IS,
    OTHER_WORLDS,
    OTHERS,
    Measured,
    broken_promises,
    measure,
    ours,
)

from blikk_payments.schedule import PollSchedule

LIVES = 20_000
LIVES_ELSEWHERE = 5_000
SEED = 2026
STRETCHES = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "polling-frontier.svg"

Point = tuple[float, float]
"""Requests a payment, and seconds."""

OURS, THEIRS = "#0b6e4f", "#9a4a00"
LABELS = {
    FIXED_1.name: ("fixed 1 s", (7, 4)),
    FIXED_2.name: ("fixed 2 s", (7, 4)),
    FIXED_5.name: ("fixed 5 s\n(SameFare)", (7, 4)),
    ECOM.name: ("Ecom's advice", (-4, 8)),
    ISLAND_IS.name: ("island.is", (7, -3)),
}
"""The words beside each point, and where they begin, in points from it."""


def main() -> int:
    """Measure, print, draw; 1 if the promise does not hold."""
    lives = AS_BELIEVED.lives(LIVES, SEED)
    family = {stretch: measure(ours(PollSchedule(stretch=stretch)), lives, seed=SEED) for stretch in STRETCHES}
    others = {contender.name: measure(contender, lives, seed=SEED) for contender in OTHERS}
    default = family[PollSchedule().stretch]

    print(f"{LIVES:,} payments as believed; delays in seconds from the change until it is seen\n")
    print(_head())
    for stretch, measured in family.items():
        name = "ours, the default" if measured is default else f"ours, stretched by {stretch:g}"
        print(_row(name, measured))
    for name, measured in others.items():
        print(_row(name, measured))
    for world in OTHER_WORLDS:
        print(f"\n{LIVES_ELSEWHERE:,} payments, if we are wrong: {world.name}\n\n{_head()}")
        lives = world.lives(LIVES_ELSEWHERE, SEED)
        for contender in (ours(PollSchedule(), "ours, the default"), FIXED_5, ECOM, ISLAND_IS):
            print(_row(contender.name, measure(contender, lives, seed=SEED)))

    _draw(family, others)
    broken = broken_promises(default, others)
    print("\nThe promise holds." if not broken else "\nThe promise is broken: " + "; ".join(broken) + ".")
    return 1 if broken else 0


def _head() -> str:
    names = ("schedule", "requests", "link, mean", "link, 95th", "final, mean", "final, 95th")
    return f"| {' | '.join(names)} |\n|---{'|--:' * (len(names) - 1)}|"


def _row(name: str, measured: Measured) -> str:
    cells = (measured.link_mean, measured.link_95th, measured.final_mean, measured.final_95th)
    return f"| {name} | {measured.requests:.1f} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |"


def _draw(family: dict[float, Measured], others: dict[str, Measured]) -> None:
    # Text as text: a small file that can be searched and read aloud. The salt and the empty metadata make it the
    # same file every time.
    mpl.rcParams.update({"svg.hashsalt": "polling", "svg.fonttype": "none", "font.size": 10.0})
    figure: Any = Figure(figsize=(9.6, 4.8), facecolor="white", layout="constrained")  # matplotlib's types have gaps
    figure.suptitle(
        f"How late a poller sees a payment change, and what that costs ({LIVES:,} simulated payments; "
        "lower left is better)"
    )
    left, right = figure.subplots(1, 2)
    links = {name: (one.requests, one.link_mean) for name, one in others.items()}
    finals = {name: (one.requests, one.final_mean) for name, one in others.items()}
    _panel(left, "The approval link", [(one.requests, one.link_mean) for one in family.values()], links)
    _panel(right, "The final answer", [(one.requests, one.final_mean) for one in family.values()], finals)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None, "Creator": None})


def _panel(axes: Any, title: str, family: list[Point], others: dict[str, Point]) -> None:
    axes.set(title=title, xlabel="requests a payment, mean", ylabel="seconds until it is seen, mean")
    axes.set(xscale="log", yscale="log", xlim=(14, 420), ylim=(0.1, 12))
    for axis, ticks in ((axes.xaxis, (20, 50, 100, 200)), (axes.yaxis, (0.1, 0.2, 0.5, 1, 2, 5, 10))):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(_plain))
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.plot(*zip(*family, strict=True), "o-", color=OURS, markersize=4, label="ours, faster or slower")
    default = family[STRETCHES.index(PollSchedule().stretch)]
    axes.plot(*default, "*", color=OURS, markersize=15, label="ours, the default")
    for name, point in others.items():
        axes.plot(*point, "s", color=THEIRS, markersize=6)
        text, offset = LABELS[name]
        axes.annotate(text, point, offset, textcoords="offset points", fontsize=9, color=THEIRS)
    axes.legend(loc="lower left", frameon=False, fontsize=9)


def _plain(value: float, _position: int | None) -> str:
    return f"{value:g}"


if __name__ == "__main__":
    sys.exit(main())
