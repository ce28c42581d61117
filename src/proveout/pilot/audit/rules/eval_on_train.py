"""PA503 eval-on-train."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Flow, Measured, is_model
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Measurements of a model on the rows it was fitted on, where no other rows ever measure it."""
    flow = analysis.flow
    held_out = {one.model for one in flow.measured if one.folds or one.on.part == "test"}
    anywhere = any(one.folds or one.on.part == "test" for one in flow.measured)
    predicted = {
        (applied.receiver, applied.at.cell): applied.on_text
        for applied in flow.applied
        if applied.method.startswith("predict")
    }
    for one in flow.measured:
        if one.folds or (one.model and one.model in held_out) or (anywhere and not one.model):
            continue
        if _on_training_rows(one, _trained_on(one, flow), predicted):
            yield Hit(
                cell=one.at.cell,
                line=one.at.line,
                evidence=f"{one.name} measures {one.model or 'the model'} on the rows it was fitted on",
            )


def _trained_on(one: Measured, flow: Flow) -> set[str]:
    """What the measured model was fitted on, as the code writes it."""
    places = one.fits | flow.fitted.get(one.model, frozenset())
    return {flow.fits[place].on_text for place in places if is_model(flow.fits[place].estimator)} - {""}


def _on_training_rows(one: Measured, texts: set[str], predicted: dict[tuple[str, int], str]) -> bool:
    if not texts:
        return False
    if one.on.part == "train":
        return True
    if one.name in ("score", "evaluate") and one.at.node.args:
        return ast.unparse(one.at.node.args[0]) in texts
    return any(text in texts for (model, _), text in predicted.items() if model == one.model)


RULE = Rule(
    code="PA503",
    kind="eval-on-train",
    severity="high",
    title="Measured on its own training rows",
    why="The number says how well the model remembers, not how well it answers; production will be worse.",
    fix="Hold rows out before fitting, and measure on them.",
    adopt="asks",
    adopt_note="Holds rows out and measures anew; says how far the pilot's number is from it.",
    find=find,
    positive=(
        Example(cells=("m = LinearRegression()\nm.fit(X, y)\nprint(m.score(X, y))",), found=((0, 3),)),
        Example(cells=("fitted = SVC().fit(X, y)\nfitted.score(X, y)",), found=((0, 2),)),
        Example(cells=("m = SVC()\nm.fit(X, y)\np = m.predict(X)\nprint(accuracy_score(y, p))",), found=((0, 4),)),
    ),
    negative=(
        Example(cells=("m = SVC()\nm.fit(X_train, y_train)\nm.score(X_train, y_train)\nm.score(X_test, y_test)",)),
        Example(cells=("m = SVC()\ncross_val_score(m, X, y)\nm.fit(X, y)\nm.score(X, y)",)),
    ),
)
