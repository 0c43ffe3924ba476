"""What people read, in English and Icelandic: short lines, plain, and no word that only an engineer knows.

A line break in a phrase is one on the screen. What is longer than a line once it is filled in is broken by `lines.py`.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "is"]

QUOTES: dict[Language, str] = {"en": "“”", "is": "„“"}
"""By language: the opening and the closing quotation mark."""

_ENGLISH = {
    "amount": "{amount} to {name}",
    "account": "Account {account}",
    "purpose": "for: {purpose}",
    "unknown_payment": "The amount and payee are not known here",
    "environment_production": "",
    "environment_stage": "This is Blikk's test environment: no real money moves.",
    "environment_sandbox": "This is a sandbox: no real money moves.",
    "environment_custom": "This goes through {host}, which is not one of Blikk's addresses.",
    "caution_holder_differs": "Careful: going by its number, the account belongs to somebody else.",
    "caution_mixed_alphabets": ("Careful: the payee's name mixes letters of different alphabets,\nas forged names do."),
    "caution_lookalike_name": (
        "Careful: the payee's name looks like an earlier payee's,\n"
        "but it is spelled differently and it goes to a different account."
    ),
    "caution_equal_payment": "Careful: the same amount was already sent to the same account.",
    "caution_earlier_in_doubt": ("Careful: it is not known whether an earlier payment to this account\nwas paid."),
    "open_link": "Please approve this payment at your bank",
    "onboarding": "Before this payment can go on, please register with your bank",
    "bank_app": "Please open your bank's app and approve this payment there",
    "link_host": "The link opens {host} and works for a few minutes.",
    "check": "Check that the amount and payee shown there match.",
    "nothing_yet": "Nothing is paid until you approve. Never give codes to anyone but your bank.",
    "register_first": "Nothing is paid yet. After that you will be asked to approve the payment.",
    "no_codes": "Never give codes to anyone but your bank.",
    "withheld": "This payment waits for your approval, but its link is not safe to open",
    "withheld_end": "Look for it in your bank's app, or else in Blikk's merchant portal.",
    "empty_app": "If the app shows nothing, look in Blikk's merchant portal.",
    "done": "Tell me here when you are done.",
    "replaces": "It takes the place of the one you were given before: use only this one.",
    "lapsed": "It has been waiting for a long time, so the link may no longer work.\nTell me here if it does not.",
    "paid": "Paid: {payment}",
    "failed": "Not paid: {payment}",
    "failed_end": "The payment ended and no money was moved.",
    "unknown": "It is not known whether this was paid",
    "unknown_end": "Please do not pay it again until someone has looked for it\nin Blikk's merchant portal.",
    "ask": "Do you want to make this payment?",
    "ask_in_doubt": (
        "It is not known whether an earlier payment to this account was paid.\nDo you want to pay this one as well?"
    ),
    "other_paid": "Paid, but Blikk names another amount or currency",
    "other_failed": "Not paid, and Blikk names another amount or currency",
    "other_open": "Do not approve this payment: Blikk names another amount or currency",
    "asked_for": "Asked for: {payment}",
    "blikk_says": "Blikk says: {figure}",
    "other_end": "Please do not pay it again. Tell whoever runs the payment service.",
    "ask_duplicate": "The same amount was already sent to the same account.\nDo you want to pay it a second time?",
    "ask_above": "It is above the amount that may be paid without asking you.",
    "ask_end": "Nothing has been sent yet. You will still have to approve it at your bank.",
    "tick_box": "Yes, pay",
    "tick_box_again": "Yes, pay again",
    "not_made": "This payment was not made",
    "not_sent_now": "This try sent nothing to the bank",
    "because_not_configured": (
        "The payment service is not set up correctly. Please tell whoever runs it.\n"
        "An earlier try at the same payment may still have gone through."
    ),
    "because_ledger_unavailable": (
        "It could not be written down. Please tell whoever runs the payment service.\n"
        "An earlier try at the same payment may still have gone through."
    ),
    "because_over_limit": "It is above a limit that is set for payments from here.",
    "because_creditor_not_allowed": "This payee is not among those that may be paid from here.",
    "because_rate_limited": "Too many payments were asked for within a minute. Please wait a minute.",
    "because_confirmation_required": "It needs your confirmation, and no answer from you arrived.",
    "because_confirmation_declined": "It was declined: by you, or by a program that runs without you.",
    "because_possible_duplicate": (
        "The same amount was already sent to the same account.\nDo you want to pay it a second time?"
    ),
    "because_unknown_duplicate": (
        "An earlier payment to this account may have been paid; it is not known.\n"
        "Someone has to look for it in Blikk's merchant portal first."
    ),
    "because_rejected_by_blikk": "Blikk refused it.",
    "because_unauthorized": "Blikk did not accept the payment service. Please tell whoever runs it.",
    "because_wrong_channel": "Blikk did not accept the payment service. Please tell whoever runs it.",
    "because_not_found": "Blikk did not accept the payment service. Please tell whoever runs it.",
    "because_blikk_unavailable": "Blikk could not be reached.",
    "not_checked": "The status of this payment could not be checked",
    "not_checked_end": "It may have been paid: please do not pay it again before that is known.",
    "not_found": "This payment was not found",
    "not_found_end": "That does not mean that it was not paid.",
    "waiting_for_person": "Waiting for the person to approve at their bank",
    "waiting_for_bank": "Waiting for the bank",
    "waiting_for_answer": "Waiting for an answer to the question",
    "waiting_for_nothing": "No longer waiting. The payment itself was not cancelled and may still be paid.",
}

_ICELANDIC = {
    "amount": "{amount} til {name}",
    "account": "Reikningur {account}",
    "purpose": "skýring: {purpose}",
    "unknown_payment": "Upphæð og viðtakandi eru ekki þekkt hér",
    "environment_production": "",
    "environment_stage": "Þetta er prófunarumhverfi Blikk: engir raunverulegir peningar færast.",
    "environment_sandbox": "Þetta er prófunarumhverfi: engir raunverulegir peningar færast.",
    "environment_custom": "Greiðslan fer í gegnum {host}, sem er ekki eitt af lénum Blikk.",
    "caution_holder_differs": "Varúð: samkvæmt reikningsnúmerinu á einhver annar reikninginn.",
    "caution_mixed_alphabets": (
        "Varúð: í nafni viðtakanda er blandað saman ólíkum stafrófum,\neins og gert er í fölsuðum nöfnum."
    ),
    "caution_lookalike_name": (
        "Varúð: nafn viðtakanda líkist nafni fyrri viðtakanda,\nen er skrifað á annan hátt og reikningurinn er annar."
    ),
    "caution_equal_payment": "Varúð: sama upphæð hefur þegar verið send á sama reikning.",
    "caution_earlier_in_doubt": "Varúð: ekki er vitað hvort fyrri greiðsla á þennan reikning var greidd.",
    "open_link": "Vinsamlegast samþykktu þessa greiðslu hjá bankanum þínum",
    "onboarding": "Áður en greiðslan getur farið fram þarftu að skrá þig hjá bankanum þínum",
    "bank_app": "Vinsamlegast opnaðu app bankans þíns og samþykktu þessa greiðslu þar",
    "link_host": "Vefsíðan er á {host} og hlekkurinn virkar í nokkrar mínútur.",
    "check": "Gættu þess að upphæð og viðtakandi séu þau sömu þar.",
    "nothing_yet": "Ekkert er greitt fyrr en þú samþykkir. Gefðu engum kóða nema bankanum þínum.",
    "register_first": (
        "Ekkert hefur verið greitt.\nAð því loknu verður óskað eftir því að þú samþykkir greiðsluna sjálfa."
    ),
    "no_codes": "Gefðu engum kóða nema bankanum þínum.",
    "withheld": "Þessi greiðsla bíður samþykkis þíns en ekki er óhætt að opna hlekkinn",
    "withheld_end": "Leitaðu að henni í appi bankans eða í söluaðilagátt Blikk.",
    "empty_app": "Ef ekkert birtist í appinu skaltu líta í söluaðilagátt Blikk.",
    "done": "Láttu mig vita hér þegar þú hefur lokið þessu.",
    "replaces": "Hann kemur í stað þess sem þú fékkst áður: notaðu aðeins þennan.",
    "lapsed": "Beðið hefur verið lengi og því er óvíst að hlekkurinn virki enn.\nLáttu vita hér ef hann virkar ekki.",
    "paid": "Greitt: {payment}",
    "failed": "Ekki greitt: {payment}",
    "failed_end": "Greiðslunni lauk án þess að peningar færðust.",
    "unknown": "Ekki er vitað hvort þetta var greitt",
    "unknown_end": (
        "Vinsamlegast greiddu þetta ekki aftur fyrr en einhver hefur leitað\nað greiðslunni í söluaðilagátt Blikk."
    ),
    "ask": "Viltu að þessi greiðsla fari fram?",
    "ask_in_doubt": "Ekki er vitað hvort fyrri greiðsla á þennan reikning var greidd.\nViltu greiða þessa líka?",
    "other_paid": "Greitt, en Blikk nefnir aðra upphæð eða annan gjaldmiðil",
    "other_failed": "Ekki greitt, og Blikk nefnir aðra upphæð eða annan gjaldmiðil",
    "other_open": "Ekki samþykkja þessa greiðslu: Blikk nefnir aðra upphæð eða gjaldmiðil",
    "asked_for": "Beðið var um: {payment}",
    "blikk_says": "Blikk segir: {figure}",
    "other_end": "Vinsamlegast greiddu þetta ekki aftur og láttu rekstraraðila þjónustunnar vita.",
    "ask_duplicate": "Sama upphæð hefur þegar verið send á sama reikning.\nViltu greiða hana í annað sinn?",
    "ask_above": "Upphæðin er hærri en greiða má án þess að spyrja þig.",
    "ask_end": "Ekkert hefur verið sent enn og þú þarft líka að samþykkja hjá bankanum.",
    "tick_box": "Já, greiða",
    "tick_box_again": "Já, greiða aftur",
    "not_made": "Þessi greiðsla var ekki framkvæmd",
    "not_sent_now": "Ekkert var sent til bankans í þetta sinn",
    "because_not_configured": (
        "Greiðsluþjónustan er ekki rétt stillt. Láttu þann sem rekur hana vita.\n"
        "Fyrri tilraun með sömu greiðslu gæti þó hafa tekist."
    ),
    "because_ledger_unavailable": (
        "Ekki var hægt að skrá greiðsluna. Láttu þann sem rekur þjónustuna vita.\n"
        "Fyrri tilraun með sömu greiðslu gæti þó hafa tekist."
    ),
    "because_over_limit": "Hún er yfir þeim mörkum sem sett eru um greiðslur héðan.",
    "because_creditor_not_allowed": "Viðtakandinn er ekki meðal þeirra sem má greiða héðan.",
    "because_rate_limited": "Beðið var um of margar greiðslur á einni mínútu. Bíddu í eina mínútu.",
    "because_confirmation_required": "Þú þarft að staðfesta hana og ekkert svar barst frá þér.",
    "because_confirmation_declined": "Henni var hafnað: af þér eða af forriti sem keyrir án þín.",
    "because_possible_duplicate": (
        "Sama upphæð hefur þegar verið send á sama reikning.\nViltu greiða hana í annað sinn?"
    ),
    "because_unknown_duplicate": (
        "Fyrri greiðsla á þennan reikning gæti hafa tekist; það er ekki vitað.\n"
        "Einhver þarf fyrst að leita að henni í söluaðilagátt Blikk."
    ),
    "because_rejected_by_blikk": "Blikk hafnaði henni.",
    "because_unauthorized": "Blikk hafnaði greiðsluþjónustunni. Láttu þann sem rekur hana vita.",
    "because_wrong_channel": "Blikk hafnaði greiðsluþjónustunni. Láttu þann sem rekur hana vita.",
    "because_not_found": "Blikk hafnaði greiðsluþjónustunni. Láttu þann sem rekur hana vita.",
    "because_blikk_unavailable": "Ekki náðist samband við Blikk.",
    "not_checked": "Ekki tókst að athuga stöðu þessarar greiðslu",
    "not_checked_end": "Hún gæti hafa verið greidd: ekki greiða hana aftur fyrr en það er vitað.",
    "not_found": "Þessi greiðsla fannst ekki",
    "not_found_end": "Það þýðir þó ekki að hún hafi ekki verið greidd.",
    "waiting_for_person": "Beðið eftir samþykki hjá bankanum",
    "waiting_for_bank": "Beðið eftir bankanum",
    "waiting_for_answer": "Beðið eftir svari við spurningunni",
    "waiting_for_nothing": "Ekki er beðið lengur. Hætt var við að bíða en ekki við greiðsluna: hún getur enn farið fram.",
}

PERSON: dict[Language, dict[str, str]] = {"en": _ENGLISH, "is": _ICELANDIC}
"""By language: the parts that a person's instructions, questions and progress reports are made of."""

