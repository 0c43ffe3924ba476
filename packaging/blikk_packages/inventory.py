"""What a release is made of: the licence of every dependency, and a bill of materials in CycloneDX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from blikk_packages.distribution import UV, StepFailed, run

CYCLONEDX = "cyclonedx-bom>=7,<8"
NOT_TAKEN = ("AGPL", "GNU AFFERO", "SSPL", "BUSL", "PROPRIETARY")
"""What a program that others run as they like cannot depend on. The LGPL (python-stdnum) is fine for a library."""

_LIST_LICENCES = """\
import json
from importlib.metadata import distributions
told = {}
for one in distributions():
    of = one.metadata
    classified = [line.rpartition(" :: ")[2] for line in of.get_all("Classifier", []) if line.startswith("License ::")]
    free = (of.get("License") or "").strip().splitlines()
    told[of["Name"]] = [of["Version"], of.get("License-Expression") or " / ".join(classified) or (free or [""])[0]]
print(json.dumps(told))
"""


def licences(programs: Path) -> dict[str, tuple[str, str]]:
    """Version and licence of everything in an environment, by name.

    Raises:
        StepFailed: one tells none, or one that we cannot depend on.
    """
    told: dict[str, tuple[str, str]] = json.loads(run([str(programs / "python"), "-c", _LIST_LICENCES]))
    wrong = {name: licence for name, (_, licence) in told.items() if not is_taken(licence)}
    if wrong:
        raise StepFailed(f"licences to look at: {wrong}")
    return dict(sorted(told.items(), key=lambda item: item[0].lower()))


def is_taken(licence: str) -> bool:
    """Whether we can depend on what has this licence."""
    return bool(licence) and not any(word in licence.upper() for word in NOT_TAKEN)


def licence_table(told: dict[str, tuple[str, str]]) -> str:
    """The list as a file says it."""
    return "".join(f"{name} {version}: {licence}\n" for name, (version, licence) in told.items())


def write_bill_of_materials(programs: Path, file: Path) -> None:
    """Write what is in an environment, in CycloneDX, without this machine's paths.

    Raises:
        StepFailed: the tool does not run, or left something out.
    """
    tool = [UV, "tool", "run", "--quiet", "--from", CYCLONEDX, "cyclonedx-py"]
    options = ["--output-format", "JSON", "--output-reproducible", "--output-file", str(file)]
    run([*tool, "environment", *options, str(programs / "python")])
    bill = json.loads(file.read_text(encoding="utf-8"))
    check_bill(bill, set(licences(programs)))
    file.write_text(json.dumps(without_paths(bill), indent=2) + "\n", encoding="utf-8")


def check_bill(bill: dict[str, Any], wanted: set[str]) -> None:
    """Refuse a bill that is not whole.

    Raises:
        StepFailed: it is of another format, or a package is missing.
    """
    if bill.get("bomFormat") != "CycloneDX":
        raise StepFailed("the bill of materials is not CycloneDX")
    missing = wanted - {component["name"] for component in bill.get("components", [])}
    if missing:
        raise StepFailed(f"the bill of materials leaves out {', '.join(sorted(missing))}")


def without_paths(bill: dict[str, Any]) -> dict[str, Any]:
    """The bill without references to files of the machine that it was made on."""
    for component in bill.get("components", []):
        kept = [one for one in component.get("externalReferences", []) if not one["url"].startswith("file:")]
        if kept:
            component["externalReferences"] = kept
        else:
            component.pop("externalReferences", None)
    return bill
