"""PA601 model-not-saved."""

import re
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Saved, is_model
from proveout.pilot.audit.rule import NOTEBOOK, Example, Hit, Rule

_SAVES = {
    "save_model",
    "save_weights",
    "save_pretrained",
    "log_model",
    "register_model",
    "ModelCheckpoint",
    "store_model",
    "export_saved_model",
    "deploy",
    "upload_model",
    "save_checkpoint",
    "write_to_fs",
    "autolog",
}
_OF_MODEL = re.compile(
    r"model|clf|classifier|regressor|net|pipe|forest|estimator|best|svc|svm|knn|xgb|lgb", re.IGNORECASE
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """A notebook that fits a model and writes none."""
    flow = analysis.flow
    fits = len(list(flow.models())) or sum(call.method == "backward" for call in analysis.calls)
    if fits and not any(_is_model(one) for one in flow.saved) and not any(c.method in _SAVES for c in analysis.calls):
        yield Hit(cell=NOTEBOOK, line=1, evidence=f"{fits} fits of models, and none is saved or registered")


def _is_model(saved: Saved) -> bool:
    """Whether a model is written out, or something that may be one by its name."""
    value = saved.value
    inside = any(estimators.role(name) in ("model", "network", "search") for name in value.parts_of)
    by_name = not value.estimator and (_OF_MODEL.search(saved.variable) or not saved.variable)
    return is_model(value) or inside or bool(by_name)


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
    positive=(
        Example(cells=("m = SVC()\nm.fit(X, y)",), found=((NOTEBOOK, 1),)),
        # Only the rows are written out.
        Example(
            cells=("import pickle\nm = SVC()\nm.fit(X, y)\npickle.dump(X, open('X.pkl', 'wb'))",),
            found=((NOTEBOOK, 1),),
        ),
        Example(cells=("import xgboost as xgb\nb = xgb.train(p, d)",), found=((NOTEBOOK, 1),)),
        Example(cells=("loss = f(net(x), y)\nloss.backward()",), found=((NOTEBOOK, 1),)),
        Example(
            cells=("def build():\n    m = Sequential()\n    return m", "m = build()\nm.fit(X, y)"),
            found=((NOTEBOOK, 1),),
        ),
    ),
    negative=(
        Example(cells=("m = SVC()\nm.fit(X, y)\nimport joblib\njoblib.dump(m, 'm.joblib')",)),
        Example(cells=("x = 1",)),
        Example(cells=("import torch\nloss.backward()\ntorch.save(net.state_dict(), 'net.pt')",)),
        Example(cells=("m = SVC()\nm.fit(X, y)\nimport pickle\npickle.dump({'svc': m}, file)",)),
    ),
)
