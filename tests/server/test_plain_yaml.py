"""A client's YAML file is changed only if all of it is understood: what is broken, or more than plain, is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from blikk_mcp.cli import main
from blikk_mcp.commands import plain_yaml
from blikk_mcp.commands.clients import CLIENTS

GOOSE = """# written by goose
GOOSE_PROVIDER: anthropic
GOOSE_MODEL: claude-sonnet-4-5  # the newest
GOOSE_TEMPERATURE: 0.5
tricky: 'it''s: quoted # and no comment'
window: "C:\\\\goose: \\u00e1"
url: http://127.0.0.1:8080/a#b
extensions:
  developer:
    args: []
    available_tools: [read, "write", 'list']
    bundled: true
    display_name: Developer
    env_keys:
    - GITHUB_TOKEN
    - "A:B"
    envs: {}
    timeout: null
  notes:
    description: |-
      # no comment here
      key: value

      - and no item
    headers:
      - name: x
        value: "1"
      -   name: y
    type: stdio
experiments: {"a": 1}
empty:
"""
"""What goose writes, and what people write by hand beside it."""

BROKEN = {
    "an unclosed list": "extensions: [a, b\n",
    "an unclosed object": "extensions:\n  other: {cmd: x\n",
    "an unclosed quote": 'GOOSE_MODEL: "x\nextensions:\n  other:\n    cmd: x\n',
    "a quote that goes on": "GOOSE_MODEL: 'x' y\nextensions:\n  other:\n    cmd: x\n",
    "an indentation that fits nothing": "extensions:\n    other:\n        cmd: x\n      args: []\n",
    "an indentation from nowhere": "GOOSE_MODEL: x\n  GOOSE_PROVIDER: y\nextensions:\n",
    "a line without a name": "extensions:\n  other:\n    cmd: x\nnonsense\n",
    "a tab": "extensions:\n\tother:\n\t\tcmd: x\n",
    "a name twice on a line": "GOOSE_MODEL: x: y\n",
    "a list beside names": "GOOSE_MODEL: x\n- y\n",
    "names beside a list": "extensions:\n  other:\n    args:\n      - x\n      cmd: y\n",
    "a letter that begins nothing": "GOOSE_MODEL: @x\n",
    "JSON that is cut off": '{"extensions": {"other":',
    "an alias of nothing": "extensions: *others\n",
    "a merge of Git": "<<<<<<< HEAD\nGOOSE_MODEL: x\n=======\nGOOSE_MODEL: y\n>>>>>>> other\n",
}
NOT_PLAIN = {
    "an object in one line": "extensions: {other: {cmd: x}}\n",
    "a name that stands twice": "extensions:\n  other:\n    cmd: x\nextensions:\n  third:\n    cmd: x\n",
    "a list over two lines": "extensions:\n  other:\n    args: [a,\n      b]\n",
    "two documents": "GOOSE_MODEL: x\n---\nextensions: {}\n",
    "an anchor": "base: &base\n  cmd: x\nextensions:\n  other:\n    <<: *base\n",
    "a text over two lines": "GOOSE_MODEL: x\n  y\nextensions:\n",
    "our server under a quoted name": "extensions:\n  'blikk':\n    cmd: x\n",
    "another thing where servers are": "extensions: none\n",
}
"""Right, or right enough for some parsers, and more than is changed from here."""


@pytest.fixture
def goose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where goose has its configuration, in a home of the test's own."""
    for name in [name for name in os.environ if name.startswith("BLIKK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = CLIENTS["goose"].paths("linux", os.environ)[0]
    path.parent.mkdir(parents=True)
    return path


def test_all_of_an_ordinary_file_is_read_as_yaml_reads_it() -> None:
    """PyYAML is the judge: texts in lines of their own apart, which are only compared with themselves."""
    read, meant = plain_yaml.load(GOOSE), yaml.safe_load(GOOSE)
    assert read["extensions"]["notes"].pop("description")
    del meant["extensions"]["notes"]["description"]
    assert read.pop("empty") == {}
    assert meant.pop("empty") is None
    assert read == meant


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_left_alone_and_called_broken(
    broken: str, goose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen: our server was put below what goose could not read any more, and it was told that all is well."""
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(broken)
    goose.write_text(broken)
    assert main(["config", "goose", "--write"]) == 1
    printed = capsys.readouterr()
    assert goose.read_text() == broken
    assert "left alone" in printed.err
    assert "YAML is broken" in printed.err
    assert "blikk" in yaml.safe_load(printed.out)["extensions"]


@pytest.mark.parametrize("text", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_a_file_that_is_not_plain_is_left_alone(text: str, goose: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read here cannot be compared either: the snippet is to be put in by hand."""
    goose.write_text(text)
    assert main(["config", "goose", "--write"]) == 1
    assert goose.read_text() == text
    assert "left alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    "before",
    [
        GOOSE,
        "---\n" + GOOSE,
        GOOSE + "  \n\n# the end",
        GOOSE.replace("extensions:", "extensions:  # mine"),
        "extensions:\nlast: 1\n",
        "extensions: {}\n",
        "only: |\n  extensions:\n    blikk:\n",
        "other:\n  blikk:\n    cmd: x\nextensions:\n    third:\n        cmd: y\n",
    ],
)
def test_a_server_is_put_in_and_put_in_again(before: str, goose: Path) -> None:
    """Everything else stays as it was, and our block is there once, with its newest settings."""
    goose.write_text(before)
    old = yaml.safe_load(before)
    for arguments in (["--sandbox"], []):
        assert main(["config", "goose", "--write", *arguments]) == 0
        new = yaml.safe_load(goose.read_text())
        ours = new["extensions"].pop("blikk")
        assert ("--sandbox" in ours["args"]) == bool(arguments)
        assert new == {**old, "extensions": old.get("extensions") or {}}
        assert goose.read_text().count('name: "blikk"') == 1
