"""A secret as an object: no `repr`, no log line and no traceback shows it."""

from __future__ import annotations


class SecretStr:
    """A text that only `get_secret_value` tells. Pydantic has the same; a start must not wait for its import."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "SecretStr('**********')" if self._value else "SecretStr('')"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
