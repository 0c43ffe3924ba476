"""`config --write` where nothing can be written: each reason is told, and the file is as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp.commands import config_files
from blikk_mcp.commands.clients import CLIENTS
from blikk_mcp.commands.config_files import CannotChange, changed, read_text, write

ENTRY: dict[str, Any] = {"command": "/opt/blikk-mcp"}


def refused(do: Callable[[], object]) -> str:
    """Why."""
    with pytest.raises(CannotChange) as raised:
        do()
    return str(raised.value)


@pytest.mark.parametrize(
    ("client", "before", "why"),
    [
        ("cursor", "{", "what stands there is not understood"),
        ("cursor", '{"mcpServers": 5}', "what stands there is not understood"),
        ("codex", 'x = """\n[mcp_servers.blikk]\n[tui]\n"""\n', "what stands there could not be kept as it is"),
        ("codex", "a = ", "what stands there is not understood"),
        ("codex", "mcp_servers = { x = {} }", "what stands there is not understood"),
        ("codex", 'mcp_servers.blikk.env.A = "b"\n', "what stands there is not understood"),
        ("codex", 'x = """\n[mcp_servers.blikk]\n"""\n', "what stands there is not understood"),
        ("goose", "extensions: [", "its YAML is broken, or not plain enough to be changed from here"),
    ],
)
def test_what_cannot_be_changed_says_why(client: str, before: str, why: str) -> None:
    """Not understood, or understood and not to be kept: somebody has to know which, to mend it."""
    assert refused(lambda: changed(CLIENTS[client], before, ENTRY, with_inputs=False)) == why


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, another encoding, a file that is too large; one that is not there is empty."""
    monkeypatch.setattr(config_files, "MAX_FILE_BYTES", 5000)
    folder, latin, large, largest = (tmp_path / name for name in ("folder", "latin", "large", "largest"))
    folder.mkdir()
    latin.write_bytes(b"\xe1")
    large.write_text("x" * 5001)
    largest.write_text("x" * 5000)
    assert refused(lambda: read_text(folder)) == f"{folder} cannot be read: Is a directory"
    assert refused(lambda: read_text(latin)) == f"{latin} is no text in UTF-8"
    assert refused(lambda: read_text(large)) == f"{large} is too large for a configuration file"
    assert read_text(largest) == "x" * 5000
    assert read_text(tmp_path / "none") == ""


def test_a_mark_of_the_encoding_and_windows_line_ends_are_no_text(tmp_path: Path) -> None:
    """Windows' editors write both; a file with lines of both kinds is left as it is."""
    path = tmp_path / "file"
    for data, text in ((b"\xef\xbb\xbf{}\r\n\r\n", "{}\n\n"), (b"{}\r\n\n", "{}\r\n\n"), (b"{}", "{}")):
        path.write_bytes(data)
        assert read_text(path) == text


def test_a_file_that_cannot_be_written_is_left_and_says_why(tmp_path: Path) -> None:
    """Where its folder should be there is a file."""
    (tmp_path / "file").write_text("mine")
    below = tmp_path / "file" / "config.json"
    assert refused(lambda: write(below, "{}")) == f"{below} cannot be written: {os.strerror(17)}"
    assert (tmp_path / "file").read_text() == "mine"


def test_a_disk_that_fails_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one step: the old file or the new one, and no half of either."""
    path = tmp_path / "config.json"
    path.write_text("before")

    def fails(descriptor: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr("blikk_mcp.commands.config_files.os.fsync", fails)
    assert refused(lambda: write(path, "after")) == f"{path} cannot be written: {os.strerror(28)}"
    assert (path.read_text(), os.listdir(tmp_path)) == ("before", ["config.json"])


def test_the_copy_of_the_old_file_is_as_private_as_the_file(tmp_path: Path) -> None:
    """A client's file may hold other servers' keys; of a new file there is no copy."""
    path = tmp_path / "folder" / "config.json"
    assert write(path, "first") is None
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    copy = write(path, "second")
    assert copy is not None
    assert copy == path.with_name("config.json.before-blikk")
    assert (copy.read_text(), path.read_text()) == ("first", "second")
    assert [one.stat().st_mode & 0o777 for one in (path, copy)] == [0o640, 0o640]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "mcpServers": {\n    "blikk": {\n      "command": "/opt/blikk-mcp"\n    }\n  }\n}\n'),
        ("{}", '{\n  "mcpServers": {\n    "blikk": {\n      "command": "/opt/blikk-mcp"\n    }\n  }\n}'),
        (
            '{\n  "a": 1 // x\n}\n',
            '{\n  "mcpServers": {\n    "blikk": {\n      "command": "/opt/blikk-mcp"\n    }\n  },\n  "a": 1 // x\n}\n',
        ),
        (
            '{"mcpServers": {"blikk": {"old": [1, {"x": "}"}]}, "y": 2}}',
            '{"mcpServers": {"blikk": {\n      "command": "/opt/blikk-mcp"\n    }, "y": 2}}',
        ),
        (
            '{"url": "http://x/*no comment*/", "mcpServers": { /* mine, */ }}',
            '{"url": "http://x/*no comment*/", "mcpServers": {\n    "blikk": {\n      "command": "/opt/blikk-mcp"\n    }\n'
            "   /* mine, */ }}",
        ),
    ],
)
def test_only_our_server_is_put_in(before: str, after: str) -> None:
    """Text of others is not laid out anew."""
    assert changed(CLIENTS["cursor"], before, ENTRY, with_inputs=False) == after


def test_vs_code_is_told_once_what_to_ask_for() -> None:
    """Its `inputs` are a list that other servers use, too; without a reference there is nothing to ask for."""
    client = CLIENTS["vscode"]
    ours = client.beside["inputs"][0]
    theirs = '{"inputs": [{"id": "theirs", "type": "promptString"}]}'
    once = changed(client, theirs, ENTRY, with_inputs=True)
    assert config_files.load_json(once)["inputs"] == [{"id": "theirs", "type": "promptString"}, ours]
    assert changed(client, once, ENTRY, with_inputs=True) == once
    assert "inputs" not in changed(client, "", ENTRY, with_inputs=False)
