"""`compose.yaml`: a server and the PostgreSQL that its ledger is in."""

from __future__ import annotations

from typing import Any

from blikk_mcp.commands.clients import yaml_lines
from blikk_mcp.settings import table
from blikk_mcp.settings.table import NAMES
from blikk_packages.product import Product

FOLDER = "packaging/docker"
SOCKET = "/var/run/postgresql"
DATABASE = "postgres:17-bookworm"
HEAD = """\
# Written by `make docs`: a server for every client that starts one, and one ledger for all of them. README.md says more.
# It has not been run where it was written: there was no Docker daemon.
"""
GIVEN = {
    table.API_KEY_FILE.name: "/run/secrets/blikk_key",
    table.LEDGER.name: f"postgresql://blikk@/blikk?host={SOCKET}",
    table.LEDGER_PASSWORD_FILE.name: "/run/secrets/ledger_password",
}
"""What the composition decides by itself. Every other setting is handed on if it is set in the shell, and only then."""


def compose_yaml(product: Product) -> str:
    """The file."""
    locked_down = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    composed: dict[str, Any] = {
        "name": product.name,
        "services": {
            "ledger": {
                "image": DATABASE,
                "restart": "unless-stopped",
                "user": "postgres",
                "network_mode": "none",
                "environment": {
                    "POSTGRES_DB": "blikk",
                    "POSTGRES_USER": "blikk",
                    "POSTGRES_PASSWORD_FILE": "/run/secrets/ledger_password",
                    "POSTGRES_INITDB_ARGS": "--auth-local=scram-sha-256 --data-checksums",
                },
                "secrets": ["ledger_password"],
                "volumes": ["ledger:/var/lib/postgresql/data", f"socket:{SOCKET}"],
                "tmpfs": ["/tmp"],  # noqa: S108 - the container's
                "healthcheck": {
                    "test": ["CMD", "pg_isready", "--username=blikk", "--dbname=blikk"],
                    "interval": "5s",
                    "timeout": "3s",
                    "retries": 10,
                },
                **locked_down,
            },
            "server": {
                "build": {"context": "../..", "dockerfile": f"{FOLDER}/Dockerfile"},
                "profiles": ["server"],
                "stdin_open": True,
                "depends_on": {"ledger": {"condition": "service_healthy"}},
                "environment": {name: GIVEN.get(name) for name in NAMES if name != table.API_KEY.name},
                "secrets": ["blikk_key", "ledger_password"],
                "volumes": ["state:/state", f"socket:{SOCKET}"],
                "tmpfs": ["/tmp"],  # noqa: S108 - the container's
                **locked_down,
            },
        },
        "volumes": {"ledger": {}, "socket": {}, "state": {}},
        "secrets": {
            "blikk_key": {"file": "./secrets/blikk_key"},
            "ledger_password": {"file": "./secrets/ledger_password"},
        },
    }
    return HEAD + "\n".join(yaml_lines(composed)) + "\n"
