"""Payees whose names look like an earlier payee's: how names are compared, and what the ledger says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.lookalikes import mixes_alphabets, skeleton, spelling
from blikk_payments.models import LOOKALIKE_NAME
from tests.payments.factories import (
    ACCOUNT,
    FORGED_NAME,
    KEY,
    NOON,
    OTHER_ACCOUNT,
    OTHER_KEY,
    an_intent,
    answer,
    at,
    lookalike,
)
from tests.payments.ledgers import allow

NAME = "Kaffihúsið Kría ehf."


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """A ledger that has paid somebody."""
    with SqliteLedger(tmp_path / "ledger.sqlite3") as opened:
        opened.claim(an_intent(), allow, window_minutes=0, now=NOON)
        opened.created(KEY, 1, answer(Status.SUCCESS, payment_id="blikk-1"), now=NOON)
        yield opened


def warned(ledger: SqliteLedger, name: str, account_key: str = OTHER_ACCOUNT) -> bool:
    """Whether a payment to that name and account would be warned of."""
    return ledger.facts(lookalike(name=name, account_key=account_key), window_minutes=0, now=NOON).lookalike


# How names are compared


@pytest.mark.parametrize(
    "forged",
    [
        "K\u0430ffihúsið Kría ehf.",
        "\u039aaffihúsið Kría ehf.",
        "Kaffihusid Kria ehf.",
        "Kaffihúsið Krı\u0301a ehf.",
        "KaffihúsiÐ Kría ehf.",
        "Kaff1húsið Kr1a ehf.",
        "Kaffihúsið Kríɑ ehf.",
        "Kaffihús\u0456ð Kr\u0456a \u0435hf.",
        "𝐊affihúsið Kría ehf.",
        "Kaffihúsið Kría e-h-f",
        "kaffihúsið  kría  EHF",
    ],
)
def test_names_that_look_the_same_have_one_skeleton(forged: str) -> None:
    """After UTS #39: what a person takes for the same name is compared as the same."""
    assert skeleton(NAME) == skeleton(forged)


@pytest.mark.parametrize(
    ("name", "forged"),
    [
        ("Modern Iceland", "Modem lceland"),
        ("Danske", "Clanske"),
        ("Vows", "Vovvs"),
        ("Bónus", "Bónu5"),
        ("HAGKAUP", "\u041d\u0410\u0413KAUP".replace("\u0413", "G")),
        ("HAGKAUP", "\u0397\u0391GK\u0391UP"),
        ("Olís", "0lís"),
        ("Þór", "Pór"),
    ],
)
def test_letters_that_run_together_and_digits_do_not_hide_a_name(name: str, forged: str) -> None:
    """Look-alikes of a known creditor."""
    assert skeleton(name) == skeleton(forged)
    assert spelling(name) != spelling(forged)


@pytest.mark.parametrize(
    "other", ["Kaffihúsið Kráka ehf.", "Kaffihúsið ehf.", "Kría", "", "...", "Kaffihúsið Kría hf."]
)
def test_other_names_look_different(other: str) -> None:
    """A warning that comes too often is no warning."""
    assert skeleton(NAME) != skeleton(other)


@pytest.mark.parametrize(
    "same", [NAME, "KAFFIHÚSIÐ KRÍA EHF", " Kaffihúsið  Kría, ehf. ", "Kaffihu\u0301sið Kri\u0301a ehf."]
)
def test_case_spaces_and_punctuation_make_no_other_spelling(same: str) -> None:
    """A name typed by another hand is not a forged one."""
    assert spelling(NAME) == spelling(same)


@pytest.mark.parametrize(
    ("name", "mixed"),
    [
        (NAME, False),
        ("Þorgerður Ægisdóttir 7-9 (heimili) № 3 ²", False),
        ("Москва", False),
        ("Hawai\u02bbi", False),
        ("ｆｕｌｌ width", False),
        ("42", False),
        ("", False),
        (FORGED_NAME, True),
        ("\u039aaffi", True),
        ("Kaff\u1e2f \u0561", True),
    ],
)
def test_a_name_of_several_alphabets_is_noticed(name: str, mixed: bool) -> None:
    """A forged name is most often one letter of another alphabet among Latin ones."""
    assert mixes_alphabets(name) is mixed


# What the ledger says of them


def test_a_name_that_looks_like_an_earlier_payees_is_noticed(ledger: SqliteLedger) -> None:
    """Homoglyph look-alikes of a known creditor (warn the person)."""
    assert warned(ledger, FORGED_NAME)
    assert warned(ledger, "Kaffihusið ehf.")


@pytest.mark.parametrize(
    ("name", "account_key"),
    [
        ("Kaffihúsið ehf.", OTHER_ACCOUNT),
        ("KAFFIHÚSIÐ  EHF.", OTHER_ACCOUNT),
        (FORGED_NAME, ACCOUNT),
        ("Anna", OTHER_ACCOUNT),
    ],
    ids=["namesake", "typed otherwise", "same account", "other name"],
)
def test_namesakes_and_known_accounts_are_no_lookalikes(ledger: SqliteLedger, name: str, account_key: str) -> None:
    """Two people may have one name, and whoever owns the account gets the money however the name is written."""
    assert not warned(ledger, name, account_key)


def test_the_warning_stays_with_the_payment_and_ends_with_it(ledger: SqliteLedger) -> None:
    """The person is warned until they have paid such a payee once; after that it is a known one."""
    claimed = ledger.claim(lookalike(), allow, window_minutes=0, now=at(1))
    assert claimed.record.warnings == (LOOKALIKE_NAME,)
    assert warned(ledger, FORGED_NAME)

    paid = ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-2"), now=at(2))

    assert paid.warnings == (LOOKALIKE_NAME,)
    assert not warned(ledger, FORGED_NAME)
    assert ledger.verify() == []


def test_a_payee_that_blikk_refused_is_not_known(ledger: SqliteLedger) -> None:
    """Who was never paid is nobody that another one could be taken for."""
    ledger.claim(an_intent("order-0003", name="Anna", account_key="IS030126000001"), allow, window_minutes=0, now=at(1))
    ledger.refused("order-0003", 1, code="rejected_by_blikk", bank_text="", now=at(2))

    assert not warned(ledger, "\u0410nna")


@pytest.mark.parametrize("how", ["late answer", "resolved"])
def test_a_payee_that_was_found_out_later_is_known(ledger: SqliteLedger, how: str) -> None:
    """However it became clear that there is a payment."""
    ledger.claim(an_intent("order-0003", name="Anna", account_key="IS030126000001"), allow, window_minutes=0, now=at(1))
    ledger.unknown("order-0003", 1, reason="no answer", now=at(2))
    assert not warned(ledger, "\u0410nna")

    if how == "resolved":
        ledger.resolve_created("order-0003", answer(payment_id="blikk-3"), note="in the portal", now=at(3))
    else:
        ledger.created("order-0003", 1, answer(payment_id="blikk-3"), now=at(3))

    assert warned(ledger, "\u0410nna")


def test_a_name_with_no_letters_looks_like_nobodys(ledger: SqliteLedger) -> None:
    """Two names of nothing but signs have nothing that could look alike."""
    ledger.claim(an_intent("order-0003", name="***", account_key="IS030126000001"), allow, window_minutes=0, now=at(1))
    ledger.created("order-0003", 1, answer(payment_id="blikk-3"), now=at(2))

    assert not warned(ledger, "---")
