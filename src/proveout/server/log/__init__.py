"""The log: journals, and the clerk who carries them into the ledger."""
