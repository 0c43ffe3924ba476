"""Makes `dist/blikk-mcp-VERSION.mcpb`, once `make bundle` has installed what packs it."""

from __future__ import annotations

import sys

from blikk_packages.bundle import pack
from blikk_packages.distribution import StepFailed
from blikk_packages.product import ROOT


def main() -> int:
    """Pack into `dist/`."""
    try:
        file = pack(ROOT / "dist")
    except StepFailed as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
