"""The place of a call in a notebook, which is the same in every run of the same cells; and its key on one run's tape.

Input: a tape, a key or a place. Output: the other one.
"""

from proveout.records.adopted_notebook import CallPlace
from proveout.recovery.tape import Key, Tape


def place_of(tape: Tape, key: Key) -> CallPlace:
    """Where the call of a key stands."""
    cell = tape.statements[key.statement].cell
    before = sum(one.cell == cell for one in tape.statements[: key.statement])
    home, _, call = key.site.rpartition(".")
    written_in = int(home) if home != str(cell) else None
    return CallPlace(cell=cell, statement=before, call=int(call), turn=key.turn, written_in=written_in)


def key_of(tape: Tape, place: CallPlace) -> Key | None:
    """The key of the call that stands there; None if the run has not come to its statement."""
    of_cell = [number for number, one in enumerate(tape.statements) if one.cell == place.cell]
    if place.statement >= len(of_cell):
        return None
    home = place.cell if place.written_in is None else place.written_in
    return Key(of_cell[place.statement], f"{home}.{place.call}", place.turn)
