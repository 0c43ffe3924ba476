"""Support: tours through everything the process does, each with canaries on the way in and a haul of what comes out."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio

from blikk_mcp.commands.config import CLIENTS
from blikk_sandbox.faults import FaultName
from blikk_sandbox.running import RunningSandbox, run_sandbox
from tests.payments.loopback import free_port, loopback
from tests.security.callers import MODULE, Caller, Place, ended, started
from tests.security.canaries import (
    APPROVER_SSN,
    CREDITOR_BBAN,
    CREDITOR_IBAN,
    CREDITOR_NAME,
    CREDITOR_SSN,
    DEBTOR_BBAN,
    KEY,
    KEY_OF_FILE,
    KEY_OF_PLACEHOLDER,
    OTHER_BBAN,
    PURPOSE,
    Haul,
    iban,
)
from tests.security.echoing import CREATED, LOST, REFUSALS, EchoingBlikk, in_field
from tests.server import canary
from tests.server.running import connected

SPEED = 40.0

FAMILIES = ("plain", "url, every byte", "unicode escapes", "base64 at 0")
"""One encoding each of those that differ in how a parser on the way could undo them."""

ABOUT_PEOPLE = (
    f"creditor {CREDITOR_SSN[:6]}-{CREDITOR_SSN[6:]} ({CREDITOR_SSN}), account {OTHER_BBAN[:4]}-{OTHER_BBAN[4:6]}-"
    f"{OTHER_BBAN[6:]}, {' '.join(re.findall('.{1,4}', CREDITOR_IBAN))} or {CREDITOR_IBAN} of {CREDITOR_NAME}"
)

ABOUT_SOMEBODY = ("BLIKK_SCA_USER_SSN", "BLIKK_DEBTOR_BBAN", "BLIKK_ALLOWED_CREDITORS")

MODERN_META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
}


def payment(number: int, **more: Any) -> dict[str, Any]:
    """A payment to the canary creditor; no two numbers make equal payments.

    After the first few each goes to an account of its own: one whose outcome is unknown holds up all to its account.
    """
    account = {"creditor_iban": CREDITOR_IBAN} if number < 3 else {"creditor_iban": own_iban(number)}
    if number == 3:
        account = {"creditor_bban": OTHER_BBAN}
    return {
        "amount": 1000 + number,
        "currency": "ISK",
        "creditor_name": CREDITOR_NAME,
        "creditor_ssn": f"{CREDITOR_SSN[:6]}-{CREDITOR_SSN[6:]}",
        "idempotency_key": f"order-{number:05}",
        "purpose": PURPOSE,
        **account,
        **more,
    }


def own_iban(number: int) -> str:
    """Another account of the canary creditor's."""
    return iban("IS", f"015926{number:06}{CREDITOR_SSN}")


def settings(base_url: str, **more: str) -> dict[str, str]:
    """Settings in which every person and the key are canaries."""
    return {
        "BLIKK_API_KEY": KEY,
        "BLIKK_BASE_URL": base_url,
        "BLIKK_SCA_USER_SSN": APPROVER_SSN,
        "BLIKK_DEBTOR_BBAN": DEBTOR_BBAN,
        "BLIKK_ALLOWED_CREDITORS": f"{CREDITOR_IBAN}, {OTHER_BBAN}, {CREDITOR_SSN}",
        "BLIKK_MAX_AMOUNT_ISK": "200000",
        "BLIKK_DAILY_LIMIT_ISK": "900000000",
        "BLIKK_CREATES_PER_MINUTE": "100000",
        "BLIKK_DUPLICATE_WINDOW_MINUTES": "0",
        "BLIKK_LOG_LEVEL": "debug",
        **more,
    }


