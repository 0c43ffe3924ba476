"""The demo: what its exit code promises, what it prints on which terminal, and the README's picture of it."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from blikk_mcp.cli import main
from blikk_mcp.commands import demo
from blikk_mcp.commands.transcript import COLUMNS, Transcript
from docs.picture import PICTURE, always_the_same, draw, recording
from tests.server.running import blikk_mcp

LINK = "http://127.0.0.1:65535/bank/approve/" + "x" * 32
WORDS = f"Please approve this payment at your bank\n{LINK}\nTell me here when you are done."


@pytest.mark.slow
@pytest.mark.parametrize(("received", "paid"), [(2, 1), (1, 2)])
def test_a_demo_whose_bank_was_asked_or_paid_twice_fails(
    received: int, paid: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ "once" is what the demo is there to show, so the bank's own record decides its exit code."""
    record: dict[str, Any] = {"received": [{}] * received, "paid": ["pay_x"] * paid}

    def twice(_: str) -> dict[str, Any]:
        return record

    monkeypatch.setattr(demo, "_bank_record", twice)
    assert main(["demo"]) == 1
    assert "NOT paid once" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "in_browser"), [([], False), (["--open"], True)])
def test_the_demo_leaves_the_approval_to_you_if_you_ask_for_it(
    options: list[str], in_browser: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[bool] = []

    async def play(_: Transcript, in_browser: bool) -> int:
        played.append(in_browser)
        return 0

    monkeypatch.setattr(demo, "play", play)
    assert main(["demo", *options]) == 0
    assert played == [in_browser]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_demo_prints_on_terminals_that_know_few_letters(encoding: str) -> None:
    """A terminal without `ð` shows another character, and no traceback; no line is longer than 80 columns."""
    ended = blikk_mcp("demo", environ={"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Paid, once" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= COLUMNS


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_link_is_never_broken(columns: int, terminal: bool) -> None:
    """Half a link opens nothing, and looks as if it could."""
    shown = io.StringIO()
    console = Console(file=shown, width=columns, force_terminal=terminal, color_system=None, _environ={})
    Transcript(console).quote(WORDS)
    assert LINK in shown.getvalue()


def test_without_a_terminal_there_is_neither_colour_nor_a_box() -> None:
    """Who pipes the demo into a file or a pager wants words."""
    shown = io.StringIO()
    transcript = Transcript(Console(file=shown, _environ={}))
    transcript.title("A title")
    transcript.arguments({"amount": 4900})
    transcript.quote(WORDS)
    assert re.sub(r"[\n\x20-\x7e]", "", shown.getvalue()) == ""
    assert "  amount: 4900" in shown.getvalue()


def test_two_pictures_of_the_same_words_are_the_same() -> None:
    """The picture is checked to be current: ids, ports and times must not change it."""
    pictures: set[str] = set()
    for payment_id, port, token, seconds in (("a" * 22, 1025, "b" * 32, "3.9"), ("-_" * 11, 65535, "c" * 32, "12.0")):
        console = recording()
        transcript = Transcript(console, always_the_same)
        transcript.result({"payment_id": f"pay_{payment_id}"}, "payment_id")
        transcript.quote(f"http://127.0.0.1:{port}/bank/approve/{token}")
        transcript.title(f"Paid, once, after {seconds} s")
        pictures.add(draw(console))
    assert len(pictures) == 1


def test_the_picture_loads_nothing_from_anywhere() -> None:
    """rich's own template names a font on another host; a README's picture tells nobody who looks at it."""
    picture = PICTURE.read_text(encoding="utf-8")
    namespaces_and_text = re.sub(r'xmlns="[^"]+"|>http://127\.0\.0\.1[^<]*<', "", picture)
    assert "://" not in namespaces_and_text
    assert "@import" not in picture


class Answers:
    """A client whose waits are answered in this order, the last one for ever."""

    def __init__(self, *outcomes: str) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def call_tool(self, tool: str, arguments: dict[str, Any]) -> SimpleNamespace:
        self.asked.append((tool, arguments))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return SimpleNamespace(structured_content={"outcome": outcome, "final": outcome == "paid"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("outcomes", "rounds", "ends_as"),
    [(["paid"], 1, "paid"), (["needs_human", "pending", "paid"], 3, "paid"), (["pending"], demo.MAX_ROUNDS, "pending")],
)
async def test_the_demo_waits_on_until_the_payment_is_final_and_not_for_ever(
    outcomes: list[str], rounds: int, ends_as: str
) -> None:
    """As an agent does: again and again, with the person informed, and it says so each time."""
    shown, client = io.StringIO(), Answers(*outcomes)
    transcript = Transcript(Console(file=shown, _environ={}))
    ended = await demo._wait(client, transcript, "pay-1")  # pyright: ignore[reportPrivateUsage] - needs no process so
    assert client.asked == [("await_payment", {"payment_id": "pay-1", "human_informed": True})] * rounds
    assert ended["outcome"] == ends_as
    again = shown.getvalue().count("Not final yet: the agent calls await_payment again.")
    assert again == (rounds - 1 if ends_as == "paid" else rounds)


def test_a_transcript_marks_what_is_quoted_and_keeps_names_apart_from_values() -> None:
    """Without a terminal: a rule as long as its heading, `>` before each line, two columns with a space between."""
    shown = io.StringIO()
    transcript = Transcript(Console(file=shown, _environ={}), lambda text: text.replace("secret", "public"))
    transcript.title("A secret")
    transcript.say("said secret")
    transcript.item("tool", "does secret")
    transcript.result({"left": 1, "name": "þ secret", "out": True}, "name", "out")
    transcript.quote("one secret\ntwo")
    assert [line.rstrip() for line in shown.getvalue().splitlines()] == [
        "",
        "A public",
        "--------",
        "said public",
        "- tool: does public",
        '  name: "þ public"',
        "  out: true",
        "> one public",
        "> two",
    ]
