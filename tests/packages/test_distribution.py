"""The wheel, as people install it: it holds the product alone, and needs no clone."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from blikk_mcp import __version__
from blikk_packages.distribution import UV, Built, StepFailed, build, pythons, run, strangers_in
from blikk_tools.catalog import ALL_TOOLS
from tests.missing import unavailable
from tests.packages.stdio import answers, bare_machine, tools_of

METADATA = "blikk_mcp-0.2.0.dist-info/METADATA"


def artefacts(folder: Path, *, in_wheel: str = "", needs: str = "mcp<3,>=2.3", in_sdist: str = "server/x.py") -> Built:
    """A small wheel and sdist, with something in them."""
    wheel, sdist = folder / "x.whl", folder / "x.tar.gz"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr(METADATA, f"Name: blikk-mcp\nRequires-Dist: {needs}\n")
        opened.writestr("blikk_mcp/cli.py", "")
        if in_wheel:
            opened.writestr(in_wheel, "")
    (folder / "any.py").write_text("")
    with tarfile.open(sdist, "w:gz") as opened:
        opened.add(folder / "any.py", f"blikk_mcp-0.2.0/{in_sdist}")
    return Built(wheel, sdist)


def test_a_wheel_of_the_product_alone_passes(tmp_path: Path) -> None:
    """The check can pass."""
    assert strangers_in(artefacts(tmp_path)) == []


@pytest.mark.parametrize("name", ["tests/conftest.py", "blikk_evals/run.py", "blikk_mcp/tests/x.py", "scene.py"])
def test_a_wheel_with_something_else_in_it_is_noticed(tmp_path: Path, name: str) -> None:
    """Tests, evaluations and examples are for those who have a clone."""
    assert strangers_in(artefacts(tmp_path, in_wheel=name)) == [name]


def test_a_wheel_that_wants_a_framework_is_noticed(tmp_path: Path) -> None:
    """A lean process in every IDE; a dependency is a decision."""
    assert strangers_in(artefacts(tmp_path, needs="inspect-ai>=0.3")) == ["inspect-ai"]


def test_an_sdist_with_something_else_in_it_is_noticed(tmp_path: Path) -> None:
    """What is handed out is what was looked at."""
    assert strangers_in(artefacts(tmp_path, in_sdist="evals/x.py")) == ["evals"]


def test_the_running_python_is_found_and_every_one_is_what_it_is_called() -> None:
    """3.11 to 3.14, where they are there."""
    found = pythons()
    assert "{}.{}".format(*sys.version_info) in found
    assert all(path.exists() for path in found.values())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Wheel and sdist, built once."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(params=sorted(pythons()))
def python(request: pytest.FixtureRequest) -> str:
    """Each Python that there is here."""
    return str(pythons()[request.param])


@pytest.mark.slow
def test_what_is_built_holds_the_product_and_nothing_else(built: Built) -> None:
    """Nothing of the tests, the evaluations and their frameworks reaches a user."""
    assert strangers_in(built) == []
    with zipfile.ZipFile(built.wheel) as wheel:
        assert {"blikk_mcp/transports/answers.json", "blikk_mcp/card/card.html"} <= set(wheel.namelist())


@pytest.mark.slow
def test_the_wheel_runs_from_uvx_with_no_clone_near(built: Built, python: str, tmp_path: Path) -> None:
    """`uvx blikk-mcp demo` is all that a newcomer types."""
    environ = bare_machine(tmp_path / "home")
    uvx = [UV, "tool", "run", "--quiet", "--python", python, "--from", str(built.wheel), "blikk-mcp"]
    assert _said([*uvx, "--version"], environ, tmp_path).strip() == f"blikk-mcp {__version__}"
    assert tools_of(answers(uvx, environ)) == [tool.name for tool in ALL_TOOLS]
    assert "paid" in _said([*uvx, "demo"], environ, tmp_path)


@pytest.mark.slow
def test_the_wheel_runs_from_pipx_with_no_clone_near(built: Built, python: str, tmp_path: Path) -> None:
    """`pipx install` is the other way."""
    environ = {
        **bare_machine(tmp_path / "home"),
        "PIPX_HOME": str(tmp_path / "p"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
    }
    # With pip below it, pipx installs the same wheel, a minute later.
    environ |= {"PIPX_DEFAULT_BACKEND": "uv", "PATH": f"{Path(UV).parent}:{environ['PATH']}"}
    _said([UV, "tool", "run", "--quiet", "pipx", "install", "--python", python, str(built.wheel)], environ, tmp_path)
    program = shutil.which("blikk-mcp", path=str(tmp_path / "bin"))
    assert program is not None
    assert tools_of(answers([program], environ)) == [tool.name for tool in ALL_TOOLS]
    assert "paid" in _said([program, "demo"], environ, tmp_path)


def _said(command: list[str], environ: dict[str, str], folder: Path) -> str:
    try:
        return run(command, cwd=folder, environ=environ)
    except StepFailed as failed:
        if "error sending request" in str(failed) or "Could not connect" in str(failed):
            unavailable("packages cannot be fetched here")
        raise
