"""The ledger: an append-only, hash-chained book of what happened, and the log of predictions."""
