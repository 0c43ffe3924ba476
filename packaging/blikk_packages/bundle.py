"""The bundle for Claude Desktop and other hosts of MCPB: one file to open, and a dialog for the settings.

It holds the wheel, and a project of one line that depends on it: the host's own uv brings Python and the dependencies, in
the versions of our lock.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from blikk_mcp.settings.table import Setting
from blikk_packages.distribution import Built, StepFailed, build, run
from blikk_packages.product import HERE, ROOT, Asked, Product, as_json, default, kind, read_product
from blikk_tools.catalog import ALL_TOOLS

FOLDER = HERE / "bundle"
MANIFEST_VERSION = "0.4"
ENTRY = "main.py"
PROGRAM = FOLDER / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
"""The format's own program, from npm."""


def bundle_files(product: Product) -> dict[str, str]:
    """The generated files, by path in the repository."""
    return {
        "packaging/bundle/manifest.json": as_json(manifest(product)),
        "packaging/bundle/pyproject.toml": project(product),
    }


def manifest(product: Product) -> dict[str, Any]:
    """What a host reads: how to start it, and what to ask the person for."""
    repository = {"repository": {"type": "git", "url": product.repository}} if product.repository else {}
    return {
        "manifest_version": MANIFEST_VERSION,
        "name": product.name,
        "display_name": product.title,
        "version": product.version,
        "description": product.description,
        "long_description": product.long_description,
        "author": {"name": product.author},
        **repository,
        "documentation": product.documentation,
        "license": product.license,
        "keywords": list(product.keywords),
        "server": {
            "type": "uv",
            "entry_point": ENTRY,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", ENTRY],
                "env": {asked.setting.name: f"${{user_config.{asked.key}}}" for asked in product.asked},
            },
        },
        "tools": [{"name": tool.name, "description": tool.description} for tool in ALL_TOOLS],
        "user_config": {asked.key: option(asked) for asked in product.asked},
        "compatibility": {"platforms": ["darwin", "win32", "linux"], "runtimes": {"python": ">=3.11"}},
    }


def option(asked: Asked) -> dict[str, Any]:
    """One field of the host's dialog. All but what is required has a default: a host leaves the rest unfilled."""
    return {
        "type": "number" if kind(asked.setting) == "number" else "string",
        "title": asked.title,
        "description": asked.description,
        **({"sensitive": True} if asked.sensitive else {}),
        **({"required": True} if asked.required else {"required": False, "default": _preset(asked.setting)}),
    }


def _preset(setting: Setting[Any]) -> str | int:
    preset = default(setting)
    return int(preset) if preset is not None and kind(setting) == "number" else preset or ""


def project(product: Product) -> str:
    """The project that uv runs: our wheel, with its dependencies held to our lock."""
    wheel = f"blikk_mcp-{product.version}-py3-none-any.whl"
    pins = "".join(f"  {json.dumps(pin)},\n" for pin in pins_of((ROOT / "requirements.lock").read_text("utf-8")))
    return (
        f"# Written by `make docs`: the wheel beside it, with its dependencies held to requirements.lock.\n[project]\n"
        f'name = "blikk-mcp-bundle"\nversion = "{product.version}"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["{product.name}"]\n\n[tool.uv]\npackage = false\nconstraint-dependencies = [\n{pins}]\n\n'
        f'[tool.uv.sources]\n{product.name} = {{ path = "{wheel}" }}\n'
    )


def pins_of(lock: str) -> list[str]:
    """The exact versions that a lock names, with their markers and without hashes, which uv takes nowhere else."""
    return re.findall(r"^([A-Za-z0-9._-]+==[^\s\\]+(?: ; [^\\\n]+?)?) *\\?$", lock, re.MULTILINE)


def stage(folder: Path, built: Built) -> None:
    """Lay out what goes into the bundle."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in (FOLDER / "manifest.json", FOLDER / "pyproject.toml", FOLDER / ENTRY, ROOT / "LICENSE", built.wheel):
        shutil.copy(file, folder)


def pack(target: Path) -> Path:
    """Build the wheel, lay out the bundle, and let the format's own program check and pack it; the bundle's path.

    Raises:
        StepFailed: the wheel does not build, or the bundle is not what its format says.
    """
    product = read_product()
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        raise StepFailed("the bundle's program is not installed: `make bundle` does that")
    file = target / f"{product.name}-{product.version}.mcpb"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / "bundle"
        stage(staged, build(Path(folder) / "dist"))
        run([node, str(PROGRAM), "validate", str(staged / "manifest.json")])
        run([node, str(PROGRAM), "pack", str(staged), str(file)])
    return file
