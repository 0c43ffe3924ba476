"""Defects that the tests of the money rules must find: each is the product with a few words of its code changed."""

from __future__ import annotations
import __future__

import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import CodeType, FunctionType
from typing import Any

from blikk_payments.channel.deadline import Deadline
from blikk_payments.ledger.sql.facts import facts_of
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sql.staleness import Staleness
from blikk_payments.ledger.sqlite.engine import SqliteEngine
from blikk_payments.ledger.stored import Fingerprints, StoredPayment, apply_answer, objection
from blikk_payments.policy import Policy
from blikk_payments.sending import Sender
from blikk_payments.service import PaymentService


class FoundBy(Enum):
    """Which test has to find it."""

    CRASHES = "a crash"
    STEPS = "the state machine"
    RACES = "a race"
    TOLD = "what a race's calls are told"
    STOPS = "a stop"
    LOST_COMMITS = "a lost answer to a commit"


@dataclass(frozen=True)
class Mutant:
    """One function with some of its text changed. A text must be there exactly once.

    `named`: the function, or its name if its module is not to be imported by whoever needs it not.
    """

    found_by: FoundBy
    named: Callable[..., Any] | str
    changes: dict[str, str]
    answers: tuple[str, ...] = ("made",)
    """How Blikk answers in the story in which a crash shows the defect."""

    @property
    def function(self) -> FunctionType:
        """The function."""
        found = pkgutil.resolve_name(self.named) if isinstance(self.named, str) else self.named
        function = inspect.unwrap(found)
        assert isinstance(function, FunctionType)
        return function


LOSE_TIME = "__import__('time').sleep(0.1)"
"""Between a look and what it leads to, so that a race is lost every time and not only sometimes."""

