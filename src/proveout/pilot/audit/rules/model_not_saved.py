"""PA601 model-not-saved."""

from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import is_model
from proveout.pilot.audit.rule import NOTEBOOK, Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """A notebook that fits a model and writes none."""
    models = list(analysis.flow.models())
    if not models:
        return
    saved = any(is_model(one.value) or not one.value.estimator for one in analysis.flow.saved) or any(
        call.method
        in (
            "save_model",
            "save_weights",
            "log_model",
            "register_model",
            "ModelCheckpoint",
            "dump",
            "store_model",
            "export_saved_model",
            "deploy",
        )
        for call in analysis.calls
    )
    if not saved:
        yield Hit(cell=NOTEBOOK, line=1, evidence=f"{len(models)} fits of models, and none is saved or registered")


RULE = Rule(
    code="PA601",
    kind="model-not-saved",
    severity="medium",
    title="Model is not saved",
    why="It ends with the kernel: what was measured cannot be served.",
    fix="Save it with its data, environment and metrics; proveout packs it into a bundle.",
    adopt="does",
    adopt_note="Takes the model out of the run and packs it.",
    find=find,
    positive=(Example(cells=("m = SVC()\nm.fit(X, y)",), found=((NOTEBOOK, 1),)),),
    negative=(
        Example(cells=("m = SVC()\nm.fit(X, y)\nimport joblib\njoblib.dump(m, 'm.joblib')",)),
        Example(cells=("x = 1",)),
    ),
)
