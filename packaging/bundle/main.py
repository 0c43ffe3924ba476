"""Where a host that runs the bundle with uv begins."""

import sys

from blikk_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
