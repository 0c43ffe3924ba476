"""The rows of a ledger: reads and writes inside a transaction that an engine begins and ends.

The SQL is what both SQLite and PostgreSQL take, with `?` for values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from blikk_payments.channel.wire import FAILED, TERMINAL, Status
from blikk_payments.errors import LedgerUnavailable, PaymentNotFound
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.protocol import DAMAGED, OTHER_BLIKK, Only
from blikk_payments.ledger.sql.chain import Chain
from blikk_payments.ledger.sql.columns import COLUMNS, NAMES, from_row, to_row
from blikk_payments.ledger.sql.connection import Connection, Cursor, parsed
from blikk_payments.ledger.stored import Fingerprints, Payee, StoredPayment, utc_text

MAX_DUPLICATES = 5
"""How many equal payments a decision is shown: one of them is enough to hold a payment up."""

RATE_SECONDS = 60
"""How far back claims are counted."""

PAGE_ROWS = 500
"""Rows that are read, or pruned, in one go."""

_SINGLES = "SELECT name, value FROM meta WHERE name IN ('fingerprint_key', 'head', 'blikk')"
_SELECT = f"SELECT {COLUMNS} FROM payments"  # noqa: S608 - constants only, here and below
_INSERT = f"INSERT INTO payments ({COLUMNS}) VALUES ({', '.join('?' * len(NAMES))})"  # noqa: S608
_RESERVE = (
    "INSERT INTO days (day, reserved_isk) VALUES (?, ?) "
    "ON CONFLICT (day) DO UPDATE SET reserved_isk = days.reserved_isk + excluded.reserved_isk"
)
_EQUAL = "account_fingerprint = ? AND amount_isk = ? AND idempotency_key != ?"
_NEWEST = f"ORDER BY claimed_at DESC LIMIT {MAX_DUPLICATES}"


def _listed(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in sorted(statuses))


_FAILED = f"(state = 'refused' OR status IN ({_listed(FAILED)}))"
_ENDED = f"(state = 'refused' OR status IN ({_listed(TERMINAL)}))"
_PERSONAL = ("creditor_name", "purpose", "approval_url", "bank_text")
_ONLY = {
    Only.ALL: "1 = 1",
    Only.OPEN: f"(state IN ('claimed', 'sending') OR state = 'created' AND status NOT IN ({_listed(TERMINAL)}))",
    Only.UNKNOWN: "state = 'unknown'",
    Only.PAID: f"status IN ({_listed(TERMINAL - FAILED)})",
    Only.FAILED: _FAILED,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of payments ends: the time of the last one's claim, and its row number."""

    claimed_at: str
    number: int


