"""The control API: for this machine only, strict about what it is told, and truthful about what it saw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.expecting import assert_fields
from tests.sandbox.harness import KEY, SandboxHarness, payment_body

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("peer", ["192.168.1.20", "10.0.0.1", "8.8.8.8", "fe80::1"])
async def test_other_machines_are_refused(peer: str) -> None:
    """The control API has no key, so it listens to this machine only."""
    harness = SandboxHarness(peer=peer)
    assert (await harness.control("GET", "/record")).status_code == 403
    assert (await harness.read("x")).status_code == 404  # Blikk's own paths are open to whoever has a key


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1"])
async def test_this_machine_is_let_in(peer: str) -> None:
    """Every address of the loopback network is this machine."""
    assert (await SandboxHarness(peer=peer).control("GET", "/record")).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil",
        "",
    ],
)
async def test_a_foreign_host_header_is_refused(host: str) -> None:
    """DNS rebinding: a page's own name that points to this machine."""
    response = await SandboxHarness().control("GET", "/record", headers={"Host": host})
    assert response.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:1", "[::1]:8080"])
async def test_a_host_header_that_names_this_machine_is_let_in(host: str) -> None:
    """The names that cannot be rebound."""
    assert (await SandboxHarness().control("GET", "/record", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:8081"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8080"},
    ],
)
async def test_a_page_of_another_origin_is_refused(headers: dict[str, str]) -> None:
    """A web page can send requests to this machine, though it cannot hide where it comes from."""
    harness = SandboxHarness()
    fault = {"fault": "slow"}
    assert (await harness.control("POST", "/faults", fault, headers=headers)).status_code == 403
    assert (await harness.ask("GET", "/faults")) == {"faults": []}


async def test_its_own_origin_is_let_in() -> None:
    """A page of the sandbox itself."""
    headers = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
    assert (await SandboxHarness().control("GET", "/record", headers=headers)).status_code == 200


