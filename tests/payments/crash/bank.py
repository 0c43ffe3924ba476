"""Blikk inside the process that dies, with a record that outlives it: truthful, but slow to show what it has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import anyio.lowlevel

from blikk_payments.channel.errors import ReadRefused, Refused, Uncertain
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.service import Channel

RECEIVED, MADE = "received", "made"


@dataclass(frozen=True)
class Entry:
    """One line of the record: a request received or a payment made, for the payment of this name."""

    event: str
    name: str
    payment_id: str


def entries(record: Path) -> list[Entry]:
    """The bank's record, oldest first."""
    if not record.exists():
        return []
    return [Entry(*line.split("\t")) for line in record.read_text(encoding="utf-8").splitlines()]


class SlowBank(Channel):
    """Writes down what it received and what it made before it answers. What a request meets goes by its number."""

    def __init__(self, record: Path, *answers: str, hides: bool) -> None:
        """`answers`: for the first requests `made`, `lost` or `refused`; every later one is made. `hides`: GET is 404."""
        self._record = record
        self._answers = answers
        self.hides = hides

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """POST /payment."""
        await anyio.lowlevel.checkpoint()
        earlier = sum(entry.event == RECEIVED for entry in entries(self._record))
        payment_id = f"blikk-{earlier + 1}"
        answer = self._answers[earlier] if earlier < len(self._answers) else MADE
        self._write(RECEIVED, order.creditor_name, payment_id)
        if answer == "refused":
            raise Refused("Blikk refused the payment (HTTP 400).", status=400)
        self._write(MADE, order.creditor_name, payment_id)
        await anyio.lowlevel.checkpoint()
        if answer == "lost":
            raise Uncertain("The connection to Blikk failed before its answer arrived.")
        return ChannelPayment(payment_id, Status.DRAFT)

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """GET /payment/{paymentId}."""
        await anyio.lowlevel.checkpoint()
        made = any(entry.event == MADE and entry.payment_id == payment_id for entry in entries(self._record))
        if self.hides or not made:
            raise ReadRefused("Blikk refused to answer (HTTP 404).", status=404)
        return ChannelPayment(payment_id, Status.SCA_REQUIRED, "https://bank.example/approve/1")

    def _write(self, event: str, name: str, payment_id: str) -> None:
        descriptor = os.open(self._record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{event}\t{name}\t{payment_id}\n".encode())
        os.close(descriptor)
