"""PA505 metric-not-captured."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.data_flow import Measured
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells that compute a metric and only print or show it."""
    logged = any(
        call.name.startswith(("mlflow.log", "wandb.log", "neptune", "comet_ml", "json.dump", "pickle.dump"))
        and "metric" in call.name
        for call in analysis.calls
    )
    cells: dict[int, list[Measured]] = {}
    for one in analysis.flow.measured:
        if not one.at.function:
            cells.setdefault(one.at.cell, []).append(one)
    for index, measured in sorted(cells.items()):
        cell = analysis.cell(index)
        if cell is None or logged or not all(_is_only_shown(one, cell, analysis) for one in measured):
            continue
        line = next(
            (n for n, text in enumerate(cell.code.lines, 1) if text.strip() and not text.lstrip().startswith("#")), 1
        )
        names = ", ".join(dict.fromkeys(one.name for one in measured))
        yield Hit(cell=index, line=line, evidence=f"{names}: printed or shown, and kept nowhere")


def _is_only_shown(one: Measured, cell: CodeCell, analysis: Analysis) -> bool:
    """Whether nothing but a display reads the number: it is not collected, logged, or read by a later cell."""
    statement = one.at.statement
    if isinstance(statement, ast.Expr):
        call = statement.value
        collects = (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in ("append", "update", "log_metric", "add")
        )
        return not collects
    if isinstance(statement, ast.Assign):
        if any(isinstance(target, ast.Subscript) for target in statement.targets):
            return False
        names = {name.id for target in statement.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        return not _kept(names, analysis)
    return False


def _kept(names: set[str], analysis: Analysis) -> bool:
    """Whether a later statement puts one of the names into something that stays."""
    for _, statement in analysis.statements():
        for node in ast.walk(statement) if isinstance(statement, ast.Expr | ast.Assign) else ():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("append", "log_metric", "update", "to_csv", "dump")
            ):
                if names & {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}:
                    return True
            if isinstance(node, ast.Dict | ast.List) and isinstance(statement, ast.Assign):
                if names & {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}:
                    return True
    return False


RULE = Rule(
    code="PA505",
    kind="metric-not-captured",
    severity="info",
    title="Metric is only printed",
    why="The number stands in an output that the next run overwrites: nobody can compare two models later.",
    fix="Record it with the run.",
    adopt="does",
    adopt_note="The gate measures it and the ledger keeps it.",
    find=find,
    positive=(
        Example(
            cells=("m = SVC()\nm.fit(X_train, y_train)", "print(accuracy_score(y_test, m.predict(X_test)))"),
            found=((1, 1),),
        ),
    ),
    negative=(
        Example(cells=("scores = {}\nscores['svc'] = accuracy_score(y_test, p)",)),
        Example(cells=("r = []\nr.append(f1_score(y, p))",)),
    ),
)
