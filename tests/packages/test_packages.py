"""What registries and hosts install: one source, every generated file current, and each what its readers take."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from blikk_mcp import __version__
from blikk_mcp.commands.clients import CLIENTS
from blikk_mcp.settings.settings import Settings, read_settings
from blikk_mcp.settings.table import NAMES, SETTINGS
from blikk_packages.files import generated
from blikk_packages.links import cursor_link, vscode_link
from blikk_packages.plugin import FOLDER
from blikk_packages.product import ROOT, Product, default, read_product
from blikk_packages.registry import server_json
from blikk_packages.registry_check import check_server_json
from blikk_tools.arguments import IDEMPOTENCY_KEY_PATTERN
from blikk_tools.catalog import ALL_TOOLS

PRODUCT = replace(read_product(), published=False, repository="")
RELEASED = replace(PRODUCT, published=True, repository="https://github.com/somebody/blikk-mcp")
BOTH = pytest.mark.parametrize("product", [PRODUCT, RELEASED], ids=["from a clone", "published"])
SKILL = (ROOT / FOLDER / "skills" / "pay-a-bill" / "SKILL.md").read_text(encoding="utf-8")


def test_every_generated_file_is_what_its_source_says() -> None:
    """`make docs` writes them; nobody edits one by hand."""
    stale = [name for name, text in generated().items() if (ROOT / name).read_text(encoding="utf-8") != text]
    assert stale == []


@BOTH
def test_every_package_has_the_version(product: Product) -> None:
    """One place for it."""
    files = generated(product)
    manifests = [name for name in files if name.endswith(("plugin.json", "extension.json", "server.json"))]
    assert len(manifests) >= 6
    for name in manifests:
        assert json.loads(files[name])["version"] == __version__


def test_a_version_that_is_not_on_pypi_is_started_from_there_by_no_package() -> None:
    """Until we have the name on PyPI a stranger can take it, and would be handed keys."""
    for name, text in generated(PRODUCT).items():
        if not name.endswith("server.json"):
            assert not re.search(r"uvx|pipx install blikk|pip install blikk", text.partition("## Two commands")[0]), (
                name
            )
    assert "not on PyPI" in generated(PRODUCT)["README.md"]


def test_a_published_version_is_started_by_its_exact_number() -> None:
    """A new version reaches nobody's money without somebody's decision."""
    assert RELEASED.launch == ("uvx", f"blikk-mcp@{__version__}")
    first_command = re.search(r"^    (.+?)  ", generated(RELEASED)["README.md"], re.MULTILINE)
    assert first_command is not None
    assert first_command[1] == "uvx blikk-mcp demo"


@BOTH
def test_the_registrys_entry_is_what_the_registry_takes(product: Product) -> None:
    """MCP Registry, server.json of 2025-12-11."""
    check_server_json(server_json(product))


@pytest.mark.parametrize(
    "change",
    [
        {"description": "x" * 101},
        {"description": ""},
        {"name": "no-namespace"},
        {"version": "^0.2.0"},
        {"version": "latest"},
        {"packages": []},
        {"webSite": "a typing mistake"},
        {"$schema": "https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json"},
    ],
    ids=str,
)
def test_an_entry_that_the_registry_would_refuse_is_refused_here(change: Mapping[str, Any]) -> None:
    """The typed check can fail: each of these breaks a rule of the schema."""
    entry = {**copy.deepcopy(server_json(PRODUCT)), **change}
    with pytest.raises(ValueError, match=next(iter(change)).strip("$")):
        check_server_json(entry)


def test_the_registrys_entry_offers_every_setting_but_the_second_way_to_the_key() -> None:
    """One table; a key and a file with a key contradict each other."""
    (package,) = server_json(PRODUCT)["packages"]
    variables = {variable["name"]: variable for variable in package["environmentVariables"]}
    assert set(NAMES) - set(variables) == {"BLIKK_API_KEY_FILE"}
    assert [name for name, variable in variables.items() if variable["isSecret"]] == ["BLIKK_API_KEY"]


def test_a_default_that_a_host_fills_in_changes_nothing() -> None:
    """Hosts set every default as if a person had; `any` and `never` have to be understood."""
    filled_in = {setting.name: text for setting in SETTINGS if (text := default(setting)) is not None}
    assert len(filled_in) >= 12
    assert _decided(read_settings({**filled_in, "BLIKK_API_KEY": "a-key-of-nobody-0001"})) == _decided(
        read_settings({"BLIKK_API_KEY": "a-key-of-nobody-0001"})
    )


def _decided(settings: Settings) -> dict[str, Any]:
    names = [name for name in Settings.__dataclass_fields__ if name != "api_key"]
    return {name: str(getattr(settings, name)) for name in names}


@BOTH
def test_the_link_for_vs_code_holds_what_config_prints(product: Product) -> None:
    """VS Code: `name`, `inputs` and `config` as JSON; `config vscode` is the other way to the same."""
    query = parse_qs(urlsplit(vscode_link(product)).query, strict_parsing=True)
    client = CLIENTS["vscode"]
    printed = json.loads(client.snippet(product.server({"BLIKK_API_KEY": client.reference})))
    assert {query["name"][0]: json.loads(query["config"][0])} == printed["servers"]
    assert json.loads(query["inputs"][0]) == printed["inputs"]
    assert "+" not in vscode_link(product)


@BOTH
def test_the_link_for_cursor_holds_what_config_prints(product: Product) -> None:
    """Cursor: `config` is the server's entry, as JSON in base64."""
    query = parse_qs(urlsplit(cursor_link(product)).query, strict_parsing=True)
    printed = json.loads(CLIENTS["cursor"].snippet(product.server({"BLIKK_API_KEY": "${env:BLIKK_API_KEY}"})))
    assert {query["name"][0]: json.loads(base64.b64decode(query["config"][0]))} == printed["mcpServers"]


