"""Draws docs/demo.svg, the README's picture of `blikk-mcp demo`, by playing the demo and recording its terminal.

`make picture` draws it, `--check` fails if the demo looks otherwise by now. Ids, ports and times are the same in every
picture, so that only a change of the demo or its words changes it.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import anyio
from rich.console import Console
from rich.terminal_theme import MONOKAI

from blikk_mcp.commands.demo import play
from blikk_mcp.commands.transcript import COLUMNS, Transcript

PICTURE = Path(__file__).parent / "demo.svg"
MAX_PLAYS = 3

# What differs from one demo to the next, and what the picture shows in its place. Each is as long as what it replaces,
# give or take a digit of the port.
ALWAYS_THE_SAME = (
    (re.compile(r"pay_[A-Za-z0-9_-]{22}"), "pay_Kr1aKaffi8us1dDem0Only"),
    (re.compile(r"127\.0\.0\.1:[0-9]+"), "127.0.0.1:40585"),
    (re.compile(r"(?<=/bank/approve/)[A-Za-z0-9_-]{32}"), "Gx4wq0uTn7Zb2cVh9sLk5eRy8mPd3aJf"),
    (re.compile(r"after [0-9]+\.[0-9] s"), "after 3.9 s"),
)

SLOW = "The bank has no link yet"
"""Said where this machine was too busy for the usual course; the picture shows that one."""

# rich's own template loads a font from another host. This one makes do with the reader's.
TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
    <title>blikk-mcp demo</title>
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def always_the_same(text: str) -> str:
    """A text of the demo without what differs from one time to the next."""
    for varies, fixed in ALWAYS_THE_SAME:
        text = varies.sub(fixed, text)
    return text


def recording() -> Console:
    """A terminal of the picture's size that remembers what was printed, whatever terminal there is."""
    return Console(
        file=io.StringIO(),
        record=True,
        width=COLUMNS,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )


def draw(console: Console) -> str:
    """What a terminal recorded, as SVG."""
    drawn = console.export_svg(title="blikk-mcp demo", theme=MONOKAI, code_format=TEMPLATE, unique_id="demo")
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def picture() -> str:
    """The demo as it looks now.

    Raises:
        RuntimeError: it did not pay once.
    """
    for _ in range(MAX_PLAYS):
        console = recording()
        if anyio.run(play, Transcript(console, always_the_same)) != 0:
            raise RuntimeError("the demo did not pay once")
        if SLOW not in console.export_text(clear=False):
            return draw(console)
    raise RuntimeError("this machine is too busy for the demo's usual course: try again")


def main() -> int:
    """Draw the picture anew, or say that it should be."""
    drawn = picture()
    if PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == drawn:
        return 0
    if "--check" in sys.argv:
        sys.stderr.write("docs/demo.svg is not what `blikk-mcp demo` shows: run `make picture`\n")
        return 1
    PICTURE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
