"""`blikk-mcp config`: a snippet in the client's own format, with every setting that is set and no key."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from blikk_mcp.cli import main
from blikk_mcp.commands.clients import CLIENTS, is_packaged
from blikk_mcp.commands.config_files import load_json
from blikk_mcp.settings.table import NAMES

KEY = "config-canary-key-0123456789"
SET = {
    "BLIKK_API_KEY": KEY,
    "BLIKK_BASE_URL": "https://stage.blikk.tech/paymentchannel",
    "BLIKK_READ_ONLY": "true",
    "BLIKK_ALLOWED_CREDITORS": "0159-26-007654, 551073-0339",
}
"""What the shell says: the stage, read only."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, no settings but the above, and nobody at the terminal."""
    for name in os.environ:
        if name.startswith(("BLIKK_", "CODEX_")):
            monkeypatch.delenv(name)
    for name, value in {**SET, "HOME": str(tmp_path), "APPDATA": str(tmp_path / "AppData")}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def config(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    """What the command prints: stdout and stderr."""
    assert main(["config", *arguments]) == code
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err
    return printed.out, printed.err


def parsed(client: str, text: str) -> dict[str, Any]:
    """The text, read by a parser of that client's format."""
    match CLIENTS[client].format:
        case "toml":
            return tomllib.loads(text)
        case "yaml":
            return yaml.safe_load(text)
        case "json":
            return json.loads(text)


def entry_of(client: str, whole: dict[str, Any]) -> dict[str, Any]:
    """Our server's entry in a client's file."""
    if client == "continue":
        (entry,) = whole["mcpServers"]
        return entry
    for place in CLIENTS[client].place:
        whole = whole[place]
    return whole["blikk"]


def environment_of(client: str, entry: dict[str, Any]) -> dict[str, str]:
    """The variables that the entry gives the server."""
    return entry.get("env") or entry.get("envs") or entry.get("environment") or {}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_all_that_is_set_and_no_key(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Seen: the stage and read-only in the shell, production and `create_payment` in the server."""
    text, told = config(capsys, client)
    entry = entry_of(client, parsed(client, text))
    environment = environment_of(client, entry)
    if client == "codex":
        assert set(entry["env_vars"]) == set(NAMES)
        return
    for name in ("BLIKK_BASE_URL", "BLIKK_READ_ONLY", "BLIKK_ALLOWED_CREDITORS"):
        assert environment[name] == SET[name]
    by_reference = environment.get("BLIKK_API_KEY", "") or entry.get("env_keys") == ["BLIKK_API_KEY"]
    assert bool(by_reference) != ("BLIKK_API_KEY_FILE" in environment)
    if "BLIKK_API_KEY_FILE" in environment:
        assert Path(environment["BLIKK_API_KEY_FILE"]).is_absolute()
        assert environment["BLIKK_API_KEY_FILE"] in told


@pytest.mark.parametrize(
    ("client", "reference"),
    [
        ("claude-code", "${BLIKK_API_KEY}"),
        ("cursor", "${env:BLIKK_API_KEY}"),
        ("vscode", "${input:blikk-key}"),
        ("gemini", "$BLIKK_API_KEY"),
        ("opencode", "{env:BLIKK_API_KEY}"),
        ("windsurf", "${env:BLIKK_API_KEY}"),
        ("continue", "${{ secrets.BLIKK_API_KEY }}"),
    ],
)
def test_a_key_is_referred_to_as_the_client_does_it(
    client: str, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each client's own documentation; VS Code is told what to ask for."""
    whole = parsed(client, config(capsys, client)[0])
    assert environment_of(client, entry_of(client, whole))["BLIKK_API_KEY"] == reference
    if client == "vscode":
        assert (whole["inputs"][0]["id"], whole["inputs"][0]["password"]) == ("blikk-key", True)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_command_is_an_absolute_path_that_starts(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Clients with a window have no PATH, and `~/.local/bin` is often on none."""
    entry = entry_of(client, parsed(client, config(capsys, client)[0]))
    command = entry.get("cmd") or entry["command"]
    path = Path(command if isinstance(command, str) else command[0])
    assert path.is_absolute()
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize(
    ("client", "field", "value"),
    [
        ("codex", "startup_timeout_sec", 20),
        ("codex", "tool_timeout_sec", 60),
        ("gemini", "timeout", 60_000),
        ("goose", "timeout", 60),
        ("opencode", "timeout", 20_000),
        ("continue", "connectionTimeout", 20_000),
        ("cline", "timeout", 60),
    ],
)
def test_time_outs_outlast_the_longest_wait(
    client: str, field: str, value: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """`await_payment` takes 45 s at most; some clients give up after 5 or 10."""
    assert entry_of(client, parsed(client, config(capsys, client)[0]))[field] == value


def test_a_longer_wait_has_a_longer_time_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who raises the cap raises the client's time-out with it."""
    monkeypatch.setenv("BLIKK_MAX_WAIT_SECONDS", "100")
    assert entry_of("codex", parsed("codex", config(capsys, "codex")[0]))["tool_timeout_sec"] == 115


@pytest.mark.parametrize("client", CLIENTS)
def test_a_sandbox_needs_no_key(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """To try a client: the limits stay, the key and the address go."""
    whole = parsed(client, config(capsys, client, "--sandbox")[0])
    entry = entry_of(client, whole)
    assert "--sandbox" in [*entry.get("args", []), *entry["command"]] if client == "opencode" else entry["args"]
    named = set(environment_of(client, entry)) | set(entry.get("env_vars", ())) | set(entry.get("env_keys", ()))
    assert named.isdisjoint({"BLIKK_API_KEY", "BLIKK_API_KEY_FILE", "BLIKK_BASE_URL", "BLIKK_LEDGER"})
    assert "BLIKK_READ_ONLY" in named
    assert "inputs" not in whole


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "codex"])
def test_a_key_file_is_used_where_there_is_one(
    client: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's path is no secret, and needs nothing filled in."""
    monkeypatch.delenv("BLIKK_API_KEY")
    monkeypatch.setenv("BLIKK_API_KEY_FILE", "~/keys/blikk")
    entry = entry_of(client, parsed(client, config(capsys, client)[0]))
    environment = environment_of(client, entry)
    assert environment["BLIKK_API_KEY_FILE"] == str(home / "keys" / "blikk")
    assert "BLIKK_API_KEY" not in environment
    assert not entry.get("env_keys")


@pytest.mark.parametrize(
    "wrong",
    [
        {"BLIKK_LANGUAGE": KEY},
        {"BLIKK_LEDGER": "postgresql://me:secret-of-mine@db/x"},
        {"BLIKK_SCA_HOSTS": "${HOSTS}"},
        {"BLIKK_LEDGER": f"/var/{KEY}"},
        {"BLIKK_MAX_AMOUNT_ISK": "1.000"},
    ],
    ids=["a key in the wrong place", "a password", "a placeholder", "a path of the key", "no number"],
)
@pytest.mark.parametrize("client", ["cursor", "goose", "zed"])
def test_what_is_wrong_or_secret_is_left_out_and_named(
    client: str, wrong: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration file is no place for a secret, nor for what the server would refuse."""
    ((name, value),) = wrong.items()
    monkeypatch.setenv(name, value)
    text, told = config(capsys, client)
    assert name not in text
    assert f"{name} is left out" in told
    assert value not in text + told


def test_an_unknown_client_is_told_which_there_are_and_of_other(capsys: pytest.CaptureFixture[str]) -> None:
    """The list is the answer, and `other` is for the rest."""
    with pytest.raises(SystemExit) as ended:
        main(["config", "notepad"])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert [name for name in CLIENTS if name not in told] == []
    assert "notepad" not in told


@pytest.mark.parametrize("name", CLIENTS)
def test_doctor_is_recommended_only_where_it_knows_the_client(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`doctor other` is a wrong argument: nobody is to be sent there."""
    assert main(["config", name]) == 0
    assert ("blikk-mcp doctor" in capsys.readouterr().err) == (name != "other")


WRITTEN = [name for name in CLIENTS if name != "other"]
EXISTING = {
    "json": '{\n  // mine, and it stays\n  "theme": "dark", /* so does this */\n'
    '  "PLACE": {\n    "other": {"command": "x"},\n  },\n}\n',
    "toml": '# mine\nmodel = "o"\n\n[mcp_servers.other]\ncommand = "x"\n\n[mcp_servers.blikk]\ncommand = "old"\n\n'
    '[mcp_servers.blikk.env]\nA = "b"\n\n[tui]\ntheme = "dark"\n',
    "yaml": "# mine\nGOOSE_MODEL: x\nextensions:\n    other:\n        cmd: x  # stays\nlast: 1\n",
}


def read_loosely(client: str, text: str) -> dict[str, Any]:
    """The client's file, comments and all."""
    return load_json(text) if CLIENTS[client].format == "json" else parsed(client, text)


@pytest.mark.parametrize("client", WRITTEN)
def test_write_makes_a_private_file_that_says_what_the_snippet_says(
    client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a file yet: the snippet is the file, and nobody else reads it."""
    snippet = config(capsys, client)[0]
    path = CLIENTS[client].paths("linux", os.environ)[0]
    assert not path.exists()
    _, told = config(capsys, client, "--write")
    assert parsed(client, path.read_text()) == parsed(client, snippet)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in told
    assert "nothing to change" in config(capsys, client, "--write")[1]


@pytest.mark.parametrize("client", [name for name in WRITTEN if name != "continue"])
@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_write_keeps_what_the_file_holds(client: str, mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Comments, other servers, other settings and the file's mode stay; what it was is beside it."""
    kind = CLIENTS[client]
    path = kind.paths("linux", os.environ)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    before = EXISTING[kind.format].replace("PLACE", kind.place[0] if kind.place else "")
    path.write_text(before)
    path.chmod(mode)
    shown, _ = config(capsys, client, "--write")
    after = path.read_text()
    (place,) = kind.place
    old, new = read_loosely(client, before), read_loosely(client, after)
    assert new[place].pop("blikk") == entry_of(client, parsed(client, config(capsys, client)[0]))
    new.pop("inputs", None)
    old[place].pop("blikk", None)
    assert new == old
    assert "mine" in after
    assert "+" in shown
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.with_name(path.name + ".before-blikk").read_text() == before


@pytest.mark.parametrize("client", WRITTEN)
def test_write_keeps_the_settings_that_only_the_file_has(
    client: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen: run again from a shell without them, it took an allow-list and a limit out of the file."""
    monkeypatch.setenv("BLIKK_ALLOWED_CREDITORS", "0159-26-007654")
    monkeypatch.setenv("BLIKK_ASK_ABOVE_ISK", "5000")
    config(capsys, client, "--write")
    path = CLIENTS[client].paths("linux", os.environ)[0]
    if client == "codex":  # it hands names on; somebody has written values beside them
        path.write_text(
            path.read_text() + "\n[mcp_servers.blikk.env]\n" + 'BLIKK_ALLOWED_CREDITORS = "0159-26-007654"\n'
        )
    monkeypatch.delenv("BLIKK_ALLOWED_CREDITORS")
    monkeypatch.setenv("BLIKK_ASK_ABOVE_ISK", "7000")
    _, told = config(capsys, client, "--write")
    entry = entry_of(client, parsed(client, path.read_text()))
    environment = environment_of(client, entry)
    assert environment["BLIKK_ALLOWED_CREDITORS"] == "0159-26-007654"
    assert "BLIKK_ALLOWED_CREDITORS" in told
    if client == "codex":
        assert "BLIKK_ALLOWED_CREDITORS" not in entry["env_vars"]
    else:
        assert environment["BLIKK_ASK_ABOVE_ISK"] == "7000"
    assert "nothing to change" in config(capsys, client, "--write")[1]


@pytest.mark.parametrize(
    ("client", "content"),
    [
        ("cursor", "{not json"),
        ("cursor", "[]"),
        ("cursor", '{"mcpServers": []}'),
        ("cursor", '{"mcpServers": "x"}'),
        ("zed", "\u0000"),
        ("vscode", '{"inputs": 5}'),
        ("codex", "[mcp_servers\n"),
        ("codex", 'mcp_servers = {other = {command = "x"}}\n'),
        ("goose", "extensions: {other: {cmd: x}}\n"),
        ("goose", "\tx: 1\nextensions:\n"),
    ],
)
def test_what_is_not_understood_is_left_alone(client: str, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file of somebody's editor is worse than a snippet to paste: it is printed instead."""
    path = CLIENTS[client].paths("linux", os.environ)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    text, told = config(capsys, client, "--write", code=1)
    assert path.read_text() == content
    assert "left alone" in told
    assert entry_of(client, parsed(client, text))


def test_write_asks_at_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there: the change is shown, and theirs to refuse."""
    path = CLIENTS["cursor"].paths("linux", os.environ)[0]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    told = config(capsys, "cursor", "--write", code=1)[1]
    assert "Write this?" in told
    assert not path.exists()
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    config(capsys, "cursor", "--write")
    assert path.exists()


def test_what_write_shows_is_what_goes_and_what_comes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who agrees to a change has to see its direction."""
    path = CLIENTS["cursor"].paths("linux", os.environ)[0]
    config(capsys, "cursor", "--write")
    path.write_text(path.read_text().replace("551073-0339", "0101302989"))
    shown = config(capsys, "cursor", "--write")[0].splitlines()
    (gone,) = [line for line in shown if "0101302989" in line]
    (comes,) = [line for line in shown if "551073-0339" in line]
    assert (gone[0], comes[0]) == ("-", "+")
    assert "551073-0339" in path.read_text()


def test_a_link_to_the_file_stays_a_link(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dotfiles often are links into a repository."""
    path = CLIENTS["cursor"].paths("linux", os.environ)[0]
    path.parent.mkdir(parents=True)
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "mcp.json").write_text("{}")
    path.symlink_to(home / "dotfiles" / "mcp.json")
    config(capsys, "cursor", "--write")
    assert path.is_symlink()
    assert "blikk" in (home / "dotfiles" / "mcp.json").read_text()


def test_the_readme_names_every_client_and_its_file() -> None:
    """A client that is known and not named is found by nobody."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = {line.split("`")[1]: line for line in readme.splitlines() if line.startswith("| `")}
    for name, client in CLIENTS.items():
        assert name in rows
        for file in client.files.get("", ())[:1]:
            assert Path(file).name in rows[name]


def test_numbers_of_people_are_shown_on_stdout_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snippet holds them, and so does the change that `--write` shows: stderr is what goes into logs."""
    monkeypatch.setenv("BLIKK_SCA_USER_SSN", "0101302989")
    shown, told = config(capsys, "cursor", "--write")
    assert "0101302989" in shown
    assert "0101302989" not in told


WINDOWS = {"APPDATA": "C:/Users/jona/AppData/Roaming", "LOCALAPPDATA": "C:/Users/jona/AppData/Local"}


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("claude-desktop", "C:/Users/jona/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("goose", "C:/Users/jona/AppData/Roaming/Block/goose/config/config.yaml"),
        ("zed", "C:/Users/jona/AppData/Roaming/Zed/settings.json"),
        ("cursor", "HOME/.cursor/mcp.json"),
    ],
)
def test_a_client_is_looked_for_where_windows_keeps_its_file(client: str, expected: str, home: Path) -> None:
    """The clients' own documentation."""
    assert CLIENTS[client].paths("win32", WINDOWS)[0] == Path(expected.replace("HOME", str(home)))


@pytest.mark.parametrize("environ", [{}, {"APPDATA": "", "LOCALAPPDATA": ""}])
def test_the_profile_is_taken_where_a_client_hands_no_folders_on(environ: dict[str, str], home: Path) -> None:
    """Some clients start programs with a few variables only."""
    (path,) = CLIENTS["claude-desktop"].paths("win32", environ)
    assert path == home / "AppData" / "Roaming" / "Claude" / "claude_desktop_config.json"


def test_a_packaged_claude_desktop_is_found_where_it_reads(home: Path) -> None:
    """Its installer makes a package since 2026 (claude-code#26073): what lies in `%APPDATA%` is not read then."""
    packages = home / "AppData" / "Local" / "Packages"
    for name in ("Claude_first", "Claude_second", "Other_first"):
        (packages / name).mkdir(parents=True)
    within = Path("LocalCache") / "Roaming" / "Claude" / "claude_desktop_config.json"
    usual = home / "AppData" / "Roaming" / "Claude" / "claude_desktop_config.json"
    paths = CLIENTS["claude-desktop"].paths("win32", {})
    assert paths == [packages / "Claude_first" / within, packages / "Claude_second" / within, usual]
    second = packages / "Claude_second" / within
    second.parent.mkdir(parents=True)
    second.touch()
    assert CLIENTS["claude-desktop"].paths("win32", {})[0] == second
    assert [is_packaged(path) for path in (second, usual)] == [True, False]


@pytest.mark.parametrize(
    ("named", "options", "is_told"),
    [(False, [], True), (True, [], False), (False, ["--sandbox"], False)],
    ids=["no ledger is named", "a ledger is named", "a sandbox"],
)
def test_a_packaged_client_is_told_of_its_own_ledger(
    named: bool,
    options: list[str],
    is_told: bool,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Windows gives packaged programs an AppData of their own: two ledgers know nothing of each other's payments.

    A sandbox's payments are worth nothing, and nobody has to name a ledger for them.
    """
    monkeypatch.setattr("blikk_mcp.commands.config.PLATFORM", "win32")
    (home / "AppData" / "Local" / "Packages" / "Claude_first").mkdir(parents=True)
    if named:
        monkeypatch.setenv("BLIKK_LEDGER", str(home / "ledger.sqlite3"))
    else:
        monkeypatch.delenv("BLIKK_LEDGER", raising=False)
    _, told = config(capsys, "claude-desktop", *options)
    assert ("a ledger of its own" in told) is is_told
    assert "LocalCache" in told


def test_a_file_with_windows_line_ends_keeps_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the file holds is kept, and editors there end lines so."""
    path = CLIENTS["cursor"].paths("linux", os.environ)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'{\r\n  "mcpServers": {\r\n    "other": {"command": "x"}\r\n  }\r\n}\r\n')
    config(capsys, "cursor", "--write")
    after = path.read_bytes()
    assert after.count(b"\n") == after.count(b"\r\n") > 5
    assert set(json.loads(after)["mcpServers"]) == {"other", "blikk"}
    assert "nothing to change" in config(capsys, "cursor", "--write")[1]


def test_what_is_said_beside_a_snippet_is_what_the_snapshot_says(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it goes, what comes next, what has to be done about the key, and what became of the file."""
    runs = [[], ["--sandbox"], ["--write"], ["--write"], ["--write", "--sandbox"]]
    told = ""
    for client, options in ((client, options) for client in CLIENTS for options in runs):
        code = 1 if client == "other" and "--write" in options else 0
        said = config(capsys, client, *options, code=code)[1]
        told += f"$ blikk-mcp config {' '.join([client, *options])}\n{said.replace(str(home), '~')}\n"
    file = Path(__file__).parent / "snapshots" / "config.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(told)
    assert told == file.read_text()


def test_a_name_that_is_no_setting_and_a_placeholder_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left out, each with its reason; the key in another variable is a secret."""
    wrong = {
        "BLIKK_NONSENSE": "1",
        "BLIKK_LANGUAGE": "$LANGUAGE",
        "BLIKK_SCA_HOSTS": f"{KEY}.example",
        "BLIKK_LEDGER": "postgresql://me:secret-of-mine@db/x",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    told = config(capsys, "cursor")[1]
    secret = "is left out: it holds a secret, which belongs into no client's file\n"
    assert f"BLIKK_SCA_HOSTS {secret}" in told
    assert f"BLIKK_LEDGER {secret}" in told
    assert "BLIKK_LANGUAGE is left out: it is still a placeholder\n" in told
    assert "a BLIKK_ name that is no setting is left out; `blikk-mcp doctor` names it\n" in told