class Tour:
    """A caller whose lines are kept by scene, and the place that is looked through."""

    def __init__(self, name: str, place: Place, caller: Caller, haul: Haul) -> None:
        self.name = name
        self.place = place
        self.caller = caller
        self.haul = haul
        self._number = 0

    @contextmanager
    def scene(self, what: str) -> Generator[None]:
        """What is said on stdout in this block is a channel."""
        mark = len(self.caller.lines)
        yield
        self.haul.add(f"{self.name}: {what}", "stdout", "".join(self.caller.lines[mark:]))

    def next_payment(self, **more: Any) -> dict[str, Any]:
        """A payment that was not made yet."""
        self._number += 1
        return payment(self._number, **more)

    async def create(self, **more: Any) -> dict[str, Any]:
        """A new payment's result."""
        return await self.caller.call("create_payment", self.next_payment(**more))

    async def read(self, payment_id: str) -> dict[str, Any]:
        """Its status."""
        return await self.caller.call("get_payment_status", {"payment_id": payment_id})

    async def end(self) -> None:
        """Look at every file while the process lives, hang up, and look again."""
        look_through(self.haul, self.name, self.place)
        with self.scene("the end"):
            await self.caller.hang_up()
        look_through(self.haul, self.name, self.place)


def look_through(haul: Haul, name: str, place: Place) -> None:
    """Every file of a place, and its stderr."""
    for file, content in place.files().items():
        folder = file.partition("/")[0]
        haul.add(name, "file", file.encode() + b"\n" + content, folder if folder == "tmp" else file)
    if place.stderr.exists():
        haul.add(name, "stderr", place.stderr.read_bytes())


async def everything(root: Path, haul: Haul) -> None:
    """Every tour, side by side."""
    async with anyio.create_task_group() as tasks:
        for tour in (echoes, faults_and_commands, wrong_settings, own_sandbox, bystanders):
            tasks.start_soon(tour, root / tour.__name__, haul)


# A Blikk that echoes ------------------------------------------------------------------------------------------------


async def echoes(root: Path, haul: Haul) -> None:
    """Blikk puts the key, in every encoding, and people into every part of its answers. Logs as JSON."""
    place = Place(root)
    blikk = EchoingBlikk()
    async with AsyncExitStack() as stack:
        base_url = (await stack.enter_async_context(loopback(blikk))).base_url
        environ = place.environment(**settings(base_url, BLIKK_LOG_FORMAT="json", BLIKK_ASK_ABOVE_ISK="150000"))
        async with started(place, environ) as caller:
            tour = Tour("echoing Blikk", place, caller, haul)
            with tour.scene("handshake"):
                await caller.initialize()
            await _what_is_offered(tour)
            await _echoed_creates(tour, blikk)
            await _echoed_reads(tour, blikk)
            await _listed(tour)
            await _refused(tour, blikk)
            await _what_the_caller_does_wrong(tour)
            await stack.aclose()
            with tour.scene("Blikk cannot be reached"):
                await tour.create()
                await tour.read("pay_000001")
            await _a_broken_ledger(tour)
            await tour.end()
    if CREDITOR_SSN.encode() not in blikk.bodies[0]:
        raise AssertionError("the canaries were not sent")


async def _what_is_offered(tour: Tour) -> None:
    with tour.scene("tools/list"):
        await tour.caller.ask("tools/list")
    with tour.scene("resources"):
        listed = await tour.caller.ask("resources/list")
        for resource in listed["result"]["resources"]:
            await tour.caller.ask("resources/read", {"uri": resource["uri"]})


async def _echoed_creates(tour: Tour, blikk: EchoingBlikk) -> None:
    encoded = canary.encodings_of(KEY)
    for name, write in {**REFUSALS, **CREATED, **LOST}.items():
        everything_of_it = name in ("problem detail", "message")
        with tour.scene(f"create_payment, echo in {name}"):
            for text in [*(encoded.values() if everything_of_it else map(encoded.__getitem__, FAMILIES)), ABOUT_PEOPLE]:
                if text is ABOUT_PEOPLE and name.startswith("redirectUrl"):
                    continue  # a bank's link is the bank's own: it is handed over as it is, or not at all
                blikk.line_up(write, text)
                await tour.create()


