"""Writes every package's files; `--check` fails if there is something to write. Asks no network for anything."""

from __future__ import annotations

import sys

from blikk_packages.files import generated
from blikk_packages.product import ROOT


def main() -> int:
    """Write what differs, or name it."""
    stale = {name: text for name, text in generated().items() if _held(name) != text}
    if "--check" in sys.argv:
        for name in stale:
            sys.stderr.write(f"{name} is not what its source says: run `make docs`\n")
        return 1 if stale else 0
    for name, text in stale.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def _held(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
