"""The `Ledger` in one SQLite file, with the stdlib's `sqlite3`, for the threads of several processes.

Every change is one BEGIN IMMEDIATE transaction, durable (WAL, `synchronous=FULL`) before the method returns.
A create costs two of them: the claim, and its outcome. Calls that are made `together` are parts of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import OutcomeUnknown, PaymentsError
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.processes import ProcessIdentity, is_gone
from blikk_payments.ledger.protocol import RESOLVED_NOT_CREATED, Claim, HistoryEntry, IllegalTransition, Ledger
from blikk_payments.ledger.sql.rows import EQUALS_AT_MOST, PAGE_ROWS, Rows
from blikk_payments.ledger.sql.verify import problems
from blikk_payments.ledger.sqlite.engine import SqliteFile
from blikk_payments.ledger.stored import (
    StoredPayment,
    now_refused,
    now_unknown,
    objection,
    stale_reason,
    with_answer,
)
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord

T = TypeVar("T")

WINDOW_MINUTES_AT_MOST = 10 * 366 * 24 * 60
"""A longer duplicate window is taken as this one."""


class SqliteLedger(Ledger):
    """Opened on first use: a file 0600 in a folder 0700, created if missing. Also a context manager.

    `blikk` (see `blikk_of`): its first claim ties it to that one, and it refuses every other. `""`: any one's.
    """

    def __init__(
        self, path: Path, *, blikk: str = "", process: ProcessIdentity | None = None, busy_timeout_seconds: float = 5.0
    ) -> None:
        self._file = SqliteFile(path, busy_timeout_seconds, blikk)
        self._sender = (process or ProcessIdentity.current()).dump()

    def __enter__(self) -> SqliteLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def together(self) -> AbstractContextManager[None]:
        """See `Ledger.together`."""
        return self._file.together()

    def at_once(self, call: Callable[[], T], /) -> T:
        """See `Ledger.at_once`."""
        return self._file.at_once(call)

    def claim(
        self, intent: PaymentIntent, decide: Callable[[Facts], None], *, window_minutes: int, now: datetime
    ) -> Claim:
        """See `Ledger.claim`: the key, the limits' room and *sending* are taken in one durable commit."""
        with self._file.writing() as rows:
            rows.tie()
            earlier = rows.by_key(intent.idempotency_key)
            if earlier is not None and earlier.record.state is not ClaimState.REFUSED:
                rows.fingerprints.require_same(earlier, intent)
                return Claim(self._without_stale(rows, earlier, now).record, fresh=False)
            account = rows.fingerprints.account(intent)
            facts = self._facts(rows, intent, account, window_minutes, now, mark=True)
            decide(facts)
            sending = rows.fingerprints.sending(intent, account, facts.warnings(intent), earlier, self._sender, now)
            detail = {"amount_isk": str(intent.amount_isk)}
            if intent.confirmed_duplicate_of:
                detail["confirmed_duplicate_of"] = intent.confirmed_duplicate_of
            # Two steps of the table in one commit: nobody ever sees a key that is claimed and not *sending*.
            rows.write(earlier, sending)
            rows.note(sending, {Event.CLAIMED: detail, Event.SENDING: {}}, now)
            return Claim(sending.record, fresh=True)

    def facts(self, intent: PaymentIntent, *, window_minutes: int, now: datetime) -> Facts:
        """See `Ledger.facts`: one snapshot, nothing written."""
        with self._file.reading() as rows:
            return self._facts(rows, intent, rows.fingerprints.account(intent), window_minutes, now, mark=False)

    def find_key(self, intent: PaymentIntent, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.find_key`."""
        with self._file.reading() as rows:
            stored = rows.by_key(intent.idempotency_key)
            if stored is None or stored.record.state is ClaimState.REFUSED:
                return None
            rows.fingerprints.require_same(stored, intent)
        return self.by_key(intent.idempotency_key, now=now)

    def by_key(self, idempotency_key: str, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.by_key`: writes only if a *sending* has to be marked *unknown*."""
        with self._file.reading() as rows:
            stored = rows.by_key(idempotency_key)
        if stored is None or not stale_reason(stored, now, self._is_gone):
            return stored.record if stored else None
        with self._file.writing() as rows:
            return self._without_stale(rows, rows.require(idempotency_key), now).record

    def by_payment_id(self, payment_id: str, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.by_payment_id`."""
        with self._file.reading() as rows:
            stored = rows.by_payment_id(payment_id)
            return stored.record if stored else None

    def created(self, idempotency_key: str, attempt: int, answer: ChannelPayment, *, now: datetime) -> PaymentRecord:
        """See `Ledger.created`."""
        problem: PaymentsError | None
        with self._file.writing() as rows:
            before = after = rows.require(idempotency_key)
            problem = objection(before.record, ClaimState.CREATED, attempt)
            other_id = before.record.payment_id not in ("", answer.payment_id)
            if problem is None and other_id:
                problem = IllegalTransition("Blikk's answer has another id than this payment.", before.record)
            if problem is None and rows.owner(answer.payment_id) not in (None, idempotency_key):
                problem = OutcomeUnknown("Blikk answered with the id of another payment in the ledger.")
                if before.record.state is ClaimState.SENDING:
                    after = before.becomes(now_unknown(before.record, now))
                    rows.save(before, after, Event.UNKNOWN, {"reason": "payment_id_taken"}, now)
            if problem is not None:
                stray = {"payment_id": answer.payment_id, "status": answer.status.value, "of_attempt": str(attempt)}
                rows.note(after, {Event.STRAY_ANSWER: stray}, now)
            else:
                after = self._answered(rows, before, answer, Event.CREATED, now)
        if problem is not None:
            raise problem
        return after.record

    def refused(self, idempotency_key: str, attempt: int, *, code: str, bank_text: str, now: datetime) -> PaymentRecord:
        """See `Ledger.refused`."""
        with self._file.writing() as rows:
            before = rows.require(idempotency_key)
            if before.record.state is ClaimState.REFUSED and before.record.attempt == attempt:
                return before.record
            if problem := objection(before.record, ClaimState.REFUSED, attempt):
                raise problem
            after = before.becomes(now_refused(before.record, code, bank_text, now))
            return rows.save(before, after, Event.REFUSED, {"code": code}, now).record

    def unknown(self, idempotency_key: str, attempt: int, *, reason: str, now: datetime) -> PaymentRecord:
        """See `Ledger.unknown`."""
        with self._file.writing() as rows:
            before = rows.require(idempotency_key)
            if before.record.state is ClaimState.UNKNOWN and before.record.attempt == attempt:
                return before.record
            if problem := objection(before.record, ClaimState.UNKNOWN, attempt):
                raise problem
            after = before.becomes(now_unknown(before.record, now))
            return rows.save(before, after, Event.UNKNOWN, {"reason": reason}, now).record

    def seen(self, answer: ChannelPayment, *, now: datetime) -> PaymentRecord | None:
        """See `Ledger.seen`: looks first, so that a poll without news takes no write lock."""
        with self._file.reading() as rows:
            stored = rows.by_payment_id(answer.payment_id)
        if stored is None or with_answer(stored.record, answer, now) is stored.record:
            return stored.record if stored else None
        with self._file.writing() as rows:
            return self._answered(rows, rows.require(stored.key), answer, Event.SEEN, now).record

    def resolve_created(
        self, idempotency_key: str, answer: ChannelPayment, *, note: str, now: datetime
    ) -> PaymentRecord:
        """See `Ledger.resolve_created`."""
        with self._file.writing() as rows:
            before = self._unknown_only(rows, idempotency_key, ClaimState.CREATED, now)
            if rows.owner(answer.payment_id) is not None:
                raise IllegalTransition("That id belongs to another payment in the ledger.", before.record)
            return self._answered(rows, before, answer, Event.RESOLVED_CREATED, now, note).record

    def resolve_not_created(self, idempotency_key: str, *, note: str, now: datetime) -> PaymentRecord:
        """See `Ledger.resolve_not_created`."""
        with self._file.writing() as rows:
            before = self._unknown_only(rows, idempotency_key, ClaimState.REFUSED, now)
            after = before.becomes(now_refused(before.record, RESOLVED_NOT_CREATED, "", now))
            return rows.save(before, after, Event.RESOLVED_NOT_CREATED, {"note": note}, now).record

    def records(self, *, now: datetime) -> Iterator[PaymentRecord]:
        """See `Ledger.records`: in the order in which the keys were first claimed, read page by page."""
        with self._file.reading() as rows:
            stale = [stored.key for stored in rows.sending() if stale_reason(stored, now, self._is_gone)]
        if stale:
            with self._file.writing() as rows:
                for key in stale:
                    self._without_stale(rows, rows.require(key), now)
        last = 0
        while True:
            with self._file.reading() as rows:
                page = rows.page(last)
            yield from (stored.record for _, stored in page)
            if len(page) < PAGE_ROWS:
                return
            last = page[-1][0]

    def history(self, idempotency_key: str) -> list[HistoryEntry]:
        """See `Ledger.history`."""
        with self._file.reading() as rows:
            return [link.entry() for link in rows.history(idempotency_key)]

    def verify(self) -> list[str]:
        """See `Ledger.verify`: one snapshot of the whole ledger, read once."""
        with self._file.reading() as rows:
            return list(problems(rows))

    def prune(self, *, before: datetime, now: datetime) -> int:
        """See `Ledger.prune`: in small transactions, so that payments can go on meanwhile."""
        count = 0
        while True:
            with self._file.writing() as rows:
                rows.overwrite_deleted()
                batch = rows.prunable(before)
                for stored in batch:
                    record = stored.record
                    blank = record._replace(creditor_name="", purpose="", bank_text="", warnings=())
                    blank = blank._replace(approval_url="", approval_url_at=None)
                    rows.save(stored, stored.becomes(blank), Event.PRUNED, {}, now)
            count += len(batch)
            if len(batch) < PAGE_ROWS:
                self._file.empty_log()
                return count

    def check_writable(self) -> None:
        """Take the write lock and let it go: raises `LedgerUnavailable` if nothing could be written now."""
        with self._file.writing():
            pass

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        self._file.close()

    def _facts(
        self, rows: Rows, intent: PaymentIntent, account: str, window_minutes: int, now: datetime, *, mark: bool
    ) -> Facts:
        minutes = min(window_minutes, WINDOW_MINUTES_AT_MOST)
        since = now - timedelta(minutes=minutes) if minutes > 0 else None
        totals = rows.totals(intent, account, now)
        found = rows.equals(account, intent.amount_isk, intent.idempotency_key, since) if totals.has_equals else ()
        equals: dict[str, PaymentRecord] = {}
        for stored in found:
            record = stored.record
            if stored.key in equals:
                continue
            if stale_reason(stored, now, self._is_gone):
                record = self._without_stale(rows, stored, now).record if mark else now_unknown(record, now)
            if record.state is ClaimState.UNKNOWN or (since is not None and record.claimed_at > since):
                equals[stored.key] = record
        # Those with an open outcome must not be crowded out by newer ones that a person could confirm away.
        first = sorted(equals.values(), key=lambda one: (one.state is not ClaimState.CREATED, one.claimed_at))
        shown = sorted(first[-EQUALS_AT_MOST:], key=lambda one: one.claimed_at, reverse=True)
        return Facts(totals.reserved_today_isk, totals.claims_last_minute, tuple(shown), bool(totals.lookalike))

    def _without_stale(self, rows: Rows, stored: StoredPayment, now: datetime) -> StoredPayment:
        """The payment, marked *unknown* if nobody will finish its *sending*."""
        reason = stale_reason(stored, now, self._is_gone)
        if not reason:
            return stored
        after = stored.becomes(now_unknown(stored.record, now))
        return rows.save(stored, after, Event.UNKNOWN, {"reason": reason}, now)

    def _unknown_only(self, rows: Rows, key: str, target: ClaimState, now: datetime) -> StoredPayment:
        stored = self._without_stale(rows, rows.require(key), now)
        if stored.record.state is not ClaimState.UNKNOWN:
            raise IllegalTransition(f"Only an unknown outcome can be resolved to {target}.", stored.record)
        return stored

    def _answered(
        self, rows: Rows, before: StoredPayment, answer: ChannelPayment, event: Event, now: datetime, note: str = ""
    ) -> StoredPayment:
        """Write down what Blikk says, if it is news."""
        record = with_answer(before.record, answer, now)
        if record is before.record:
            return before
        if before.record.state is not ClaimState.CREATED:
            rows.remember(rows.fingerprints.payee(record.creditor_name, before.account_fingerprint))
        detail = {"payment_id": answer.payment_id, "status": answer.status.value}
        if note:
            detail["note"] = note
        return rows.save(before, before.becomes(record), event, detail, now)

    def _is_gone(self, token: str) -> bool:
        return token != self._sender and is_gone(token)