async def _echoed_reads(tour: Tour, blikk: EchoingBlikk) -> None:
    encoded = canary.encodings_of(KEY)
    created = await tour.create()
    for name, write in {**REFUSALS, **CREATED}.items():
        with tour.scene(f"get_payment_status, echo in {name}"):
            for text in encoded.values() if name == "redirectUrl" else map(encoded.__getitem__, FAMILIES):
                blikk.line_up(write, text)
                await tour.read(created["payment_id"])
    for name, write in LOST.items():
        with tour.scene(f"get_payment_status, echo in {name}"):
            blikk.line_up(write, KEY)
            await tour.read(created["payment_id"])
    with tour.scene("await_payment, echoes"):
        arguments = {"payment_id": created["payment_id"], "wait_seconds": 1, "human_informed": True}
        for write, text in ((REFUSALS["problem title"], KEY), (CREATED["message"], KEY), (REFUSALS["a page"], KEY)):
            blikk.line_up(write, text)
            await tour.caller.call("await_payment", arguments, _meta={"progressToken": KEY})
    with tour.scene("a replay, echoed"):
        arguments = tour.next_payment()
        await tour.caller.call("create_payment", arguments)
        for text in (KEY, ABOUT_PEOPLE):
            blikk.line_up(CREATED["message"], text)
            await tour.caller.call("create_payment", arguments)


async def _listed(tour: Tour) -> None:
    with tour.scene("list_payments"):
        for only in ("all", "open", "unknown", "paid", "failed", KEY):
            await tour.caller.call("list_payments", {"only": only, "limit": 50})


async def _refused(tour: Tour, blikk: EchoingBlikk) -> None:
    with tour.scene("refused by the policy"):
        await tour.create(amount=10**6)
        await tour.create(amount=160_000)
        await tour.create(creditor_iban="", creditor_bban="011126000001")
    with tour.scene("a conflict"):
        good = tour.next_payment()
        await tour.caller.call("create_payment", good)
        await tour.caller.call("create_payment", {**good, "amount": 7})
    with tour.scene("a possible duplicate"):
        lost = tour.next_payment()
        blikk.line_up(LOST["redirect"], KEY)
        await tour.caller.call("create_payment", lost)
        await tour.caller.call("create_payment", {**lost, "idempotency_key": "another-order"})


async def _what_the_caller_does_wrong(tour: Tour) -> None:
    caller = tour.caller
    good = tour.next_payment()
    wrong: list[dict[str, Any]] = [
        {**good, name: value}
        for name in good
        for value in (KEY, [KEY], {KEY: KEY}, f"{CREDITOR_SSN}x", f"{CREDITOR_IBAN}0", int(CREDITOR_BBAN), None)
        if not (name in ("creditor_name", "purpose") and isinstance(value, str))
        and not (name == "idempotency_key" and isinstance(value, str))
    ]
    with tour.scene("invalid arguments"):
        for arguments in [*wrong, {**good, KEY: KEY}, {**good, CREDITOR_SSN: CREDITOR_NAME}, {}]:
            await caller.call("create_payment", arguments)
        for name in ("payment_id", "idempotency_key", "wait_seconds"):
            await caller.call("get_payment_status", {name: KEY})
            await caller.call("await_payment", {name: KEY})
    with tour.scene("what is not there"):
        await caller.ask("tools/call", {"name": KEY, "arguments": {KEY: CREDITOR_SSN}})
        await caller.ask("tools/call", {"name": [KEY], "arguments": KEY})
        await caller.ask(KEY, {CREDITOR_SSN: KEY})
        await caller.ask("resources/read", {"uri": f"ui://{KEY}"})
        await caller.ask("prompts/get", {"name": KEY})
        await caller.ask("logging/setLevel", {"level": KEY})
        await caller.call("get_payment_status", {"idempotency_key": "no-such-order"})
    with tour.scene("what is no message"):
        for line in (KEY, f'{{"id": "{KEY}"}}', json.dumps([KEY, CREDITOR_SSN]), f'{{"jsonrpc":"2.0","method":"{KEY}"'):
            await caller.line(line)
        await caller.say({"id": KEY, "method": "ping"})
        await caller.hear()
        await caller.say({"method": "notifications/cancelled", "params": {"requestId": KEY, "reason": KEY}})
        await caller.ask("ping")
    with tour.scene("a cancelled call"):
        number, message = caller.request("tools/call", {"name": "create_payment", "arguments": tour.next_payment()})
        await caller.say(message)
        await caller.say({"method": "notifications/cancelled", "params": {"requestId": number, "reason": KEY}})
        await caller.ask("ping")


