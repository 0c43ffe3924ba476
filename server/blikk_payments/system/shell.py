"""Write the line that sets a variable in a person's shell."""

from __future__ import annotations

import shlex

from blikk_payments.system import PLATFORM


def setting_line(name: str, value: str, platform: str = PLATFORM) -> str:
    """The line that sets a variable: in PowerShell on Windows, in any POSIX shell elsewhere."""
    if platform == "win32":
        return "$env:{} = '{}'\n".format(name, value.replace("'", "''"))
    return f"export {name}={shlex.quote(value)}\n"
