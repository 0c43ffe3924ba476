"""Prints the notes of this release: the changelog's top section, and the surface compared with the last release's."""

from __future__ import annotations

import sys

from blikk_packages.changelog import read_changelog, top_section
from blikk_packages.product import read_product
from blikk_packages.surface import draft


def main() -> int:
    """Print them."""
    sys.stdout.write(f"{top_section(read_changelog()).body}\n\n{draft(read_product().version)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