async def _a_broken_ledger(tour: Tour) -> None:
    with tour.scene("the ledger is gone"):
        tour.place.ledger.rename(tour.place.ledger.with_name("moved.sqlite3"))
        await tour.create()
        await tour.caller.call("get_payment_status", {"idempotency_key": "order-00001"})
    with tour.scene("the ledger is damaged"):
        tour.place.ledger.write_bytes(b"not a ledger " * 1000)
        await tour.create()
        await tour.caller.call("await_payment", {"payment_id": "pay_000001", "wait_seconds": 1})


# The sandbox's faults, and then the commands on the ledger that they left -------------------------------------------

FAULT_DETAILS: Mapping[FaultName, Mapping[str, Any]] = {
    FaultName.SLOW: {"seconds": 0.05},
    FaultName.HUGE_BODY: {"size_bytes": 1024**2},
    FaultName.GZIP_BOMB: {"size_bytes": 1024**2},
    FaultName.GARBAGE: {"body": f'{{"id": "{KEY}", "message": "{ABOUT_PEOPLE}"'},
    FaultName.RATE_LIMITED: {"retry_after": 0, "detail": KEY},
    FaultName.PROBLEM: {"detail": ABOUT_PEOPLE, "headers": {"X-Echo": KEY}},
    FaultName.UNAUTHORIZED: {"detail": f"The key {KEY} is not known"},
    FaultName.WRONG_CHANNEL: {"detail": KEY},
    FaultName.NOT_FOUND: {"body": KEY},
}


async def faults_and_commands(root: Path, haul: Haul) -> None:
    """Every fault of the sandbox, on a create and on a read, with a client that asks its person. Logs as text."""
    place = Place(root)
    async with run_sandbox(api_keys=[KEY], speed=SPEED, configured_account=False) as sandbox:
        more = {"BLIKK_LOG_FORMAT": "text", "BLIKK_ASK_ABOVE_ISK": "100000", "BLIKK_LANGUAGE": "is"}
        environ = place.environment(**settings(sandbox.base_url, **more))
        async with started(place, environ) as caller:
            tour = Tour("faults", place, caller, haul)
            with tour.scene("handshake with a person"):
                await caller.initialize(elicitation={"form": {}, "url": {}})
            await _every_fault(tour, sandbox)
            await _questions(tour)
            await tour.end()
        await _commands(haul, place, environ, sandbox)


async def _every_fault(tour: Tour, sandbox: RunningSandbox) -> None:
    created = await tour.create()
    for fault in FaultName:
        details = FAULT_DETAILS.get(fault, {})
        for operation, times in (("create", 1), ("read", 2)):
            await _control(
                sandbox, "faults", {"fault": fault, "operation": operation, "times": times, "commit": None, **details}
            )
            with tour.scene(f"{operation} under {fault}"):
                if operation == "create":
                    await tour.create()
                else:
                    await tour.read(created["payment_id"])
            await _control(sandbox, "faults", None)
    with tour.scene("await_payment under echo_key"):
        await _control(sandbox, "faults", {"fault": "echo_key", "operation": "read", "status": 401})
        await tour.caller.call("await_payment", {"payment_id": created["payment_id"], "wait_seconds": 1})


async def _questions(tour: Tour) -> None:
    yes = {"action": "accept", "content": {"confirm": True}}
    with tour.scene("a person says no"):
        await tour.create(amount=150_000)
    tour.caller.reply = lambda method: yes
    with tour.scene("a person says yes, and is handed the link"):
        created = await tour.create(amount=150_001)
        await tour.caller.call(
            "await_payment", {"payment_id": created["payment_id"], "wait_seconds": 1}, _meta={"progressToken": 7}
        )


