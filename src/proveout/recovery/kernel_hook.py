"""What runs in the notebook's kernel: the hook that instruments each cell, and the report after the last one.

Input: IPython's shell. Output: a tape that is filled while the notebook runs.
"""

import ast
import builtins
from collections.abc import Callable, Iterator
from typing import Any

from proveout.recovery import cell_magics, instrument, left_values, program_slice
from proveout.recovery.handed_rows import HandedRows, HoldBack
from proveout.recovery.instrument import Instrument
from proveout.recovery.recorder import Recorder
from proveout.recovery.tape import Statement, Tape


class Hook:
    """What IPython calls with the tree of each cell. It never raises: IPython would take it out with a mere warning."""

    def __init__(self, tape: Tape, transform: Callable[[str], str] = str) -> None:
        self.tape = tape
        self._transform = transform  # of magics in a text into calls
        self._last: dict[int, Instrument] = {}  # of each cell

    def visit(self, tree: ast.Module) -> ast.Module:
        """The instrumented tree; the tree itself where it cannot be instrumented."""
        first, cell = len(self.tape.statements), self.tape.cell
        try:
            tree = cell_magics.written_out(tree, self._transform)
            sources = [ast.unparse(statement) for statement in tree.body]
            # A magic as `%%timeit` runs more statements in the name of the same cell: no two calls share a number.
            instrumented = Instrument(cell, after=self._last.get(cell))
            shows = program_slice.showing([one.source for one in self.tape.statements] + sources, first)
            done = instrumented.module(ast.parse(ast.unparse(tree)), first, shows=shows)
            nodes = (one.body[0] if place in shows and isinstance(one, ast.Try) else one for place, one in _ran(done))
            made = [Statement(cell=cell, source=one, node=node) for one, node in zip(sources, nodes, strict=True)]
        except Exception:
            return tree
        self.tape.statements += made
        self.tape.lambdas |= instrumented.lambdas
        self.tape.shares |= instrumented.shares
        self._last[cell] = instrumented
        return done


def _ran(tree: ast.Module) -> Iterator[tuple[int, ast.stmt]]:
    """The statements of an instrumented tree and their places, without the marks between them."""
    return enumerate(tree.body[1::2])


def install(shell: Any, handed: HandedRows | None = None, hold_back: HoldBack | None = None) -> Tape:
    """A tape that records what `shell` runs from now on.

    Args:
        handed: rows in the place of the pilot's own.
        hold_back: of the rows that are read the notebook does not get these.
    """
    tape = Tape(names=shell.user_ns)
    tape.answering = Recorder(tape, handed, hold_back)
    for name, function in _names(tape).items():
        setattr(builtins, name, function)
    shell.ast_transformers.append(Hook(tape, getattr(shell, "transform_cell", str)))
    shell.events.register("post_run_cell", lambda result: _note_end(tape, result))
    return tape


def remove(tape: Tape) -> None:
    """Take the names out of Python's builtins again. What was instrumented cannot run any more."""
    tape.answering = None
    for name in _names(tape):
        if hasattr(builtins, name):
            delattr(builtins, name)


def _names(tape: Tape) -> dict[str, Any]:
    return {
        instrument.CALL: tape.call,
        instrument.ITEM: tape.item,
        instrument.STATEMENT: lambda statement: _next(tape, statement),
        instrument.LOST_IMPORT: tape.lost_import,
        instrument.LOST_SHOW: tape.lost_show,
        instrument.LAMBDA: _named,
    }


def _named(name: str, function: Any) -> Any:
    """A lambda with its name as an attribute: `__name__` itself becomes the name of a column in `DataFrame.agg`."""
    setattr(function, instrument.NAME, name)
    return function


def _next(tape: Tape, statement: int) -> None:
    left_values.note(tape)
    tape.begin(statement)


def _note_end(tape: Tape, result: Any) -> None:
    if result.error_in_exec is not None:
        tape.failed.add(tape.statement)
    left_values.note(tape)
