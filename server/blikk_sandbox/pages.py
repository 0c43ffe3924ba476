"""The bank's pages as HTML: a payment to approve, a bank to connect to, and what came of it. No script."""

from __future__ import annotations

from datetime import datetime
from html import escape

from starlette.responses import HTMLResponse

from blikk_sandbox.bank import Payment
from blikk_sandbox.bodies import Order
from blikk_sandbox.style import html_page
from blikk_sandbox.words import WORDS, Language, Words, amount_in_words


def question_page(payment: Payment, csrf_token: str, language: Language) -> HTMLResponse:
    """The page that asks: approve, reject or cancel; or, before a bank knows the person, connect."""
    words = WORDS[language]
    if payment.phase.asks == "onboard":
        heading, sentence = words.onboard_heading
        buttons = _button("complete", words.complete, "primary")
    else:
        heading, sentence = words.approve_heading
        buttons = (
            _button("approve", words.approve, "primary")
            + _button("reject", words.reject, "danger")
            + _button("cancel", words.cancel)
        )
    form = (
        f'<form method="post" action="?lang={language}" autocomplete="off">'
        f'<input type="hidden" name="csrf_token" value="{escape(csrf_token)}">{buttons}</form>'
    )
    main = _heading(heading, sentence) + _summary(payment, words, language) + _deadline(payment.lapses_at, words) + form
    return _page(language, heading, main)


def result_page(payment: Payment, decision: str, language: Language) -> HTMLResponse:
    """What the person's answer led to."""
    words = WORDS[language]
    heading, sentence = words.results[decision]
    return _page(language, heading, _heading(heading, sentence) + _summary(payment, words, language), switch=False)


def closed_page(door: str, status: int, language: Language) -> HTMLResponse:
    """Why there is nothing to answer here."""
    heading, sentence = WORDS[language].closed_doors[door]
    return _page(language, heading, _heading(heading, sentence), status=status)


def forged_page(language: Language) -> HTMLResponse:
    """What a form gets that did not come from our own page."""
    heading, sentence = WORDS[language].forged
    return _page(language, heading, _heading(heading, sentence), status=403)


def masked_account(order: Order) -> str:
    """An account by bank, ledger and the last three digits of its number, as the server shows it to the person.

    The end of an Icelandic IBAN is its holder's kennitala; of a foreign one country and last four are shown.
    """
    iban = order.iban or ""
    if order.bban is None and not iban.startswith("IS"):
        return f"{iban[:2]} •••• {iban[-4:]}"
    bban = order.bban or iban[4:16]
    return f"{bban[:4]}-{bban[4:6]}-•••{bban[-3:]}"


def _page(language: Language, heading: str, main: str, *, status: int = 200, switch: bool = True) -> HTMLResponse:
    words = WORDS[language]
    other: Language = "en" if language == "is" else "is"
    link = f'<a href="?lang={other}" hreflang="{other}" lang="{other}">{words.other_language}</a>' if switch else ""
    return html_page(
        language=language,
        title=heading,
        name=words.bank,
        aside=f"<nav>{link}</nav>" if link else "",
        main=main,
        notice=words.sandbox,
        status=status,
    )


def _heading(heading: str, sentence: str) -> str:
    return f'<h1>{heading}</h1>\n<p class="quiet">{sentence}</p>\n'


def _summary(payment: Payment, words: Words, language: Language) -> str:
    order = payment.order
    return (
        '<dl class="sum">\n'
        f'<dt>{words.amount}</dt><dd class="amount">{amount_in_words(order.amount, language)}</dd>\n'
        f"<dt>{words.payee}</dt><dd><bdi>{escape(order.creditor_name)}</bdi></dd>\n"
        f"<dt>{words.account}</dt><dd>{escape(masked_account(order))}</dd>\n"
        "</dl>\n"
    )


def _deadline(at: datetime | None, words: Words) -> str:
    if at is None:
        return ""
    time = f'<time datetime="{at.isoformat()}">{at:%H:%M}</time>'
    return f'<p class="deadline">{words.answer_before.format(time=time)}</p>\n'


def _button(decision: str, text: str, kind: str = "") -> str:
    # No class attribute where there is no kind: an empty one says nothing.
    styled = f' class="{kind}"' if kind else ""
    return f'<button{styled} name="decision" value="{decision}">{text}</button>'
