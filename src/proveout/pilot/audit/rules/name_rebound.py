"""PA304 name-rebound."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule

_PLOT = re.compile(r"^(?:_|fig\d*|ax\d*|axes|axs|plot|plt|g|figure|axis|ax\w?|p)$")
_PLOT_CALLS = re.compile(r"^(?:matplotlib|seaborn|plotly|altair|bokeh)\.")


def find(analysis: Analysis) -> Iterator[Hit]:
    """The second cell that gives a name a value which has nothing to do with the first one's; once for each name."""
    first: dict[str, int] = {}
    hows: dict[str, set[str]] = {}
    cells: dict[int, tuple[int, list[str]]] = {}
    told: set[str] = set()
    for cell in analysis.cells:
        here: dict[str, int] = {}
        for binding in cell.bindings:
            if (
                binding.how in ("import", "delete", "augment", "except", "with")
                or binding.reads_itself
                or _PLOT.match(binding.name)
            ):
                continue
            if (
                binding.value is not None
                and isinstance(binding.value, ast.Call)
                and _PLOT_CALLS.match(analysis.name_of(binding.value.func))
            ):
                continue
            earlier = first.get(binding.name)
            known = hows.setdefault(binding.name, set())
            again = earlier is not None and earlier != cell.index and binding.name not in told
            if again and not (binding.how == "for" and known <= {"for"}):
                here.setdefault(binding.name, binding.line)
            known.add(binding.how)
            first.setdefault(binding.name, cell.index)
        if here:
            cells[cell.index] = (min(here.values()), sorted(here))
            told |= here.keys()
    for index, (line, names) in sorted(cells.items()):
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        yield Hit(
            cell=index, line=line, evidence=f"{shown}: bound before, in cell {min(first[name] for name in names)}"
        )


RULE = Rule(
    code="PA304",
    kind="name-rebound",
    severity="info",
    title="Name used for two things",
    why="What a cell below means by the name depends on which of the two cells ran last.",
    fix="Give the second thing a name of its own.",
    adopt="does",
    adopt_note="Follows each value by the statement that made it, not by its name.",
    find=find,
    positive=(
        Example(cells=("model = A()\nx = 1", "model = B()\ny = 2\nx = 3"), found=((1, 1),)),
        Example(cells=("x = 1", "x = 2", "x = 3"), found=((1, 1),)),
    ),
    negative=(
        Example(cells=("x = 1", "y = 2", "z = 3")),
        Example(
            cells=("import a\nfig, ax = f()\nfor i in x:\n    pass", "import a\nfig, ax = f()\nfor i in y:\n    pass")
        ),
        Example(cells=("df = read()", "df = df.dropna()")),
    ),
)
