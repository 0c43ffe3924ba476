"""`server.json`, the entry in the MCP Registry, schema 2025-12-11."""

from __future__ import annotations

from typing import Any

from blikk_mcp.settings import table
from blikk_mcp.settings.table import SETTINGS, Setting
from blikk_packages.product import Product, default, kind, meaning

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
CHOICES = {
    table.LANGUAGE.name: ("en", "is"),
    table.LOG_LEVEL.name: ("debug", "info", "warning", "error"),
    table.LOG_FORMAT.name: ("json", "text"),
}


def server_json(product: Product) -> dict[str, Any]:
    """The entry: who it is, where it comes from, and what can be set."""
    repository = {"repository": {"url": product.repository, "source": "github"}} if product.repository else {}
    return {
        "$schema": SCHEMA,
        "name": product.registry_name,
        "title": product.title,
        "description": product.description,
        **repository,
        "version": product.version,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": product.name,
                "version": product.version,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                # With a key and a file for it, a client that fills in both would set up a contradiction.
                "environmentVariables": [_variable(product, one) for one in SETTINGS if one != table.API_KEY_FILE],
            }
        ],
    }


def _variable(product: Product, setting: Setting[Any]) -> dict[str, Any]:
    """One setting, as an input of the registry's. A default there is text, whatever its kind."""
    is_key = setting == table.API_KEY
    preset = default(setting)
    return {
        "name": setting.name,
        "description": next((one.description for one in product.asked if one.setting == setting), meaning(setting)),
        "format": kind(setting),
        "isRequired": is_key,
        "isSecret": is_key,
        **({"default": preset} if preset is not None else {}),
        **({"choices": list(CHOICES[setting.name])} if setting.name in CHOICES else {}),
    }
