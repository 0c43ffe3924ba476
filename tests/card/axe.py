"""Support: axe-core from npm, installed on first use, and what it finds on a page."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

HERE = Path(__file__).parent
PACKAGES = HERE / "package.json"
INSTALLED = HERE / "node_modules"
STAMP = INSTALLED / ".installed-from"
INSTALL_SECONDS = 300


def unavailable(reason: str) -> NoReturn:
    """Skip where a tool is missing; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def axe_source() -> str:
    """The checker's script."""
    npm = shutil.which("npm")
    if npm is None:
        unavailable("there is no Node.js with npm here")
    wanted = PACKAGES.read_text(encoding="utf-8")
    if not STAMP.exists() or STAMP.read_text(encoding="utf-8") != wanted:
        command = [npm, "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
        try:
            ended = subprocess.run(command, cwd=HERE, capture_output=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            unavailable(f"npm install did not end within {INSTALL_SECONDS} s")
        if ended.returncode != 0:
            unavailable(f"npm install failed: exit code {ended.returncode}")
        STAMP.write_text(wanted, encoding="utf-8")
    return (INSTALLED / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


async def violations(where: Page | Frame, source: str) -> list[str]:
    """What axe finds there, each as one line."""
    await where.evaluate(source)
    found: dict[str, Any] = await where.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{item['impact']}: {item['id']}: {[node['target'] for node in item['nodes']]}" for item in found["violations"]
    ]
