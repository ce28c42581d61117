"""How a ledger of an older proveout becomes one of this proveout; run by `Ledger`, in one transaction."""
