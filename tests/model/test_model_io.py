"""model/model_io.py: a pickle is never opened."""

import pickle
import zipfile
from pathlib import Path

import pytest

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
