"""A copy of the ledger's entries in another ledger, for trying something without a trace.

Input: a ledger on any database. Output: an empty one, filled with the same chain. Predictions, feedback and outcomes
are not copied: they are people's data, and releases do not depend on them.
"""

from sqlalchemy import select

from proveout.errors import UsageError
from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import ENTRIES

_AT_ONCE = 500


def copy_entries(source: Ledger, into: Ledger) -> int:
    """Copy all entries with their hashes. Returns how many.

    Raises: UsageError if `into` has entries already; ChainBroken if the copy is not a valid chain.
    """
    if into.last_seq():
        raise UsageError(f"The ledger {into.name} has entries of its own: copy into an empty one.")
    with source.reading() as reading, into.writing() as writing:
        rows = reading.execution_options(yield_per=_AT_ONCE).execute(select(ENTRIES).order_by(ENTRIES.c.seq))
        for portion in rows.mappings().partitions():
            writing.execute(ENTRIES.insert(), [dict(row) for row in portion])
    return into.verify_chain()
