"""The words of the bank's pages, in English and Icelandic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["en", "is"]


@dataclass(frozen=True, slots=True)
class Words:
    """Every word on a page, in one language. A pair is a heading and a sentence."""

    bank: str
    sandbox: str
    other_language: str
    payee: str
    amount: str
    account: str
    answer_before: str
    approve_heading: tuple[str, str]
    onboard_heading: tuple[str, str]
    approve: str
    reject: str
    cancel: str
    complete: str
    results: dict[str, tuple[str, str]]
    closed_doors: dict[str, tuple[str, str]]
    forged: tuple[str, str]


ENGLISH: Final = Words(
    bank="Sandbox Bank",
    sandbox="This is a sandbox: no real money moves.",
    other_language="Íslenska",
    payee="Payee",
    amount="Amount",
    account="Account",
    answer_before="Answer before {time} (UTC).",
    approve_heading=("Approve this payment?", "Check the payee and the amount before you answer."),
    onboard_heading=("Connect to your bank", "The bank has to know you before you can approve this payment."),
    approve="Approve",
    reject="Reject",
    cancel="Cancel",
    complete="Complete",
    results={
        "approve": ("Payment approved", "The bank is now settling it. You can close this page."),
        "reject": ("Payment rejected", "Nothing will be paid. You can close this page."),
        "cancel": ("Payment cancelled", "Nothing will be paid. You can close this page."),
        "complete": ("You are connected", "The payment still has to be approved, with a new link."),
    },
    closed_doors={
        "not_yet": ("This payment is not ready yet", "Wait a moment and open the link again."),
        "answered": ("This payment has already been answered", "An answer cannot be changed here."),
        "replaced": ("This link has been replaced", "Ask for the newest link to this payment."),
        "expired": ("This link has expired", "The payment was not approved, and nothing will be paid."),
        "unknown": ("There is no such payment", "Check that the link is complete."),
    },
    forged=("Your answer could not be taken", "Open the link again and answer there. Nothing was changed."),
)

ICELANDIC: Final = Words(
    bank="Prufubankinn",
    sandbox="Þetta er prófunarumhverfi: engir raunverulegir peningar færast.",
    other_language="English",
    payee="Viðtakandi",
    amount="Upphæð",
    account="Reikningur",
    answer_before="Svaraðu fyrir kl. {time}.",
    approve_heading=("Samþykkja þessa greiðslu?", "Athugaðu viðtakanda og upphæð áður en þú svarar."),
    onboard_heading=("Tengjast bankanum", "Bankinn þarf að þekkja þig áður en þú getur samþykkt greiðsluna."),
    approve="Samþykkja",
    reject="Hafna",
    cancel="Hætta við",
    complete="Ljúka",
    results={
        "approve": ("Greiðsla samþykkt", "Bankinn gengur nú frá henni. Þú mátt loka síðunni."),
        "reject": ("Greiðslu hafnað", "Ekkert verður greitt. Þú mátt loka síðunni."),
        "cancel": ("Hætt við greiðslu", "Ekkert verður greitt. Þú mátt loka síðunni."),
        "complete": ("Tenging við bankann tókst", "Enn á eftir að samþykkja greiðsluna, með nýjum hlekk."),
    },
    closed_doors={
        "not_yet": ("Greiðslan er ekki tilbúin enn", "Bíddu augnablik og opnaðu hlekkinn aftur."),
        "answered": ("Þessari greiðslubeiðni hefur þegar verið svarað", "Ekki er hægt að breyta svarinu hér."),
        "replaced": ("Nýr hlekkur er kominn í stað þessa", "Biddu um nýjasta hlekkinn."),
        "expired": ("Hlekkurinn er útrunninn", "Greiðslan var ekki samþykkt og ekkert verður greitt."),
        "unknown": ("Greiðslan fannst ekki", "Athugaðu hvort hlekkurinn sé heill."),
    },
    forged=("Ekki var hægt að taka við svarinu", "Opnaðu hlekkinn aftur og svaraðu þar. Engu var breytt."),
)

WORDS: Final[dict[Language, Words]] = {"en": ENGLISH, "is": ICELANDIC}


def choose_language(asked: str | None, accept_language: str) -> Language:
    """The language asked for in the link; else the first of ours that the browser prefers; else English."""
    if asked in ("en", "is"):
        return "is" if asked == "is" else "en"
    preferred: list[tuple[float, Language]] = []
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        primary = tag.split("-")[0].lower()
        try:
            quality = float(weight or 1)
        except ValueError:
            quality = 0.0
        if quality > 0 and primary in ("en", "is"):
            preferred.append((quality, "is" if primary == "is" else "en"))
    return max(preferred, key=lambda choice: choice[0])[1] if preferred else "en"


def amount_in_words(amount: int, language: Language) -> str:
    """Whole krónur as people of the language write them: `1.000 kr.`, `1,000 ISK`."""
    return f"{amount:,}".replace(",", ".") + " kr." if language == "is" else f"{amount:,} ISK"
