"""What people read, in English and Icelandic: short, plain, and no word that only an engineer knows."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "is"]

WARNINGS: dict[str, str] = {
    "holder_differs": "The account's holder, as its IBAN says, is not creditor_ssn: the bank is likely to refuse.",
    "foreign_iban": "This is not an Icelandic account: it is not known whether Blikk accepts it.",
    "kennitala_doubtful": "creditor_ssn does not look like an ordinary kennitala: check it with the person.",
    "mixed_alphabets": (
        "The payee's name mixes letters of different alphabets, as forged names do: the person must check it with care."
    ),
    "lookalike_name": (
        "The payee's name looks like an earlier payee's, but is spelled differently and the account is another one: the "
        "person must check it with care."
    ),
    "link_withheld": "Blikk's approval link did not pass the safety rules and is not shown.",
    "lapsed": (
        "The approval has been pending for far longer than such links live: the link may have lapsed. If it has, wait until "
        "Blikk ends the payment; do not create it again before it is final."
    ),
    "punycode": "The link's host is written in punycode (xn--): the person must check it with care.",
    "declined": "The person declined to open the link. Nothing is paid; ask them what they want.",
    "cancelled": "The person closed the request to open the link without an answer. Nothing is paid.",
    "not_kept": "The ledger could not be written after Blikk answered: tell the operator.",
}
"""By code: what a payment's maker and its approver should know before it goes on."""