MUTANTS: dict[str, Mutant] = {
    "the commit before sending is taken out": Mutant(
        FoundBy.CRASHES,
        SqliteEngine._transaction,  # pyright: ignore[reportPrivateUsage] - what is mutated is private
        {
            "connection.execute(begin)": "connection.in_transaction or connection.execute(begin)",
            'connection.execute("COMMIT")': (
                """connection.execute("SELECT 1 FROM payments WHERE state = 'sending'").fetchone() """
                """or connection.execute("COMMIT")"""
            ),
            "if connection.in_transaction:": "if False:",
        },
    ),
    "sent first and claimed afterwards": Mutant(
        FoundBy.CRASHES,
        PaymentService.create,
        {
            "claim = await self._run_blocking(take)": (
                "early = None if self._ledger.find_key(intent, now=self._now()) "
                "else await self._channel.create(self._order(intent, deadline)); "
                "claim = await self._run_blocking(take)"
            ),
            "sending = self._sender.start(intent, self._order(intent, deadline), claim.record)": (
                "return Snapshot(self._ledger.created(intent.idempotency_key, 1, early, now=self._now()))"
            ),
        },
    ),
    "a claim whose process died is taken for refused": Mutant(
        FoundBy.CRASHES,
        Staleness.mark,
        {
            "now_unknown(stored.record, now)": (
                "__import__('blikk_payments.ledger.stored', fromlist=['']).now_refused("
                "stored.record, 'blikk_unavailable', '', now)"
            )
        },
    ),
    "a claim whose process died is sent again": Mutant(
        FoundBy.STEPS,
        SqlLedger.claim,
        {
            "if earlier is not None and earlier.record.state is not ClaimState.REFUSED:": (
                "if earlier is not None and earlier.record.state is not ClaimState.REFUSED "
                "and not self._staleness.reason(earlier, now):"
            )
        },
    ),
    "an unknown outcome is sent again": Mutant(
        FoundBy.STEPS,
        SqlLedger.claim,
        {
            "earlier.record.state is not ClaimState.REFUSED": (
                "earlier.record.state not in (ClaimState.REFUSED, ClaimState.UNKNOWN)"
            )
        },
    ),
    "a payment that Blikk does not show yet is sent again": Mutant(
        FoundBy.CRASHES,
        PaymentService.create,
        {
            "return await self._replay(earlier)": (
                "seen = await self._replay(earlier)\n"
                "        if seen.error and seen.error.code == 'not_found':\n"
                "            await self._channel.create(self._order(intent, None))\n"
                "        return seen"
            )
        },
    ),
    "no deadline": Mutant(
        FoundBy.STOPS,
        Deadline.passed,
        {"self.now() > self.wall or self.since_boot() > self.boot_seconds": "False"},
    ),
    "a lost answer is taken for refused": Mutant(
        FoundBy.STEPS,
        Sender._post,  # pyright: ignore[reportPrivateUsage] - what is mutated is private
        {
            'Unknown(f"status {error.status}" if error.status else "no answer", error.bank_text)': (
                "NotMade('blikk_unavailable')"
            )
        },
    ),
    "the limit is checked outside the transaction": Mutant(
        FoundBy.RACES,
        SqlLedger.claim,
        {
            "return self._write(work)": (
                "decide(self.facts(intent, window_minutes=window_minutes, now=now))\n"
                f"    {LOSE_TIME}\n"
                "    return self._write(work)"
            ),
            "decide(facts)": "pass",
        },
    ),
    "the key is claimed outside the transaction": Mutant(
        FoundBy.RACES,
        SqlLedger.claim,
        {
            "earlier = rows.by_key(intent.idempotency_key)": "earlier = seen",
            "return self._write(work)": (
                "seen = self._engine.read(lambda rows: rows.by_key(intent.idempotency_key))\n"
                f"    {LOSE_TIME}\n"
                "    return self._write(work)"
            ),
            "rows.write(earlier, sending)": "rows.write(rows.by_key(intent.idempotency_key), sending)",
        },
    ),
    "no head lock": Mutant(
        FoundBy.TOLD,
        "blikk_payments.ledger.postgres.engine:PostgresEngine.write",
        {"""batches.execute("SELECT value FROM meta WHERE name = 'head' FOR UPDATE")""": "pass"},
    ),
    "no write lock": Mutant(FoundBy.TOLD, SqliteEngine.write, {"BEGIN IMMEDIATE": "BEGIN"}),
    "a claim without token": Mutant(
        FoundBy.RACES,
        SqlLedger.claim,
        {
            "token = secrets.token_hex(16)": "token = ''",
            "return self._write(work)": f"claimed = self._write(work)\n    {LOSE_TIME}\n    return claimed",
        },
    ),
    "a claim is not known again": Mutant(
        FoundBy.LOST_COMMITS,
        SqlLedger.claim,
        {"ours = earlier.claim_token == token and earlier.record.state is ClaimState.SENDING": "ours = False"},
    ),
    "a retry of a commit claims twice": Mutant(
        FoundBy.LOST_COMMITS,
        SqlLedger.claim,
        {
            "if earlier is not None and earlier.record.state is not ClaimState.REFUSED:": (
                "if earlier is not None and earlier.claim_token != token "
                "and earlier.record.state is not ClaimState.REFUSED:"
            )
        },
    ),
    "the duplicate window is ignored": Mutant(
        FoundBy.STEPS,
        facts_of,
        {"since = now - timedelta(minutes=minutes) if minutes > 0 else None": "since = None"},
    ),
    "the window forgets an unknown outcome": Mutant(
        FoundBy.STEPS,
        facts_of,
        {"if record.state is ClaimState.UNKNOWN or (since": "if (since"},
    ),
    "an unknown outcome can be confirmed away": Mutant(
        FoundBy.STEPS,
        Policy.check,
        {"if equal.state is not ClaimState.CREATED:": "if equal.state is ClaimState.SENDING:"},
    ),
    "an unknown outcome loses its reservation": Mutant(
        FoundBy.STEPS,
        StoredPayment.reserved_isk,
        {"0 if self.record.failed else": "0 if self.record.failed or self.record.state is ClaimState.UNKNOWN else"},
    ),
    "the key is compared without the payment": Mutant(
        FoundBy.STEPS,
        Fingerprints.require_same,
        {"if not same:": "if False:"},
    ),
    "a key in conflict is sent again": Mutant(
        FoundBy.STEPS,
        SqlLedger.claim,
        {
            "rows.fingerprints.require_same(earlier, intent)\n": (
                "same = earlier.record.amount_isk == intent.amount_isk\n"
                "            if same: rows.fingerprints.require_same(earlier, intent)\n"
            ),
            "return Claim(self._staleness.mark": "if same: return Claim(self._staleness.mark",
        },
    ),
    "the answer to an earlier attempt is believed": Mutant(
        FoundBy.STEPS,
        objection,
        {"if attempt is not None and attempt != record.attempt:": "if False:"},
    ),
    "a terminal status changes": Mutant(
        FoundBy.STEPS,
        apply_answer,
        {
            "if payment.status is Status.SUCCESS or (payment.status in FAILED and answer.status is not Status.SUCCESS):": (
                "if False:"
            )
        },
    ),
}


@contextmanager
def mutated(mutant: Mutant | None) -> Generator[None]:
    """The product with this defect in it, in this process, while the block runs."""
    if mutant is None:
        yield
        return
    function = mutant.function
    healthy = function.__code__
    function.__code__ = _changed(function, mutant.changes)
    try:
        yield
    finally:
        function.__code__ = healthy


def _changed(function: FunctionType, changes: dict[str, str]) -> CodeType:
    """The function's code with its text changed; its lines keep their numbers as far as they can."""
    text = textwrap.dedent(inspect.getsource(function))
    for old, new in changes.items():
        assert text.count(old) == 1, f"{function.__qualname__} has not exactly one {old!r}: bring the mutant up to date"
        text = text.replace(old, new)
    padding = "\n" * (function.__code__.co_firstlineno - 1)
    flags = __future__.annotations.compiler_flag
    namespace = dict(function.__globals__)
    exec(compile(padding + text, function.__code__.co_filename, "exec", flags, dont_inherit=True), namespace)
    changed = inspect.unwrap(namespace[function.__name__])
    assert isinstance(changed, FunctionType)
    return changed.__code__
