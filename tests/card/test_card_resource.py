"""The card as the server offers it: a resource, a link from each tool, and a hint for hosts that show cards."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mcp_types as types
import pytest
import segno
from mcp.client import Client
from mcp.client.extension import advertise
from mcp.shared.exceptions import MCPError

from blikk_mcp.card import EXTENSION
from blikk_mcp.card.hints import KEY, MAX_QR_LINK, qr_code
from blikk_mcp.card.page import MIME_TYPE, URI, page
from blikk_payments.channel.links import check_link
from blikk_sandbox.running import RunningSandbox
from tests.card.host import CARDS
from tests.expecting import assert_fields
from tests.sandbox_control import control
from tests.server.running import PAYMENT, connected, environment, wired

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"], ids=["handshake era", "modern era"])
LINK = "https://bank.example/approve/6d9c1b7e-3d5c-4d2a-9a1f-0123456789ab?lang=is"


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


async def create(client: Client, **arguments: Any) -> types.CallToolResult:
    return await client.call_tool("create_payment", {**PAYMENT, **arguments})


def modules(picture: str) -> list[list[int]]:
    """The dark and light squares of a picture, less the quiet zone: read back from its lines."""
    kind, _, data = picture.partition(",")
    assert kind == "data:image/svg+xml;base64"
    svg = ElementTree.fromstring(base64.b64decode(data))
    assert {name: value for name, value in svg.attrib.items() if name != "viewBox"} == {}
    light, dark = list(svg)
    assert (light.get("fill"), dark.get("stroke")) == ("#fff", "#000")
    size = int(svg.attrib["viewBox"].split()[2]) - 8
    rows = [[0] * size for _ in range(size)]
    x, y = 0.0, 0.0
    for command, values in re.findall(r"([Mmh])([-0-9. ]+)", dark.attrib["d"]):
        numbers = [float(value) for value in re.findall(r"-?[0-9]*\.?[0-9]+", values)]
        if command == "h":
            for column in range(int(x), int(x + numbers[0])):
                rows[int(y) - 4][column - 4] = 1
            x += numbers[0]
        else:
            x, y = (numbers[0], numbers[1]) if command == "M" else (x + numbers[0], y + numbers[1])
    return rows


@ERAS
async def test_the_card_is_listed_and_read(environ: dict[str, str], mode: str) -> None:
    """MCP Apps: a `ui://` resource of the one kind, with what it reaches (nothing) declared."""
    async with connected(environ, mode) as client:
        (listed,) = (await client.list_resources()).resources
        (content,) = (await client.read_resource(URI)).contents
    assert (listed.uri, listed.mime_type) == (URI, MIME_TYPE)
    assert isinstance(content, types.TextResourceContents)
    assert_fields(content, uri=URI, mime_type=MIME_TYPE, text=page())
    nothing: list[str] = []
    csp = {"connectDomains": nothing, "resourceDomains": nothing, "frameDomains": nothing, "baseUriDomains": nothing}
    for meta in (listed.meta, content.meta):
        assert meta is not None
        assert meta["ui"]["csp"] == csp


@ERAS
async def test_there_are_no_templates_and_asking_for_them_is_no_error(environ: dict[str, str], mode: str) -> None:
    """MCP: where there are resources, clients list their templates too; Codex does so at every start."""
    async with connected(environ, mode) as client:
        assert (await client.list_resource_templates()).resource_templates == []


@ERAS
async def test_another_resource_is_unknown_and_its_address_is_not_repeated(environ: dict[str, str], mode: str) -> None:
    """The caller's text is not echoed."""
    async with connected(environ, mode) as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource("file:///etc/passwd")
    assert raised.value.code == -32602
    assert "passwd" not in str(raised.value)


@ERAS
async def test_a_tool_that_shows_a_payment_links_the_card_which_may_not_pay(environ: dict[str, str], mode: str) -> None:
    """MCP Apps: `_meta.ui.resourceUri`; a host lets a page call only tools that are visible to apps."""
    async with connected(environ, mode) as client:
        listed = (await client.list_tools()).tools
        tools = {tool.name: (tool.meta or {})["ui"] for tool in listed if tool.name != "list_payments"}
        declared = client.server_capabilities
    assert tools == {
        "create_payment": {"resourceUri": URI, "visibility": ["model"]},
        "get_payment_status": {"resourceUri": URI},
        "await_payment": {"resourceUri": URI},
    }
    assert declared is not None
    # The handshake's revisions have no field for it, and the SDK leaves it out; hosts go by the tools there.
    assert (declared.extensions or {}).get(EXTENSION) == ({} if mode == "auto" else None)


