"""A notebook that runs in this process, recorded as `adopt` records it in a kernel."""

import ast
import contextlib
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from proveout.recovery import kernel_hook
from proveout.recovery.handed_rows import HoldBack
from proveout.recovery.held_out import HeldOut, held_out
from proveout.recovery.tape import Tape
from proveout.recovery.verification import Recovery, verify


class Shell:
    """As much of IPython's shell as the hook asks for."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {"__name__": "__main__"}
        self.ast_transformers: list[Any] = []
        self._after: list[Any] = []
        self.transform_cell = TransformerManager().transform_cell  # magics into calls
        self.events = SimpleNamespace(register=lambda name, function: self._after.append(function))

    def run(self, cell: str) -> BaseException | None:
        """Run a cell. Returns what it raised: the next cell runs all the same."""
        tree, error = ast.parse(self.transform_cell(cell)), None
        for transformer in self.ast_transformers:
            tree = transformer.visit(tree)
        try:
            exec(compile(tree, "<cell>", "exec"), self.user_ns)
        except Exception as raised:
            error = raised
        for function in self._after:
            function(SimpleNamespace(error_in_exec=error))
        return error


@contextlib.contextmanager
def recorded(cells: Sequence[str], *, hold_back: HoldBack | None = None) -> Iterator[Tape]:
    """The tape of a notebook with these cells. Cells that raise are noted on it."""
    shell = Shell()
    tape = kernel_hook.install(shell, hold_back=hold_back)
    try:
        for tape.cell, cell in enumerate(cells):
            shell.run(cell)
        tape.answering = None
        yield tape
    finally:
        kernel_hook.remove(tape)


def last_model(tape: Tape) -> tuple[HeldOut, Recovery]:
    """The last model that answered held-out rows, and what was recovered of it."""
    found = held_out(tape)
    assert found, "no prediction on held-out rows was seen"
    return found[-1], verify(tape, found[-1])
