"""Cells of a pilot that take long, and that its model does not need: each later run goes on without them.

Input: the cells, which of them are needed, and how long each took. Output: the places of those to leave out. A name may
be another one without them all the same, as what a generator of random numbers draws next: the first training proves
that the held-out rows get the pilot's answers, or runs again with all cells.
"""

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from proveout.pilot.audit import cell_code
from proveout.recovery import program_slice

SLOW_S = 2.0  # a plot takes less, and stays for who reads the executed notebook


def slow(cells: Sequence[Any], *, needed: Collection[int], seconds: Mapping[int, float]) -> tuple[int, ...]:
    """Cells that took `SLOW_S` or more, and those that read what they make. None of them is needed.

    Args:
        cells: of the notebook's document.
        needed: places of cells that stay.
        seconds: that each cell took.
    """
    statements = {
        place: [ast.unparse(one) for one in cell_code.parse(cell.source).tree.body]
        for place, cell in enumerate(cells)
        if cell.cell_type == "code"
    }
    found: set[int] = set()
    for place in statements:
        if seconds.get(place, 0.0) < SLOW_S or place in found:
            continue
        lost = program_slice.dependents(statements, place)
        if lost.isdisjoint(needed):
            found |= lost
    return tuple(sorted(found))