async def test_the_guard_is_before_every_path() -> None:
    """None may be forgotten when one is added."""
    harness = SandboxHarness(peer="192.168.1.20")
    paths = {
        ("POST", "/faults"),
        ("GET", "/faults"),
        ("DELETE", "/faults"),
        ("POST", "/lives"),
        ("GET", "/lives"),
        ("DELETE", "/lives"),
        ("POST", "/payments/x/approve"),
        ("GET", "/record"),
        ("DELETE", "/record"),
        ("GET", "/requests"),
        ("POST", "/clock"),
    }
    answers = {(method, path): (await harness.control(method, path)).status_code for method, path in paths}
    assert set(answers.values()) == {403}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"fault": "no_such_fault"}),
        ("/faults", {"fault": "slow", "second": 1}),
        ("/faults", {"fault": "slow", "times": 0}),
        ("/faults", {"fault": "slow", "operation": "delete"}),
        ("/faults", {"fault": "error_before_commit", "status": 99}),
        ("/faults", {"fault": "no_id", "commit": False}),
        ("/faults", {}),
        ("/faults", None),
        ("/lives", {"life": "eternal"}),
        ("/lives", {"life": "push", "speed": 3}),
        ("/clock", {"advance_seconds": -1}),
        ("/clock", {"advance_seconds": "soon"}),
    ],
)
async def test_what_it_does_not_understand_is_refused(path: str, body: Any) -> None:
    """A misspelt fault that is silently ignored makes a test that tests nothing."""
    response = await SandboxHarness().control("POST", path, body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/payments/x/approve", "/payments/x/steal", "/nothing"])
async def test_what_is_not_there_is_404(path: str) -> None:
    """No such payment, no such decision, no such path."""
    assert (await SandboxHarness().control("POST", path)).status_code == 404


async def test_faults_and_lives_can_be_listed_and_cleared() -> None:
    """So that one test cannot spoil the next."""
    harness = SandboxHarness()
    fault = {"fault": "slow", "operation": "read", "times": 3, "seconds": 2.0}
    assert await harness.ask("POST", "/faults", fault) == {"faults": [fault]}
    assert await harness.ask("GET", "/faults") == {"faults": [fault]}
    assert await harness.ask("DELETE", "/faults") == {"faults": []}
    life = {"life": "push", "times": 1, "bank_message": "hello"}
    assert await harness.ask("POST", "/lives", life) == {"lives": [life]}
    assert await harness.ask("GET", "/lives") == {"lives": [life]}
    assert await harness.ask("DELETE", "/lives") == {"lives": []}


async def test_a_fault_meets_only_its_operation_and_only_so_often() -> None:
    """First asked for, first met."""
    harness = SandboxHarness()
    await harness.ask("POST", "/faults", {"fault": "not_found", "operation": "read", "times": 2})
    await harness.ask("POST", "/faults", {"fault": "rate_limited", "operation": "any"})
    assert (await harness.post(payment_body())).status_code == 429
    payment = await harness.create()
    assert [(await harness.read(payment["id"])).status_code for _ in range(3)] == [404, 404, 200]


async def test_the_record_holds_every_post_the_refused_ones_too() -> None:
    """What the client says it sent can be held against what came in."""
    harness = SandboxHarness()
    await harness.post(payment_body(reference="x"))
    await harness.client.post("/paymentchannel/payment", content=b"{nonsense")
    await harness.post(payment_body(), headers={"Api-Key": "wrong"})
    payment = await harness.create()
    received = (await harness.ask("GET", "/record"))["received"]
    assert [entry["status"] for entry in received] == [400, 415, 401, 201]
    assert [entry["channel"] for entry in received] == [0, 0, None, 0]
    assert [entry["payment_id"] for entry in received] == [None, None, None, payment["id"]]
    assert received[0]["body"]["reference"] == "x"
    assert received[1]["body"] == "{nonsense"
    assert received[3]["at"] == "2026-03-02T12:00:00+00:00"


async def test_the_record_holds_no_key() -> None:
    """A record is printed and compared; a key is neither."""
    harness = SandboxHarness()
    await harness.create()
    assert KEY not in (await harness.control("GET", "/record")).text


async def test_the_record_tells_each_payment_as_the_bank_has_it() -> None:
    """The bank's truth, whatever the client was told."""
    harness = SandboxHarness()
    payment = await harness.create(scaUserSsn="0101307789")
    (entry,) = (await harness.ask("GET", "/record"))["payments"]
    assert entry["id"] == payment["id"]
    assert entry["creditor"] == payment_body()["creditor"] | {"bban": None}
    assert_fields(entry, amount=1000, currency="ISK", status="DRAFT")
    assert (entry["created_at"], entry["paid_at"]) == ("2026-03-02T12:00:00+00:00", None)
    assert entry["sca_user_ssn"] == "0101307789"


async def test_the_record_can_be_cleared() -> None:
    """As if nothing had ever been received."""
    harness = SandboxHarness()
    payment = await harness.create()
    cleared = await harness.ask("DELETE", "/record")
    assert_fields(cleared, received=[], payments=[], paid=[])
    assert (await harness.read(payment["id"])).status_code == 404


async def test_reads_are_counted_per_payment_the_spoilt_ones_too() -> None:
    """To measure how often a client polls."""
    harness = SandboxHarness()
    first, second = await harness.create(), await harness.create()
    await harness.ask("POST", "/faults", {"fault": "empty_502"})
    for _ in range(3):
        await harness.read(first["id"])
    assert await harness.ask("GET", "/requests") == {"creates": 2, "reads": {first["id"]: 3, second["id"]: 0}}


async def test_its_clock_can_be_moved_forward() -> None:
    """So that nobody has to sleep through the life of a link."""
    harness = SandboxHarness()
    payment = await harness.create()
    assert await harness.ask("POST", "/clock", {"advance_seconds": 60}) == {"now": "2026-03-02T12:01:00+00:00"}
    assert await harness.status(payment["id"]) == "SCA_REQUIRED"
    await harness.ask("POST", "/clock", {"advance_seconds": 61.5})
    assert await harness.status(payment["id"]) == "ERROR"
