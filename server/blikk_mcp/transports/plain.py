"""Which requests the front door may answer: those whose parameters change nothing in the answer.

Stricter than the SDK on purpose. Whatever is not plain may still be right; the SDK's server decides that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

PREFIX = "io.modelcontextprotocol/"
VERSION_KEY, CAPABILITIES_KEY, CLIENT_KEY = (
    f"{PREFIX}protocolVersion",
    f"{PREFIX}clientCapabilities",
    f"{PREFIX}clientInfo",
)
MODERN = "2026-07-28"

MAX_ID_LENGTH = 64
MAX_WHOLE = 2**53


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """A JSON object."""
    return isinstance(value, dict)


def is_plain_id(value: object) -> bool:
    """A whole number, or a short text without anything that would be escaped."""
    if isinstance(value, str):
        return len(value) <= MAX_ID_LENGTH and value.isascii() and value.isprintable() and not {'"', "\\"} & set(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WHOLE


def is_plain_meta(params: dict[str, Any]) -> bool:
    """No parameters, or a progress token and what other namespaces put beside it; not the modern envelope."""
    if not params:
        return True
    meta = params.get("_meta")
    return set(params) == {"_meta"} and is_object(meta) and _are_plain_names(meta, ())


def is_plain_envelope(params: dict[str, Any]) -> bool:
    """The modern era's envelope and nothing besides."""
    meta = params.get("_meta")
    if set(params) != {"_meta"} or not is_object(meta) or meta.get(VERSION_KEY) != MODERN:
        return False
    client = meta.get(CLIENT_KEY)
    return (
        _are_plain_names(meta, (VERSION_KEY, CAPABILITIES_KEY, CLIENT_KEY))
        and is_plain_capabilities(meta.get(CAPABILITIES_KEY))
        and (CLIENT_KEY not in meta or is_plain_client(client))
    )


def is_plain_initialize(params: dict[str, Any]) -> bool:
    """The handshake's parameters as clients send them."""
    names = set(params) - {"_meta"}
    return (
        names == {"protocolVersion", "capabilities", "clientInfo"}
        and isinstance(params["protocolVersion"], str)
        and is_plain_capabilities(params["capabilities"])
        and is_plain_client(params["clientInfo"])
        and ("_meta" not in params or is_plain_meta({"_meta": params["_meta"]}))
    )


def is_plain_capabilities(value: object) -> bool:
    """Objects where the protocol has objects; of names it does not know, objects too."""
    if not is_object(value) or not all(is_object(part) for part in value.values()):
        return False
    roots = value.get("roots", {})
    if not set(roots) <= {"listChanged"} or not isinstance(roots.get("listChanged", False), bool):
        return False
    # Of `tasks` three floors are typed, of the others two.
    deeper = [value.get(name, {}) for name in ("sampling", "elicitation", "experimental", "extensions", "tasks")]
    deeper += [part for part in value.get("tasks", {}).values() if is_object(part)]
    deeper += [part for requests in deeper[5:] for part in requests.values() if is_object(part)]
    return all(_holds_objects(part) for part in deeper)


def is_plain_client(value: object) -> bool:
    """A name, a version, and texts or icons besides."""
    if not is_object(value) or not {"name", "version"} <= set(value):
        return False
    texts = {"name", "version", "title", "description", "websiteUrl"}
    if not set(value) <= {*texts, "icons"} or not all(isinstance(value.get(name, ""), str) for name in texts):
        return False
    icons = value.get("icons", [])
    return _is_list(icons) and all(_is_plain_icon(icon) for icon in icons)


def _is_plain_icon(icon: object) -> bool:
    return (
        is_object(icon)
        and isinstance(icon.get("src"), str)
        and set(icon) <= {"src", "mimeType", "sizes", "theme"}
        and isinstance(icon.get("mimeType", ""), str)
        and icon.get("theme", "dark") in ("dark", "light")
        and _are_texts(icon.get("sizes", []))
    )


def _are_plain_names(meta: dict[str, Any], known: tuple[str, ...]) -> bool:
    """No name of the protocol's own but these; a name without a prefix is its own, too, but for the progress token."""
    for name, value in meta.items():
        if name == "progressToken":
            if not is_plain_id(value):
                return False
        elif name not in known and ("/" not in name or name.startswith(PREFIX)):
            return False
    return True


def _holds_objects(value: object) -> bool:
    return is_object(value) and all(is_object(part) for part in value.values())


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _are_texts(value: object) -> bool:
    return _is_list(value) and all(isinstance(text, str) for text in value)
