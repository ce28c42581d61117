"""PA504 test-set-reuse."""

from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Measured
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """The second cell that measures on the same held-out rows, where several models or settings are compared."""
    flow = analysis.flow
    models = [fit for fit in flow.models()]
    configurations = {(fit.receiver, fit.estimator.estimator, fit.at.cell) for fit in models}
    for fit in models:
        configurations |= {(fit.receiver, name, fit.at.cell) for name in fit.estimator.parts_of if fit.at.in_loop}
    measured = [one for one in flow.measured if not one.folds and one.on.part == "test"]
    if len(configurations) < 2 or not measured:
        return
    if _has_third_set(measured):
        return
    cells = sorted({one.at.cell for one in measured})
    compared = {one.model for one in measured if one.model}
    in_loop = [one for one in measured if one.at.in_loop]
    if len(cells) >= 2 and (len(compared) >= 2 or len({fit.at.cell for fit in models}) >= 2):
        yield Hit(
            cell=cells[1], line=1, evidence=f"{max(len(compared), 2)} models are compared on the same held-out rows"
        )
    elif in_loop and any(fit.at.in_loop for fit in models):
        yield Hit(cell=in_loop[0].at.cell, line=1, evidence="models in a loop are compared on the same held-out rows")
    elif len(compared) >= 2:
        yield Hit(cell=cells[0], line=1, evidence=f"{len(compared)} models are compared on the same held-out rows")


def _has_third_set(measured: list[Measured]) -> bool:
    """Whether validation and test rows are two sets."""
    names = {one.on.held.lower() for one in measured}
    return any("val" in name or "dev" in name for name in names) and any("test" in name for name in names)


RULE = Rule(
    code="PA504",
    kind="test-set-reuse",
    severity="medium",
    title="Held-out rows choose the model",
    why="The best of several on the same rows is partly the luckiest, so its number is too good.",
    fix="Choose by cross-validation on the training rows, and ask the held-out rows once.",
    adopt="asks",
    adopt_note="Keeps the pilot's choice, says how many models it came from, and measures the gate on other rows where there are some.",
    find=find,
    positive=(
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)",
                "a = SVC()\na.fit(X_train, y_train)\naccuracy_score(y_test, a.predict(X_test))",
                "b = LogisticRegression()\nb.fit(X_train, y_train)\naccuracy_score(y_test, b.predict(X_test))",
            ),
            found=((2, 1),),
        ),
    ),
    negative=(
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\na = SVC()\na.fit(X_train, y_train)",
                "a.score(X_test, y_test)",
                "f1_score(y_test, a.predict(X_test))",
            )
        ),
    ),
)
