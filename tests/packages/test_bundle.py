"""The bundle: its dialog, a host that fills in too little, and the whole of it as a host unpacks and runs it."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_mcp.settings.settings import Settings, read_settings
from blikk_packages.bundle import FOLDER, PROGRAM, manifest, pack, pins_of
from blikk_packages.distribution import UV
from blikk_packages.product import read_product
from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from blikk_tools.catalog import ALL_TOOLS
from tests.npm import node_with
from tests.packages.stdio import START_SECONDS, answers, bare_machine, tools_of
from tests.sandbox_control import paid
from tests.server.in_process_server import serve, tool_call
from tests.server.running import PAYMENT, Process

SERVER = str(Path(sysconfig.get_path("scripts")) / "blikk-mcp")
MANIFEST = manifest(read_product())
ASKED: Mapping[str, Any] = MANIFEST["user_config"]
ENV: Mapping[str, str] = MANIFEST["server"]["mcp_config"]["env"]
NAMES = [tool.name for tool in ALL_TOOLS]


def filled_in(**given: str) -> dict[str, str]:
    """The environment as a host makes it: what is given, else the default, else the placeholder as it stands."""
    values = {f"${{user_config.{key}}}": str(option["default"]) for key, option in ASKED.items() if "default" in option}
    values |= {f"${{user_config.{key}}}": value for key, value in given.items()}
    return {name: values.get(placeholder, placeholder) for name, placeholder in ENV.items()}


def test_the_key_is_the_only_thing_that_a_person_has_to_fill_in() -> None:
    """A secret, kept by the host as one; all else has a default, since hosts leave the rest unfilled."""
    assert {key for key, option in ASKED.items() if "default" not in option} == {"api_key"}
    assert ASKED["api_key"]["required"] is True
    assert ASKED["api_key"]["sensitive"] is True
    assert {"max_amount_isk", "daily_limit_isk", "language"} < set(ASKED)


def test_the_dialogs_defaults_are_the_settings_own() -> None:
    """Whoever changes nothing gets what the README says."""
    key = "a-key-of-nobody-0001"
    filled = read_settings(filled_in(api_key=key))
    bare = read_settings({"BLIKK_API_KEY": key})
    names = [name for name in Settings.__dataclass_fields__ if name != "api_key"]
    assert {name: str(getattr(filled, name)) for name in names} == {name: str(getattr(bare, name)) for name in names}


def test_what_a_person_changes_in_the_dialog_reaches_the_server() -> None:
    """A limit typed into a dialog holds."""
    settings = read_settings(filled_in(api_key="a-key-of-nobody-0001", max_amount_isk="500", language="is"))
    assert (settings.max_amount_isk, settings.language) == (500, "is")


def test_where_nothing_was_filled_in_the_first_call_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A placeholder is a wrong setting."""
    told = serve(monkeypatch, ENV, [tool_call("create_payment", **PAYMENT)]).result
    assert told["error_code"] == "not_configured"
    assert all(f"{name}: is still a placeholder" in json.dumps(told) for name in ENV)


@pytest.mark.slow
def test_a_host_that_fills_nothing_in_gets_a_server_that_says_so(tmp_path: Path) -> None:
    """A placeholder is a wrong setting; the tools are listed, and the first call names what is missing."""
    call = {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "tools/call",
        "params": {"name": "create_payment", "arguments": PAYMENT},
    }
    answered = answers([SERVER], {**bare_machine(tmp_path), **ENV}, call)
    assert tools_of(answered) == NAMES
    told = answered[3]["structuredContent"]
    assert told["error_code"] == "not_configured"
    assert all(f"{name}: is still a placeholder" in json.dumps(told) for name in ENV)


def test_the_locks_versions_are_the_bundles() -> None:
    """Exact, with markers, without hashes."""
    lock = "anyio==4.16.0 \\\n    --hash=sha256:00\npywin32==312 ; sys_platform == 'win32' \\\n    --hash=sha256:01\n"
    assert pins_of(lock) == ["anyio==4.16.0", "pywin32==312 ; sys_platform == 'win32'"]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, packed by the format's own program, which validates it first, and unpacked by it."""
    node = node_with(FOLDER)
    folder = tmp_path_factory.mktemp("bundle")
    file = pack(folder)
    subprocess.run([node, str(PROGRAM), "unpack", str(file), str(folder / "host")], check=True, capture_output=True)
    return folder / "host"


