"""Ask for known vulnerabilities of what the lock installs, and say so if nobody could be asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"


def main() -> int:
    """Return 1 if there is a known vulnerability; 0 if there is none, or if nobody could be asked.

    A report is told from a failure by its form, not by words in it: pip-audit writes JSON once it has asked.
    """
    options = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json", "-r", str(LOCK)]
    command = [sys.executable, "-m", "pip_audit", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return judge(ended.stdout, ended.stderr)


def judge(report: str, complaint: str) -> int:
    """Print what pip-audit found in `report`, its JSON; without a report say that nothing was checked."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (complaint.strip().splitlines() or ["it said nothing"])[-1]
        sys.stderr.write(f"pip-audit made no report, so nothing was checked: {reason[:200]}\n")
        return 0
    skipped = [package["name"] for package in dependencies if "skip_reason" in package]
    if skipped:
        sys.stderr.write(f"pip-audit found no advisories for some packages from here: {', '.join(skipped)}\n")
    vulnerable = [
        f"{package['name']} {package['version']}: {', '.join(found['id'] for found in package['vulns'])}"
        for package in dependencies
        if package.get("vulns")
    ]
    sys.stderr.write("".join(f"{line}\n" for line in vulnerable))
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
