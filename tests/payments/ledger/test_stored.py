"""The ledger's fingerprints: what lies in ledgers that exist must go on meaning the same."""

from __future__ import annotations

import hashlib
import hmac

from blikk_payments.ledger.stored import Fingerprints, Payee
from tests.payments.factories import ACCOUNT, FORGED_NAME, KENNITALA, OTHER_ACCOUNT, OTHER_KENNITALA, an_intent

LEDGERS_KEY = bytes(range(32))


def mac(text: str) -> str:
    """HMAC-SHA256, as any other program computes it."""
    return hmac.new(LEDGERS_KEY, text.encode(), hashlib.sha256).hexdigest()


def test_a_fingerprint_is_the_hmac_of_the_account_or_the_kennitala_whatever_came_before() -> None:
    """A key is compared with what was written years ago; another hash would make a conflict of every retry."""
    fingerprints = Fingerprints(LEDGERS_KEY)
    for account, ssn in ((ACCOUNT, KENNITALA), (OTHER_ACCOUNT, OTHER_KENNITALA), (ACCOUNT, KENNITALA)):
        paid = an_intent(account_key=account, ssn=ssn)
        assert fingerprints.account(paid) == mac(f"account:{account}")
        assert fingerprints.ssn(paid) == mac(f"ssn:{ssn}")


def test_a_name_is_the_same_payee_by_its_look_and_its_spelling() -> None:
    """A forged name looks like the earlier one and is spelled otherwise; another ledger's key tells nothing."""
    fingerprints = Fingerprints(LEDGERS_KEY)
    forged, real = (fingerprints.payee(name, "one") for name in (FORGED_NAME, an_intent().creditor_name))
    assert forged.skeleton_hash == real.skeleton_hash
    assert forged.spelling != real.spelling
    assert fingerprints.payee(FORGED_NAME, "other") == Payee(forged.skeleton_hash, "other", forged.spelling)
    assert Fingerprints(b"another ledger's").payee(FORGED_NAME, "one").skeleton_hash != forged.skeleton_hash
