"""Support: axe-core from npm, and what it finds on a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.npm import node_with

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

HERE = Path(__file__).parent


def axe_source() -> str:
    """The checker's script."""
    node_with(HERE)
    return (HERE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


async def violations(where: Page | Frame, source: str) -> list[str]:
    """What axe finds there, each as one line."""
    await where.evaluate(source)
    found: dict[str, Any] = await where.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{item['impact']}: {item['id']}: {[node['target'] for node in item['nodes']]}" for item in found["violations"]
    ]
