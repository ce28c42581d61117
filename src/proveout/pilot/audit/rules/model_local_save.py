"""PA602 model-local-save."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Saved
from proveout.pilot.audit.literals import constants, text_of
from proveout.pilot.audit.rule import Example, Hit, Rule

_REGISTRIES = ("mlflow", "bentoml", "wandb")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that save a model or transformer under a literal name."""
    known = constants(analysis)
    for one in analysis.flow.saved:
        if one.name.startswith(_REGISTRIES) or one.name.endswith("dumps"):
            continue
        path = _path(one, analysis, known)
        if path is not None and (one.value.estimator or _is_about_models(one, path)):
            yield Hit(
                cell=one.at.cell, line=one.at.line, evidence=f"saved as {path[:60]!r}, without version, data or metrics"
            )
    for call in analysis.calls:
        if call.method in ("save_weights", "ModelCheckpoint", "save_model") and not call.name.startswith(_REGISTRIES):
            path = text_of(call.argument(0, "filepath"), known, analysis)
            if path is not None and not any(
                one.at.cell == call.cell and one.at.line == call.line for one in analysis.flow.saved
            ):
                yield Hit(
                    cell=call.cell, line=call.line, evidence=f"saved as {path[:60]!r}, without version, data or metrics"
                )


def _path(one: Saved, analysis: Analysis, known: object) -> str | None:
    names = known if isinstance(known, dict) else {}
    for node in (*one.at.node.args, *(keyword.value for keyword in one.at.node.keywords)):
        inner = node
        if (
            isinstance(inner, ast.Call)
            and analysis.name_of(inner.func) in ("open", "gzip.open", "io.open")
            and inner.args
        ):
            inner = inner.args[0]
        text = text_of(inner, names, analysis)
        if text is not None:
            return text
    # `with open("model.pkl", "wb") as f: pickle.dump(model, f)`: the name stands one line above.
    for call in analysis.calls:
        if (
            call.cell == one.at.cell
            and call.name == "open"
            and call.line <= one.at.line
            and call.line >= one.at.line - 2
        ):
            return text_of(call.argument(0), names, analysis)
    return None


def _is_about_models(one: Saved, path: str) -> bool:
    file = path.replace("\\", "/").rpartition("/")[2]
    words = f"{one.variable} {file}".lower()
    return any(
        word in words
        for word in (
            "model",
            "clf",
            "classifier",
            "regressor",
            "scaler",
            "encoder",
            "vectorizer",
            "pipeline",
            "forest",
            "estimator",
            "tokenizer",
            "transformer",
            "pipe",
            ".h5",
            ".keras",
        )
    )


RULE = Rule(
    code="PA602",
    kind="model-local-save",
    severity="medium",
    title="Model saved under a fixed local name",
    why="The next run overwrites it, and nothing says which data and code made it, or whether it was any good.",
    fix="Let the project pack it: a bundle is named by the digest of all it was made from.",
    adopt="does",
    adopt_note="Packs the model into a bundle; the notebook's own file is not used.",
    find=find,
    positive=(
        Example(cells=("import joblib\nm = SVC()\nm.fit(X, y)\njoblib.dump(m, 'model.joblib')",), found=((0, 4),)),
        Example(
            cells=("import pickle\nm = SVC()\nm.fit(X, y)\nwith open('m.pkl', 'wb') as f:\n    pickle.dump(m, f)",),
            found=((0, 5),),
        ),
    ),
    negative=(
        Example(cells=("import mlflow\nm = SVC()\nm.fit(X, y)\nmlflow.sklearn.log_model(m, 'model')",)),
        Example(cells=("import pickle\npickle.dump(rows, open('models/rows.pkl', 'wb'))",)),
    ),
)
