"""Writes what the code knows better: the README's tools and settings, the front door's answers, and the packages.

`python docs/generate.py` writes, `--check` fails if there is something to write.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from answers import is_written

from blikk_mcp.settings.table import SETTINGS
from blikk_tools.catalog import ALL_TOOLS

README = Path(__file__).parents[1] / "README.md"
PACKAGES = README.parent / "packaging" / "generate.py"


def tools() -> str:
    """What an agent can call, and what each call does to the world."""
    lines = ["| tool | arguments | does |", "|---|---|---|"]
    for tool in ALL_TOOLS:
        required = set(tool.input_schema.get("required", ()))
        names = ", ".join(f"`{name}`" + ("" if name in required else "?") for name in tool.input_schema["properties"])
        kind = "reads only" if tool.annotations.read_only else "**moves money**, after a person's approval"
        lines.append(f"| `{tool.name}` | {names} | {tool.description} ({kind}) |")
    return "\n".join(lines)


def settings() -> str:
    """Every setting and its default."""
    lines = ["| setting | default | |", "|---|---|---|"]
    for setting in SETTINGS:
        default = setting.default_words or _as_set(setting.default)
        lines.append(f"| `{setting.name}` | {default} | {setting.meaning} |")
    return "\n".join(lines)


def _as_set(default: object) -> str:
    """A default as one would set it."""
    if default in ("", None):
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def main() -> int:
    """Write README.md anew, or say that it should be."""
    before = text = README.read_text()
    for name, part in (("tools", tools()), ("settings", settings())):
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        head, rest = text.split(begin)
        text = f"{head}{begin}\n{part}\n{end}{rest.split(end)[1]}"
    check = "--check" in sys.argv
    if not is_written(check=check):
        sys.stderr.write("The front door's answers are not what the server says: run `make docs`\n")
        return 1
    if check and text != before:
        sys.stderr.write("README.md is not what the code says: run `make docs`\n")
        return 1
    if text != before:
        README.write_text(text)
    # They have parts of README.md, too, and are made from the same settings.
    return subprocess.run([sys.executable, str(PACKAGES), *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
