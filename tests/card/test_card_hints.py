"""What a result tells the card beside itself: all of it, to hosts with cards alone, and never at the cost of the result."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import mcp_types as types
import pytest

from blikk_mcp.card import EXTENSION, hints
from blikk_mcp.card.hints import KEY, MAX_QR_LINK, qr_code, result_meta, shows_cards
from blikk_mcp.card.page import MIME_TYPE, RESOURCE_META, URI, tool_meta
from blikk_payments.channel.links import check_link
from blikk_tools.instructions import Presentation
from blikk_tools.outcomes import Outcome
from blikk_tools.result import Result
from blikk_tools.tool import Reply
from tests.tools.calls import TOOLS

LINK = "https://bank.example/approve/1"


def capabilities(*kinds: str) -> types.ClientCapabilities:
    """A client that declared the extension with these kinds of page."""
    return types.ClientCapabilities(extensions={EXTENSION: {"mimeTypes": list(kinds)}})


def hint(url: str = LINK, presentation: Presentation | None = None, **more: Any) -> dict[str, Any] | None:
    """What such a client is told with a payment that waits for a person."""
    ctx = SimpleNamespace(session=SimpleNamespace(client_capabilities=more.pop("client", capabilities(MIME_TYPE))))
    reply = Reply(Result(outcome=Outcome.NEEDS_HUMAN, approval_url=url), **more)
    return result_meta(cast("Any", ctx), reply, presentation or Presentation())


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands."""
    monkeypatch.setattr(hints, "time", SimpleNamespace(time=lambda: 1_772_452_800.9))


def test_the_hint_is_whole() -> None:
    """Language and time always, the rest where there is something to tell."""
    picture = qr_code(check_link(LINK))
    plain = {"language": "en", "made_at": 1_772_452_800}
    assert hint() == {KEY: {**plain, "qr": picture}}
    assert hint("") == {KEY: plain}
    assert hint("", Presentation(language="is"), cautions=("Careful.", "Twice."), blikk_says="5 EUR") == {
        KEY: {**plain, "language": "is", "cautions": "Careful. Twice.", "blikk_says": "5 EUR"}
    }


@pytest.mark.parametrize(
    ("url", "presentation", "has_picture"),
    [
        (LINK.ljust(MAX_QR_LINK, "a"), Presentation(), True),
        (LINK.ljust(MAX_QR_LINK + 1, "a"), Presentation(), False),
        (LINK, Presentation(sca_hosts=("bank.example",)), True),
        (LINK, Presentation(sca_hosts=("other.example",)), False),
        ("http://127.0.0.1:1/x", Presentation(), False),
        ("http://127.0.0.1:1/x", Presentation(loopback=True), True),
        ("javascript:alert(1)", Presentation(), False),
    ],
)
def test_only_a_link_that_passes_once_more_is_a_picture(
    url: str, presentation: Presentation, has_picture: bool
) -> None:
    """By the same rules as the link itself; a picture that no phone reads is none."""
    told = hint(url, presentation)
    assert told is not None
    assert ("qr" in told[KEY]) is has_picture


@pytest.mark.parametrize(
    ("client", "shows"),
    [
        (capabilities(MIME_TYPE), True),
        (capabilities("text/plain", MIME_TYPE), True),
        (capabilities("text/html"), False),
        (capabilities(), False),
        (types.ClientCapabilities(extensions={EXTENSION: {}}), False),
        (types.ClientCapabilities(extensions={EXTENSION: {"mimeTypes": MIME_TYPE}}), False),
        (types.ClientCapabilities(extensions={}), False),
        (types.ClientCapabilities(), False),
        (None, False),
    ],
)
def test_only_a_client_that_shows_such_pages_is_told(client: types.ClientCapabilities | None, shows: bool) -> None:
    """Everybody else sees no difference."""
    assert shows_cards(client) is shows
    assert (hint(client=client) is not None) is shows


def test_a_link_is_drawn_once_and_links_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card asks every few seconds, and drawing takes a while."""
    import segno

    drawn: list[str] = []
    make = segno.make

    def counting(text: str, **how: Any) -> Any:
        drawn.append(text)
        return make(text, **how)

    monkeypatch.setattr(segno, "make", counting)
    qr_code.cache_clear()
    first, second = (check_link(f"https://bank.example/{number}") for number in (1, 2))
    pictures = [qr_code(link) for link in (first, second, first)]
    assert (pictures[0] == pictures[2], pictures[0] == pictures[1]) == (True, False)
    assert drawn == [first.url, second.url]


def test_the_card_is_named_by_every_tool_that_shows_a_payment() -> None:
    """A host lets a page call only tools that apps may see, and it may not see the one that pays."""
    assert {name: tool_meta(tool) for name, tool in TOOLS.items()} == {
        "create_payment": {"ui": {"resourceUri": URI, "visibility": ["model"]}},
        "get_payment_status": {"ui": {"resourceUri": URI}},
        "await_payment": {"ui": {"resourceUri": URI}},
        "list_payments": {},
    }
    assert RESOURCE_META["ui"]["prefersBorder"] is True
