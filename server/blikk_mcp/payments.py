"""The payment service of this process: the settings' collaborators, put together.

Clients start a server in every window and some start it twice: until a tool is called no file is opened, no HTTP
library is imported and nothing is connected to. Channel and ledger see to that themselves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.settings import Settings
from blikk_payments.channel.client import ChannelClient
from blikk_payments.channel.links import is_loopback
from blikk_payments.ledger.location import environment_key
from blikk_payments.ledger.opening import open_ledger, turns_at
from blikk_payments.ledger.pool import LedgerPool
from blikk_payments.policy import Policy
from blikk_payments.service import PaymentService
from blikk_tools.instructions import Presentation


def presentation_of(settings: Settings) -> Presentation:
    """How results are told under these settings."""
    return Presentation(
        environment=settings.environment,
        language=settings.language,
        blikk_host=urlsplit(settings.base_url).hostname or "",
        sca_hosts=settings.sca_hosts,
        loopback=is_loopback(settings.base_url),
    )


def policy_of(settings: Settings) -> Policy:
    """The operator's rules under these settings."""
    return Policy(
        max_amount_isk=settings.max_amount_isk,
        daily_limit_isk=settings.daily_limit_isk,
        allowed_creditors=settings.allowed_creditors,
        ask_above_isk=settings.ask_above_isk,
        creates_per_minute=settings.creates_per_minute,
        duplicate_window_minutes=settings.duplicate_window_minutes,
    )


@asynccontextmanager
async def running_service(settings: Settings, redactor: Redactor) -> AsyncGenerator[PaymentService]:
    """The service, and at the end the requests under way finished or written down, and everything closed."""
    channel = ChannelClient(settings.base_url, settings.api_key, redact=redactor.text, holds_key=redactor.holds_secret)
    ledger = open_ledger(
        settings.ledger,
        environment=environment_key(settings.base_url),
        password=settings.ledger_password.get_secret_value(),
    )
    service = PaymentService(
        channel=channel,
        ledger=ledger,
        policy=policy_of(settings),
        sca_user_ssn=settings.sca_user_ssn,
        debtor_bban=settings.debtor_bban,
        run_blocking=LedgerPool(turns_at(settings.ledger)),
    )
    try:
        async with service:
            yield service
    finally:
        await channel.aclose()
        ledger.close()
