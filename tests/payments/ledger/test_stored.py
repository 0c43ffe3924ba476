"""The ledger's fingerprints: what lies in ledgers that exist must go on meaning the same."""

from __future__ import annotations

import hashlib
import hmac

from blikk_payments.ledger.stored import NAMES_AT_HAND, Fingerprints
from tests.payments.ledger_factories import ACCOUNT, FORGED_NAME, OTHER_ACCOUNT, SSN, intent

LEDGERS_KEY = bytes(range(32))


def mac(text: str) -> str:
    """HMAC-SHA256, as any other program computes it."""
    return hmac.new(LEDGERS_KEY, text.encode(), hashlib.sha256).hexdigest()


def test_a_fingerprint_is_the_hmac_of_the_account_or_the_kennitala_whatever_came_before() -> None:
    """Ours: a key is compared with what was written years ago; another hash would make a conflict of every retry."""
    fingerprints = Fingerprints(LEDGERS_KEY)
    for account, ssn in ((ACCOUNT, SSN), (OTHER_ACCOUNT, "5510730339"), (ACCOUNT, SSN)):
        paid = intent(account_key=account, creditor_ssn=ssn)
        assert fingerprints.account(paid) == mac(f"account:{account}")
        assert fingerprints.ssn(paid) == mac(f"ssn:{ssn}")


def test_a_name_that_is_remembered_is_the_same_payee_and_only_for_its_account() -> None:
    """Ours: names are looked at letter by letter once, and what comes of it does not depend on when."""
    fingerprints = Fingerprints(LEDGERS_KEY)
    names = [f"Payee {number}" for number in range(NAMES_AT_HAND + 1)] + [FORGED_NAME, intent().creditor_name]
    first = [fingerprints.payee(name, "one") for name in names]
    again = [fingerprints.payee(name, "other") for name in names]
    afresh = [Fingerprints(LEDGERS_KEY).payee(name, "one") for name in names]
    assert first == afresh
    assert [(one.look, one.spelling) for one in first] == [(one.look, one.spelling) for one in again]
    assert {one.account for one in again} == {"other"}
    assert len({one.spelling for one in first}) == len(names)
    assert first[-1].look == first[-2].look
    assert Fingerprints(b"another ledger's").payee(names[0], "one") != first[0]
