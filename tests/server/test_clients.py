"""What each client is given, held whole: its title, its files on three systems, and its snippets. `make docs` writes it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from blikk_mcp.commands.clients import CLIENTS, KEY, KEY_FILE, Client, Server

SNAPSHOT = Path(__file__).parent / "snapshots" / "clients.json"
WINDOWS = {"APPDATA": "C:/Roaming", "LOCALAPPDATA": "C:/Local"}


def server_of(client: Client, *, key: str) -> Server:
    """What it has to start: with the key by reference, in a file, or with a sandbox."""
    reference = {KEY: client.reference.replace("NAME", KEY)} if client.reference else {}
    environment = {"reference": reference, "file": {KEY_FILE: "/keys/blikk"}, "sandbox": {}}[key]
    return Server(
        "/opt/blikk-mcp",
        ("serve", "--sandbox") if key == "sandbox" else ("serve",),
        {**environment, "BLIKK_READ_ONLY": "true"},
        key != "sandbox",
        names=(KEY, "BLIKK_READ_ONLY", "BLIKK_LANGUAGE"),
        call_seconds=75,
        kept={"BLIKK_LANGUAGE": "is"} if key == "file" else {},
    )


def told_of(client: Client) -> dict[str, Any]:
    """All that a client is given."""
    return {
        "title": client.title,
        "files": {
            platform: [path.as_posix().replace(Path.home().as_posix(), "~") for path in client.paths(platform, environ)]
            for platform, environ in (("linux", {}), ("darwin", {}), ("win32", WINDOWS))
        },
        "snippets": {
            key: client.snippet(server_of(client, key=key)).splitlines() for key in ("reference", "file", "sandbox")
        },
    }


def test_each_client_is_given_what_the_snapshot_says() -> None:
    """Each client's own documentation said so when the snapshot was written."""
    text = json.dumps({name: told_of(client) for name, client in CLIENTS.items()}, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


def test_codex_is_looked_for_where_its_own_variable_says() -> None:
    """`CODEX_HOME`; no other client follows it."""
    environ = {"CODEX_HOME": "/elsewhere"}
    assert CLIENTS["codex"].paths("linux", environ)[0] == Path("/elsewhere/config.toml")
    assert CLIENTS["cursor"].paths("linux", environ) == CLIENTS["cursor"].paths("linux", {})
