"""PA504 test-set-reuse."""

from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Fit, Measured
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """The second cell that measures on the same held-out rows, where several models or settings are compared."""
    models = list(analysis.flow.models())
    measured = [
        one for one in analysis.flow.measured if not one.folds and one.on.part == "test" and not one.at.function
    ]
    if len(models) + sum(fit.at.in_loop for fit in models) < 2 or not measured or _has_third_set(measured):
        return
    # Models of two targets are not compared with each other.
    for truth in dict.fromkeys(one.truth for one in measured):
        same = [one for one in measured if one.truth == truth]
        if (found := _compared(same, models, alone=len({one.truth for one in measured if one.truth}) <= 1)) is not None:
            yield found
            return


def _compared(measured: list[Measured], models: list[Fit], *, alone: bool) -> Hit | None:
    """Where several models or settings are measured on the same rows. `alone`: the notebook has one target."""
    cells = sorted({one.at.cell for one in measured})
    compared = {one.model for one in measured if one.model}
    refitted = alone and len({fit.at.cell for fit in models}) >= 2
    in_loop = [one for one in measured if one.at.in_loop]
    if len(cells) >= 2 and (len(compared) >= 2 or refitted):
        return Hit(
            cell=cells[1], line=1, evidence=f"{max(len(compared), 2)} models are compared on the same held-out rows"
        )
    if in_loop and any(fit.at.in_loop for fit in models):
        return Hit(cell=in_loop[0].at.cell, line=1, evidence="models in a loop are compared on the same held-out rows")
    if len(compared) >= 2:
        return Hit(cell=cells[0], line=1, evidence=f"{len(compared)} models are compared on the same held-out rows")
    return None


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
