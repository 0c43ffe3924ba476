"""The rows of the SQLite ledger: reads and writes inside a transaction that somebody else opens and ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from blikk_payments.channel.wire import FAILED, TERMINAL, Status
from blikk_payments.errors import LedgerUnavailable, PaymentNotFound
from blikk_payments.ledger.history import (
    RECORD_DIGEST,
    Event,
    Link,
    genesis,
    next_link,
)
from blikk_payments.ledger.sql.columns import COLUMNS, NAMES, from_row, to_row
from blikk_payments.ledger.sqlite.schema import DAMAGED, OTHER_BLIKK
from blikk_payments.ledger.stored import Fingerprints, Payee, StoredPayment, utc_text
from blikk_payments.models import PaymentIntent

Part = TypeVar("Part")

EQUALS_AT_MOST = 5
"""How many equal payments a decision is shown: one of them is enough to hold a payment up."""

RATE_SECONDS = 60
"""How far back claims are counted."""

PAGE_ROWS = 500
"""Rows that are read, or pruned, in one go."""

_SELECT = f"SELECT {COLUMNS} FROM payments"  # noqa: S608 - constants only, here and below
_INSERT = f"INSERT INTO payments ({COLUMNS}) VALUES ({', '.join('?' * len(NAMES))})"  # noqa: S608
_ADD = (
    "INSERT INTO tallies (period, claims, reserved_isk) VALUES (?, ?, ?) ON CONFLICT (period) DO UPDATE "
    "SET claims = claims + excluded.claims, reserved_isk = reserved_isk + excluded.reserved_isk"
)
_LINK = "SELECT sequence, idempotency_key, at, event, detail, previous, hash FROM history"
_APPEND = (
    "INSERT INTO history (sequence, idempotency_key, at, event, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def _listed(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in sorted(statuses))


_ENDED = f"(state = 'refused' OR status IN ({_listed(TERMINAL)}))"
_HOLDS = f"(state != 'refused' AND status NOT IN ({_listed(FAILED)}))"
_PERSONAL = ("creditor_name", "purpose", "approval_url", "bank_text")

_TOTALS = """
    SELECT
        EXISTS (
            SELECT 1 FROM payments INDEXED BY payments_equal
            WHERE holds = 1 AND account_fingerprint = :account AND amount_isk = :amount_isk AND idempotency_key != :key
        ),
        coalesce((SELECT reserved_isk FROM tallies WHERE period = :day), 0),
        -- The rows of days lie between those of seconds, and their `claims` is 0.
        (SELECT coalesce(sum(claims), 0) FROM tallies WHERE period > :second)
        + (SELECT count(*) FROM payments WHERE claimed_at > :minute_ago AND claimed_at < :second_end AND state != 'refused'),
        EXISTS (SELECT 1 FROM payees WHERE look = :look AND account_fingerprint != :account AND spelling != :spelling)
        AND NOT EXISTS (SELECT 1 FROM payees WHERE look = :look AND account_fingerprint = :account)
