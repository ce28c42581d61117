"""model/model_io.py: a pickle is never opened."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from proveout.errors import BundleError
from proveout.model import model_io


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/proveout-canary-must-not-exist"),))


def test_a_pickle_is_never_opened(tmp_path):
    """A pickle under the name of a model file runs whatever it likes when it is loaded."""
    canary = Path("/tmp/proveout-canary-must-not-exist")
    file = tmp_path / "model.skops"
    file.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(BundleError):
        model_io.load(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(BundleError):
        model_io.load(file)
    assert not canary.exists()


@pytest.mark.parametrize("kind", [object, "object", np.number, np.integer, np.floating, np.float64, bool])
def test_columns_may_be_selected_by_any_type_of_theirs(tmp_path, kind):
    """`make_column_selector(dtype_include=object)` stands in scikit-learn's own examples."""
    model = make_column_transformer(
        (SimpleImputer(), [0]), (StandardScaler(), make_column_selector(dtype_exclude=kind))
    )
    rows = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [True, False, True], "c": [1, 2, 3]})
    model_io.dump(model.fit(rows), tmp_path / "model.skops")

    opened = model_io.load(tmp_path / "model.skops")

    assert opened.transformers[1][2].dtype_exclude is kind or opened.transformers[1][2].dtype_exclude == kind
    assert opened.transform(rows).tolist() == model.transform(rows).tolist()
