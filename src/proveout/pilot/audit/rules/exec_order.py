"""PA301 exec-order."""

from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """The first cell that was last run before a cell above it."""
    highest, above = 0, -1
    for cell in analysis.cells:
        count = cell.cell.execution_count
        if count is None:
            continue
        if count < highest:
            yield Hit(
                cell=cell.index,
                line=1,
                evidence=f"this cell ran as number {count}, cell {above} above it as number {highest}",
            )
            return
        if count > highest:
            highest, above = count, cell.index


RULE = Rule(
    code="PA301",
    kind="exec-order",
    severity="medium",
    title="Cells ran out of order",
    why="What the notebook shows came from an order that nobody can repeat. From the top it may give something else.",
    fix="Restart the kernel, run all cells, and save.",
    adopt="does",
    adopt_note="Runs the notebook from top to bottom and takes the results of that run.",
    find=find,
    positive=(Example(cells=("a = 1", "b = 2", "c = 3"), found=((2, 1),), metadata=(("counts", "1,5,3"),)),),
    negative=(
        Example(cells=("a = 1", "b = 2", "c = 3"), metadata=(("counts", "1,3,7"),)),
        Example(cells=("a = 1", "b = 2")),
    ),
)