"""


class Totals(NamedTuple):
    """All other payments, as far as a decision goes: see `Facts`. `has_equals`: an equal one of any age has not failed."""

    has_equals: int
    reserved_today_isk: int
    claims_last_minute: int
    lookalike: int


class Rows:
    """The tables of one open ledger."""

    def __init__(self, connection: sqlite3.Connection, blikk: str = "") -> None:
        self.connection = connection
        self.fingerprints = Fingerprints(_parsed(bytes.fromhex, self._meta("fingerprint_key")))
        self._blikk = blikk
        self._tied = not blikk or self._is_tied()

    def tie(self) -> None:
        """Make the ledger this Blikk's: a payment in a sandbox must not answer for one in production, nor take its room.

        Raises:
            LedgerUnavailable: it is another one's.
        """
        # Undone with its transaction, so only what is found is certain.
        self._tied = self._tied or self._is_tied()
        if not self._tied:
            self.connection.execute("INSERT INTO meta (name, value) VALUES ('blikk', ?)", (self._blikk,))

    def by_key(self, idempotency_key: str) -> StoredPayment | None:
        """The payment under this key."""
        return self._one("WHERE idempotency_key = ?", idempotency_key)

    def by_payment_id(self, payment_id: str) -> StoredPayment | None:
        """The payment with this id of Blikk's."""
        return self._one("WHERE payment_id = ? AND payment_id != ''", payment_id)

    def owner(self, payment_id: str) -> str | None:
        """The key of the payment that has this id of Blikk's."""
        query = "SELECT idempotency_key FROM payments WHERE payment_id = ? AND payment_id != ''"
        row = self.connection.execute(query, (payment_id,)).fetchone()
        return None if row is None else str(row[0])

    def require(self, idempotency_key: str) -> StoredPayment:
        """The payment under this key.

        Raises:
            PaymentNotFound: there is none.
        """
        stored = self.by_key(idempotency_key)
        if stored is None:
            raise PaymentNotFound("The ledger has no payment with this idempotency key.")
        return stored

    def sending(self) -> list[StoredPayment]:
        """The payments under way."""
        return self._many("INDEXED BY payments_sending WHERE state = 'sending' ORDER BY claimed_at")

    def totals(self, intent: PaymentIntent, account: str, now: datetime) -> Totals:
        """What a decision on this payment needs of all the others, in one statement: a claim waits for each."""
        minute_ago = utc_text(now - timedelta(seconds=RATE_SECONDS))
        second = minute_ago[:19]
        payee = self.fingerprints.payee(intent.creditor_name, account)
        values = {
            "account": account,
            "amount_isk": intent.amount_isk,
            "key": intent.idempotency_key,
            "day": utc_text(now)[:10],
            "second": second,
            "minute_ago": minute_ago,
            # Its fraction follows after a dot, and a slash comes after the dot.
            "second_end": f"{second}/",
            "look": payee.look,
            "spelling": payee.spelling,
        }
        return Totals(*self.connection.execute(_TOTALS, values).fetchone())

    def equals(self, account: str, amount_isk: int, key: str, since: datetime | None) -> list[StoredPayment]:
        """Equal payments under other keys that have not failed: all under way, the newest unknown and recent ones."""
        equal = "account_fingerprint = ? AND amount_isk = ? AND idempotency_key != ?"
        values = (account, amount_isk, key)
        newest = f"ORDER BY claimed_at DESC LIMIT {EQUALS_AT_MOST}"
        found = self._many(f"INDEXED BY payments_sending WHERE state = 'sending' AND {equal}", *values)
        found += self._many(f"INDEXED BY payments_unknown WHERE state = 'unknown' AND {equal} {newest}", *values)
        if since is not None:
            recent = f"INDEXED BY payments_equal WHERE holds = 1 AND {equal} AND claimed_at > ? {newest}"
            found += self._many(recent, *values, utc_text(since))
        return found

    def remember(self, payee: Payee) -> None:
        """Keep who was paid, for `Totals.lookalike`."""
        self.connection.execute(
            "INSERT OR IGNORE INTO payees (look, account_fingerprint, spelling) VALUES (?, ?, ?)",
            (payee.look, payee.account, payee.spelling),
        )

    def payees(self) -> set[Payee]:
        """Everybody who was paid."""
        rows = self.connection.execute("SELECT look, account_fingerprint, spelling FROM payees").fetchall()
        return {Payee(*row) for row in rows}

    def page(self, after: int) -> list[tuple[int, StoredPayment]]:
        """The next payments after a row number, in the order in which their keys were first claimed."""
        rows = self.connection.execute(
            f"SELECT number, {COLUMNS} FROM payments WHERE number > ? ORDER BY number LIMIT {PAGE_ROWS}",  # noqa: S608
            (after,),
        ).fetchall()
        return [(row[0], from_row(row[1:])) for row in rows]

    def overwrite_deleted(self) -> None:
        """From here on, overwrite with zeros what is deleted."""
        self.connection.execute("PRAGMA secure_delete=ON").fetchall()

    def prunable(self, before: datetime) -> list[StoredPayment]:
        """Some payments that ended before that time and still hold personal data."""
        personal = " OR ".join(f"{name} != ''" for name in _PERSONAL)
        return self._many(
            f"WHERE updated_at < ? AND {_ENDED} AND ({personal} OR warnings != '[]') LIMIT {PAGE_ROWS}",
            utc_text(before),
        )

    def save(
        self,
        before: StoredPayment,
        after: StoredPayment,
        event: Event,
        detail: Mapping[str, str],
        now: datetime,
    ) -> StoredPayment:
        """Write a payment's next step and its history row."""
        self.write(before, after)
        self.note(after, {event: detail}, now)
        return after

    def write(self, before: StoredPayment | None, after: StoredPayment) -> None:
        """Write the payment and its tallies: every change of a payment goes through here, and has to be noted."""
        values = to_row(after)
        if before is None:
            self.connection.execute(_INSERT, values)
        else:
            # Only what changed: an index is rewritten for every column that is named.
            pairs = zip(NAMES, values, to_row(before), strict=True)
            changed = {name: new for name, new, old in pairs if new != old}
            update = f"UPDATE payments SET {' = ?, '.join(changed)} = ? WHERE idempotency_key = ?"  # noqa: S608
            self.connection.execute(update, (*changed.values(), after.key))
        old, new = before.tallies() if before else {}, after.tallies()
        for period in {**old, **new}:
            then, now = old.get(period, (0, 0)), new.get(period, (0, 0))
            if then != now:
                self.connection.execute(_ADD, (period, now[0] - then[0], now[1] - then[1]))

    def note(self, stored: StoredPayment, events: Mapping[Event, Mapping[str, str]], now: datetime) -> None:
        """Append to the history what happened to a payment, with its digest as it is now."""
        every = {"attempt": str(stored.record.attempt), RECORD_DIGEST: stored.digest}
        head, at = self.head(), utc_text(now)
        for event, detail in events.items():
            link = next_link(head, stored.key, at, event, {**detail, **every})
            self.connection.execute(_APPEND, link)
            head = link.sequence, link.hash
        self.connection.execute("UPDATE meta SET value = ? WHERE name = 'head'", (f"{head[0]}:{head[1]}",))

    def history(self, idempotency_key: str) -> list[Link]:
        """The history of one payment, oldest first."""
        rows = self.connection.execute(f"{_LINK} WHERE idempotency_key = ? ORDER BY sequence", (idempotency_key,))
        return [Link(*row) for row in rows.fetchall()]

    def links(self) -> Iterator[Link]:
        """The whole history, oldest first."""
        return (Link(*row) for row in self.connection.execute(f"{_LINK} ORDER BY sequence"))

    def genesis(self) -> str:
        """What the first history row follows from."""
        return genesis(self.fingerprints.key)

    def head(self) -> tuple[int, str]:
        """Sequence and hash of the history row that was written last."""
        sequence, _, last_hash = self._meta("head").partition(":")
        return _parsed(int, sequence), last_hash

    def everything(self) -> Iterator[StoredPayment]:
        """Every payment, in the order in which the keys were first claimed."""
        number = 0
        while page := self.page(number):
            yield from (stored for _, stored in page)
            number = page[-1][0]

    def tallies(self) -> dict[str, tuple[int, int]]:
        """The sums kept: payments let through in a second, krónur reserved on a day."""
        rows = self.connection.execute("SELECT period, claims, reserved_isk FROM tallies").fetchall()
        return {period: (claims, reserved) for period, claims, reserved in rows}

    def miscounted(self) -> list[str]:
        """Keys of payments whose `holds` is not what their state and status say."""
        rows = self.connection.execute(f"SELECT idempotency_key FROM payments WHERE holds != {_HOLDS}")  # noqa: S608
        return [key for (key,) in rows.fetchall()]

    def _one(self, where: str, *values: object) -> StoredPayment | None:
        found = self._many(where, *values)
        return found[0] if found else None

    def _many(self, where: str, *values: object) -> list[StoredPayment]:
        return [from_row(row) for row in self.connection.execute(f"{_SELECT} {where}", values).fetchall()]

    def _is_tied(self) -> bool:
        blikk = self._found("blikk")
        if blikk not in (None, self._blikk):
            raise LedgerUnavailable(OTHER_BLIKK)
        return blikk is not None

    def _meta(self, name: str) -> str:
        value = self._found(name)
        if value is None:
            raise LedgerUnavailable(DAMAGED)
        return value

    def _found(self, name: str) -> str | None:
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])


def _parsed(read: Callable[[str], Part], text: str) -> Part:
    try:
        return read(text)
    except ValueError as error:
        raise LedgerUnavailable(DAMAGED) from error
