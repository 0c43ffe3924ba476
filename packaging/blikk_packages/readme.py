"""The parts of README.md that depend on whether this version can be had from PyPI."""

from __future__ import annotations

from blikk_packages.links import cursor_link, vscode_link
from blikk_packages.plugin import FOLDER, MARKETPLACE
from blikk_packages.product import Product

SHOWN = "one complete payment against a local sandbox: no key, no money"


def readme_parts(product: Product) -> dict[str, str]:
    """Each part's text, by the name between its marks."""
    return {"start": _start(product), "packages": _packages(product)}


def _start(product: Product) -> str:
    """The first line: what shows the product at work. The comment proves to the MCP Registry whose package this is."""
    owner = f"<!-- mcp-name: {product.registry_name} -->"
    if product.published:
        return f"{owner}\n\n    uvx {product.name} demo    # {SHOWN}\n"
    return (
        f"{owner}\n\n    make demo    # in a clone: {SHOWN}\n\n"
        f"Version {product.version} is **not on PyPI yet**: install it from a clone. A `{product.name}` found there "
        "before this line changes is not ours.\n"
    )


def _packages(product: Product) -> str:
    """How each host installs it."""
    source = product.repository.removeprefix("https://github.com/") if product.published else "./"
    before = (
        "" if product.published else "After `uv tool install .` in a clone, which puts `blikk-mcp` on your `PATH`:\n\n"
    )
    marketplace = f"plugin marketplace add {source}"
    plugin = f"{product.name}@{MARKETPLACE}"
    bundle = f"{product.name}-{product.version}.mcpb"
    rows = [
        ("VS Code", f"[install]({vscode_link(product)}); it asks for the key"),
        ("Cursor", f"[install]({cursor_link(product)}); it takes `BLIKK_API_KEY` from where it was started"),
        ("Claude Code", f"`claude {marketplace}`, then `claude plugin install {plugin}`"),
        ("Codex", f"`codex {marketplace}`, then `codex plugin add {plugin}`"),
        ("Gemini CLI", f"`gemini extensions install {FOLDER}`"),
        ("Claude Desktop", f"`make bundle`, then open `dist/{bundle}`: it asks for key and limits"),
        (
            "any client of Agent Plugins 1.0",
            f"the folder `{FOLDER}`; started where `BLIKK_API_KEY_FILE` is set",
        ),
        ("containers", "[packaging/docker](packaging/docker): an image, and a server with PostgreSQL"),
    ]
    table = "\n".join(f"| {host} | {how} |" for host, how in rows)
    return f"{before}| host | |\n|---|---|\n{table}\n"
