"""What every package says: `product.toml`, with the settings' table and the version beside it."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blikk_mcp import __version__
from blikk_mcp.commands.clients import Server
from blikk_mcp.settings.table import NAMES, SETTINGS, Setting
from blikk_mcp.settings.values import parse_amount, parse_boolean, parse_file, parse_whole

HERE = Path(__file__).parents[1]
ROOT = HERE.parent
DOWNLOAD_SECONDS = 120
"""How long a first start may take where `uvx` has to fetch the package."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A setting that hosts with a dialog ask for."""

    setting: Setting[Any]
    title: str
    description: str
    sensitive: bool
    required: bool

    @property
    def key(self) -> str:
        """Its name in a host's own configuration."""
        return self.setting.name.removeprefix("BLIKK_").lower()


@dataclass(frozen=True, kw_only=True)
class Product:
    """The product, as its packages describe it."""

    name: str
    title: str
    version: str
    description: str
    long_description: str
    author: str
    license: str
    documentation: str
    keywords: tuple[str, ...]
    hosts: tuple[str, ...]
    namespace: str
    repository: str
    published: bool
    asked: tuple[Asked, ...]

    @property
    def registry_name(self) -> str:
        """The name in the MCP Registry."""
        return f"{self.namespace}/{self.name}"

    @property
    def launch(self) -> tuple[str, ...]:
        """The command that starts the server: this very version from PyPI once it is there, else the installed one."""
        return ("uvx", f"{self.name}@{self.version}") if self.published else (self.name,)

    def server(self, environment: dict[str, str]) -> Server:
        """What a client has to start, for the client's own way of writing it."""
        command, *arguments = self.launch
        return Server(command, tuple(arguments), environment, needs_key=True, names=NAMES)


def read_product(file: Path = HERE / "product.toml", version: str = __version__) -> Product:
    """The product.

    Raises:
        LookupError: a field is missing, or a setting that hosts ask for is none.
    """
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    publisher = told["publisher"]
    settings = {setting.name: setting for setting in SETTINGS}
    return Product(
        name=told["name"],
        title=told["title"],
        version=version,
        description=told["description"],
        long_description=told["long_description"],
        author=told["author"],
        license=told["license"],
        documentation=told["documentation"],
        keywords=tuple(told["keywords"]),
        hosts=tuple(told["hosts"]),
        namespace=publisher["namespace"],
        repository=publisher["repository"],
        published=publisher["published"],
        asked=tuple(
            Asked(
                setting=settings[entry["setting"]],
                title=entry["title"],
                description=entry.get("description", meaning(settings[entry["setting"]])),
                sensitive=entry.get("sensitive", False),
                required=entry.get("required", False),
            )
            for entry in told["asked"]
        ),
    )


def meaning(setting: Setting[Any]) -> str:
    """What a setting means, without marks of Markdown."""
    return setting.meaning.replace("`", "")


def kind(setting: Setting[Any]) -> str:
    """What a setting's text is: `number`, `boolean`, `filepath` or `string`."""
    if setting.parse in (parse_amount, parse_whole):
        return "number"
    if setting.parse is parse_boolean:
        return "boolean"
    return "filepath" if setting.parse is parse_file else "string"


def default(setting: Setting[Any]) -> str | None:
    """A setting's default as one would set it; None if it has none that can be written down."""
    words = re.match(r"`([^`]+)`", setting.default_words)
    if words:
        return words[1]
    if setting.default_words or setting.default in ("", None, ()):
        return None
    return str(setting.default).lower() if isinstance(setting.default, bool) else str(setting.default)


def as_json(value: object) -> str:
    """A file's text."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
