"""The frame of the sandbox's pages. Nothing is loaded from outside: the style is inline."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse

_BANK_SIGN: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true">'
    '<path d="M3 9.5 12 4l9 5.5M4.5 20h15M6.5 10v7M12 10v7M17.5 10v7"/></svg>'
)


def html_page(
    *,
    language: str,
    title: str,
    name: str,
    main: str,
    notice: str,
    aside: str = "",
    status: int = 200,
    wide: bool = False,
) -> HTMLResponse:
    """A whole page. `aside` and `main` are HTML; the other texts are our own words, free of markup."""
    style, policy = _style_and_policy()
    document = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f'<title>{title} – {name}</title>\n<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n'
        f'<body>\n<div class="frame{" wide" if wide else ""}">\n'
        f'<header><div class="bank">{_BANK_SIGN}<span>{name}</span></div>{aside}</header>\n'
        f'<aside class="notice">{notice}</aside>\n<main>\n{main}\n</main>\n</div>\n</body>\n</html>\n'
    )
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Language": language,
    }
    # A lone surrogate in a name has no UTF-8 form.
    return HTMLResponse(document.encode("utf-8", "replace"), status, headers)


@cache
def _style_and_policy() -> tuple[str, str]:
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return style, policy
