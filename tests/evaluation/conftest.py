"""A candidate, packed and opened, that was fitted on drawn rows."""

import numpy as np
import pandas as pd
import pytest
from drawn_rows import FEATURES
from threadpoolctl import threadpool_limits
from unfitted_steps import Rows

from proveout.data.store import Store
from proveout.model import bundle, packing


@pytest.fixture
def one_thread():
    """Small fits on a busy machine: threads would wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def candidate(order, tmp_path, one_thread):
    """Pack and open a model fitted on rows, with features of their own."""

    def build(model, rows, labels):
        columns = rows[["a", "b"]].assign(kind=(rows["kind"] == "x") * 1.0, c=rows["a"] * 0.5)
        known = rows[["a", "b", "kind"]]
        ready = order(
            model=model.fit(columns[["a", "b", "kind", "c"]], labels),
            request={name: str(known[name].dtype) for name in known},
            training=known,
            training_labels=labels,
            heldout=known[:300],
            heldout_labels=labels[:300],
        )
        (ready.root / "features.py").write_text(FEATURES)
        store = Store(str(tmp_path / "store"))
        return bundle.open_bundle(store.folder("bundles", packing.pack(ready, store).digest))

    return build


@pytest.fixture
def training():
    """Rows whose label depends on the wind; `few` has no information."""
    rng = np.random.default_rng(0)
    wind = rng.normal(size=6_000)
    records = pd.DataFrame({"wind": wind, "few": rng.integers(0, 3, 6_000)})
    return Rows(records, rng.random(6_000) < 1 / (1 + np.exp(-2 * np.sin(3 * wind))))
