"""Support: compare several fields at once, so that a failure names those that differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from blikk_payments.snapshot import Snapshot


def assert_fields(thing: object, **expected: object) -> None:
    """Compare these fields of an object, or of what JSON has as one."""
    if isinstance(thing, Mapping):
        found = {name: cast("Mapping[str, Any]", thing)[name] for name in expected}
    else:
        found = {name: getattr(thing, name) for name in expected}
    assert found == expected


def assert_snapshot(snapshot: Snapshot, **expected: object) -> None:
    """Compare these fields of an answer of the service, or of its payment; `code` is that of its error, `""` for none."""
    found = {
        name: getattr(snapshot if hasattr(snapshot, name) else snapshot.payment, name)
        for name in expected
        if name != "code"
    }
    if "code" in expected:
        found["code"] = snapshot.error.code if snapshot.error else ""
    assert found == expected
