"""The release's workflow, and what the forge is told: nothing unpinned, and no more permission than a job needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from blikk_packages.product import ROOT, read_product

RELEASE = ROOT / ".github" / "workflows" / "release.yml"
WORKFLOW: dict[Any, Any] = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
EVERY = pytest.mark.parametrize("workflow", sorted(RELEASE.parent.glob("*.yml")), ids=lambda path: path.stem)
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_a_release_is_made_from_a_tag_and_nothing_else() -> None:
    """Not from a branch, not from a pull request, not by a button."""
    # YAML 1.1 reads `on` as true.
    assert WORKFLOW[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    """All steps of a workflow."""
    return [
        step for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values() for step in job["steps"]
    ]


@EVERY
def test_every_action_is_pinned_to_a_commit(workflow: Path) -> None:
    """GitHub's hardening guide: a tag can be moved to other code."""
    used = [step["uses"] for step in steps_of(workflow) if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", name)] == []


def test_a_job_has_the_permissions_it_needs_and_no_others() -> None:
    """Only PyPI's job and those that attest may ask for an identity; only the last writes to the repository."""
    assert WORKFLOW["permissions"] == {}
    writers = {
        name: {right for right, how in job["permissions"].items() if how == "write"} for name, job in JOBS.items()
    }
    assert writers == {
        "check": set(),
        "pypi": {"id-token"},
        "registry": set(),
        "image": {"packages", "id-token", "attestations"},
        "release": {"contents", "id-token", "attestations"},
    }


def test_nothing_is_handed_out_before_it_was_checked() -> None:
    """Check, then PyPI, then what names the package on PyPI, then the page."""
    needs = {name: job.get("needs") for name, job in JOBS.items()}
    assert needs == {
        "check": None,
        "pypi": "check",
        "registry": "pypi",
        "image": "pypi",
        "release": ["registry", "image"],
    }
    assert JOBS["pypi"]["environment"] == "pypi"


def test_pypi_is_published_to_without_a_token() -> None:
    """PyPI: trusted publishing, with attestations."""
    (publish,) = [step for step in STEPS if "gh-action-pypi-publish" in step.get("uses", "")]
    assert publish["with"]["attestations"] is True
    assert not {"user", "password"} & publish["with"].keys()


@EVERY
def test_a_workflow_has_no_permission_but_what_a_job_asks_for(workflow: Path) -> None:
    """A job that names none has none."""
    assert yaml.safe_load(workflow.read_text(encoding="utf-8"))["permissions"] == {}


@EVERY
def test_no_expression_is_pasted_into_a_shell(workflow: Path) -> None:
    """GitHub's hardening guide: what somebody else can name goes in through the environment."""
    scripts = [step["run"] for step in steps_of(workflow) if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_the_registrys_domain_is_the_publishers() -> None:
    """MCP Registry: the namespace is the domain backwards."""
    domain = ".".join(reversed(read_product().namespace.split(".")))
    assert f"--domain {domain} " in RELEASE.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_nothing_secret(form: Path) -> None:
    """Whoever fills it in is told first; ids are unique, as GitHub wants."""
    told = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        assert told == {"blank_issues_enabled": False}
        return
    ids = [field["id"] for field in told["body"] if field["type"] != "markdown"]
    assert len(set(ids)) == len(ids) >= 2
    if "report" in ids:
        assert "No key, kennitala, account or name" in form.read_text(encoding="utf-8")


def test_dependabot_looks_at_every_place_that_pins_something() -> None:
    """A folder with a package.json that nobody watches grows old."""
    config = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    watched = {
        folder
        for update in config["updates"]
        if update["package-ecosystem"] == "npm"
        for folder in update["directories"]
    }
    folders = [path.parent.relative_to(ROOT) for path in ROOT.rglob("package.json")]
    # What make installs lies in hidden folders and in node_modules.
    ours = [folder for folder in folders if not any(part[0] == "." or part == "node_modules" for part in folder.parts)]
    there = {f"/{folder.as_posix()}" for folder in ours}
    assert there <= watched
    assert {update["package-ecosystem"] for update in config["updates"]} == {"pip", "npm", "docker", "github-actions"}
