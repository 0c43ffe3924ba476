"""What differs between Linux, macOS and Windows. No other room asks which of them it runs on."""

from __future__ import annotations

import sys

PLATFORM: str = sys.platform
"""`linux`, `darwin` or `win32`. A parameter of what depends on it, so that each can be tried anywhere."""
