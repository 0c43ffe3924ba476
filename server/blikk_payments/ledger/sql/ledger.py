"""The money logic of the ledger, written once for every engine.

A create costs two durable commits: the claim, and its outcome. Whatever a method does is one function of `Rows`,
which an engine runs in a transaction, and may run twice.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import LedgerUnavailable, PaymentsError
from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.processes import ProcessIdentity, lives
from blikk_payments.ledger.protocol import (
    FORGOTTEN,
    RESOLVED_NOT_CREATED,
    Claim,
    HistoryEntry,
    IllegalTransition,
    Ledger,
    Only,
    Recent,
)
from blikk_payments.ledger.sql.answers import open_strays, record_with_id, write_answer, write_created, write_end
from blikk_payments.ledger.sql.facts import facts_of
from blikk_payments.ledger.sql.rows import PAGE_ROWS, Place, Rows
from blikk_payments.ledger.sql.staleness import Staleness
from blikk_payments.ledger.sql.verify import problems
from blikk_payments.ledger.stored import StoredPayment, apply_answer, now_refused, now_unknown, too_early
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord

T = TypeVar("T")


class SqlLedger(Ledger):
    """A ledger on an engine, which is made and opened on first use. Also a context manager."""

    def __init__(self, make_engine: Callable[[], Engine], process: ProcessIdentity | None = None) -> None:
        self._make_engine = make_engine
        self._made: Engine | None = None
        self._making = threading.Lock()
        self._sender = (process or ProcessIdentity.current()).dump()
        self._staleness = Staleness(self._sender)
        self._newest_sequence = 0
        self._newest_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def claim(
        self, intent: PaymentIntent, decide: Callable[[Facts], None], *, window_minutes: int, now: datetime
    ) -> Claim:
        """See `Ledger.claim`: the key, the limits' room and *sending* are taken in one durable commit."""
        # Made once: if the answer to a commit is lost and the work is run again, the claim is found to be this call's.
        token = secrets.token_hex(16)

        def work(rows: Rows) -> Claim:
            rows.bind_environment()
            earlier = rows.by_key(intent.idempotency_key)
            if earlier is not None and earlier.record.state is not ClaimState.REFUSED:
                rows.fingerprints.require_same(earlier, intent)
                ours = earlier.claim_token == token and earlier.record.state is ClaimState.SENDING
                return Claim(self._staleness.mark(rows, earlier, now).record, fresh=ours)
            account = rows.fingerprints.account(intent)
            for stored in rows.sending_to(account):
                self._staleness.mark(rows, stored, now)
            facts = facts_of(rows, intent, window_minutes, now, self._staleness)
            decide(facts)
            warnings = (*facts.warnings(intent), *facts.on_the_agents_word(intent))
            sending = rows.fingerprints.sending(intent, account, warnings, earlier, self._sender, token, now)
            detail = {"amount_isk": str(intent.amount_isk)}
            if intent.confirmed_duplicate_of:
                detail["confirmed_duplicate_of"] = intent.confirmed_duplicate_of
            # Two steps of the table in one commit: nobody ever sees a key that is claimed and not *sending*.
            rows.write(earlier, sending)
            rows.chain.append(sending, {Event.CLAIMED: detail, Event.SENDING: {}}, now)
            return Claim(sending.record, fresh=True)

        return self._write(work)

    def facts(self, intent: PaymentIntent, *, window_minutes: int, now: datetime) -> Facts:
        """See `Ledger.facts`: one snapshot, nothing written."""
        return self._engine.read(lambda rows: facts_of(rows, intent, window_minutes, now, self._staleness))

    def find_key(self, intent: PaymentIntent, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.find_key`."""

        def work(rows: Rows) -> StoredPayment | None:
            stored = rows.by_key(intent.idempotency_key)
            if stored is None or stored.record.state is ClaimState.REFUSED:
                return None
            rows.fingerprints.require_same(stored, intent)
            return stored

        return self._as_now(self._engine.read(work), now)

    def by_key(self, idempotency_key: str, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.by_key`: writes only if a *sending* has to be marked *unknown*, and answers if it cannot."""
        return self._as_now(self._engine.read(lambda rows: rows.by_key(idempotency_key)), now)

    def by_payment_id(self, payment_id: str, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.by_payment_id`."""
        return self._engine.read(lambda rows: record_with_id(rows, payment_id, now))

    def created(self, idempotency_key: str, attempt: int, answer: ChannelPayment, *, now: datetime) -> PaymentRecord:
        """See `Ledger.created`."""
        outcome = self._write(lambda rows: write_created(rows, idempotency_key, attempt, answer, now))
        if isinstance(outcome, PaymentsError):
            raise outcome
        return outcome

    def refused(self, idempotency_key: str, attempt: int, *, code: str, bank_text: str, now: datetime) -> PaymentRecord:
        """See `Ledger.refused`."""
        step, detail = partial(now_refused, code=code, bank_text=bank_text, now=now), {"code": code}
        return self._write(lambda rows: write_end(rows, idempotency_key, attempt, step, Event.REFUSED, detail, now))

    def unknown(self, idempotency_key: str, attempt: int, *, reason: str, now: datetime) -> PaymentRecord:
        """See `Ledger.unknown`."""
        step, detail = partial(now_unknown, now=now), {"reason": reason}
        return self._write(lambda rows: write_end(rows, idempotency_key, attempt, step, Event.UNKNOWN, detail, now))

    def seen(self, answer: ChannelPayment, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.seen`: looks first, so that a poll without news takes no write lock."""
        stored = self._engine.read(lambda rows: rows.by_payment_id(answer.payment_id))
        if stored is None or apply_answer(stored.record, answer, now) == stored.record:
            return stored.record if stored else None
        key = stored.key
        # Another process may have been quicker: what is written follows from what is there by then.
        return self._write(lambda rows: write_answer(rows, rows.require(key), answer, Event.SEEN, now))

    def resolve_created(
        self, idempotency_key: str, answer: ChannelPayment, *, note: str, now: datetime
    ) -> PaymentRecord:
        """See `Ledger.resolve_created`."""

        def work(rows: Rows) -> PaymentRecord:
            before = self._staleness.require_unknown(rows, idempotency_key, now)
            if rows.by_payment_id(answer.payment_id) is not None:
                raise IllegalTransition("That id belongs to another payment in the ledger.", before.record)
            return write_answer(rows, before, answer, Event.RESOLVED_CREATED, now, note)

        return self._write(work)

    def resolve_not_created(self, idempotency_key: str, *, note: str, now: datetime) -> PaymentRecord:
        """See `Ledger.resolve_not_created`."""

        def work(rows: Rows) -> PaymentRecord:
            before = self._staleness.require_unknown(rows, idempotency_key, now)
            if reason := too_early(before, now, lives):
                raise IllegalTransition(reason, before.record)
            after = before.becomes(now_refused(before.record, RESOLVED_NOT_CREATED, "", now))
            return rows.save(before, after, Event.RESOLVED_NOT_CREATED, {"note": note}, now).record

        return self._write(work)

    def recent(self, only: Only = Only.ALL, *, limit: int, now: datetime) -> Recent:
        """See `Ledger.recent`."""
        self._mark_all_stale(now)

        def work(rows: Rows) -> Recent:
            page, after = rows.page(only, newest_first=True, limit=limit)
            records = tuple(self._staleness.seen_as(stored, now) for stored in page)
            return Recent(records, more=after is not None, reserved_today_isk=rows.reserved_isk(now)())

        return self._engine.read(work)

    def records(self, only: Only = Only.ALL, *, newest_first: bool = False, now: datetime) -> Iterator[PaymentRecord]:
        """See `Ledger.records`."""
        self._mark_all_stale(now)
        after: Place | None = None
        while True:
            page, after = self._engine.read(partial(Rows.page, only=only, newest_first=newest_first, after=after))
            yield from (self._staleness.seen_as(stored, now) for stored in page)
            if after is None:
                return

    def stray_keys(self) -> list[str]:
        """See `Ledger.stray_keys`."""
        return self._engine.read(open_strays)

    def failed_equals(self, intent: PaymentIntent, *, since: datetime) -> tuple[PaymentRecord, ...]:
        """See `Ledger.failed_equals`."""

        def work(rows: Rows) -> tuple[PaymentRecord, ...]:
            account = rows.fingerprints.account(intent)
            return tuple(stored.record for stored in rows.failed_equals(account, intent.amount_isk, since))

        return self._engine.read(work)

    def history(self, idempotency_key: str) -> list[HistoryEntry]:
        """See `Ledger.history`."""
        return self._engine.read(lambda rows: [entry.entry() for entry in rows.chain.of(idempotency_key)])

    def verify(self) -> list[str]:
        """See `Ledger.verify`: first the database by itself, then one snapshot of the whole ledger."""
        return self._engine.check() or self._engine.read(lambda rows: list(problems(rows)))

    def prune(self, *, before: datetime, now: datetime) -> int:
        """See `Ledger.prune`: in small transactions, so that payments can go on meanwhile."""

        def work(rows: Rows) -> int:
            batch = rows.prunable(before)
            for stored in batch:
                blank = replace(stored.record, creditor_name="", purpose="", bank_text="", warnings=())
                blank = replace(blank, approval_url="", approval_url_at=None)
                rows.save(stored, stored.becomes(blank), Event.PRUNED, {}, now)
            return len(batch)

        count = 0
        while True:
            pruned = self._write(work)
            count += pruned
            if pruned < PAGE_ROWS:
                self._engine.forget()
                return count

    def exists(self) -> bool:
        """Whether there is a ledger; its first write makes it."""
        return self._engine.exists()

    def check_writable(self) -> None:
        """Take the write lock and let it go: raises `LedgerUnavailable` if nothing could be written now."""
        self._write(lambda rows: None)

    def close(self) -> None:
        """Let go of the database; the next use opens it again."""
        if self._made is not None:
            self._made.close()

    @property
    def _engine(self) -> Engine:
        with self._making:
            if self._made is None:
                self._made = self._make_engine()
            return self._made

    def _write(self, work: Callable[[Rows], T]) -> T:
        """Run `work` in a transaction, unless the ledger forgot what this process wrote: an older copy, say."""

        def guarded(rows: Rows) -> tuple[T, int]:
            if rows.chain.head()[0] < self._newest_sequence:
                raise LedgerUnavailable(FORGOTTEN)
            return work(rows), rows.chain.head()[0]

        result, sequence = self._engine.write(guarded)
        # Threads that wrote one after the other may come here in any order.
        with self._newest_lock:
            self._newest_sequence = max(self._newest_sequence, sequence)
        return result

    def _as_now(self, stored: StoredPayment | None, now: datetime) -> PaymentRecord | None:
        """The record, *unknown* if nobody will finish it: written down if that is possible, and told in any case."""
        if stored is None or not self._staleness.reason(stored, now):
            return stored.record if stored else None
        with suppress(LedgerUnavailable):
            return self._write(lambda rows: self._staleness.mark(rows, rows.require(stored.key), now)).record
        return now_unknown(stored.record, now)

    def _mark_all_stale(self, now: datetime) -> None:
        """Mark every *sending* that nobody will finish, if there is one and the ledger can be written."""
        under_way = self._engine.read(lambda rows: rows.sending())
        for stored in under_way:
            self._as_now(stored, now)
