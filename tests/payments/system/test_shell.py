"""Lines that a person pastes into a shell."""

from __future__ import annotations

import pytest

from blikk_payments.system.shell import setting_line


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("linux", "export BLIKK_API_KEY='it'\"'\"'s $HOME'\n"),
        ("darwin", "export BLIKK_API_KEY='it'\"'\"'s $HOME'\n"),
        ("win32", "$env:BLIKK_API_KEY = 'it''s $HOME'\n"),
    ],
)
def test_a_value_is_quoted_as_the_shell_wants_it(platform: str, line: str) -> None:
    """POSIX quotes end and begin again around a quote; PowerShell doubles it. Neither fills anything in."""
    assert setting_line("BLIKK_API_KEY", "it's $HOME", platform) == line
