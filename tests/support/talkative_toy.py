"""The served toy, whose field `city` is about a person, and whose model says in its errors what it was given.

`python tests/support/talkative_toy.py ROOT` serves it. Real models talk like that: "could not convert string to
float: 'Ada'".
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from serving_toy import FILES, ToyModel, ToySource, lay_out

from proveout.errors import ProveoutError
from proveout.records.release import Release
from proveout.server.main import serve
from proveout.server.worker.release_source import Served
from proveout.settings import Settings, load

SCHEMA = FILES["schema.py"].replace(
    'city: str = pa.Field(nullable=True, str_matches=r"^[A-Z]{3}$")',
    'city: str = pa.Field(nullable=True, str_matches=r"^[A-Z]{3,60}$", metadata={"pii": True})',
)
RULES = FILES["rules.py"].replace("raise ZeroDivisionError", "raise ValueError(record)")


class Talkative(ToyModel):
    """The toy's model, which names the city when it raises, and warns of it all the time."""

    def predict(self, records: pd.DataFrame) -> np.ndarray:
        if set(records["mode"]) & {"raise", "rules-raise"}:
            try:
                float(records["city"].iloc[0])
            except (ValueError, TypeError) as error:
                raise RuntimeError(f"told to, with {records.to_dict()}") from error
        scores: np.ndarray = super().predict(records)
        return scores


class TalkativeSource(ToySource):
    """Releases of the model that talks."""

    def open(self, settings: Settings, release: Release) -> Served:
        opened = super().open(settings, release)
        model: Any = opened.model
        return Served(release=opened.release, model=Talkative(model._fault))


def lay_out_talkative(root: Path) -> Path:
    """The project's files in `root`."""
    lay_out(root)
    (root / "schema.py").write_text(SCHEMA, encoding="utf-8")
    (root / "rules.py").write_text(RULES, encoding="utf-8")
    return root


if __name__ == "__main__":
    try:
        sys.exit(serve(load(Path(sys.argv[1])), source=TalkativeSource()))
    except ProveoutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
