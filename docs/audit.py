"""Asks for known vulnerabilities of what the lock installs, and says so if nobody could be asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"
UNREACHABLE = ("ConnectionError", "Max retries", "ServiceError", "Connection refused", "timed out", "NameResolution")


def main() -> int:
    """1 if there is a known vulnerability; 0 if there is none, or no way to know."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "-r", str(LOCK)]
    command = [sys.executable, "-m", "pip_audit", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    output = ended.stdout + ended.stderr
    if ended.returncode and any(word in output for word in UNREACHABLE):
        sys.stderr.write("pip-audit could not reach its advisories from here: nothing was checked\n")
        return 0
    if "could not be audited" in output:
        sys.stderr.write("pip-audit found no advisories for some packages from here: those were not checked\n")
    sys.stderr.write(output)
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