PERSON: dict[Language, dict[str, str]] = {
    "en": {
        "payment": "{amount} to “{name}” (account {account})",
        "unknown_payment": "a payment whose amount and payee are not known here",
        "real": "This is a real payment.",
        "test": "This is {environment}.",
        "environment_production": "Blikk",
        "environment_stage": "Blikk's test environment: no real money moves",
        "environment_sandbox": "a sandbox: no real money moves",
        "environment_custom": "a payment through {host}, which is not one of Blikk's own addresses",
        "caution_holder_differs": (
            "Careful: going by its number, the account belongs to somebody other than the payee given here."
        ),
        "caution_mixed_alphabets": (
            "Careful: the payee's name mixes letters of different alphabets, as forged names do."
        ),
        "caution_lookalike_name": (
            "Careful: the payee's name looks like an earlier payee's, but it is spelled differently and the account is "
            "another one."
        ),
        "open_link": (
            "Please approve {payment} at your bank: {url} The page is at {host}. Check that amount and payee are the "
            "same there, and approve only if you want this payment. Nothing is paid until you approve. The link works "
            "for a few minutes only. Nobody but your bank may ask you for codes. Afterwards, say here that you are done."
        ),
        "onboarding": (
            "Before {payment} can go on, you have to register at your bank's page: {url} The page is at {host}. Nothing "
            "is paid yet. After that you will be asked to approve the payment itself. Nobody but your bank may ask you "
            "for codes. Afterwards, say here that you are done."
        ),
        "bank_app": (
            "Please open your bank's app and approve {payment} there. Check that amount and payee are the same, and "
            "approve only if you want this payment. Nothing is paid until you approve. If the app shows nothing, look "
            "in Blikk's merchant portal. Afterwards, say here that you are done."
        ),
        "replaces": "This link takes the place of the one you were given before: use only this one.",
        "lapsed": "It has been waiting for a long time, so the link may no longer work. If so, say that here.",
        "paid": "Paid: {payment}.",
        "failed": "Not paid: {payment}. The payment ended without money being moved.",
        "unknown": (
            "It is not known whether {payment} was paid. Please do not pay it again before somebody has looked for it in "
            "Blikk's merchant portal."
        ),
        "ask": "Pay {payment}?",
        "ask_duplicate": "The same amount was already sent to the same account (payment {earlier}). Is this a second one?",
        "ask_above": "It is above the amount that goes without asking.",
        "ask_end": "Nothing has been sent yet, and you will still have to approve at your bank.",
        "tick_box": "Yes, make this payment",
        "hand_over": (
            "Approve {payment} at your bank, at {host}. Check that amount and payee are the same there. Nothing is paid "
            "until you approve. Nobody but your bank may ask you for codes."
        ),
    },
    "is": {
        "payment": "{amount} til „{name}“ (reikningur {account})",
        "unknown_payment": "greiðslu þar sem upphæð og viðtakandi eru ekki þekkt hér",
        "real": "Þetta er raunveruleg greiðsla.",
        "test": "Þetta er {environment}.",
        "environment_production": "Blikk",
        "environment_stage": "prófunarumhverfi Blikk: engir raunverulegir peningar færast",
        "environment_sandbox": "sandkassi: engir raunverulegir peningar færast",
        "environment_custom": "greiðsla í gegnum {host}, sem er ekki eitt af netföngum Blikk",
        "caution_holder_differs": (
            "Varúð: samkvæmt númeri reikningsins er eigandi hans annar en sá viðtakandi sem hér er gefinn upp."
        ),
        "caution_mixed_alphabets": (
            "Varúð: í nafni viðtakanda er blandað saman bókstöfum úr ólíkum stafrófum, eins og í fölsuðum nöfnum."
        ),
        "caution_lookalike_name": (
            "Varúð: nafn viðtakanda líkist nafni fyrri viðtakanda, en er skrifað á annan hátt og reikningurinn er annar."
        ),
        "open_link": (
            "Vinsamlegast samþykktu {payment} hjá bankanum þínum: {url} Síðan er á {host}. Gættu að því að upphæð og "
            "viðtakandi séu þau sömu þar og samþykktu aðeins ef þú vilt þessa greiðslu. Ekkert er greitt fyrr en þú "
            "samþykkir. Hlekkurinn virkar aðeins í nokkrar mínútur. Enginn nema bankinn þinn má biðja þig um kóða. "
            "Láttu vita hér þegar þú hefur lokið þessu."
        ),
        "onboarding": (
            "Áður en {payment} getur farið áfram þarftu að skrá þig á síðu bankans: {url} Síðan er á {host}. Ekkert hefur "
            "verið greitt. Að því loknu verður þú beðin(n) um að samþykkja greiðsluna sjálfa. Enginn nema bankinn þinn "
            "má biðja þig um kóða. Láttu vita hér þegar þú hefur lokið þessu."
        ),
        "bank_app": (
            "Vinsamlegast opnaðu app bankans þíns og samþykktu {payment} þar. Gættu að því að upphæð og viðtakandi séu þau "
            "sömu og samþykktu aðeins ef þú vilt þessa greiðslu. Ekkert er greitt fyrr en þú samþykkir. Ef ekkert birtist "
            "í appinu skaltu líta í söluaðilagátt Blikk. Láttu vita hér þegar þú hefur lokið þessu."
        ),
        "replaces": "Þessi hlekkur kemur í stað þess sem þú fékkst áður: notaðu aðeins þennan.",
        "lapsed": "Beðið hefur verið lengi og því er óvíst að hlekkurinn virki enn. Ef svo er ekki skaltu láta vita hér.",
        "paid": "Greitt: {payment}.",
        "failed": "Ógreitt: {payment}. Greiðslunni lauk án þess að peningar færðust.",
        "unknown": (
            "Ekki er vitað hvort greitt var: {payment}. Vinsamlegast greiddu þetta ekki aftur fyrr en einhver hefur leitað "
            "að greiðslunni í söluaðilagátt Blikk."
        ),
        "ask": "Greiða {payment}?",
        "ask_duplicate": (
            "Sama upphæð hefur þegar verið send á sama reikning (greiðsla {earlier}). Er þetta önnur greiðsla til viðbótar?"
        ),
        "ask_above": "Upphæðin er yfir þeim mörkum sem greidd eru án þess að spyrja.",
        "ask_end": "Ekkert hefur verið sent enn og þú þarft líka að samþykkja hjá bankanum þínum.",
        "tick_box": "Já, greiða þetta",
        "hand_over": (
            "Samþykktu {payment} hjá bankanum þínum, á {host}. Gættu að því að upphæð og viðtakandi séu þau sömu þar. "
            "Ekkert er greitt fyrr en þú samþykkir. Enginn nema bankinn þinn má biðja þig um kóða."
        ),
    },
}
"""By language: the parts that a person's instruction and question are made of."""