CONFIGURE = """\
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
const [folder, given, insists] = process.argv.slice(1);
const manifest = JSON.parse(readFileSync(folder + "/manifest.json", "utf8"));
if (insists === "no") for (const one of Object.values(manifest.user_config)) one.required = false;
const config = await getMcpConfigForManifest({
  manifest, extensionPath: folder, systemDirs: {}, userConfig: JSON.parse(given), pathSeparator: "/",
});
console.log(JSON.stringify(config ?? null));
"""
"""What Claude Desktop makes of a manifest, by its own code."""


def configured(unpacked: Path, *, insists: bool = True, **given: str) -> Any:
    """What a host starts, with what a person typed; None if it does not start it."""
    command = [node_with(FOLDER), "--input-type=module", "-e", CONFIGURE, str(unpacked), json.dumps(given)]
    ended = subprocess.run(
        [*command, "yes" if insists else "no"], cwd=FOLDER, capture_output=True, encoding="utf-8", check=True
    )
    return json.loads(ended.stdout)


def start_of(config: Any, home: Path) -> tuple[list[str], dict[str, str]]:
    """The command and the environment, in an empty home. The host's uv is ours."""
    assert config["command"] == "uv"
    return [UV, *config["args"]], {**bare_machine(home), **config["env"]}


@pytest.mark.node
def test_a_host_does_not_start_the_bundle_before_the_key_is_filled_in(unpacked: Path) -> None:
    """MCPB: `required`."""
    assert configured(unpacked) is None


@pytest.mark.node
def test_the_unpacked_bundle_lists_its_tools_without_a_key(unpacked: Path, tmp_path: Path) -> None:
    """A host that starts it all the same gets the tools, in a home where nothing was ever installed."""
    command, environ = start_of(configured(unpacked, insists=False), tmp_path)
    assert environ["BLIKK_API_KEY"] == "${user_config.api_key}"
    assert tools_of(answers(command, environ)) == NAMES


@pytest.mark.node
@pytest.mark.anyio
async def test_the_unpacked_bundle_pays_in_the_sandbox(unpacked: Path, sandbox: RunningSandbox, tmp_path: Path) -> None:
    """Asked for through the bundle, approved by a person, paid once."""
    config = configured(unpacked, api_key=sandbox.api_key, base_url=sandbox.base_url)
    async with running(*start_of(config, tmp_path)) as server:
        await server.initialize()
        created = await server.call("create_payment", PAYMENT)
        await approve(created["approval_url"])
        waited = {"payment_id": created["payment_id"], "human_informed": True}
        ended = await server.call("await_payment", waited)
    assert (ended["outcome"], paid(sandbox)) == ("paid", [created["payment_id"]])


@pytest.mark.node
@pytest.mark.anyio
async def test_a_limit_in_the_bundles_dialog_holds(unpacked: Path, sandbox: RunningSandbox, tmp_path: Path) -> None:
    """The operator's rules, from a dialog."""
    config = configured(unpacked, api_key=sandbox.api_key, base_url=sandbox.base_url, max_amount_isk="999")
    async with running(*start_of(config, tmp_path)) as server:
        await server.initialize()
        refused = await server.call("create_payment", PAYMENT)
    assert (refused["outcome"], refused["error_code"]) == ("refused", "over_limit")
    assert paid(sandbox) == []


@asynccontextmanager
async def running(command: list[str], environ: Mapping[str, str]) -> AsyncGenerator[Process]:
    """The server as a host starts it; its home is prepared first, which can take longer than an answer may."""
    with anyio.fail_after(START_SECONDS):
        await anyio.to_thread.run_sync(answers, command, environ)
    process = await anyio.open_process(command, env=dict(environ))
    async with process:
        server = Process(process)
        yield server
        await server.close_stdin()
        assert await server.end() == 0
