"""The words that the server's own answers are made of. A key like one of them could not be redacted without breaking them.

Kept here as text, because importing the tools to collect them costs a start what the settings must not; a test compares.
"""

from __future__ import annotations

_WORDS = """
blikk-mcp 2024-11-05 2025-03-26 2025-06-18 2025-11-25 2026-07-28 create_payment get_payment_status
await_payment list_payments amount currency creditor_name creditor_ssn creditor_iban creditor_bban
idempotency_key purpose confirmed_duplicate_of payment_id wait_seconds human_informed only limit outcome
status final creditor_account human_action human_instruction approval_url approval_host next_step replayed
environment warnings error_code error_message untrusted_bank_text payments more most_per_payment left_today
created_at paid failed needs_human pending unknown refused all open none open_link bank_app onboarding
production stage sandbox custom draft sca_required sca_complete user_onboarding_required success cancelled
rejected error other invalid_arguments not_configured over_limit creditor_not_allowed rate_limited
confirmation_required confirmation_declined idempotency_conflict possible_duplicate outcome_unknown
rejected_by_blikk unauthorized wrong_channel not_found blikk_unavailable ledger_unavailable internal_error
blikk_api_key blikk_api_key_file blikk_base_url blikk_sca_user_ssn blikk_debtor_bban blikk_ledger
blikk_ledger_password_file blikk_max_amount_isk blikk_daily_limit_isk blikk_allowed_creditors
blikk_ask_above_isk blikk_creates_per_minute blikk_duplicate_window_minutes blikk_read_only blikk_sca_hosts
blikk_language blikk_wait_seconds blikk_max_wait_seconds blikk_always_load blikk_front_door blikk_log_level
blikk_log_format structuredcontent resulttype completed protocolversion serverinfo
"""

SURFACE_WORDS = frozenset(_WORDS.split())
"""In lower case: tools, arguments, fields, their words, error codes, settings, and the protocol's own."""
