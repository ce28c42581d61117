"""A copy of the ledger's entries in another ledger, where something can be tried that nobody is to remember.

Input: a ledger, on whichever database. Output: an empty one filled with the same chain. Predictions, feedback and
outcomes stay where they are: they are people's data, and no release rests on them.
"""

from sqlalchemy import select

from proveout.errors import UsageError
from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import ENTRIES

_AT_ONCE = 500


def copy_entries(source: Ledger, into: Ledger) -> int:
    """How many entries were copied: all of them, each with the hash it has.

    Raises: UsageError if `into` has entries of its own; ChainBroken if what was copied is no chain.
    """
    if into.last_seq():
        raise UsageError(f"The ledger {into.name} has entries of its own: copy into an empty one.")
    with source.reading() as reading, into.writing() as writing:
        rows = reading.execution_options(yield_per=_AT_ONCE).execute(select(ENTRIES).order_by(ENTRIES.c.seq))
        for portion in rows.mappings().partitions():
            writing.execute(ENTRIES.insert(), [dict(row) for row in portion])
    return into.verify_chain()
