"""Trust: signatures, approvals, authorization, API keys and secrets."""
