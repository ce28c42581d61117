"""The log: journals, and the controller that carries them into the ledger."""
