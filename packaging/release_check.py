"""All that has to be so before a release; one line a step, and exit 1 if one is not.

`--publish`, in the release's workflow, asks for what is only so on the day: a date, a publisher, and the tag.
Leaves in `dist/` the wheel, the sdist, the list of licences and the bill of materials.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from blikk_packages import changelog, surface
from blikk_packages.distribution import UV, Built, StepFailed, build, installed_in, pythons, run, strangers_in
from blikk_packages.inventory import licence_table, licences, write_bill_of_materials
from blikk_packages.product import ROOT, Product, as_json, read_product

DIST = ROOT / "dist"
TWINE = "twine>=6,<8"


def main() -> int:
    """Take every step, whatever came of the one before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", metavar="TAG", default="", help="this is the release, made from this tag")
    parser.add_argument("--allow-dirty", action="store_true", help="to try it out: uncommitted changes are no fault")
    arguments = parser.parse_args()
    product = read_product()
    steps: list[tuple[str, Callable[[], str]]] = [
        ("the working tree is clean", lambda: _clean(allowed=arguments.allow_dirty)),
        ("the changelog is this version's", lambda: _changelog(product, publishing=bool(arguments.publish))),
        ("whoever publishes is known", lambda: _publisher(product, arguments.publish)),
        ("what is generated is current", _generated),
        ("the surface is what its snapshots say", lambda: _snapshots(product, publishing=bool(arguments.publish))),
    ]
    worked = [_take(name, step) for name, step in steps]
    built: list[Built] = []
    worked.append(_take("wheel and sdist are built, and hold what they should", lambda: _build(built)))
    if built:
        worked.append(_take("PyPI can show the description", lambda: _twine(built[0])))
        with tempfile.TemporaryDirectory() as folder:
            for version, python in pythons().items():
                name = f"Python {version}: both install and pay in the demo"
                worked.append(_take(name, lambda p=python, v=version: _installed(p, built[0], Path(folder) / v)))
            worked.append(_take("licences and bill of materials", lambda: _inventory(product, Path(folder))))
    return 0 if all(worked) else 1


def _take(name: str, step: Callable[[], str]) -> bool:
    try:
        note = step()
    except StepFailed as failed:
        sys.stdout.write(f"✗ {name}\n    {str(failed).replace(chr(10), chr(10) + '    ')}\n")
        return False
    sys.stdout.write(f"✓ {name}{f': {note}' if note else ''}\n")
    sys.stdout.flush()
    return True


def _clean(*, allowed: bool) -> str:
    changed = run(["git", "status", "--porcelain"], cwd=ROOT).splitlines()
    if changed and not allowed:
        raise StepFailed("\n".join(changed))
    return f"{len(changed)} changes, allowed" if changed else ""


def _changelog(product: Product, *, publishing: bool) -> str:
    found = changelog.problems(changelog.read_changelog(), product.version, publishing=publishing)
    if found:
        raise StepFailed("\n".join(found))
    return changelog.top_section(changelog.read_changelog()).date


def _publisher(product: Product, tag: str) -> str:
    open_questions = [
        *([] if product.repository else ["no repository"]),
        *([] if product.published else ["not said to be on PyPI"]),
        *([] if tag in ("", f"v{product.version}") else [f"the tag is {tag}, the version {product.version}"]),
    ]
    here = os.environ.get("GITHUB_REPOSITORY", "")
    if tag and here and product.repository != f"https://github.com/{here}":
        open_questions.append(f"this is {here}, and packaging/product.toml names another repository")
    if tag and open_questions:
        raise StepFailed("; ".join(open_questions) + " (packaging/product.toml, docs/releasing.md)")
    return f"not yet: {', '.join(open_questions)}" if open_questions else ""


def _generated() -> str:
    run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT)
    return ""


def _snapshots(product: Product, *, publishing: bool) -> str:
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/server/test_snapshots.py"], cwd=ROOT)
    kept = surface.FOLDER / f"{product.version}.json"
    if publishing and (not kept.exists() or kept.read_text(encoding="utf-8") != as_json(surface.current())):
        raise StepFailed(f"{kept.name} is not kept for the next release: packaging/surface_diff.py --store")
    changes = surface.changes_of(product.version)
    return f"{len(changes)} differences to the last release, {sum(change.breaks for change in changes)} of them break"


def _build(built: list[Built]) -> str:
    built.append(build(DIST))
    strangers = strangers_in(built[0])
    if strangers:
        raise StepFailed(f"not expected: {', '.join(strangers)}")
    return f"{built[0].wheel.name}, {built[0].wheel.stat().st_size // 1024} kB"


def _twine(built: Built) -> str:
    run(
        [
            UV,
            "tool",
            "run",
            "--quiet",
            "--from",
            TWINE,
            "twine",
            "check",
            "--strict",
            str(built.wheel),
            str(built.sdist),
        ]
    )
    return ""


def _installed(python: Path, built: Built, folder: Path) -> str:
    """Install each in a fresh environment and run it in an empty folder, with an empty home: no clone is near."""
    for artefact in (built.wheel, built.sdist):
        programs = installed_in(python, artefact, folder / artefact.suffix.strip("."))
        home = folder / f"home-{artefact.suffix.strip('.')}"
        home.mkdir(parents=True)
        environ = {"PATH": os.environ["PATH"], "HOME": str(home), "USERPROFILE": str(home), "PYTHONUTF8": "1"}
        program = str(programs / "blikk-mcp")
        if run([program, "--version"], cwd=home, environ=environ).split()[-1] != read_product().version:
            raise StepFailed(f"{artefact.name} says another version")
        if "paid" not in run([program, "demo"], cwd=home, environ=environ):
            raise StepFailed(f"the demo of {artefact.name} does not end paid")
    return ""


def _inventory(product: Product, folder: Path) -> str:
    environments = sorted(path for path in folder.glob("*/whl/*") if path.name in ("bin", "Scripts"))
    if not environments:
        raise StepFailed("nothing was installed")
    told = licences(environments[0])
    (DIST / "licences.txt").write_text(licence_table(told), encoding="utf-8")
    bill = DIST / f"{product.name}-{product.version}.cdx.json"
    write_bill_of_materials(environments[0], bill)
    return f"{len(told)} packages, dist/licences.txt and dist/{bill.name}"


if __name__ == "__main__":
    sys.exit(main())
