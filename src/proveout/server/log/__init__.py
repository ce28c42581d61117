"""The log: journals, and the controller that copies them into the ledger."""
