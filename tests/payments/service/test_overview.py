"""What the ledger knows, told without asking Blikk."""

from __future__ import annotations

from pathlib import Path

import pytest

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.protocol import Only
from tests.expecting import assert_fields
from tests.payments.doubles import paying
from tests.payments.factories import KEY, OTHER_KEY, an_intent, answer, numbered
from tests.payments.service.endings import LOST, PAID, refused

pytestmark = pytest.mark.anyio


async def test_a_list_says_what_one_payment_may_be_and_what_is_left_of_the_day(tmp_path: Path) -> None:
    """What failed takes no room; the newest come first, and whether there are more is said."""
    async with paying(tmp_path, PAID, refused(400), LOST, daily_limit_isk=10_000, max_amount_isk=4_000) as house:
        empty = await house.service.overview.newest(Only.ALL, 2)
        assert_fields(empty, records=(), more=False, most_per_payment_isk=4_000, left_today_isk=10_000)
        for number in (1, 2, 3):
            await house.service.create(numbered(number, number * 1_000))
        listing = await house.service.overview.newest(Only.ALL, 2)
        assert {record.idempotency_key for record in listing.records} == {"order-0003", "order-0002"}
        assert_fields(listing, more=True, most_per_payment_isk=4_000, left_today_isk=6_000)
        paid = await house.service.overview.newest(Only.PAID, 2)
        assert [record.idempotency_key for record in paid.records] == ["order-0001"]
        assert not paid.more


async def test_a_day_that_is_over_a_limit_made_smaller_has_nothing_left(tmp_path: Path) -> None:
    """Less than nothing is no amount."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent(amount_isk=3_000))
    async with paying(tmp_path, daily_limit_isk=2_000) as house:
        assert (await house.service.overview.newest(Only.ALL, 5)).left_today_isk == 0


async def test_a_key_is_found_unless_it_is_a_payments_id(tmp_path: Path) -> None:
    """Models mix the two up, and one text can be both."""
    async with paying(tmp_path, answer(payment_id=OTHER_KEY), PAID) as house:
        await house.service.create(an_intent())
        await house.service.create(numbered(2))
        found = await house.service.overview.under_key(KEY)
        assert found is not None
        assert found.payment_id == OTHER_KEY
        assert await house.service.overview.under_key(OTHER_KEY) is None
        assert await house.service.overview.under_key("order-0009") is None
        house.ledger.broken = {"by_payment_id"}
        with pytest.raises(LedgerUnavailable):
            await house.service.overview.under_key(KEY)