async def _commands(haul: Haul, place: Place, environ: Mapping[str, str], sandbox: RunningSandbox) -> None:
    listed = await ended(place, environ, "ledger", "list", "--json")
    records = [json.loads(line) for line in listed.stdout.splitlines()]
    unknown = [record["idempotency_key"] for record in records if record["state"] == "unknown"]
    paid = next(record for record in records if record["payment_id"])
    (place.root / "given").mkdir()
    broken = Place(place.root / "given" / "broken")
    broken.environment()
    broken.ledger.parent.mkdir()
    broken.ledger.write_bytes(place.ledger.read_bytes()[:8192].replace(b"CREATE", KEY.encode()[:6]))
    await _control(sandbox, "faults", {"fault": "echo_key", "times": 4, "status": 200})
    resolve = ("ledger", "resolve", unknown[0], "--note", f"{PURPOSE}: looked in the portal")
    for arguments in [
        ("ledger", "list"),
        ("ledger", "list", "--json"),
        ("ledger", "show", paid["idempotency_key"]),
        ("ledger", "show", unknown[0], "--json"),
        (*resolve, "--created", "pay_x"),
        (*resolve, "--not-created"),
        (*resolve, "--not-created"),
        ("ledger", "export"),
        ("ledger", "export", "--format", "csv"),
        ("ledger", "verify"),
        ("doctor",),
    ]:
        await _command(haul, place, environ, arguments)
    await _control(sandbox, "faults", None)
    others: list[tuple[dict[str, str], tuple[str, ...]]] = [
        ({}, ("doctor",)),
        ({}, ("ledger", "prune", "--older-than-days", "0")),
        ({"BLIKK_API_KEY": KEY_OF_FILE}, ("doctor",)),
        (
            {"BLIKK_BASE_URL": f"http://127.0.0.1:{free_port()}/{KEY.replace('=', '').replace('+', '')}"},
            ("doctor",),
        ),
        ({"BLIKK_LEDGER": str(broken.ledger)}, ("doctor",)),
        ({"BLIKK_LEDGER": str(broken.ledger)}, ("ledger", "verify")),
        ({"BLIKK_LEDGER": str(place.root / "cwd")}, ("ledger", "list")),
    ]
    for number, (more, arguments) in enumerate(others, start=1):
        await _command(haul, place, {**environ, **more}, arguments, f" ({number})")
    look_through(haul, "commands", place)


async def _command(
    haul: Haul,
    place: Place,
    environ: Mapping[str, str],
    arguments: Sequence[str],
    what: str = "",
    command: Sequence[str] = MODULE,
) -> None:
    done = await ended(place, environ, *arguments, command=command)
    shown = " ".join(word for word in arguments if len(word) < 14 and word != KEY)
    haul.add(f"{shown}{what}", "stdout", done.stdout)
    haul.add(f"{shown}{what}", "stderr", done.stderr)


async def _control(sandbox: RunningSandbox, path: str, body: Mapping[str, Any] | None) -> None:
    """The control API: a body is posted, none clears."""
    from tests.sandbox_control import control

    given = body and {name: value for name, value in body.items() if value is not None}
    await anyio.to_thread.run_sync(lambda: control(sandbox, path, given, "" if given else "DELETE"))


# Settings that are wrong, and the rest ------------------------------------------------------------------------------


