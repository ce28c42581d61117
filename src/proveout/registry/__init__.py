"""Registry: the ledger, releases and signatures: what served when, and who said it may."""
