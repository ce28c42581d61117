"""PA603 transformer-not-saved."""

from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Fit
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Fits of transformers whose output the last model was fitted on, and that are not saved with it."""
    flow = analysis.flow
    models = list(flow.models())
    if not models:
        return
    needed = frozenset[int]().union(*(fit.on.fits for fit in models[-3:]))
    saved = {name for one in flow.saved for name in (one.variable, *one.value.holds, *one.value.parts_of)}
    seen: set[str] = set()
    for place, fit in enumerate(flow.fits):
        if place not in needed or not _is_transformer(fit) or (fit.receiver and fit.receiver in saved):
            continue
        if fit.receiver in seen and fit.receiver and fit.on.part == "test":
            continue
        seen.add(fit.receiver)
        name = fit.estimator.estimator.rpartition(".")[2] or fit.method
        yield Hit(
            cell=fit.at.cell,
            line=fit.at.statement.lineno,
            evidence=f"{fit.receiver or name} ({name}) made the model's inputs, and is not saved",
        )


def _is_transformer(fit: Fit) -> bool:
    """A transformer, or something unknown that transforms what it was fitted on."""
    role = estimators.role(fit.estimator.estimator)
    return role == "transformer" or (role is None and fit.method == "fit_transform" and fit.on.part != "test")


RULE = Rule(
    code="PA603",
    kind="transformer-not-saved",
    severity="medium",
    title="Transformer is not kept with the model",
    why="Whoever serves the model cannot make its inputs: the means and vocabularies ended with the kernel.",
    fix="Put the transformer and the model into one Pipeline, and save that.",
    adopt="does",
    adopt_note="Keeps what was learned as the state of the features.",
    find=find,
    positive=(
        Example(
            cells=("s = StandardScaler()\nXs = s.fit_transform(X_train)\nm = SVC()\nm.fit(Xs, y)",), found=((0, 2),)
        ),
    ),
    negative=(
        Example(cells=("p = make_pipeline(StandardScaler(), SVC())\np.fit(X, y)",)),
        Example(
            cells=(
                "s = StandardScaler()\nXs = s.fit_transform(X)\nm = SVC()\nm.fit(Xs, y)\n"
                "joblib.dump(m, 'm')\njoblib.dump(s, 's')",
            )
        ),
        Example(
            cells=(
                "kept = {}\nfor c in columns:\n    e = OrdinalEncoder()\n    df[c] = e.fit_transform(df[[c]])\n"
                "    kept[c] = e\nm.fit(df, y)\njoblib.dump(kept, 'e')",
            )
        ),
    ),
)