def wrong_everywhere(place: Place) -> dict[str, str]:
    """Every setting that can be wrong is, and holds a canary."""
    name = KEY_OF_PLACEHOLDER.partition("=")[0]
    return {
        "BLIKK_API_KEY": f"${{{KEY_OF_PLACEHOLDER}}}",
        "BLIKK_API_KEY_FILE": str(place.root / "given" / "key"),
        "BLIKK_BASE_URL": f"https://me:{KEY_OF_PLACEHOLDER}@api.blikk.tech/",
        "BLIKK_SCA_USER_SSN": f"{APPROVER_SSN}0",
        "BLIKK_DEBTOR_BBAN": f"{DEBTOR_BBAN}0",
        "BLIKK_LEDGER": f"postgresql://me:{KEY_OF_FILE}@database/ledger",
        "BLIKK_MAX_AMOUNT_ISK": f"{CREDITOR_BBAN}.0",
        "BLIKK_DAILY_LIMIT_ISK": KEY_OF_PLACEHOLDER,
        "BLIKK_ALLOWED_CREDITORS": f"{CREDITOR_IBAN}0, {CREDITOR_SSN}0, {OTHER_BBAN}0",
        "BLIKK_ASK_ABOVE_ISK": KEY_OF_FILE,
        "BLIKK_CREATES_PER_MINUTE": KEY_OF_FILE,
        "BLIKK_DUPLICATE_WINDOW_MINUTES": KEY_OF_FILE,
        "BLIKK_READ_ONLY": KEY_OF_FILE,
        "BLIKK_SCA_HOSTS": KEY_OF_FILE,
        "BLIKK_LANGUAGE": CREDITOR_NAME,
        "BLIKK_WAIT_SECONDS": KEY_OF_FILE,
        "BLIKK_MAX_WAIT_SECONDS": CREDITOR_IBAN,
        "BLIKK_LEDGER_PASSWORD_FILE": f"~{KEY_OF_FILE}/password",
        "BLIKK_ALWAYS_LOAD": KEY_OF_FILE,
        "BLIKK_FRONT_DOOR": KEY_OF_FILE,
        "BLIKK_LOG_LEVEL": KEY_OF_FILE,
        "BLIKK_LOG_FORMAT": KEY_OF_FILE,
        f"BLIKK_{name}": KEY_OF_FILE,
    }


async def wrong_settings(root: Path, haul: Haul) -> None:
    """Settings that cannot be used, in the server and in the commands that read them."""
    place = Place(root)
    given = root / "given"
    given.mkdir(parents=True)
    (given / "key").write_text(f"{KEY_OF_FILE}\n")
    (given / "bad key").write_text(f"{KEY_OF_FILE} {KEY_OF_FILE}")
    fine = {"BLIKK_BASE_URL": f"http://127.0.0.1:{free_port()}/paymentchannel"}
    cases: dict[str, dict[str, str]] = {
        "every setting wrong": wrong_everywhere(place),
        "a key with a line break": {**fine, "BLIKK_API_KEY": f"{KEY}\n{KEY}þ"},
    }
    for name, case in cases.items():
        environ = place.environment(**case)
        async with started(place, environ) as caller:
            tour = Tour(name, place, caller, haul)
            with tour.scene("calls"):
                await caller.initialize()
                await caller.ask("tools/list")
                await tour.create()
                await tour.read("pay_1")
                await caller.call("await_payment", {"payment_id": "pay_1"})
            await tour.end()
    cases["a key outside ASCII"] = {**fine, "BLIKK_API_KEY": f"{KEY}þ"}
    cases["a bad key file"] = {**fine, "BLIKK_API_KEY_FILE": str(given / "bad key")}
    cases["a good key file"] = {**fine, "BLIKK_API_KEY_FILE": str(given / "key")}
    for name, case in cases.items():
        await _command(haul, place, place.environment(**case), ("doctor",), f" with {name}")
    for name in cases:
        if "file" not in name:
            await _command(haul, place, place.environment(**cases[name]), ("ledger", "list"), f" with {name}")
    look_through(haul, "wrong settings", place)


async def own_sandbox(root: Path, haul: Haul) -> None:
    """`serve --sandbox` on a machine that is set up for production, in the modern era."""
    place = Place(root)
    environ = place.environment(**settings("https://api.blikk.tech/paymentchannel", BLIKK_ASK_ABOVE_ISK="2000"))
    environ["BLIKK_CREATES_PER_MINUTE"] = "1"
    del environ["BLIKK_DEBTOR_BBAN"]
    async with started(place, environ, "serve", "--sandbox") as caller:
        tour = Tour("own sandbox", place, caller, haul)
        with tour.scene("the modern era"):
            await caller.ask("server/discover", {"_meta": MODERN_META})
            await caller.ask("tools/list", {"_meta": MODERN_META})
        with tour.scene("a question in the modern era"):
            arguments = tour.next_payment(amount=5000)
            call: dict[str, Any] = {"name": "create_payment", "arguments": arguments, "_meta": MODERN_META}
            asked = (await caller.ask("tools/call", call))["result"]
            answer = {"confirm": {"action": "accept", "content": {"confirm": True}}}
            again = {**call, "inputResponses": answer, "requestState": asked["requestState"]}
            created = (await caller.ask("tools/call", again))["result"]["structuredContent"]
            await caller.ask("tools/call", {**again, "requestState": KEY})
        with tour.scene("too many"):
            another = {"name": "create_payment", "arguments": tour.next_payment(), "_meta": MODERN_META}
            await caller.ask("tools/call", another)
        with tour.scene("a wait in the modern era"):
            wait = {"payment_id": created["payment_id"], "wait_seconds": 1}
            await caller.ask("tools/call", {"name": "await_payment", "arguments": wait, "_meta": MODERN_META})
        await tour.end()


