"""PA501 leakage."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Fit
from proveout.pilot.audit.rule import Example, Hit, Rule

_FILLS = {"fillna"}


def find(analysis: Analysis) -> Iterator[Hit]:
    """What was learned from rows that a split holds out later, and from rows of the test side."""
    flow = analysis.flow
    places: dict[tuple[int, int], str] = {}
    went_in = {place for split in flow.splits for value in split.given for place in value.fits}
    for place, fit in enumerate(flow.fits):
        role = estimators.role(fit.estimator.estimator)
        if fit.on.part == "test" and role in ("model", "search", "network"):
            places.setdefault(
                (fit.at.cell, fit.at.line), f"{_name(fit)} is fitted on held-out rows ({fit.on_text[:40]})"
            )
        elif fit.on.part == "test" and role == "resampler":
            places.setdefault((fit.at.cell, fit.at.line), f"{_name(fit)} draws new rows for the held-out side")
        elif place in went_in and fit.on.part not in ("train", "test") and _learns(fit):
            places.setdefault(
                (fit.at.cell, fit.at.line),
                f"{_name(fit)} learns from all rows ({fit.on_text[:40]}) before the split holds some out",
            )
    if flow.splits:
        last = max((split.at.cell, split.at.line) for split in flow.splits)
        for call in analysis.calls:
            if (
                call.method in _FILLS
                and (call.cell, call.line) < last
                and not call.function
                and _fills_by_statistic(call.node)
            ):
                places.setdefault(
                    (call.cell, call.line), "holes are filled by a statistic of all rows before the split"
                )
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _name(fit: Fit) -> str:
    return fit.estimator.estimator.rpartition(".")[2] or fit.receiver or fit.method


def _learns(fit: Fit) -> bool:
    role = estimators.role(fit.estimator.estimator)
    if role == "resampler":
        return True
    if role == "pipeline":
        return any(estimators.learns_from_rows(name) for name in fit.estimator.parts_of) or not fit.estimator.parts_of
    return role == "transformer" and estimators.learns_from_rows(fit.estimator.estimator)


def _fills_by_statistic(call: ast.Call) -> bool:
    given = [*call.args, *(one.value for one in call.keywords if one.arg == "value")]
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in ("mean", "median", "mode", "quantile", "nanmean", "nanmedian")
        for value in given
        for one in ast.walk(value)
    )


RULE = Rule(
    code="PA501",
    kind="leakage",
    severity="high",
    title="Held-out rows leak into training",
    why="The measured quality contains what the model could not know, so it is worse in production than the notebook says.",
    fix="Split first. Fit every transformer on the training rows, best inside a Pipeline with the model.",
    adopt="does",
    adopt_note="Keeps what the pilot learned and says that its metric stands on it; refuses where the target leaks.",
    find=find,
    positive=(
        Example(
            cells=(
                "from sklearn.preprocessing import StandardScaler\ns = StandardScaler()\nX = s.fit_transform(X)",
                "X_train, X_test, y_train, y_test = train_test_split(X, y)",
            ),
            found=((0, 3),),
        ),
        Example(cells=("df['a'] = df['a'].fillna(df['a'].mean())\ntr, te = train_test_split(df)",), found=((0, 1),)),
        Example(
            cells=(
                "m = LogisticRegression()\nX_train, X_test, y_train, y_test = train_test_split(X, y)\nm.fit(X_test, y_test)",
            ),
            found=((0, 3),),
        ),
        Example(
            cells=(
                "from imblearn.over_sampling import SMOTE\nX2, y2 = SMOTE().fit_resample(X, y)\na, b, c, d = train_test_split(X2, y2)",
            ),
            found=((0, 2),),
        ),
    ),
    negative=(
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\ns = StandardScaler()\nX_train = s.fit_transform(X_train)\n"
                "X_test = s.transform(X_test)\nm = SVC().fit(X_train, y_train)",
            )
        ),
        Example(
            cells=("y = LabelEncoder().fit_transform(df.y)\nX_train, X_test, y_train, y_test = train_test_split(X, y)",)
        ),
        Example(cells=("s = StandardScaler()\nX = s.fit_transform(X)\nm.fit(X, y)",)),
    ),
)
