"""The money logic of the ledger, written once, in SQL."""
