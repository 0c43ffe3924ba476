"""A typed check of `server.json`, after the registry's schema of 2025-12-11: what it requires, and how long texts are.

It is stricter in one thing: a field that the schema does not know is refused, as a typing mistake.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

Text = Annotated[str, StringConstraints(min_length=1)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[a-f0-9]{64}$")]
# One version, no range and no "latest".
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+([-+.]?[A-Za-z0-9.-]+)?$", max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Variable(_Strict):
    """An environment variable that a client asks for."""

    name: Text
    description: str = ""
    format: Literal["string", "number", "boolean", "filepath"] = "string"
    isRequired: bool = False
    isSecret: bool = False
    default: str | None = None
    placeholder: str | None = None
    value: str | None = None
    choices: list[str] | None = None


class Stdio(_Strict):
    """The only transport that this server has."""

    type: Literal["stdio"]


class Package(_Strict):
    """Where the server comes from."""

    registryType: Literal["pypi", "oci", "mcpb"]
    identifier: Text
    version: Version | None = None
    runtimeHint: Literal["uvx", "docker"] | None = None
    transport: Stdio
    fileSha256: Sha256 | None = None
    environmentVariables: list[Variable] = []

    @field_validator("environmentVariables")
    @classmethod
    def _each_once(cls, value: list[Variable]) -> list[Variable]:
        if len({variable.name for variable in value}) != len(value):
            raise ValueError("a variable is listed twice")
        return value


class Repository(_Strict):
    """Where the source is."""

    url: Annotated[str, StringConstraints(pattern=r"^https://")]
    source: Literal["github"]


class ServerJson(_Strict):
    """The whole entry."""

    schema_: Literal["https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"] = Field(
        alias="$schema"
    )
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", min_length=3, max_length=200)]
    title: Short
    description: Short
    version: Version
    repository: Repository | None = None
    packages: Annotated[list[Package], Field(min_length=1)]


def check_server_json(entry: dict[str, Any]) -> None:
    """Refuse an entry that the registry would not take.

    Raises:
        ValueError: it is not what the schema says.
    """
    ServerJson.model_validate(entry)
