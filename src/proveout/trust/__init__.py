"""Trust: signatures, approvals, who may do what, API keys and secrets."""
