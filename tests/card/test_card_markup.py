"""The card's frame: what changes is told to people who do not see it, and nothing is there before it is filled in."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from blikk_mcp.card.page import page

Attributes = dict[str, str | None]


class Frame(HTMLParser):
    """The parts of the page that have a name, and those that are given a word."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: dict[str, tuple[str, Attributes]] = {}
        self.words: list[str] = []
        self.within: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if name := given.get("id"):
            self.parts[name] = (tag, given)
            self.within[name] = " ".join(filter(None, self._open))
        if word := given.get("data-word"):
            self.words.append(word)
        if tag not in ("img", "meta"):
            self._open.append(given.get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()


FRAME = Frame(page())


def attributes(part: str) -> Attributes:
    """Of a part, without its name."""
    return {name: value for name, value in FRAME.parts[part][1].items() if name != "id"}


def test_what_changes_is_announced() -> None:
    """WAI-ARIA: the status as a whole when it changes, a link that was not opened at once."""
    assert attributes("status") == {"role": "status", "aria-atomic": "true", "tabindex": "-1"}
    assert {part for part, within in FRAME.within.items() if within == "status"} == {"state", "advice"}
    assert attributes("opening") == {"role": "alert"}


def test_the_button_says_where_it_leads() -> None:
    """The host's name is read with it, and it names its section."""
    assert FRAME.parts["open"] == ("button", {"id": "open", "type": "button", "aria-describedby": "host"})
    assert attributes("approval") == {"aria-labelledby": "open", "hidden": None}
    assert FRAME.within["open"] == FRAME.within["host"] == "approval"
    assert re.findall(r'<main aria-labelledby="title">', page()) != []
    assert FRAME.parts["title"][0] == "h1"


def test_nothing_is_shown_before_it_is_known() -> None:
    """Hidden until a result fills it in; the one picture has its place and no address."""
    hidden = {part for part, (_, given) in FRAME.parts.items() if "hidden" in given}
    assert hidden == {"environment", "facts", "cautions", "approval", "phone", "bank", "note", "safety"}
    assert FRAME.parts["qr"] == ("img", {"id": "qr", "alt": ""})
    assert FRAME.within["qr"] == FRAME.within["scan"] == "approval phone"


def test_a_name_from_outside_cannot_turn_the_text_around_it() -> None:
    """Unicode's directions: a payee's name and the bank's words are each on their own."""
    assert {part for part, (tag, _) in FRAME.parts.items() if tag == "bdi"} == {"payee", "bank_text"}


def test_every_word_of_the_frame_is_in_both_languages() -> None:
    """And the script reaches for no part that is not there."""
    script = page().partition("<script>")[2]
    assert FRAME.words == ["title", "amount", "payee", "account", "bank_says", "safety"]
    for word in FRAME.words:
        assert len(re.findall(rf"\b{word}: \"", script)) == 2
    reached = set(re.findall(r"(?:part|say)\(\"(\w+)\"", script))
    assert reached - set(FRAME.parts) == set()
    assert set(FRAME.parts) - reached == {"title", "amount", "payee", "account"}
