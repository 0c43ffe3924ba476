"""Every generated file, by its path in the repository."""

from __future__ import annotations

from blikk_packages.bundle import bundle_files
from blikk_packages.docker import compose_yaml
from blikk_packages.llms_install import llms_install
from blikk_packages.plugin import plugin_files
from blikk_packages.product import ROOT, Product, as_json, read_product
from blikk_packages.readme import readme_parts
from blikk_packages.registry import server_json
from blikk_packages.registry_check import check_server_json


def generated(product: Product | None = None) -> dict[str, str]:
    """Each file's text, as it should be.

    Raises:
        ValueError: a file would not be what its readers take.
    """
    told = product or read_product()
    entry = server_json(told)
    check_server_json(entry)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        "packaging/registry/server.json": as_json(entry),
        **plugin_files(told),
        **bundle_files(told),
        "packaging/docker/compose.yaml": compose_yaml(told),
        "llms-install.md": llms_install(told),
        "README.md": with_parts(readme, readme_parts(told)),
    }


def with_parts(text: str, parts: dict[str, str]) -> str:
    """The text with each marked part written anew."""
    for name, part in parts.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        head, rest = text.split(begin)
        text = f"{head}{begin}\n{part}{end}{rest.split(end)[1]}"
    return text
