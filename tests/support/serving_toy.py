"""A project of four fields with a model that does as it is told: what the serving tests run.

`python tests/support/serving_toy.py ROOT` serves it as a real server: LitServe, a worker process, a journal, a ledger.
Each request says in its field `mode` what is to become of it, so one server can be put through every fault. What is
released stands in `desired.json` in the project's root, where a test put one (`apply`); a release whose digest begins
with one of the words in `SICK` has that fault.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proveout.errors import LedgerError, NotApproved, ProveoutError, Tampered
from proveout.records.release import Release, Role
from proveout.records.values import Digest
from proveout.server.server_state import DesiredState, post, read
from proveout.server.worker.release_source import Served
from proveout.settings import Settings, load
from proveout.task.binary import Binary

RELEASE = "toy@0123456789ab"
THRESHOLD = 0.3
REFERENCE_CITY = "REF"  # of every fourth reference row, and of no request
MODES = ["fine", "raise", "nan", "high", "short", "hang", "slow", "die", "rules-raise", "rules-nan"]

FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "toy"
source = "app.py:none"
batch_schema = "app.py:none"
request_schema = "schema.py:ToyRequest"
features = "app.py:none"
target = "app.py:late"
fallback = "rules.py:rules"
actions = "rules.py:action"
notebook = "none.ipynb"
event_key = ["number"]
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


def action(answer):
    return "ask somebody" if answer.value is None else "wait" if answer.probability >= 0.3 else "go"
""",
}
# The schema without the modes that end the process, or never answer.
CALM = FILES["schema.py"].replace(repr(MODES), repr(["fine", "raise", "nan", "high", "rules-raise", "rules-nan"]))


def request(**changed: Any) -> dict[str, Any]:
    """A valid request."""
    return {"number": 1, "size": 0.5, "city": "EWR", "mode": "fine", **changed}


SICK = {
    "corrupt": "does not open: a file of it was changed",
    "unapproved": "does not open: nobody approved it",
    "unloadable": "does not open: it raises",
    "slowopen": "opens, after a second of pure Python",
    "raising": "opens, and raises on every request",
    "nan": "opens, and says NaN",
    "slow": "opens, and takes a second for a batch",
    "hanging": "opens, and sleeps for ever",
    "spinning": "opens, and computes for ever",
    "high": "opens, and says 0.2 more than the others; its threshold is 0.6",
}


class ToyModel:
    """The probability is 0.1 + 0.5 · size + 0.0001 · number, unless the mode says otherwise.

    Args:
        fault: one of `SICK`, or "". It does not show on the reference rows: nothing sick would be opened.
    """

    request_columns = ("number", "size", "city", "mode")

    def __init__(self, fault: str = "") -> None:
        self._fault = fault
        self.task = Binary(threshold=0.6 if fault == "high" else THRESHOLD)

    def predict(self, records: pd.DataFrame) -> np.ndarray:
        modes = set(records["mode"])
        if modes & {"raise", "rules-raise", "rules-nan"}:
            raise RuntimeError("told to, by somebody whose name is Ada")
        if "die" in modes:
            os._exit(9)
        if "hang" in modes:
            time.sleep(600)
        if "slow" in modes:
            if mark := os.environ.get("TOY_SLOW_FILE"):
                Path(mark).touch()
            time.sleep(float(os.environ.get("TOY_SLOW_S", "0.3")))
        scores = 0.1 + 0.5 * records["size"].to_numpy() + 0.0001 * records["number"].to_numpy()
        if self._fault and not (records["city"] == REFERENCE_CITY).any():
            scores = self._sick(scores)
        scores = np.where(records["mode"] == "nan", np.nan, np.where(records["mode"] == "high", 1.5, scores))
        return scores[:-1] if "short" in modes else scores

    def _sick(self, scores: np.ndarray) -> np.ndarray:
        if self._fault == "raising":
            raise RuntimeError("always")
        if self._fault == "slow":
            time.sleep(1.0)
        if self._fault == "hanging":
            time.sleep(600)
        while self._fault == "spinning":
            pass
        return scores * np.nan if self._fault == "nan" else scores + 0.2 * (self._fault == "high")

    def confidences(self, scores: np.ndarray) -> list[float]:
        return [0.9 if probability < 0.4 else 0.7 for probability in scores.tolist()]

    def reference(self) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        return pd.DataFrame(
            {
                "number": rng.integers(0, 1000, 200),
                "size": rng.random(200),
                "city": pd.array([REFERENCE_CITY, "JFK", None, "LGA"] * 50, dtype="str"),
                "mode": pd.array(["fine"] * 200, dtype="str"),
                "probability": 0.5,
                "label": True,
            }
        )


def release(digest: str = "0123456789ab", *, role: Role = "champion", share: float = 1.0) -> Release:
    """A release of the toy. Its name is `toy@` and the first twelve characters of `digest`, filled up with zeros."""
    return Release(
        model="toy",
        bundle=Digest(digest.ljust(64, "0")),
        role=role,
        share=share,
        since="2013-01-01T00:00:00.000+00:00",
        by="ada",
        reason="-",
        data=Digest("d" * 64),
        verdict=Digest("e" * 64),
    )


def desired(**changed: Any) -> DesiredState:
    """What stands: one champion, `RELEASE`, unless it is changed."""
    return DesiredState(**{"seq": 1, "champion": release(), **changed})


def apply(root: Path, there: DesiredState) -> None:
    """Let `there` be what stands in the ledger of the project in `root`. It is seen if its `seq` is another one."""
    post(root / "desired_state.json", there)


class ToySource:
    """Releases that need no training and no ledger."""

    def check(self, settings: Settings) -> DesiredState:
        if (settings.root / "not-approved").exists():
            raise NotApproved(RELEASE, "the test says so")
        return read(settings.root / "desired_state.json", DesiredState) or desired()

    def news(self, settings: Settings, *, seq: int) -> DesiredState | None:
        if (settings.root / "ledger-down").exists():
            raise LedgerError("of the toy", "is down", "Wait")
        there = read(settings.root / "desired_state.json", DesiredState)
        return there if there is not None and there.seq > seq else None

    def open(self, settings: Settings, release: Release) -> Served:
        if (settings.root / "dies-on-opening").exists():
            os._exit(7)
        time.sleep(float(os.environ.get("TOY_OPENING_S", "0")))
        fault = next((word for word in SICK if release.bundle.startswith(word)), "")
        if fault == "corrupt":
            raise Tampered(release.name, "model.skops", "is not what the manifest says (its SHA-256 differs)")
        if fault == "unapproved":
            raise NotApproved(release.name, "the gate has not approved it")
        if fault == "unloadable":
            raise ImportError("no module named ada")
        until = time.monotonic() + 1.0
        while fault == "slowopen" and time.monotonic() < until:
            pass
        return Served(release=release.name, model=ToyModel(fault))


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
    from proveout.ledger.ledger import Ledger
    from proveout.server.main import serve

    try:
        project = load(Path(sys.argv[1]))
        Ledger(project.ledger).close()  # nothing is released, and so nothing served, before there is one
        sys.exit(serve(project, source=ToySource()))
    except ProveoutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