WARNINGS: dict[Language, dict[str, str]] = {
    "en": {
        "holder_differs": "By its IBAN, the account's holder is not creditor_ssn: the bank is likely to refuse.",
        "foreign_iban": "This is not an Icelandic account: it is not known whether Blikk accepts it.",
        "kennitala_doubtful": "creditor_ssn does not look like an ordinary kennitala: check it with the person.",
        "mixed_alphabets": (
            "The payee's name mixes letters of different alphabets, as forged names do: the person must check it with "
            "care."
        ),
        "lookalike_name": (
            "The payee's name looks like an earlier payee's, but it is spelled differently and it goes to a different "
            "account: the person must check it with care."
        ),
        "equal_payment": "The same amount was already sent to the same account: the person must mean both payments.",
        "earlier_in_doubt": "It is not known whether an earlier payment to this account was paid: the person must know.",
        "link_withheld": "Blikk's approval link did not pass the safety rules and is not shown.",
        "lapsed": (
            "The approval has been pending for far longer than such links live: the link may have lapsed. If it has, "
            "wait until Blikk ends the payment; do not create it again before it is final."
        ),
        "punycode": "The link's host is written in punycode (xn--): the person must check it with care.",
        "declined": (
            "Opening the link was declined: by the person, or by a client that runs without one. Nothing is paid; ask "
            "them what they want."
        ),
        "cancelled": "The request to open the link was closed without an answer. Nothing is paid.",
        "other_amount": (
            "Blikk says {figure}, and {asked} was asked for: no link is shown. Tell the person and the operator."
        ),
        "stray_payment": "Blikk may have made more than one payment for this key. Tell the person and the operator.",
        "not_kept": "The ledger could not be written after Blikk answered: tell the operator.",
    },
    "is": {
        "holder_differs": (
            "Samkvæmt IBAN-númerinu er eigandi reikningsins annar en creditor_ssn: líklegt er að bankinn hafni greiðslunni."
        ),
        "foreign_iban": "Þetta er ekki íslenskur reikningur: ekki er vitað hvort Blikk tekur við honum.",
        "kennitala_doubtful": "creditor_ssn lítur ekki út eins og venjuleg kennitala: hana þarf að staðfesta.",
        "mixed_alphabets": (
            "Í nafni viðtakanda er blandað saman bókstöfum úr ólíkum stafrófum, eins og gert er í fölsuðum nöfnum: sá sem "
            "samþykkir þarf að skoða það vel."
        ),
        "lookalike_name": (
            "Nafn viðtakanda líkist nafni fyrri viðtakanda, en er skrifað á annan hátt og reikningurinn er annar: sá sem "
            "samþykkir þarf að skoða það vel."
        ),
        "equal_payment": "Sama upphæð hefur þegar verið send á sama reikning: sá sem samþykkir þarf að vilja báðar.",
        "earlier_in_doubt": (
            "Ekki er vitað hvort fyrri greiðsla á þennan reikning var greidd: sá sem samþykkir þarf að vita af því."
        ),
        "link_withheld": "Hlekkurinn frá Blikk stóðst ekki öryggisreglur og er ekki sýndur.",
        "lapsed": (
            "Beðið hefur verið eftir samþykki mun lengur en slíkir hlekkir virka og hlekkurinn gæti verið útrunninn. Ef svo "
            "er þarf að bíða þar til Blikk lýkur greiðslunni; ekki má stofna hana aftur fyrr en henni er lokið."
        ),
        "punycode": "Lénið í hlekknum er skrifað með punycode (xn--): sá sem samþykkir þarf að skoða það vel.",
        "declined": (
            "Því var hafnað að opna hlekkinn, annaðhvort af notandanum eða af forriti sem keyrir án hans. Ekkert hefur "
            "verið greitt; spyrja þarf hvað eigi að gera."
        ),
        "cancelled": "Beiðninni um að opna hlekkinn var lokað án svars. Ekkert hefur verið greitt.",
        "other_amount": (
            "Blikk segir {figure}, en beðið var um {asked}: "
            "enginn hlekkur er sýndur. Látið greiðandann og rekstraraðila vita."
        ),
        "stray_payment": (
            "Blikk kann að hafa stofnað fleiri en eina greiðslu með"
            " þessum lykli. Látið greiðandann og rekstraraðila vita."
        ),
        "not_kept": "Ekki tókst að skrá svar Blikk í bókhald þjónustunnar: látið rekstraraðila hennar vita.",
    },
}
"""By language and code: what a payment's maker and its approver should know before it goes on."""
