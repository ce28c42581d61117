"""The ledger: an append-only, hash-chained record of events, and the log of predictions."""
