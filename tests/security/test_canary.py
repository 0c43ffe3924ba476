"""Nothing leaks: every tool, command and failure, with canaries on the way in and a search of all that comes out.

No failure here shows a canary: only where one was found, and in which encoding.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from blikk_mcp.cli import COMMANDS
from blikk_mcp.settings.settings import SETTINGS
from blikk_sandbox.faults import FaultName
from tests.security import planted, tours
from tests.security.callers import Place, ended
from tests.security.canaries import KEY, Haul
from tests.server import canary
from tests.tools import calls

pytestmark = pytest.mark.slow

CHANNELS_AT_LEAST = 40
ENCODINGS_AT_LEAST = 14

ERROR_CODES = set(calls.ERROR_CODES) - {"internal_error"}
"""Every one there is but `internal_error`, which takes a defect: see the tour with one."""

SUBCOMMANDS = ("list", "show", "resolve", "export", "verify", "prune")


@pytest.fixture(scope="module")
def haul(tmp_path_factory: pytest.TempPathFactory) -> Haul:
    """All that came out on every tour."""
    haul = Haul()
    anyio.run(tours.everything, tmp_path_factory.mktemp("tours"), haul)
    return haul


def check_none(leaks: list[str]) -> None:
    """Fails with the places, once a canary, and never with what was found there."""
    # Found is a canary mostly in several encodings at once, as plain letters look the same in many.
    places = {leak[: leak.index(", ", leak.rindex(": "))]: leak for leak in leaks}
    if places:
        pytest.fail("\n".join(places.values()), pytrace=False)


def test_no_canary_comes_out_of_any_channel(haul: Haul) -> None:
    """The key in no output, log, file or error, in any encoding; numbers of people in none, names not on stderr."""
    check_none(haul.leaks())


def test_enough_channels_and_encodings_are_searched(haul: Haul, capsys: pytest.CaptureFixture[str]) -> None:
    """At least 40 channels and at least 14 encodings, or the search above says little."""
    encodings = set(canary.encodings_of(KEY).values())
    with capsys.disabled():
        os.write(1, f" [{len(haul.channels)} channels, {len(encodings)} encodings] ".encode())
    assert len(haul.channels) >= CHANNELS_AT_LEAST
    assert len(encodings) >= ENCODINGS_AT_LEAST


def test_every_failure_every_fault_and_every_command_is_on_the_tours(haul: Haul) -> None:
    """Every tool, every CLI command, every failure; what is added later has to be added there too."""
    assert haul.words(r'"error_code": ?"(\w+)"') >= ERROR_CODES
    channels = haul.channels
    for fault in FaultName:
        assert {f"faults: {operation} under {fault} > stdout" for operation in ("create", "read")} <= set(channels)
    commands = {*COMMANDS, *(f"ledger {name}" for name in SUBCOMMANDS)} - {"serve"}
    assert not [name for name in commands if not any(channel.startswith(name) for channel in channels)]
    assert {setting.name for setting in SETTINGS} <= set(tours.wrong_everywhere(Place(Path("/"))))


def test_a_defect_in_a_tool_or_a_thread_tells_nothing(tmp_path: Path) -> None:
    """Seen leaking: a traceback's text, and what bypasses logging."""
    haul = Haul()
    command = (sys.executable, planted.__file__, "crash")
    anyio.run(tours.short_tour, tmp_path, haul, command)
    assert "internal_error" in haul.words(r'"error_code": ?"(\w+)"')
    assert haul.words(r'"type":"(RuntimeError|ValueError)"') == {"RuntimeError", "ValueError"}
    check_none(haul.leaks())


def test_a_key_that_an_operator_writes_into_a_note_is_not_written_down(tmp_path: Path) -> None:
    """The key in no file and no output; an operator pastes what is on the clipboard."""
    haul, place = Haul(), Place(tmp_path)

    async def resolve() -> None:
        await tours.lost_payment(place)
        environ = {**place.environment(), "BLIKK_API_KEY": KEY, "BLIKK_BASE_URL": "http://127.0.0.1:9"}
        note = ("ledger", "resolve", "order-lost", "--not-created", "--note", f"looked with {KEY}")
        for arguments in (note, ("ledger", "show", "order-lost", "--json"), ("ledger", "verify")):
            done = await ended(place, environ, *arguments)
            haul.add(f"ledger {arguments[1]}", "stdout", done.stdout)
            haul.add(f"ledger {arguments[1]}", "stderr", done.stderr)
        tours.look_through(haul, "resolved", place)

    anyio.run(resolve)
    check_none(haul.leaks())


def test_a_key_on_the_command_line_is_not_repeated(tmp_path: Path) -> None:
    """Every error text is clean, argparse's too; people try `--api-key`."""
    haul, place = Haul(), Place(tmp_path)
    environ = {**place.environment(), "BLIKK_API_KEY": KEY}

    async def run_all() -> None:
        for number, arguments in enumerate(
            [
                (KEY,),
                ("--api-key", KEY),
                ("serve", f"--api-key={KEY}"),
                ("doctor", KEY),
                ("config", KEY),
                ("ledger", "export", "--format", KEY),
                ("ledger", "prune", "--older-than-days", KEY),
                ("sandbox", "--port", KEY),
                ("sandbox", "--host", KEY),
            ]
        ):
            done = await ended(place, environ, *arguments)
            assert done.returncode != 0
            haul.add(f"command line {number}", "stdout", done.stdout)
            haul.add(f"command line {number}", "stderr", done.stderr)

    anyio.run(run_all)
    check_none(haul.leaks())


@pytest.fixture(scope="module")
def slips(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is found after three slips: a key in a text, a kennitala as a payment's id, an account where a link should be."""
    haul = Haul()
    anyio.run(tours.slips, Place(tmp_path_factory.mktemp("slips")), haul)
    assert haul.channels
    return haul.leaks()


def test_a_key_that_an_agent_writes_into_a_text_is_not_written_down(slips: list[str]) -> None:
    """The key in no file, the ledger included; text is redacted, or refused, before it enters the ledger."""
    check_none([leak for leak in slips if "the key" in leak])


def test_a_kennitala_taken_for_a_payment_id_is_not_on_stderr(slips: list[str]) -> None:
    """No kennitala on stderr; ten digits have the charset of an id, and a model can mix up its arguments."""
    check_none([leak for leak in slips if "the approver's kennitala" in leak and "> stderr" in leak])


def test_what_is_no_link_leaves_no_number_of_a_person_in_the_ledger(slips: list[str]) -> None:
    """No kennitala and no account in the ledger; text from outside goes through the one cleaner."""
    check_none([leak for leak in slips if "another account" in leak and "> state" in leak])