class Rows:
    """The tables of one open ledger. `environment` is the Blikk it is used for (see `environment_key`), `""` any.

    What a claim is decided on is asked by one call and read by calling what that returns: over a network all the
    questions then take one round trip.

    Raises:
        LedgerUnavailable: it is another Blikk's, or damaged.
    """

    def __init__(self, connection: Connection, environment: str = "") -> None:
        self.connection = connection
        singles = dict(connection.execute(_SINGLES).fetchall())
        if "fingerprint_key" not in singles or "head" not in singles:
            raise LedgerUnavailable(DAMAGED)
        self.fingerprints = Fingerprints(parsed(bytes.fromhex, str(singles["fingerprint_key"])))
        self.chain = Chain(connection, self.fingerprints.key, str(singles["head"]))
        self._environment = environment
        self._bound_to = singles.get("blikk", "")
        if environment and self._bound_to not in ("", environment):
            raise LedgerUnavailable(OTHER_BLIKK)

    def bind_environment(self) -> None:
        """Make the ledger this Blikk's: a payment in a sandbox must not answer for one in production, nor take its room."""
        if self._environment and not self._bound_to:
            self.connection.execute("INSERT INTO meta (name, value) VALUES ('blikk', ?)", (self._environment,))

    def by_key(self, idempotency_key: str) -> StoredPayment | None:
        """The payment under this key."""
        return self._one("WHERE idempotency_key = ?", idempotency_key)

    def by_payment_id(self, payment_id: str) -> StoredPayment | None:
        """The payment with this id of Blikk's."""
        return self._one("WHERE payment_id = ? AND payment_id != ''", payment_id)

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
        return self._many("WHERE state = 'sending' ORDER BY claimed_at")

    def sending_to(self, account: str) -> list[StoredPayment]:
        """The payments to this account that are under way."""
        return self._many("WHERE state = 'sending' AND account_fingerprint = ?", account)

    def reserved_isk(self, now: datetime) -> Callable[[], int]:
        """What the open, paid and unknown payments of this day (UTC) add up to, in krónur."""
        asked = self.connection.execute("SELECT reserved_isk FROM days WHERE day = ?", (utc_text(now)[:10],))
        return lambda: sum(int(isk) for (isk,) in asked.fetchall())

    def claims_last_minute(self, now: datetime) -> Callable[[], int]:
        """How many payments were let through within the last minute; one that is dated ahead is none of it."""
        query = "SELECT count(*) FROM payments WHERE claimed_at > ? AND claimed_at <= ? AND state != 'refused'"
        since = utc_text(now - timedelta(seconds=RATE_SECONDS))
        asked = self.connection.execute(query, (since, utc_text(now)))
        return lambda: int(asked.fetchone()[0])

    def equals(
        self, account: str, amount_isk: int, key: str, since: datetime | None
    ) -> Callable[[], list[StoredPayment]]:
        """Equal payments under other keys that have not failed: all under way, the newest unknown and recent ones."""
        values = (account, amount_isk, key)
        asked = [
            self._ask(f"WHERE state = 'sending' AND {_EQUAL}", *values),
            self._ask(f"WHERE state = 'unknown' AND {_EQUAL} {_NEWEST}", *values),
        ]
        if since is not None:
            asked.append(
                self._ask(f"WHERE holds = 1 AND {_EQUAL} AND claimed_at > ? {_NEWEST}", *values, utc_text(since))
            )
        return lambda: [stored for found in asked for stored in _read(found)]

    def unsettled_to(self, account: str, amount_isk: int, key: str) -> Callable[[], list[StoredPayment]]:
        """Payments of other amounts to this account: the newest unknown ones, then those under way."""
        other = "account_fingerprint = ? AND amount_isk != ? AND idempotency_key != ?"
        asked = [
            self._ask(f"WHERE state = '{state}' AND {other} {_NEWEST}", account, amount_isk, key)
            for state in ("unknown", "sending")
        ]
        return lambda: [stored for found in asked for stored in _read(found)]

    def is_lookalike(self, payee: Payee) -> Callable[[], bool]:
        """Whether the payee is new at this account, and one at another has a name that only looks the same."""
        query = "SELECT account_fingerprint, spelling FROM payees WHERE look = ?"
        asked = self.connection.execute(query, (payee.skeleton_hash,))

        def lookalike() -> bool:
            known = asked.fetchall()
            return all(account != payee.account for account, _ in known) and any(
                spelling != payee.spelling for _, spelling in known
            )

        return lookalike

    def failed_equals(self, account: str, amount_isk: int, since: datetime) -> list[StoredPayment]:
        """The newest equal payments that Blikk ended without payment since that time."""
        equal = "holds = 0 AND state = 'created' AND account_fingerprint = ? AND amount_isk = ? AND updated_at > ?"
        return self._many(f"WHERE {equal} {_NEWEST}", account, amount_isk, utc_text(since))

    def remember(self, payee: Payee) -> None:
        """Keep who was paid, for `is_lookalike`."""
        self.connection.execute(
            "INSERT INTO payees (look, account_fingerprint, spelling) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (payee.skeleton_hash, payee.account, payee.spelling),
        )

    def payees(self) -> set[Payee]:
        """Everybody who was paid."""
        rows = self.connection.execute("SELECT look, account_fingerprint, spelling FROM payees").fetchall()
        return {Payee(*row) for row in rows}

    def page(
        self, only: Only = Only.ALL, *, newest_first: bool = False, after: Place | None = None, limit: int = PAGE_ROWS
    ) -> tuple[list[StoredPayment], Place | None]:
        """The next payments after a place in the order of their claims, and where they end; None if that is the end."""
        sign, order = ("<", "DESC") if newest_first else (">", "ASC")
        where, values = _ONLY[only], []
        if after is not None:
            where += f" AND (claimed_at, number) {sign} (?, ?)"
            values = [after.claimed_at, after.number]
        # One more than is wanted, to know whether there is more.
        rows = self.connection.execute(
            f"SELECT claimed_at, number, {COLUMNS} FROM payments WHERE {where} "  # noqa: S608
            f"ORDER BY claimed_at {order}, number {order} LIMIT ?",
            (*values, limit + 1),
        ).fetchall()
        found = [from_row(tuple(row)[2:]) for row in rows[:limit]]
        return found, Place(*tuple(rows[limit - 1])[:2]) if len(rows) > limit else None

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
        self.chain.append(after, {event: detail}, now)
        return after

    def write(self, before: StoredPayment | None, after: StoredPayment) -> None:
        """Write the payment and its day's sum: every change of a payment goes through here, and into the history."""
        values = to_row(after)
        if before is None:
            self.connection.execute(_INSERT, values)
        else:
            pairs = zip(NAMES, values, to_row(before), strict=True)
            changed = {name: new for name, new, old in pairs if new != old}
            update = f"UPDATE payments SET {' = ?, '.join(changed)} = ? WHERE idempotency_key = ?"  # noqa: S608
            self.connection.execute(update, (*changed.values(), after.key))
        for stored, sign in ((before, -1), (after, 1)):
            if stored is not None and (reserved_isk := stored.reserved_isk()):
                self.connection.execute(_RESERVE, (stored.day, sign * reserved_isk))

    def everything(self) -> Iterator[StoredPayment]:
        """Every payment, in the order of the claims."""
        after: Place | None = None
        while True:
            page, after = self.page(after=after)
            yield from page
            if after is None:
                return

    def days(self) -> dict[str, int]:
        """The sums kept: krónur reserved on each day."""
        return dict(self.connection.execute("SELECT day, reserved_isk FROM days").fetchall())

    def miscounted(self) -> list[str]:
        """Keys of payments whose `holds` is not what their state and status say."""
        query = f"SELECT idempotency_key FROM payments WHERE (holds = 1) = {_FAILED}"  # noqa: S608
        return [str(key) for (key,) in self.connection.execute(query).fetchall()]

    def _one(self, where: str, *values: object) -> StoredPayment | None:
        found = self._many(where, *values)
        return found[0] if found else None

    def _many(self, where: str, *values: object) -> list[StoredPayment]:
        return _read(self._ask(where, *values))

    def _ask(self, where: str, *values: object) -> Cursor:
        return self.connection.execute(f"{_SELECT} {where}", values)


def _read(found: Cursor) -> list[StoredPayment]:
    return [from_row(tuple(row)) for row in found.fetchall()]
