"""PA302 undefined-name."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.names import BUILT_IN, read
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Names used at a cell's top level, or by a function that is called there, before anything binds them."""
    bound: set[str] = set(BUILT_IN)
    stars = False
    seen: set[str] = set()
    provided = _provided(analysis)
    for cell in analysis.cells:
        stars = stars or _binds_unseen(cell)
        for line, what, name in _in_order(cell):
            if what == "bind":
                bound.add(name)
            elif name not in bound and name not in seen and not stars and name not in provided:
                seen.add(name)
                later = next((one.index for one in analysis.cells if any(b.name == name for b in one.bindings)), None)
                hint = (
                    ", and nothing in the notebook defines it" if later is None else f"; cell {later} defines it later"
                )
                yield Hit(cell=cell.index, line=line, evidence=f"{name!r} is used before it is defined{hint}")
        bound |= {magic.text.split()[0] for magic in cell.code.magics if magic.name == "store" and magic.text.split()}


def _binds_unseen(cell: CodeCell) -> bool:
    """Whether a cell brings names in that are not written: all of a module, or those of another notebook."""
    stars = (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names) for node in cell.nodes)
    return any(stars) or any(magic.name in ("pylab", "run") for magic in cell.code.magics)


def _in_order(cell: CodeCell) -> Iterator[tuple[int, str, str]]:
    """What a cell's statements use and bind, each in the order of a run: a statement uses first, and binds then."""
    for statement in cell.code.tree.body:
        bindings, uses = read(ast.Module(body=[statement], type_ignores=[]))
        steps = [(use.line, 0, "use", use.name) for use in uses if not use.deferred]
        steps += [(binding.line, 1, "bind", binding.name) for binding in bindings if binding.how != "delete"]
        yield from ((line, what, name) for line, _, what, name in sorted(steps))


def _provided(analysis: Analysis) -> set[str]:
    """Names that a platform puts into every notebook of its own."""
    spark = any("spark" in call.name or "dbutils" in call.name for call in analysis.calls)
    captured = {
        magic.text.split()[1]
        for cell in analysis.cells
        for magic in cell.code.magics
        if magic.name in ("capture", "bigquery", "sql") and len(magic.text.split()) > 1
    }
    return captured | (
        {"spark", "sc", "sqlContext", "dbutils", "displayHTML", "display"}
        if spark and _on_platform(analysis)
        else set()
    )


def _on_platform(analysis: Analysis) -> bool:
    return any(call.name.startswith("dbutils") for call in analysis.calls)


RULE = Rule(
    code="PA302",
    kind="undefined-name",
    severity="high",
    title="Name used before it is defined",
    why="It worked because a cell that is gone, or stands below, left the name in the kernel. A fresh run raises.",
    fix="Move the definition above its first use, or take the cell out.",
    adopt="leaves",
    adopt_note="Leaves out a cell that raises; refuses where the model needs it, with the cell.",
    find=find,
    positive=(
        Example(cells=("print(x)", "x = 1"), found=((0, 1),)),
        Example(cells=("y = [a for a in items]\nz = missing + 1",), found=((0, 1), (0, 2))),
    ),
    negative=(
        Example(cells=("a = 1; b = a + 1; c = a + b",)),
        Example(cells=("def f():\n    return later", "later = 1\nf()")),
        Example(cells=("from math import *\nprint(pi)",)),
        Example(
            cells=("try:\n    import x\nexcept ImportError as e:\n    print(e)\n[i for i in range(3)]\nlambda q: q",)
        ),
    ),
)
