"""Model files: skops, never pickle, and the same bytes for the same model. The one place that has heard of skops.

Comes in: a skops file. Goes out: the estimator in it, or the file in its canonical form. skops names arrays and objects
by their address in memory and stamps each zip entry with the clock, so two dumps of one model differ in every part.

skops keeps a strange type from being made. What it does not look at is looked at here, before and after: how much a
file unpacks to, how often its parts name each other, and whether its trees are trees.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proveout.errors import BundleError
from proveout.training import soundness, zipped

TRUSTED = (
    # what scikit-learn's own models hold and skops does not list: no user code, nothing that runs when it is opened
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)
SCHEMA = "schema.json"
_SUFFIXES = (".npy", ".npz", ".bin")  # of what lies beside the schema
_MOST_SMALL_BYTES = 2**26  # of the schema and of bytes: in memory they take ten times as much, or twenty
_MOST_PARTS = 5_000_000  # of a schema, each counted where it is named; a forest of a thousand trees has 350,000
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first moment a zip entry can have


def load(file: Path) -> Any:
    """The estimator in `file`. Raises: as `loads`, and BundleError if it is too large to be a model."""
    return loads(_read(file), name=file.name)


def loads(packed: bytes, *, name: str) -> Any:
    """The estimator in a skops file.

    Args:
        packed: the file's bytes.
        name: what to call it in an error.
    Raises: BundleError if it holds a type that is not trusted, unpacks to more than a model does, or is no skops file.
    """
    import skops.io

    # What skops gets is written here, of entries that were read: it would believe the file's own directory.
    checked = _zip(_entries(packed, name=name), compression=zipfile.ZIP_STORED)
    try:
        strange = sorted(set(skops.io.get_untrusted_types(data=checked)) - set(TRUSTED))
        if strange:
            raise BundleError(
                name,
                f"it holds {', '.join(strange)}, which proveout does not open",
                "Build the model of scikit-learn's own parts: preprocessing of your own belongs in flows/features.py",
            )
        model = skops.io.loads(checked, trusted=list(TRUSTED))
        soundness.check(model, name=name)
    except BundleError:
        raise
    except Exception as error:  # skops raises whatever its broken input leads to
        raise BundleError(name, f"it cannot be opened: {type(error).__name__}: {error}", "Train again") from error
    return model


def dump(model: Any, file: Path) -> None:
    """Write an estimator into `file`, in the canonical form."""
    import skops.io

    skops.io.dump(model, file)
    file.write_bytes(canonical_bytes(file))


def canonical_bytes(file: Path) -> bytes:
    """The skops file with ids and array names by order of appearance, entries in order and without a time."""
    found = _entries(_read(file), name=file.name)
    ids: dict[int, int] = {}
    names: dict[str, str] = {}
    schema = _renamed(json.loads(found[SCHEMA]), ids, names, frozenset(found))
    entries = {new: found[old] for old, new in names.items()}
    entries[SCHEMA] = json.dumps(schema, sort_keys=True).encode()
    return _zip(entries, compression=zipfile.ZIP_DEFLATED)


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


def _zip(entries: Mapping[str, bytes], *, compression: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, date_time=_NO_TIME)
            entry.compress_type = compression
            archive.writestr(entry, entries[name], compresslevel=6)
    return packed.getvalue()


# --- before it is opened ----------------------------------------------------------------------------------------------


def _read(file: Path) -> bytes:
    if file.stat().st_size > zipped.MOST_BYTES:
        raise BundleError(
            file.name, f"it has {file.stat().st_size:,} bytes, more than any model", "Train a smaller one"
        )
    return file.read_bytes()


def _entries(packed: bytes, *, name: str) -> dict[str, bytes]:
    """The entries of a skops file. Raises: BundleError if they are not those of a model, or more than one has."""
    entries = zipped.entries(packed, name=name, objection=_objection)
    rest = zipped.MOST_BYTES - sum(map(len, entries.values()))
    for entry, content in entries.items():
        if entry.endswith(".npz"):  # itself a zip file, and NumPy opens it as trustingly
            rest -= sum(map(len, zipped.entries(content, name=f"{name}, {entry}", most=rest).values()))
    try:
        parts = _weight({**json.loads(entries[SCHEMA])}, {})
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"it cannot be opened: its {SCHEMA} is none, {type(error).__name__}"
        raise BundleError(name, problem, "Train again") from error
    if parts > _MOST_PARTS:
        problem = f"it cannot be opened: it names {parts:,} parts, of {_MOST_PARTS:,} at most"
        raise BundleError(name, problem, "Train a smaller one")
    return entries


def _objection(sizes: Mapping[str, int]) -> str | None:
    if SCHEMA not in sizes:
        return f"it has no {SCHEMA}"
    strange = sorted(entry for entry in sizes if entry != SCHEMA and not entry.endswith(_SUFFIXES))
    if strange:
        return f"its entry {strange[0]} is none that skops writes"
    small = sum(size for entry, size in sizes.items() if entry == SCHEMA or entry.endswith(".bin"))
    if small > _MOST_SMALL_BYTES:
        return f"its {SCHEMA} and its bytes take {small:,} bytes, of {_MOST_SMALL_BYTES:,} at most"
    return None


def _weight(part: Any, known: dict[Any, int]) -> int:
    """How many parts skops meets in `part`. One that is named again by its id is met again, with all that is in it:
    forty short lines, each naming the one before it twice, are a thousand billion parts."""
    if isinstance(part, list):
        return 1 + sum(_weight(inner, known) for inner in part)
    if not isinstance(part, dict):
        return 1
    mark = part.get("__id__")
    if mark and mark in known:
        return known[mark]
    if mark:
        known[mark] = 1  # named within itself: skops does not go round
    weight = 1 + sum(_weight(inner, known) for inner in part.values())
    if mark:
        known[mark] = weight
    return weight
