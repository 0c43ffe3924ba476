"""The search bites: leaks that are planted in the process, each around a net or through a hole in one, are found."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from tests.security import planted
from tests.security.canaries import Haul
from tests.security.tours import short_tour

pytestmark = pytest.mark.slow

SCRIPT = Path(planted.__file__)
AT_ONCE = 2
LEAKS_AT_LEAST = 10

FOUND: dict[str, tuple[str, ...]] = {
    "plain_on_stderr": ("server > stderr: the key, plain",),
    "base64_on_stderr": ("server > stderr: the key, base64 at 0",),
    "wrapped_on_stderr": ("server > stderr: the key, plain",),
    "split_over_log_fields": ("server > stderr: the key, plain",),
    "error_message": ("server: calls > stdout: the key, plain",),
    "echo_into_the_ledger": ("server > state/ledger.sqlite3: the key, plain",),
    "temporary_file": ("server > tmp: the key, url",),
    "traceback_of_a_thread": ("server > stderr: the key, hex lower case",),
    "export": ("ledger export > stdout: the key, unicode escapes",),
    "doctor": ("doctor > stdout: the key, hex with colons",),
    "people": (
        "server > stderr: the creditor's kennitala, plain",
        "server > stderr: the creditor's name, plain",
        "server: calls > stdout: the creditor's account, plain",
        "server > state/ledger.sqlite3: the approver's kennitala, plain",
    ),
}
"""Where each plant has to be found, as which canary and in which encoding."""

PROCESSES: dict[str, tuple[str, ...]] = {
    "base64_on_stderr,temporary_file,echo_into_the_ledger": (),
    "wrapped_on_stderr,error_message": (),
    "split_over_log_fields,people": (),
    "plain_on_stderr,traceback_of_a_thread": (),
    "nothing": (),
    "export": ("ledger", "export"),
    "doctor": ("doctor",),
}
"""What is planted together, as it comes out of different exits or in different encodings; and the command, if one."""


@pytest.fixture(scope="module")
def leaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What was found in all that came out of the process that each leak was planted in."""
    root = tmp_path_factory.mktemp("planted")
    hauls = {plants: Haul() for plants in PROCESSES}

    async def tour_all() -> None:
        room = anyio.CapacityLimiter(AT_ONCE)

        async def tour(number: int, plants: str) -> None:
            async with room:
                command = (sys.executable, str(SCRIPT), plants)
                await short_tour(root / f"{number}", hauls[plants], command, *PROCESSES[plants])

        async with anyio.create_task_group() as tasks:
            for number, plants in enumerate(PROCESSES):
                tasks.start_soon(tour, number, plants)

    anyio.run(tour_all)
    return {plant: found for plants, haul in hauls.items() for found in [haul.leaks()] for plant in plants.split(",")}


@pytest.mark.parametrize("plant", FOUND)
def test_a_planted_leak_is_found(plant: str, leaks: dict[str, list[str]]) -> None:
    """The harness finds each of ten planted leaks; a search that finds nothing would pass everything."""
    missed = [leak for leak in FOUND[plant] if leak not in leaks[plant]]
    assert not missed


def test_there_are_ten_planted_leaks_and_more() -> None:
    """At least ten."""
    assert len(FOUND) >= LEAKS_AT_LEAST


def test_where_nothing_is_planted_nothing_is_found(leaks: dict[str, list[str]]) -> None:
    """The control: what is found above is the plant, and not the way it was looked for."""
    assert not leaks["nothing"]