@ERAS
async def test_a_host_with_cards_gets_the_link_as_a_picture(environ: dict[str, str], mode: str) -> None:
    """A QR code of exactly the link that was checked, in `_meta`, where no model reads."""
    async with connected(environ, mode, extensions=[CARDS]) as client:
        created = await create(client)
        structured: dict[str, Any] = created.structured_content
        status = await client.call_tool("get_payment_status", {"payment_id": structured["payment_id"]})
    for answer in (created, status):
        hint = (answer.meta or {})[KEY]
        assert (hint["language"], set(hint)) == ("en", {"language", "made_at", "qr"})
        wanted = segno.make(structured["approval_url"], error="m", micro=False)
        assert modules(hint["qr"]) == [list(row) for row in wanted.matrix]
    assert "svg" not in str(created.content) + str(structured)


@ERAS
async def test_a_host_with_cards_is_told_of_a_doubtful_payee(environ: dict[str, str], mode: str) -> None:
    """The same words as in human_instruction, which a card does not show."""
    async with connected(environ, mode, extensions=[CARDS]) as client:
        answer = await client.call_tool("create_payment", {**PAYMENT, "creditor_name": "J\u03ccn"})
    hint = (answer.meta or {})[KEY]
    assert hint["cautions"] in answer.structured_content["human_instruction"]
    assert "different alphabets" in hint["cautions"]


@ERAS
@pytest.mark.parametrize(
    "extensions",
    [[], [advertise(EXTENSION, {})], [advertise(EXTENSION, {"mimeTypes": ["text/html"]})]],
    ids=["nothing", "no kinds", "another kind"],
)
async def test_a_host_without_cards_gets_no_hint(environ: dict[str, str], mode: str, extensions: list[Any]) -> None:
    """Hosts without the extension see no difference."""
    async with connected(environ, mode, extensions=extensions) as client:
        created = await create(client)
    assert KEY not in (created.meta or {})


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_a_host_of_an_older_revision_gets_the_picture_too(environ: dict[str, str], version: str) -> None:
    """MCP Apps: hosts declare the extension in the handshake, also under revisions that do not know extensions."""
    async with wired(environ) as server:
        await server.initialize(version, {"extensions": {EXTENSION: {"mimeTypes": [MIME_TYPE]}}})
        answer = await server.ask("tools/call", {"name": "create_payment", "arguments": PAYMENT})
        read = await server.ask("resources/read", {"uri": URI})
    assert answer["result"]["_meta"][KEY]["qr"].startswith("data:image/svg+xml;base64,")
    assert read["result"]["contents"][0]["_meta"]["ui"]["prefersBorder"] is True


async def test_a_withheld_link_and_a_refusal_have_no_picture(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """A link that fails the rules is shown in no form."""
    control(sandbox, "lives", {"life": "bad_link", "redirect_url": "javascript:alert(1)//bank.example"})
    async with connected({**environ, "BLIKK_LANGUAGE": "is"}, extensions=[CARDS]) as client:
        withheld = await create(client)
        refused = await create(client, idempotency_key="order-0002", amount=99_999_999)
    assert (withheld.structured_content["human_action"], refused.is_error) == ("bank_app", True)
    for answer in (withheld, refused):
        hint = (answer.meta or {})[KEY]
        assert (hint["language"], set(hint)) == ("is", {"language", "made_at"})


async def test_a_picture_that_cannot_be_made_costs_no_result(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payment is made by then; its answer must arrive."""
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    qr_code.cache_clear()
    async with connected(environ, extensions=[CARDS]) as client:
        created = await create(client)
    assert created.structured_content["outcome"] == "needs_human"
    assert "qr" not in (created.meta or {})[KEY]


def test_the_picture_is_that_of_the_link() -> None:
    """ISO 18004 by segno: the same squares as its own, the longest link that gets one included."""
    for url in (LINK, LINK.ljust(MAX_QR_LINK, "a")):
        assert modules(qr_code(check_link(url))) == [
            list(row) for row in segno.make(url, error="m", micro=False).matrix
        ]


def test_the_page_refers_to_nothing_outside_itself() -> None:
    """No network of its own, no evaluation of text, no markup made of text."""
    text = page()
    assert re.findall(r"\b(?:src|href|action|srcdoc|style|on\w+)=|url\(|@import|https?://[a-z]", text) == []
    markup = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "Function(")
    network = (
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "EventSource",
        "sendBeacon",
        "import(",
        "window.open",
        "Storage",
    )
    assert [word for word in (*markup, *network) if word in text] == []


def test_the_pages_own_policy_allows_its_one_script_and_its_one_style() -> None:
    """CSP level 3: the hashes are those of the inline text."""
    text = page()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    directives = {name: rest for name, _, rest in (part.strip().partition(" ") for part in policy.split(";"))}
    for tag in ("script", "style"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert directives.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert directives == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
