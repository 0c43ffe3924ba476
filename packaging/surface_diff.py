"""Prints what clients and models see differently since the last release; `--store` keeps this surface for the next one."""

from __future__ import annotations

import sys

from blikk_packages.product import as_json, read_product
from blikk_packages.surface import FOLDER, current, draft


def main() -> int:
    """Print the changelog's part, or store the surface."""
    version = read_product().version
    if "--store" in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{version}.json").write_text(as_json(current()), encoding="utf-8")
    sys.stdout.write(draft(version))
    return 0


if __name__ == "__main__":
    sys.exit(main())
