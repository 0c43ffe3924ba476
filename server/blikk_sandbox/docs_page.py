"""The API's description for people: one page, made from the OpenAPI document, nothing loaded from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

from blikk_sandbox.style import html_page


def docs_page(document: Mapping[str, Any]) -> HTMLResponse:
    """The document as a page."""
    info, components = document["info"], document["components"]
    parts = [
        f"<h1>{escape(info['title'])}</h1>",
        f"<p>{_prose(info['description'])}</p>",
        "<p>Every request needs the header <code>Api-Key</code>. "
        'The same as OpenAPI: <a href="openapi.json">openapi.json</a> (it needs the header too).</p>',
        "<h2>Operations</h2>",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(f"{method.upper()} {document['servers'][0]['url']}{path}", operation))
    parts.append("<h2>Objects</h2>")
    parts += [_object(name, schema) for name, schema in components["schemas"].items()]
    return html_page(
        language="en",
        title="API",
        name=escape(info["title"]),
        main="\n".join(parts),
        notice="This is a sandbox: no real money moves.",
        wide=True,
    )


def _operation(heading: str, operation: Mapping[str, Any]) -> str:
    rows = [(f"<code>{status}</code>", escape(a["description"])) for status, a in operation["responses"].items()]
    return (
        f"<h3><code>{escape(heading)}</code></h3>\n<p>{escape(operation['summary'])}.</p>\n"
        f"{_table(('Status', 'Meaning'), rows)}"
    )


def _object(name: str, schema: Mapping[str, Any]) -> str:
    rows = [
        (
            f"<code>{escape(field)}</code>",
            escape(_kind(content)),
            "yes" if field in schema["required"] else "no",
            _prose(content.get("description", "")),
        )
        for field, content in schema["properties"].items()
    ]
    either = "<p>Exactly one of <code>iban</code> and <code>bban</code>.</p>" if "oneOf" in schema else ""
    return f"<h3>{escape(name)}</h3>\n{either}{_table(('Field', 'Type', 'Required', 'Notes'), rows)}"


def _prose(text: str) -> str:
    """Text whose names stand in backticks, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    kinds: str | list[str] = schema.get("type", "any")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'
