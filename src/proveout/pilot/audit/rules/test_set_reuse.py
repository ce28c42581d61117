"""PA504 test-set-reuse."""

from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import FOLDS, Fit, Measured
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """The second cell that measures on the same held-out rows, where several models or settings are compared."""
    models = list(analysis.flow.models())
    measured = [
        one
        for one in analysis.flow.measured
        if not one.folds and one.on.part == "test" and one.on.split != FOLDS and not one.at.function
    ]
    if len(models) + sum(fit.at.in_loop for fit in models) < 2 or not measured or _has_third_set(measured):
        return
    # Models of two targets are not compared with each other.
    for truth in dict.fromkeys(one.truth for one in measured):
        if (found := _compared([one for one in measured if one.truth == truth], models)) is not None:
            yield found
            return


def _compared(measured: list[Measured], models: list[Fit]) -> Hit | None:
    """Where several models or settings are measured on the same rows."""
    cells = sorted({one.at.cell for one in measured})
    # A setting is known by its last fit before it is measured: one that is measured twice is one.
    compared = {max(one.fits) if one.fits else one.model for one in measured if one.fits or one.model}
    in_loop = [one for one in measured if one.at.in_loop]
    said = f"{len(compared)} models are compared on the same held-out rows"
    if len(cells) >= 2 and len(compared) >= 2:
        return Hit(cell=cells[1], line=1, evidence=said)
    if in_loop and any(fit.at.in_loop for fit in models):
        return Hit(cell=in_loop[0].at.cell, line=1, evidence="models in a loop are compared on the same held-out rows")
    return Hit(cell=cells[0], line=1, evidence=said) if len(compared) >= 2 else None


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
    adopt_note="Keeps the pilot's choice and says how many models it came from. The gate measures on other rows.",
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
        Example(
            cells=(
                "def rate(m, X_test, y_test):\n    print(f1_score(y_test, m.predict(X_test)))",
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\na = SVC()\nb = GaussianNB()",
                "a.fit(X_train, y_train)\nrate(a, X_test, y_test)",
                "b.fit(X_train, y_train)\nrate(b, X_test, y_test)",
            ),
            found=((3, 1),),
        ),
    ),
    negative=(
        # Fitted anew before it was ever measured, and measured twice.
        Example(
            cells=(
                "m = SVC()\nm.fit(X, y)",
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\nm = SVC().fit(X_train, y_train)\n"
                "m.score(X_test, y_test)",
                "r2 = m.score(X_test, y_test)",
            )
        ),
        Example(
            cells=(
                "for train, test in folds.split(X, y):\n    m = SVC()\n    m.fit(X[train], y[train])\n"
                "    print(f1_score(y[test], m.predict(X[test])))",
            )
        ),
        # Two targets are two questions.
        Example(
            cells=(
                "X_train, X_test, a_train, a_test, b_train, b_test = train_test_split(X, a, b)",
                "m = SVC()\nm.fit(X_train, a_train)\nm.score(X_test, a_test)",
                "n = SVR()\nn.fit(X_train, b_train)\nn.score(X_test, b_test)",
            )
        ),
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\na = SVC()\na.fit(X_train, y_train)",
                "a.score(X_test, y_test)",
                "f1_score(y_test, a.predict(X_test))",
            )
        ),
    ),
)