async def bystanders(root: Path, haul: Haul) -> None:
    """The commands that need no ledger and no Blikk, with all canaries in their environment."""
    place = Place(root)
    environ = place.environment(**settings("https://api.blikk.tech/paymentchannel"))
    words = [("--version",), ("--help",), ("serve", "--help"), ("doctor", "--help"), ("ledger", "--help")]
    words += [("ledger",), ("ledger", "resolve", "x"), ("config",), ("config", "nobody"), ("nonsense",)]
    for arguments in [*words, ("sandbox", "--host", "0.0.0.0")]:
        await _command(haul, place, environ, arguments)
    # A snippet holds the settings that are set, people's numbers among them: that is what it is for.
    nobodys = {name: value for name, value in environ.items() if name not in ABOUT_SOMEBODY}
    for client in CLIENTS:
        await _command(haul, place, nobodys, ("config", client))
    done = await ended(place, environ, "config", "cursor")
    haul.add("config cursor, with people", "stderr", done.stderr)
    async with started(place, environ, "sandbox") as caller:
        line = await caller.hear_raw()
        caller.process.send_signal(signal.SIGTERM)
        haul.add("sandbox", "stdout", line)
        await caller.hang_up()
    await _command(haul, place, environ, ("demo",))
    look_through(haul, "bystanders", place)


# A short tour, for a server that was tampered with ------------------------------------------------------------------


async def slips(place: Place, haul: Haul) -> None:
    """What an agent or Blikk could get wrong: texts with the key, a kennitala as an id, a sentence as a link."""
    blikk = EchoingBlikk()
    async with loopback(blikk) as running:
        environ = place.environment(**settings(running.base_url))
        async with started(place, environ) as caller:
            tour = Tour("server", place, caller, haul)
            with tour.scene("slips"):
                await caller.initialize()
                await tour.create(creditor_name=KEY)
                await tour.create(purpose=f"for {KEY[:20]}")
                blikk.line_up(CREATED["redirectUrl"], f"sorry, {OTHER_BBAN} cannot be paid")
                await tour.create()
                await tour.read(APPROVER_SSN)
            await tour.end()


async def lost_payment(place: Place) -> None:
    """A payment whose answer is lost, under `order-lost`, in this place's ledger."""
    blikk = EchoingBlikk()
    async with AsyncExitStack() as stack:
        base_url = (await stack.enter_async_context(loopback(blikk))).base_url
        environ = {**settings(base_url), "BLIKK_LEDGER": str(place.ledger)}
        client = await stack.enter_async_context(connected(environ))
        blikk.line_up(LOST["redirect"], "x")
        await client.call_tool("create_payment", payment(1, idempotency_key="order-lost"))


async def short_tour(root: Path, haul: Haul, command: Sequence[str], *arguments: str) -> None:
    """A few calls and an echo; or a command, if arguments name one."""
    place = Place(root)
    blikk = EchoingBlikk()
    async with loopback(blikk) as running:
        environ = place.environment(**settings(running.base_url))
        if arguments:
            await _command(haul, place, environ, arguments, command=command)
            look_through(haul, "command", place)
            return
        async with started(place, environ, command=command) as caller:
            tour = Tour("server", place, caller, haul)
            with tour.scene("calls"):
                await caller.initialize()
                await caller.ask("tools/list")
                blikk.line_up(in_field("message"), f"The key is {KEY}")
                created = await tour.create()
                await tour.read(created["payment_id"])
                await tour.create(currency="EUR")
            await tour.end()
