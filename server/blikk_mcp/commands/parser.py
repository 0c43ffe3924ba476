"""Options and arguments, with complaints that never repeat what was given: people try a key, or a kennitala."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

# What argparse says of our own names alone. Its other complaints quote the value and are not passed on.
_OF_OUR_NAMES = re.compile(
    r"the following arguments are required: .*"
    r"|one of the arguments .* is required"
    r"|argument [^:]+: expected (?:one|at least one|at most one|[0-9]+) arguments?"
    r"|argument [^:]+: not allowed with argument [^:]+"
    r"|argument [^:]+: (?:must|has to) be .*"
)
_OF_A_VALUE = re.compile(r"argument (?P<name>[^:]+): .*", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """Complains without a value, and takes no abbreviations: what is about money is written out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and exit with 2."""
        if not _OF_OUR_NAMES.fullmatch(message):
            named = _OF_A_VALUE.fullmatch(message)
            message = self._about(named["name"]) if named else "there is an argument that this command does not take"
        super().error(message)

    def _about(self, name: str) -> str:
        for action in self._actions:
            if name in ("/".join(action.option_strings), action.metavar, action.dest):
                choices = f": must be one of {', '.join(map(str, action.choices))}" if action.choices else ""
                return f"argument {name}{choices or ' cannot be what was given'}"
        return "an argument cannot be what was given"


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds; the complaint does not repeat what was given."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"has to be a whole number from {least} to {most}")
        return int(text)

    return parse


def factor(least: float, most: float) -> Callable[[str], float]:
    """A number within bounds; the complaint does not repeat what was given."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"has to be a number from {least:g} to {most:.0f}")
        return number

    return parse


def agreed(question: str) -> bool:
    """Whether somebody answers the question with yes. Nobody there is no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
