"""The few settings that the front door needs, read with nothing but the standard library.

It is less than the settings themselves say: whatever is not plainly one of these words, the SDK's server answers for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUE = ("true", "1", "yes")
_FALSE = ("false", "0", "no")


class DoorSettings:
    """Which answers there are under these settings."""

    __slots__ = ("always_load", "key", "read_only")

    def __init__(self, *, read_only: bool = False, always_load: bool = True, key: str = "") -> None:
        self.read_only = read_only
        self.always_load = always_load
        self.key = key

    @property
    def name(self) -> str:
        """What the answers under these settings are filed under."""
        return f"read_only={self.read_only} always_load={self.always_load}".lower()


def door_settings(environ: Mapping[str, str]) -> DoorSettings | None:
    """The door's settings, or None if there shall be no door, or if they are not for the door to judge."""
    switch = _switch(environ, "BLIKK_FRONT_DOOR", default=True)
    read_only = _switch(environ, "BLIKK_READ_ONLY", default=False)
    always_load = _switch(environ, "BLIKK_ALWAYS_LOAD", default=True)
    if not switch or read_only is None or always_load is None:
        return None
    return DoorSettings(read_only=read_only, always_load=always_load, key=environ.get("BLIKK_API_KEY", "").strip())


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool | None:
    text = environ.get(name, "").strip().lower()
    if not text or (name == "BLIKK_FRONT_DOOR" and text == "on"):
        return default
    return True if text in _TRUE else False if text in _FALSE else None
