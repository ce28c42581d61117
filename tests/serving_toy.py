"""A project of four fields with a model that does as it is told: what the serving tests run.

`python tests/serving_toy.py ROOT` serves it as a real server: LitServe, a worker process, a journal, a ledger. Each
request says in its field `mode` what is to become of it, so one server can be put through every fault.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proveout.errors import NotApproved, ProveoutError
from proveout.serving.champion import Served
from proveout.serving.host import serve
from proveout.settings import Settings, load

RELEASE = "toy@0123456789ab"
THRESHOLD = 0.3
MODES = ["fine", "raise", "nan", "high", "short", "hang", "slow", "die", "rules-raise", "rules-nan"]

FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "toy"
source = "app.py:none"
batch_schema = "app.py:none"
request_schema = "schema.py:ToyRequest"
features = "app.py:none"
label = "app.py:none"
fallback = "rules.py:rules"
actions = "rules.py:action"
notebook = "none.ipynb"
key = ["number"]
required_checks = ["checks/test_none.py"]
""",
    "schema.py": f"""
import pandera.pandas as pa


class ToyRequest(pa.DataFrameModel):
    number: int = pa.Field(ge=0, le=1000)
    size: float = pa.Field(ge=0, le=1)
    city: str = pa.Field(nullable=True, str_matches=r"^[A-Z]{{3}}$")
    mode: str = pa.Field(isin={MODES!r})

    class Config:
        coerce = True
        strict = True
""",
    "rules.py": """
def rules(record):
    if record["mode"] == "rules-raise":
        raise ZeroDivisionError
    return float("nan") if record["mode"] == "rules-nan" else 0.4


def action(probability, confidence):
    return "ask somebody" if probability is None else "wait" if probability >= 0.3 else "go"
""",
}


def request(**changed: Any) -> dict[str, Any]:
    """A valid request."""
    return {"number": 1, "size": 0.5, "city": "EWR", "mode": "fine", **changed}


class ToyModel:
    """The probability is 0.1 + 0.5 · size + 0.0001 · number, unless the mode says otherwise."""

    threshold = THRESHOLD
    request_columns = ("number", "size", "city", "mode")

    def predict(self, records: pd.DataFrame) -> np.ndarray:
        modes = set(records["mode"])
        if modes & {"raise", "rules-raise", "rules-nan"}:
            raise RuntimeError("told to, by somebody whose name is Ada")
        if "die" in modes:
            os._exit(9)
        if "hang" in modes:
            time.sleep(600)
        if "slow" in modes:
            time.sleep(0.3)
        scores = 0.1 + 0.5 * records["size"].to_numpy() + 0.0001 * records["number"].to_numpy()
        scores = np.where(records["mode"] == "nan", np.nan, np.where(records["mode"] == "high", 1.5, scores))
        return scores[:-1] if "short" in modes else scores

    def confidence(self, probability: float) -> float:
        return 0.9 if probability < 0.4 else 0.7

    def reference(self) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        return pd.DataFrame(
            {
                "number": rng.integers(0, 1000, 200),
                "size": rng.random(200),
                "city": pd.array(["EWR", "JFK", None, "LGA"] * 50, dtype="str"),
                "mode": pd.array(["fine"] * 200, dtype="str"),
                "probability": 0.5,
                "label": True,
            }
        )


class ToySource:
    """A release that needs no training."""

    def check(self, settings: Settings) -> str:
        if (settings.root / "not-approved").exists():
            raise NotApproved(RELEASE, "the test says so")
        return RELEASE

    def open(self, settings: Settings) -> Served:
        if (settings.root / "dies-on-opening").exists():
            os._exit(7)
        time.sleep(float(os.environ.get("TOY_OPENING_S", "0")))
        return Served(release=RELEASE, model=ToyModel())


def lay_out(root: Path) -> Path:
    """The project's files in `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


def settings_of(root: Path, **changed: Any) -> Settings:
    """The project's settings, some changed."""
    values: Mapping[str, Any] = load(lay_out(root)).model_dump()
    return Settings(**{**values, **changed})


if __name__ == "__main__":
    try:
        sys.exit(serve(load(Path(sys.argv[1])), source=ToySource()))
    except ProveoutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
