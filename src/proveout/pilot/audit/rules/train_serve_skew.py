"""PA502 train-serve-skew."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import hinted
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells in which held-out or serving rows are transformed by what they say themselves, or not as training rows were."""
    places: dict[int, str] = {}
    flow = analysis.flow
    for fit in flow.fits:
        role = estimators.role(fit.estimator.estimator)
        if fit.on.part == "test" and (role == "transformer" or (role is None and fit.method == "fit_transform")):
            places.setdefault(
                fit.at.cell, f"{fit.method}({fit.on_text[:40]}) learns from the rows that it should only transform"
            )
    for call in analysis.calls:
        if call.method in ("get_dummies", "factorize") and call.node.args and _part(call.node.args[0]) == "test":
            places.setdefault(
                call.cell, f"{call.method} makes other columns of the held-out rows than of the training rows"
            )
        elif (
            call.method == "fillna"
            and isinstance(call.node.func, ast.Attribute)
            and _part(call.node.func.value) == "test"
        ):
            if any(
                _statistic_of_test(one) for one in (*call.node.args, *(keyword.value for keyword in call.node.keywords))
            ):
                places.setdefault(call.cell, "holes of the held-out rows are filled by their own statistic")
    yield from _unscaled(analysis, places)
    for index, evidence in sorted(places.items()):
        cell = analysis.cell(index)
        lines = cell.code.lines if cell else ()
        line = next((n for n, text in enumerate(lines, 1) if text.strip() and not text.lstrip().startswith("#")), 1)
        yield Hit(cell=index, line=line, evidence=evidence)


def _unscaled(analysis: Analysis, places: dict[int, str]) -> Iterator[Hit]:
    """Predictions for rows that did not pass the transformer whose output the model was fitted on."""
    flow = analysis.flow
    fitted_with = {
        fit.receiver: {_transformer(analysis, place) for place in fit.on.fits} - {""}
        for fit in flow.models()
        if fit.receiver
    }
    for applied in flow.applied:
        needs = fitted_with.get(applied.receiver)
        if applied.method == "transform" or not needs or applied.on.fits:
            continue
        literal = applied.at.node.args and isinstance(applied.at.node.args[0], ast.List | ast.Call)
        if applied.on.part == "test" or literal:
            places.setdefault(
                applied.at.cell,
                f"{applied.receiver}.{applied.method} gets rows that {', '.join(sorted(needs))} did not transform",
            )
    yield from ()


def _transformer(analysis: Analysis, place: int) -> str:
    if place >= len(analysis.flow.fits):
        return ""
    fit = analysis.flow.fits[place]
    name = fit.estimator.estimator
    return (
        name.rpartition(".")[2] if estimators.role(name) == "transformer" and not name.endswith("LabelEncoder") else ""
    )


def _part(node: ast.expr) -> str:
    return next((found for one in ast.walk(node) if isinstance(one, ast.Name) and (found := hinted(one.id))), "")


def _statistic_of_test(node: ast.expr) -> bool:
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in ("mean", "median", "mode")
        and _part(one.func) == "test"
        for one in ast.walk(node)
    )


RULE = Rule(
    code="PA502",
    kind="train-serve-skew",
    severity="high",
    title="Served rows are transformed in another way than training rows",
    why="The same row gets other inputs when it is served, so the model answers another question than it was asked.",
    fix="Fit on the training rows, and transform every other row with what was fitted; a Pipeline does so by itself.",
    adopt="does",
    adopt_note="Freezes what was learned from the training rows and uses it for each row.",
    find=find,
    positive=(
        Example(
            cells=("s = StandardScaler()\nX_train = s.fit_transform(X_train)", "X_test = s.fit_transform(X_test)"),
            found=((1, 1),),
        ),
        Example(cells=("train = pd.get_dummies(train)\ntest = pd.get_dummies(test)",), found=((0, 1),)),
        Example(
            cells=(
                "sc = StandardScaler()\nXs = sc.fit_transform(X_train)\nm = SVC()\nm.fit(Xs, y_train)",
                "m.predict(X_test)",
            ),
            found=((1, 1),),
        ),
    ),
    negative=(
        Example(
            cells=(
                "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)\nm = SVC()\nm.fit(X_train, y)\nm.predict(X_test)",
            )
        ),
    ),
)