@BOTH
def test_the_readme_has_both_links(product: Product) -> None:
    """A link that is only in the code installs nothing."""
    text = generated(product)["README.md"]
    assert f"({vscode_link(product)})" in text
    assert f"({cursor_link(product)})" in text


def test_claude_code_and_codex_hand_every_setting_on() -> None:
    """A limit that does not reach the server is a limit that does not hold."""
    (entry,) = json.loads(generated()[f"{FOLDER}/.mcp.json"])["mcpServers"].values()
    assert tuple(entry["env_vars"]) == NAMES
    # An `env` would hand Codex a placeholder, literally; it merges the portable entry's into this one.
    assert "env" not in entry


def test_geminis_extension_works_where_nothing_is_set() -> None:
    """Gemini CLI 0.61: a variable that nobody set arrives empty, unless a default stands behind `:-`."""
    (entry,) = json.loads(generated()[f"{FOLDER}/gemini-extension.json"])["mcpServers"].values()
    assert tuple(entry["env"]) == NAMES
    arrives = {name: re.sub(r"\$(?:\w+|\{\w+(?::-([^}]*))?\})", r"\1", text) for name, text in entry["env"].items()}
    arrives["BLIKK_API_KEY"] = "a-key-of-nobody-0001"
    assert _decided(read_settings(arrives)) == _decided(read_settings({"BLIKK_API_KEY": "a-key-of-nobody-0001"}))


def test_a_portable_plugin_keeps_to_the_standard() -> None:
    """Agent Plugins 1.0.0: closed manifests, no placeholder but its own two, no credentials in `env`."""
    files = generated(RELEASED)
    manifest = json.loads(files[f"{FOLDER}/plugin.json"])
    known = {"$schema", "name", "version", "description", "author", "homepage", "repository", "license", "keywords"}
    assert set(manifest) <= known
    servers = json.loads(files[f"{FOLDER}/mcp.json"])
    assert servers["$schema"].rpartition("/")[0] == manifest["$schema"].rpartition("/")[0]
    (entry,) = servers["mcpServers"].values()
    assert entry.keys() <= {"type", "command", "args", "cwd"}
    assert "$" not in json.dumps(entry)


def test_the_skill_is_one_that_every_client_takes() -> None:
    """Agent Skills: the name is the folder's, 64 characters; the description at most 1,024; the body stays short."""
    _, front, body = SKILL.split("---\n", 2)
    told = yaml.safe_load(front)
    assert told["name"] == "pay-a-bill"
    assert 50 <= len(told["description"]) <= 1024
    assert set(told) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert len(body.splitlines()) < 120


def test_the_skill_speaks_of_tools_and_arguments_that_there_are() -> None:
    """A skill that names what is not there sends a model guessing."""
    arguments = {name for tool in ALL_TOOLS for name in tool.input_schema["properties"]}
    results = {name for tool in ALL_TOOLS for name in tool.output_schema["properties"]}
    known = {tool.name for tool in ALL_TOOLS} | arguments | results | {"not_found"}
    named = set(re.findall(r"`([a-z]+_[a-z_]+)(?:: true)?`", SKILL))
    assert len(named) >= 10
    assert named <= known


def test_the_skills_keys_are_ones_that_the_tool_takes() -> None:
    """The same bill gives the same key, and a key holds no kennitala and no account."""
    keys = set(re.findall(r"`(bill:[^`]+:[^`]+)`", SKILL))
    assert len(keys) >= 2
    for key in keys:
        assert re.fullmatch(IDEMPOTENCY_KEY_PATTERN, key)
        assert not re.search(r"\d{6}-?\d{4}", key)


@BOTH
def test_an_agent_that_sets_the_server_up_never_handles_the_key(product: Product) -> None:
    """A key in a chat is a key in a log; and what an agent is told to run has to exist."""
    text = generated(product)["llms-install.md"]
    assert "Do not ask for the API key" in text
    assert "BLIKK_API_KEY=" not in text
    assert all(f"blikk-mcp {command}" in text for command in ("demo", "config", "doctor"))
    assert ("uv tool install ." in text) is not product.published
    assert (f"uv tool install blikk-mcp=={__version__}" in text) is product.published
    snippet = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert snippet["mcpServers"]["blikk"]["command"] == product.launch[0]
    assert all(f"`{name}`" in text for name in CLIENTS if name != "other")
