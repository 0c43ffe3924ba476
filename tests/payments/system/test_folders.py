"""Where a ledger lies by default, on each system."""

from __future__ import annotations

from pathlib import Path

import pytest

from blikk_mcp.settings.values import parse_ledger
from blikk_payments.ledger.location import default_ledger_path
from blikk_payments.system.folders import earlier_state_home, state_home

URL = "https://api.blikk.tech/paymentchannel"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, ".local/state"),
        ("linux", {"XDG_STATE_HOME": "HOME/kept"}, "kept"),
        ("linux", {"XDG_STATE_HOME": "kept"}, ".local/state"),
        ("linux", {"LOCALAPPDATA": "HOME/kept"}, ".local/state"),
        ("darwin", {}, "Library/Application Support"),
        ("darwin", {"XDG_STATE_HOME": "HOME/kept"}, "Library/Application Support"),
        ("win32", {"LOCALAPPDATA": "HOME/Local", "XDG_STATE_HOME": "HOME/kept"}, "Local"),
        ("win32", {}, "AppData/Local"),
        ("win32", {"LOCALAPPDATA": ""}, "AppData/Local"),
        ("win32", {"LOCALAPPDATA": "Local"}, "AppData/Local"),
    ],
)
def test_every_system_has_its_own_folder(platform: str, environ: dict[str, str], expected: str, home: Path) -> None:
    """XDG on Linux; on macOS one folder for shells and for clients with a window; the profile on Windows."""
    given = {name: value.replace("HOME", str(home)) for name, value in environ.items()}
    assert state_home(given, platform) == home / expected


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_no_home_is_a_wrong_setting_on_every_system(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger in whatever folder a process was started in would be found by nobody else."""
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(ValueError, match="set it to an absolute path"):
        state_home({}, platform)


def test_a_ledger_of_the_first_versions_on_macos_is_used_where_it_lies(home: Path) -> None:
    """A ledger that is passed over has forgotten what was paid. Elsewhere there is no earlier place."""
    earlier = earlier_state_home({}, "darwin")
    assert earlier is not None
    assert [earlier_state_home({}, platform) for platform in ("linux", "win32")] == [None, None]
    now = default_ledger_path(URL, state_home({}, "darwin"), earlier)
    assert now.is_relative_to(home / "Library" / "Application Support" / "blikk-mcp")
    kept = earlier / "blikk-mcp" / now.name
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert default_ledger_path(URL, state_home({}, "darwin"), earlier) == kept
    other = default_ledger_path("https://stage.blikk.tech/paymentchannel", state_home({}, "darwin"), earlier)
    assert other.parent == now.parent


def test_the_default_setting_names_the_ledger_in_that_folder(home: Path) -> None:
    """What `BLIKK_LEDGER` is when it is not set."""
    found = parse_ledger("", URL, {})
    assert isinstance(found, Path)
    assert found.is_relative_to(home)
    assert found == default_ledger_path(URL, state_home({}), earlier_state_home({}))
