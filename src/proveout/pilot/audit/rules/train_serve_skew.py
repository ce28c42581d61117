"""PA502 train-serve-skew."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Place, hinted
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import walk


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells in which held-out or serving rows are changed by what they say themselves, or not as training rows were."""
    places: dict[int, str] = {}
    for place, evidence in (
        *_fitted_again(analysis),
        *_own_columns(analysis),
        *_own_statistics(analysis),
        *_unscaled(analysis),
    ):
        places.setdefault(place, evidence)
    for index, evidence in sorted(places.items()):
        cell = analysis.cell(index)
        lines = cell.code.lines if cell else ()
        line = next((n for n, text in enumerate(lines, 1) if text.strip() and not text.lstrip().startswith("#")), 1)
        yield Hit(cell=index, line=line, evidence=evidence)


def _fitted_again(analysis: Analysis) -> Iterator[tuple[int, str]]:
    """Transformers that are fitted on the rows that they should only transform."""
    for fit in analysis.flow.fits:
        role = estimators.role(fit.estimator.estimator)
        if fit.on.part == "test" and (role == "transformer" or (role is None and fit.method == "fit_transform")):
            yield fit.at.cell, f"{fit.method}({fit.on_text[:40]}) learns from the rows that it should only transform"


def _own_columns(analysis: Analysis) -> Iterator[tuple[int, str]]:
    """Dummy columns made of the held-out rows alone, or of the one row that is asked about."""
    predicts = {(call.cell, call.function) for call in analysis.calls if call.method.startswith("predict")}
    encoded = [call for call in analysis.calls if call.method in ("get_dummies", "factorize")]
    for call in encoded:
        apart = call.node.args and _part(call.node.args[0]) == "test"
        asked = len(encoded) > 1 and call is not encoded[0] and (call.cell, call.function) in predicts
        if apart or (asked and call.function):
            yield call.cell, f"{call.method} makes other columns of these rows than of the training rows"


def _own_statistics(analysis: Analysis) -> Iterator[tuple[int, str]]:
    """Statistics of held-out rows that go into them."""
    flow = analysis.flow
    values = [*flow.variables.values(), *(one.on for one in flow.applied), *(one.on for one in flow.fits)]
    used = frozenset[int]().union(*(value.learned for value in values))
    for place, statistic in enumerate(flow.statistics):
        if statistic.on.part == "test" and place in used:
            yield statistic.at.cell, "holes of the held-out rows are filled by their own statistic"
    for call in analysis.calls:
        of_test = isinstance(call.node.func, ast.Attribute) and _part(call.node.func.value) == "test"
        given = (*call.node.args, *(keyword.value for keyword in call.node.keywords))
        if call.method == "fillna" and of_test and any(_statistic_of_test(one) for one in given):
            yield call.cell, "holes of the held-out rows are filled by their own statistic"


def _unscaled(analysis: Analysis) -> Iterator[tuple[int, str]]:
    """Predictions for rows that did not pass the transformer whose output the model was fitted on."""
    flow = analysis.flow
    models = [fit for fit in flow.models() if fit.receiver]
    for applied in flow.applied:
        before = [fit for fit in models if fit.receiver == applied.receiver and _is_before(fit.at, applied.at)]
        needs = {_transformer(analysis, place) for place in before[-1].on.fits} - {""} if before else set()
        if applied.method == "transform" or not needs or applied.on.fits:
            continue
        literal = applied.at.node.args and isinstance(applied.at.node.args[0], ast.List | ast.Call)
        if applied.on.part == "test" or literal:
            yield (
                applied.at.cell,
                f"{applied.receiver}.{applied.method} gets rows that {', '.join(sorted(needs))} did not transform",
            )


def _is_before(one: Place, other: Place) -> bool:
    return (one.cell, one.line) <= (other.cell, other.line)


def _transformer(analysis: Analysis, place: int) -> str:
    if place >= len(analysis.flow.fits):
        return ""
    fit = analysis.flow.fits[place]
    name = fit.estimator.estimator
    return (
        name.rpartition(".")[2] if estimators.role(name) == "transformer" and not name.endswith("LabelEncoder") else ""
    )


def _part(node: ast.expr) -> str:
    return next((found for one in walk(node) if isinstance(one, ast.Name) and (found := hinted(one.id))), "")


def _statistic_of_test(node: ast.expr) -> bool:
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in ("mean", "median", "mode")
        and _part(one.func) == "test"
        for one in walk(node)
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
        Example(
            cells=(
                "train = pd.read_csv('train.csv')\nother = pd.read_csv('test.csv')",
                "other['a'] = other['a'].fillna(other['a'].mean())",
            ),
            found=((1, 1),),
        ),
        Example(cells=("for d in [train, test]:\n    d['a'] = d['a'].fillna(d['a'].median())",), found=((0, 1),)),
        Example(
            cells=("X = pd.get_dummies(df)\nm.fit(X, y)", "def ask(row):\n    return m.predict(pd.get_dummies(row))"),
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
                "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)\n"
                "m = SVC()\nm.fit(X_train, y)\nm.predict(X_test)",
            )
        ),
        Example(
            cells=(
                "m = SVC()\nm.fit(X, y)\nm.predict([[1, 2]])",
                "s = StandardScaler()\nX2 = s.fit_transform(X)\nm.fit(X2, y)",
            )
        ),
        Example(cells=("print(X_test.mean())\nX_test = X_test.fillna(X_train.mean())",)),
    ),
)
