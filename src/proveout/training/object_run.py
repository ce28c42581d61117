"""A model that exists already, as an object: packed as a candidate and judged, without a run of the notebook.

Input: the settings of a project, a fitted estimator, and what its notebook has measured. Output: the gate's verdict.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proveout.errors import UsageError
from proveout.model import model_io
from proveout.records.verdict import Verdict
from proveout.settings import Settings
from proveout.training import train_steps
from proveout.training.config import parse_config
from proveout.training.train_steps import Trained

RUN = "an object of a notebook"


def judge(settings: Settings, model: Any, metrics: Mapping[str, float]) -> Verdict:
    """Pack `model` with the project's features and the held-out rows of train.toml, and run the gate on it.

    Args:
        model: a fitted estimator that takes the model's columns.
        metrics: as the notebook has measured them on the held-out rows.
    Raises: UsageError for something else, or in a project whose features are recovered from a run; as the flow's steps.
    """
    if not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise UsageError(f"{type(model).__name__} is no estimator. Name a fitted one, such as: %prove model")
    if settings.adopted is not None:
        raise UsageError(
            "The features of an adopted notebook are recovered from its run, and an object has none. Run the flow: "
            "python flows/train.py run"
        )
    config = parse_config((settings.root / settings.train_config).read_text(encoding="utf-8"))
    inputs = train_steps.begin(settings, config)
    table = train_steps.make_features(settings, inputs)
    with tempfile.TemporaryDirectory(prefix="proveout-object-") as temporary:
        file = Path(temporary) / "model.skops"
        model_io.dump(model, file)
        trained = Trained(
            model=file.read_bytes(),
            metrics=json.dumps({name: float(value) for name, value in metrics.items()}),
            notebook=(settings.root / settings.notebook).read_bytes(),
            seconds=0.0,
        )
        packed = train_steps.pack_bundle(settings, inputs, table, trained, run=RUN)
    return train_steps.judge(settings, inputs, packed)
