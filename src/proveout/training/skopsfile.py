"""Model files: skops, never pickle, and the same bytes for the same model. The one place that has heard of skops.

Comes in: a skops file. Goes out: the estimator in it, or the file in its canonical form. skops names arrays and objects
by their address in memory and stamps each zip entry with the clock, so two dumps of one model differ in every part.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proveout.errors import BundleError

TRUSTED = (
    # what scikit-learn's own models hold and skops does not list: no user code, nothing that runs when it is opened
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first moment a zip entry can have


def load(file: Path) -> Any:
    """The estimator in `file`. Raises: BundleError if it holds a type that is not trusted, or is no skops file."""
    import skops.io

    try:
        strange = sorted(set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED))
        if strange:
            raise BundleError(
                file.name,
                f"it holds {', '.join(strange)}, which proveout does not open",
                "Build the model of scikit-learn's own parts: preprocessing of your own belongs in flows/features.py",
            )
        return skops.io.load(file, trusted=list(TRUSTED))
    except BundleError:
        raise
    except Exception as error:  # skops raises whatever its broken input leads to
        raise BundleError(file.name, f"it cannot be opened: {type(error).__name__}: {error}", "Train again") from error


def canonical_bytes(file: Path) -> bytes:
    """The skops file with ids and array names by order of appearance, entries in order and without a time."""
    import io

    with zipfile.ZipFile(file) as archive:
        schema = json.loads(archive.read("schema.json"))
        ids: dict[int, int] = {}
        names: dict[str, str] = {}
        schema = _renamed(schema, ids, names, frozenset(archive.namelist()))
        entries = {new: archive.read(old) for old, new in names.items()}
    entries["schema.json"] = json.dumps(schema, sort_keys=True).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, date_time=_NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name], compresslevel=6)
    return packed.getvalue()


def _renamed(part: Any, ids: dict[int, int], names: dict[str, str], entries: frozenset[str]) -> Any:
    if isinstance(part, list):
        return [_renamed(inner, ids, names, entries) for inner in part]
    if not isinstance(part, Mapping):
        return part
    renamed = {}
    for key in sorted(part):
        value = part[key]
        if key == "__id__":
            value = ids.setdefault(value, len(ids))
        elif isinstance(value, str) and value in entries:
            value = names.setdefault(value, f"{len(names):05d}{Path(value).suffix}")
        else:
            value = _renamed(value, ids, names, entries)
        renamed[key] = value
    return renamed
