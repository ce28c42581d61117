"""PA505 metric-not-captured."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import walk

_COLLECTS = {"append", "update", "log_metric", "log_metrics", "add", "log", "extend", "add_row"}
_KEEPS = _COLLECTS | {"to_csv", "dump", "write", "insert", "loc"}


@dataclass(frozen=True)
class _Metric:
    """A metric that a cell computes, itself or by a function of the notebook."""

    cell: int
    name: str
    statement: ast.stmt


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells that compute a metric and only print or show it."""
    logged = any(
        call.name.startswith(("mlflow.log", "wandb.log", "neptune", "comet_ml", "json.dump", "pickle.dump"))
        and ("metric" in call.name or "wandb" in call.name)
        for call in analysis.calls
    )
    cells: dict[int, list[_Metric]] = {}
    for metric in _metrics(analysis):
        cells.setdefault(metric.cell, []).append(metric)
    for index, metrics in sorted(cells.items()):
        if logged or not all(_is_only_shown(metric, analysis) for metric in metrics):
            continue
        names = ", ".join(dict.fromkeys(metric.name for metric in metrics))
        yield Hit(
            cell=index, line=_first_line(analysis, index), evidence=f"{names}: printed or shown, and kept nowhere"
        )


def _metrics(analysis: Analysis) -> Iterator[_Metric]:
    """What cells measure, and what functions measure that they call."""
    within: dict[str, str] = {}
    for one in analysis.flow.measured:
        if one.name == "cross_val_predict" or one.by_function:
            continue  # answers, which something else measures; calls, which are looked at below
        if one.at.function:
            within.setdefault(one.at.function, one.name)
        else:
            yield _Metric(one.at.cell, one.name, one.at.statement)
    for call in analysis.calls:
        if call.name in within and not call.function and isinstance(call.statement, ast.Expr):
            yield _Metric(call.cell, f"{within[call.name]} in {call.name}", call.statement)


def _first_line(analysis: Analysis, index: int) -> int:
    cell = analysis.cell(index)
    lines = cell.code.lines if cell else ()
    return next((n for n, text in enumerate(lines, 1) if text.strip() and not text.lstrip().startswith("#")), 1)


def _is_only_shown(metric: _Metric, analysis: Analysis) -> bool:
    """Whether nothing but a display reads the number: it is not collected, logged, or read by a later cell."""
    statement = metric.statement
    if isinstance(statement, ast.Expr):
        call = statement.value
        return not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _COLLECTS)
    if isinstance(statement, ast.Assign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if any(isinstance(target, ast.Subscript) for target in targets):
            return False
        names = {name.id for target in targets for name in walk(target) if isinstance(name, ast.Name)}
        return not _is_kept(names, metric.cell, analysis)
    return isinstance(statement, ast.If | ast.For)


def _is_kept(names: set[str], index: int, analysis: Analysis) -> bool:
    """Whether a statement puts one of the names into something that stays."""
    for cell, statement in analysis.statements():
        if not isinstance(statement, ast.Expr | ast.Assign):
            continue
        for node in walk(statement):
            collected = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPS
            table = isinstance(node, ast.Dict | ast.List) and isinstance(statement, ast.Assign)
            if not (collected or table):
                continue
            # A table that its own cell shows, and nobody reads later, is a display too.
            stays = not table or cell.index != index or _is_read_later(statement, index, analysis)
            if stays and names & {one.id for one in walk(node) if isinstance(one, ast.Name)}:
                return True
    return False


def _is_read_later(statement: ast.stmt, index: int, analysis: Analysis) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    names = {one.id for target in targets for one in walk(target) if isinstance(one, ast.Name)}
    if any(not isinstance(target, ast.Name) for target in targets):
        return True
    return any(use.name in names for cell in analysis.cells if cell.index != index for use in cell.uses)


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
        Example(cells=("print(np.mean((y_test - y_pred) ** 2))",), found=((0, 1),)),
        Example(cells=("print((y_pred == y_test).mean())",), found=((0, 1),)),
        Example(
            cells=("for x, y in loader:\n    right += (pred == y).sum().item()\nprint(right / n)",), found=((0, 1),)
        ),
        Example(
            cells=("def report(m):\n    print(f1_score(y_test, m.predict(X_test)))", "report(model)"), found=((1, 1),)
        ),
        Example(
            cells=("a = f1_score(y, p)\ntable = pd.DataFrame({'f1': [a]})\ndisplay(table)",),
            found=((0, 1),),
        ),
        Example(
            cells=("e = MulticlassClassificationEvaluator()\nprint(e.evaluate(predictions))",),
            found=((0, 1),),
        ),
    ),
    negative=(
        Example(cells=("p = cross_val_predict(m, X, y)",)),
        Example(cells=("scores = {}\nscores['svc'] = accuracy_score(y_test, p)",)),
        Example(cells=("r = []\nr.append(f1_score(y, p))",)),
        Example(cells=("a = f1_score(y, p)\ntable = {'f1': a}", "table.to_csv('x.csv')")),
        Example(cells=("client.deployments.score(url, payload)\nplot_confusion_matrix(cm, names)\nx.mean()",)),
    ),
)
