"""The house's own rules: which way imports run, how large a module may be, who may write to stdout, what is installed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("server/**/*.py"), *ROOT.glob("tools/**/*.py")])
MAX_LINES = 300
PACKAGES = {"blikk_mcp", "blikk_payments", "blikk_sandbox", "blikk_tools"}


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_imports_run_one_way() -> None:
    """Three floors, and no import that climbs; the stand-in shares no code with the client."""
    ended = run(str(Path(sys.executable).parent / "lint-imports"))
    assert ended.returncode == 0, ended.stdout[-2000:]


def test_no_module_is_longer_than_the_house_allows() -> None:
    """A module fits a head."""
    long = {
        str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := path.read_text().count("\n")) > MAX_LINES
    }
    assert long == {}


def test_only_commands_write_to_stdout() -> None:
    """MCP's stdio transport: stdout belongs to the protocol. `print` is banned by lint everywhere."""
    wrote = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"\bprint\(|sys\.stdout\.(write|buffer)|sys\.__stdout__", path.read_text())
    }
    assert {path for path in wrote if not path.startswith("server/blikk_mcp/commands/")} == set()
    assert "server/blikk_mcp/commands/serve.py" not in wrote


def test_httpx_is_imported_in_the_channel_alone() -> None:
    """The HTTP library is one import line, should it ever change."""
    importing = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"^\s*(import|from) httpx\b", path.read_text(), re.M)
    }
    assert all(path.startswith("server/blikk_payments/channel/") for path in importing)


def reads_environment(source: str) -> bool:
    """Whether this source reads the environment, by whatever name it takes it from `os`."""
    names = {"environ", "environb", "getenv", "getenvb"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in names:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names}:
            return True
        if isinstance(node, ast.Constant) and node.value in names:
            return True
    return False


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['X']",
        "import os as o\no.getenv('X')",
        "from os import environ as e",
        "getattr(os, 'environ')",
    ],
)
def test_a_reader_of_the_environment_is_found(source: str) -> None:
    """The check below sees what it looks for."""
    assert reads_environment(source)
    assert not reads_environment("environ = {}\nenviron.get('X')")


def test_only_settings_read_the_environment() -> None:
    """One place reads the environment; the command line hands it over. `SSL_CERT_*` are read where TLS is set up."""
    readers = {path.relative_to(ROOT).as_posix() for path in SOURCES if reads_environment(path.read_text())}
    allowed = ("server/blikk_mcp/settings/", "server/blikk_mcp/commands/")
    assert {path for path in readers if not path.startswith(allowed)} <= {
        "server/blikk_mcp/cli.py",
        "server/blikk_payments/channel/certificates.py",
    }


def asks_which_system(source: str) -> bool:
    """Whether this source asks which operating system it runs on."""
    asked = {("sys", "platform"), ("os", "name"), ("platform", "system")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in asked:
            return True
        if isinstance(node, ast.ImportFrom) and any((node.module, alias.name) in asked for alias in node.names):
            return True
    return False


@pytest.mark.parametrize(
    "source", ["import sys\nsys.platform == 'win32'", "import os\nos.name", "from sys import platform"]
)
def test_a_question_for_the_system_is_found(source: str) -> None:
    """The check below sees what it looks for."""
    assert asks_which_system(source)
    assert not asks_which_system("client.platform")


def test_only_one_room_asks_which_system_it_runs_on() -> None:
    """What differs between Linux, macOS and Windows is in `blikk_payments/system`; a support report names the system."""
    asking = {path.relative_to(ROOT).as_posix() for path in SOURCES if asks_which_system(path.read_text())}
    assert {path for path in asking if not path.startswith("server/blikk_payments/system/")} == {
        "server/blikk_mcp/commands/doctor.py"
    }


def test_the_source_roots_are_no_packages() -> None:
    """A wheel that installs `server` and `tools` collides with everybody's."""
    assert not (ROOT / "server" / "__init__.py").exists()
    assert not (ROOT / "tools" / "__init__.py").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["doctor", "--help"], ["config", "claude-code"], ["ledger", "list"]],
    ids=" ".join,
)
def test_a_light_command_does_not_import_the_sdk(arguments: list[str], tmp_path: Path) -> None:
    """The SDK's import is most of a start, and is for those who serve. The command has to have run, too."""
    program = f"""
import runpy, sys
sys.argv = ["blikk-mcp", *{arguments!r}]
code = None
try:
    runpy.run_module("blikk_mcp.cli", run_name="__main__")
except SystemExit as end:
    code = end.code
heavy = {{"mcp", "mcp_types", "httpx", "starlette", "uvicorn"}} & set(sys.modules)
sys.exit(f"imports {{heavy}}" if heavy else f"ended with {{code}}" if code else 0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    assert ended.stdout


@pytest.mark.slow
def test_a_wheel_installs_only_our_packages_and_runs(tmp_path: Path) -> None:
    """The wheel holds the `blikk_*` packages, typed, and `blikk-mcp` runs from it."""
    built = run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        ".",
    )
    assert built.returncode == 0, built.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from blikk_mcp.cli import main; import blikk_mcp; " + (
        "print(blikk_mcp.__file__); main(['--version'])"
    )
    ended = run(sys.executable, "-S", "-c", program, str(tmp_path / "installed"), cwd=tmp_path)
    assert str(tmp_path) in ended.stdout
    assert "blikk-mcp 0." in ended.stdout
