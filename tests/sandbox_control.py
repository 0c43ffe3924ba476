"""Support: the sandbox's control API, for tests."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from blikk_sandbox.running import RunningSandbox


def control(sandbox: RunningSandbox, path: str, body: Mapping[str, Any] | None = None, method: str = "") -> Any:
    """One call of the control API; a body makes it a POST."""
    request = urllib.request.Request(
        f"{sandbox.control_url}/{path}",
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json"},
        method=method or ("POST" if body is not None else "GET"),
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def received(sandbox: RunningSandbox) -> list[Any]:
    """Every request to pay that the bank received, refused ones included."""
    return control(sandbox, "record")["received"]


def paid(sandbox: RunningSandbox) -> list[str]:
    """The ids of the payments that the bank made."""
    return control(sandbox, "record")["paid"]
