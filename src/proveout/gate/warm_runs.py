"""Runs of the gate by samples of the held-out rows, each forked from a process that has everything imported and open.

Input: the folder of a candidate, and on stdin one `ForkedRun` a line, as JSON. Output: on stdout one line when it is
ready, then the exit status of each run, negative for a signal. What a run changes in memory it changes for itself, and
its session fixtures, with the rows in them, are its own: a round is as it would be in a process of its own, without
the imports. Started by `proveout mutate --aa`, on Linux. The numeric libraries have one thread there, since a fork has
no other; Arrow, which has more, starts them again by itself. NumPy's random state, which would be the same in every
run, is drawn anew.
"""

import importlib
import os
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from proveout.code_files import INSTALLED
from proveout.evaluation.context import EvaluationContext
from proveout.gate.session import OPENED
from proveout.gate_settings import of_the_file
from proveout.records.json_form import from_json
from proveout.settings import load
from proveout.training.gate_run import ForkedRun

READY = "ready"
BROKE = 70  # the exit status of a run that pytest itself could not bring to an end
# Already imported, so pytest cannot rewrite their assertions, and warns of each. They assert nothing about a model.
IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")


class _Opened:
    """A plugin that hands a run what was opened before it."""

    def __init__(self, context: EvaluationContext) -> None:
        self._context = context

    def pytest_configure(self, config: pytest.Config) -> None:
        """Before anybody asks for it."""
        config.stash[OPENED] = self._context


def main(folder: str) -> None:
    """Open the candidate, then run what is ordered until stdin ends."""
    # What a library prints while it is imported is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    context = EvaluationContext(of_the_file(load()), Path(folder))
    context.open_all()
    print(READY, file=answers, flush=True)
    for line in sys.stdin:
        order = from_json(ForkedRun, line.encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the threads of Arrow, which wait for work
            child = os.fork()
        if child == 0:
            _run(order, context)
        _, status = os.waitpid(child, 0)
        _import_what_is_there(Path(order.modules))
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _run(order: ForkedRun, context: EvaluationContext) -> NoReturn:
    import numpy as np

    code: int = BROKE
    try:
        nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(order.output, os.O_WRONLY | os.O_CREAT)
        for new, old in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(new, old)
        os.environ.clear()
        os.environ.update(order.environment)
        np.random.seed()
        code = int(pytest.main([*order.arguments, *IMPORTED], plugins=[_Opened(context)]))
        Path(order.modules).write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _import_what_is_there(file: Path) -> None:
    """Import what a run had imported, if it is installed: the next ones need not. The project's own modules are read by
    each run, for they may hold rows."""
    if not file.is_file():
        return
    for name in file.read_text(encoding="utf-8").split():
        if name not in sys.modules and _is_installed(name):
            with suppress(Exception):  # the run that needs it will say so
                importlib.import_module(name)


def _is_installed(name: str) -> bool:
    from importlib.util import find_spec

    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:
        return True
    with suppress(ImportError, ValueError):
        spec = find_spec(top)
        return spec is not None and bool(INSTALLED & {*Path(spec.origin or "").parts})
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
