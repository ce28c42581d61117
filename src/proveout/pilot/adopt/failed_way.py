"""Which of the cells that raised kept a notebook from its model: drawings that failed on the way there did not.

Input: an `Analysis`, and the cells that raised. Output: those of them that a fit or a question to a model needs, which
raised too; first those that did not only lose an import or a name of another cell.
"""

import ast
from collections.abc import Sequence

from proveout.pilot.adopt.pilot_run import REST_RAN, RaisedCell
from proveout.pilot.audit.analysis import Analysis
from proveout.recovery import program_slice

_ASKS = frozenset({"fit", "fit_predict", "predict", "predict_proba", "decision_function", "score", "train"})


def asks_a_model(analysis: Analysis) -> bool:
    """Whether a cell fits a model or asks it, in its own words."""
    return any(call.method in _ASKS - {"train"} for call in analysis.calls)


def cells_that_failed(analysis: Analysis, raised: Sequence[RaisedCell]) -> tuple[RaisedCell, ...]:
    """The cells that raised on the way to the first fit or question that did. All of them where no way is seen."""
    statements = [(cell.index, ast.unparse(node)) for cell, node in analysis.statements()]
    places = {one.index for one in raised}
    own = {name for name, node in analysis.defined.items() if _asks(node, frozenset())}
    for target, (cell, source) in enumerate(statements):
        if cell in places and any(_asks(node, own) for node in _run_at_once(source)):
            way = program_slice.backward([text for _, text in statements], target)
            needed = {statements[place][0] for place in way}
            return tuple(sorted((one for one in raised if one.index in needed), key=_follows_from_another))
    return tuple(raised)


def _follows_from_another(one: RaisedCell) -> int:
    """How likely another cell's error is why: a name is missing where its cell raised, a lost import may be unused."""
    return 2 if one.problem.startswith("NameError") else int(one.problem.endswith(REST_RAN))


def _run_at_once(source: str) -> list[ast.stmt]:
    """The statement, if it is no definition: what is in one runs when it is called."""
    return [one for one in ast.parse(source).body if not isinstance(one, ast.FunctionDef | ast.ClassDef)]


def _asks(node: ast.AST, own: frozenset[str] | set[str]) -> bool:
    called = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
    return any(
        (isinstance(one, ast.Attribute) and one.attr in _ASKS) or (isinstance(one, ast.Name) and one.id in own)
        for one in called
    )
