"""Names made from a seed: the same run twice, and nothing to guess without the seed."""

from __future__ import annotations

import httpx
import pytest

from blikk_sandbox.names import Names
from blikk_sandbox.running import RunningSandbox, run_sandbox
from tests.sandbox.harness import payment_body

pytestmark = pytest.mark.anyio


async def names_of_two_payments(sandbox: RunningSandbox) -> list[str]:
    """The key, the ids and the links, after two payments of which the second was looked at first."""
    async with httpx.AsyncClient(headers={"Api-Key": sandbox.api_key}, verify=False) as client:
        url = f"{sandbox.base_url}/payment"
        first, second = [(await client.post(url, json=payment_body(amount=amount))).json() for amount in (1000, 2000)]
        await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 2})
        seen = [(await client.get(f"{url}/{payment['id']}")).json() for payment in (second, first)]
        return [sandbox.api_key] + [
            text.removeprefix(sandbox.base_url.removesuffix("/paymentchannel"))
            for payment in seen
            for text in (payment["id"], payment["endToEndIdentification"], payment["redirectUrl"])
        ]


async def test_the_same_seed_gives_the_same_key_ids_and_links() -> None:
    """A run of an evaluation can be repeated to the letter."""
    async with run_sandbox(seed=7) as first, run_sandbox(seed=7) as second, run_sandbox(seed=8) as other:
        names = await names_of_two_payments(first)
        assert names == await names_of_two_payments(second)
        assert not set(names) & set(await names_of_two_payments(other))
        assert len(set(names)) == 7


async def test_without_a_seed_no_two_sandboxes_share_a_name() -> None:
    """What nobody asked to be repeatable cannot be guessed."""
    async with run_sandbox() as first, run_sandbox() as second:
        assert not set(await names_of_two_payments(first)) & set(await names_of_two_payments(second))


async def test_an_id_does_not_come_back_after_the_record_was_cleared() -> None:
    """A ledger that remembers the first payment would take the second for it."""
    async with run_sandbox(seed=7) as sandbox:
        before = await names_of_two_payments(sandbox)
        async with httpx.AsyncClient(verify=False) as client:
            await client.delete(f"{sandbox.control_url}/record")
        assert not set(before[1:]) & set((await names_of_two_payments(sandbox))[1:])


def test_a_name_belongs_to_its_kind_and_its_thing() -> None:
    """A link's token tells nothing of another's, nor of the key."""
    names = Names(1)
    made = [names.text_of("link", "a"), names.text_of("link", "b"), names.text_of("key", "a")]
    assert len(set(made)) == 3
    assert [len(names.text_of("key", size=size)) for size in (16, 24, 30)] == [22, 32, 40]
