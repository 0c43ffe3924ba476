"""The colours of the pages can be read by people who see little contrast, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import blikk_sandbox

STYLE = Path(blikk_sandbox.__file__).with_name("style.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in STYLE.split("@media", 1))


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("text", "page"),
        ("text", "card"),
        ("quiet", "card"),
        ("brand", "page"),
        ("brand", "card"),
        ("on-brand", "brand"),
        ("on-notice", "notice"),
        ("danger", "card"),
    ],
)
def test_text_stands_out_from_its_ground(colours: dict[str, str], text: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_the_edge_of_a_button_can_be_seen(colours: dict[str, str]) -> None:
    """WCAG 2.2, 1.4.11: at least 3 to 1."""
    assert contrast(colours["edge"], colours["card"]) >= 3
