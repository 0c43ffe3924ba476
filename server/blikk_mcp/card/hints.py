"""What only the payment's card is told beside a result: language, cautions, the link's QR code."""

from __future__ import annotations

import base64
import io
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext

from blikk_mcp.card import EXTENSION
from blikk_mcp.card.page import MIME_TYPE
from blikk_payments.channel.links import Link, LinkRefused, check_link
from blikk_tools.instructions import Presentation
from blikk_tools.tool import Reply

KEY: Final = "blikk-mcp/card"
"""In a result's `_meta`. Models are not shown `_meta`, and the card takes its picture from nowhere else."""

MAX_QR_LINK: Final = 300
"""Characters: a longer link makes a picture that no phone reads from a card, and that takes long to make."""

MAX_PICTURES: Final = 100
"""Kept for the next question about the same payment: making one takes some 20 ms."""


def result_meta(
    ctx: ServerRequestContext[Any, Any],
    reply: Reply,
    presentation: Presentation,
) -> dict[str, Any] | None:
    """Language, time (seconds since 1970), what to be careful about, and the QR code of a link; None without cards.

    Never raises: the payment is made by now, and its result must not be lost for a picture.
    """
    if not shows_cards(ctx.session.client_capabilities):
        return None
    hint: dict[str, Any] = {"language": presentation.language, "made_at": int(time.time())}
    if reply.cautions:
        hint["cautions"] = " ".join(reply.cautions)
    if reply.blikk_says:
        hint["blikk_says"] = reply.blikk_says
    with suppress(LinkRefused, ImportError, ValueError):
        # Checked once more, so that no other text can ever become a picture that a phone opens.
        link = check_link(
            reply.result.approval_url, allowed_hosts=presentation.sca_hosts, allow_loopback_http=presentation.loopback
        )
        if len(link.url) <= MAX_QR_LINK:
            hint["qr"] = qr_code(link)
    return {KEY: hint}


def shows_cards(capabilities: types.ClientCapabilities | None) -> bool:
    """Whether the client declared the extension with the one kind of page that there is."""
    declared = ((capabilities.extensions if capabilities else None) or {}).get(EXTENSION)
    kinds = declared.get("mimeTypes") if declared else None
    return isinstance(kinds, list) and MIME_TYPE in kinds


@lru_cache(maxsize=MAX_PICTURES)
def qr_code(link: Link) -> str:
    """The link as a picture: SVG in a `data:` address, dark on light with its quiet zone, whatever the theme."""
    import segno  # only hosts with cards pay for it

    picture = io.BytesIO()
    code = segno.make(link.url, error="m", micro=False)
    code.save(picture, kind="svg", xmldecl=False, omitsize=True, light="#fff", svgclass=None, lineclass=None)
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}"
