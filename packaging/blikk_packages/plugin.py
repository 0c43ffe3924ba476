"""One plugin for Claude Code, Codex, Cursor, Gemini CLI and Agent Plugins 1.0: a folder with a manifest for each.

They share the skill. Claude Code and Codex share `.mcp.json` too: the one hands its whole environment on, the other what
`env_vars` names. Codex takes command and arguments from `mcp.json`, where there is one.
"""

from __future__ import annotations

from typing import Any

from blikk_mcp.commands.clients import CLIENTS, KEY, NAME
from blikk_mcp.settings.table import SETTINGS, Setting
from blikk_packages.product import DOWNLOAD_SECONDS, Product, as_json, default

FOLDER = "packaging/plugin"
MARKETPLACE = "blikk"
AGENT_PLUGINS = "https://agent-plugins.org/schemas/1.0.0"


def plugin_files(product: Product) -> dict[str, str]:
    """Every generated file of the plugin, and the marketplace that lists it, by path in the repository."""
    files = {
        ".claude-plugin/plugin.json": {**_about(product), "network": {"hosts": list(product.hosts)}},
        ".codex-plugin/plugin.json": {**_about(product), "mcpServers": "./.mcp.json", "skills": "./skills/"},
        ".mcp.json": {"mcpServers": {NAME: shared_entry(product)}},
        ".cursor-plugin/plugin.json": {
            **_about(product),
            "displayName": product.title,
            "skills": "./skills/",
            "mcpServers": {NAME: cursor_entry(product)},
        },
        "plugin.json": {"$schema": f"{AGENT_PLUGINS}/plugin.schema.json", **_about(product)},
        "mcp.json": {
            "$schema": f"{AGENT_PLUGINS}/mcp.schema.json",
            "mcpServers": {NAME: {"type": "stdio", **_portable_entry(product)}},
        },
        "gemini-extension.json": gemini_extension(product),
    }
    return {
        **{f"{FOLDER}/{name}": as_json(content) for name, content in files.items()},
        ".claude-plugin/marketplace.json": as_json(_marketplace(product)),
    }


def shared_entry(product: Product) -> dict[str, Any]:
    """The server as Claude Code and Codex start it, with whatever is set where they were started."""
    codex = CLIENTS["codex"].entry(product.server({}))
    seconds = DOWNLOAD_SECONDS if product.published else codex["startup_timeout_sec"]
    return {"type": "stdio", **codex, "startup_timeout_sec": seconds}


def cursor_entry(product: Product) -> dict[str, Any]:
    """The server as Cursor starts it."""
    return CLIENTS["cursor"].entry(product.server({KEY: CLIENTS["cursor"].reference.replace("NAME", KEY)}))


def gemini_extension(product: Product) -> dict[str, Any]:
    """The extension for Gemini CLI, which asks for these settings."""
    references = {setting.name: _gemini_reference(setting) for setting in SETTINGS}
    return {
        "name": product.name,
        "version": product.version,
        "description": product.description,
        "mcpServers": {NAME: CLIENTS["gemini"].entry(product.server(references))},
        "settings": [
            {
                "name": asked.title,
                "description": asked.description,
                "envVar": asked.setting.name,
                **({"sensitive": True} if asked.sensitive else {}),
            }
            for asked in product.asked
        ],
    }


def _gemini_reference(setting: Setting[Any]) -> str:
    """How an extension names a variable. One that nobody set arrives empty, which for some settings is wrong."""
    if setting.empty_is_wrong:
        return f"${{{setting.name}:-{default(setting)}}}"
    return CLIENTS["gemini"].reference.replace("NAME", setting.name)


def _portable_entry(product: Product) -> dict[str, Any]:
    """The server for any client. The standard fills in no variables, so it has the environment that its client hands on.

    No file for the key is named here: Codex adds what `.mcp.json` names to this entry, and a key and a file contradict.
    """
    return {name: value for name, value in CLIENTS["other"].entry(product.server({})).items() if name != "env"}


def _about(product: Product) -> dict[str, Any]:
    """What every manifest says."""
    return {
        "name": product.name,
        "version": product.version,
        "description": product.description,
        "author": {"name": product.author},
        "homepage": product.documentation,
        **({"repository": product.repository} if product.repository else {}),
        "license": product.license,
        "keywords": list(product.keywords),
    }


def _marketplace(product: Product) -> dict[str, Any]:
    """The list that Claude Code and Codex install from, in a clone or over its repository's name."""
    return {
        "name": MARKETPLACE,
        "description": product.description,
        "owner": {"name": product.author},
        "plugins": [
            {
                "name": product.name,
                "source": f"./{FOLDER}",
                "description": product.description,
                "version": product.version,
            }
        ],
    }
