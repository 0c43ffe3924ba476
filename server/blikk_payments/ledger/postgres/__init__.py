"""PostgreSQL: one ledger that several machines share."""
