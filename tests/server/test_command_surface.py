"""Every command's options, held whole: names, defaults, bounds and the words of the help. `make docs` writes them."""

from __future__ import annotations

import argparse
import importlib
import json
import os
from pathlib import Path
from typing import Any, cast

import pytest

from blikk_mcp.cli import COMMANDS
from blikk_mcp.commands.parser import Parser, agreed, factor, whole

SNAPSHOT = Path(__file__).parent / "snapshots" / "commands.json"


def options_of(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """What the parser takes, as data: how argparse lays its help out differs between Pythons."""
    options: dict[str, Any] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage] - argparse has no other
            commands: dict[str, argparse.ArgumentParser] = cast("Any", action).choices
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            options |= {name: {"help": helps[name], **options_of(command)} for name, command in commands.items()}
        elif action.dest != "help":
            name = " ".join(action.option_strings) or action.dest
            choices = list(action.choices) if action.choices else None
            told = {
                "default": action.default,
                "required": action.required,
                "choices": choices,
                "metavar": action.metavar,
                "help": action.help,
                "takes": action.nargs if action.nargs is not None else 1,
            }
            options[name] = {key: value for key, value in told.items() if value not in (None, False)}
    together = [sorted(one.dest for one in group._group_actions) for group in parser._mutually_exclusive_groups]
    return {**options, **({"only one of": together} if together else {})}


def test_the_commands_take_what_the_snapshot_says() -> None:
    """Scripts, services and the docs are written against it."""
    surface: dict[str, Any] = {}
    for name, summary in COMMANDS.items():
        parser = Parser(prog=name)
        importlib.import_module(f"blikk_mcp.commands.{name}").configure(parser)
        surface[name] = {"help": summary, **options_of(parser)}
    text = json.dumps(surface, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


def test_a_whole_number_within_its_bounds_is_taken() -> None:
    """Both bounds are within."""
    assert [whole(1, 100)(text) for text in ("1", "7", "007", "100")] == [1, 7, 7, 100]
    assert whole(0, 100)("0") == 0


@pytest.mark.parametrize("text", ["0", "11", "1.0", "1e1", "-1", "+1", "", " 1", "٣", "0010"])
def test_any_other_is_refused_with_the_bounds(text: str) -> None:
    """The value is not repeated."""
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        whole(1, 10)(text)
    assert str(refused.value) == "has to be a whole number from 1 to 10"


def test_a_factor_within_its_bounds_is_taken_and_any_other_refused() -> None:
    """Both bounds are within; what is no number is not within any."""
    assert [factor(0.5, 2)(text) for text in ("0.5", "1", "2.0")] == [0.5, 1.0, 2.0]
    for text in ("0.49", "2.01", "nan", "inf", "", "x"):
        with pytest.raises(argparse.ArgumentTypeError) as refused:
            factor(0.5, 2)(text)
        assert str(refused.value) == "has to be a number from 0.5 to 2"


@pytest.mark.parametrize(
    ("said", "yes"),
    [
        ("y\n", True),
        ("yes\n", True),
        (" Y \n", True),
        ("YES", True),
        ("n\n", False),
        ("\n", False),
        ("", False),
        ("yy", False),
    ],
)
def test_only_a_yes_is_a_yes(
    said: str, yes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question is on stderr: stdout may go into a file."""
    monkeypatch.setattr("sys.stdin.readline", lambda: said, raising=False)
    assert agreed("Really?") is yes
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Really? [y/N] ")
