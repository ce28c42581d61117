"""What every peer serves: the pipeline of a bundle and the project's features, called on a DataFrame as a user would.

Runs in the peer's own environment, which has never heard of proveout.
"""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import skops.io


class Model:
    """The probability that a flight is late, for a list of records."""

    def __init__(self, bundle: Path) -> None:
        signature = json.loads((bundle / "signature.json").read_text())
        self.dtypes = signature["request"]
        spec = importlib.util.spec_from_file_location("bundled_features", bundle / "code" / "features.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.features = getattr(module, signature["features"])
        file = bundle / "model.skops"
        self.pipeline = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))

    def predict(self, records: list[dict]) -> list[float]:
        rows = pd.DataFrame(records, columns=list(self.dtypes)).astype(self.dtypes)
        return self.pipeline.predict_proba(self.features(rows))[:, 1].tolist()

    def fields(self) -> dict:
        """Each field's Python type, for a pydantic model: what is a float or text may be left out."""
        kinds = {"i": int, "f": float}
        return {
            name: (int, ...) if dtype.startswith("int") else (kinds.get(dtype[0], str) | None, None)
            for name, dtype in self.dtypes.items()
        }
