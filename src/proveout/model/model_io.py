"""Model files: skops, never pickle, and the same bytes for the same model. Only importer of skops.

Input: a skops file. Output: the estimator in it, or the file in its canonical form. skops names arrays and objects by
their memory address and adds the time to each zip entry, so two dumps of one model differ in every part.

skops does not create objects of untrusted types. This module checks what skops does not: the unpacked size, how often
parts refer to each other, and whether trees are valid.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# When skops is imported, it looks for the home of each of SciPy's functions in all modules, in the order in which they
# were imported. Before pandas and scikit-learn bring a thousand others, this saves a third of a second.
import scipy.special  # noqa: F401

from proveout.errors import BundleError
from proveout.model import boosters, safe_zip, tree_check

# Types in scikit-learn's own models that skops does not list. Each was reviewed: none runs code from a file.
# `tree_check` validates the indices that scikit-learn follows without checking.
TRUSTED = (
    "builtins.object",  # this one and the abstract numbers name the columns that make_column_selector takes
    "functools.partial",  # of one function alone, see soundness
    "numpy.dtype",
    "numpy.floating",
    "numpy.integer",
    "numpy.number",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",  # of scikit-learn 1.5 to 1.8: a list that warns
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.feature_selection._univariate_selection.r_regression",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    *(
        f"sklearn.gaussian_process.kernels.{kernel}"
        for kernel in (
            "ConstantKernel", "DotProduct", "Exponentiation", "ExpSineSquared", "Matern", "Product", "RBF",
            "RationalQuadratic", "Sum", "WhiteKernel",
        )
    ),
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    *boosters.TRUSTED,
)  # fmt: skip
# Remedies for untrusted parts of scikit-learn or SciPy, by prefix of the name.
INSTEAD = {
    "sklearn.metrics._scorer._CurveScorer": "A bundle decides at the threshold in train.toml, not at one of the "
    "model's: put best_threshold_ there, and hand over model.estimator_",
    "sklearn.metrics._scorer": "Hand over the model that a search has found: search.best_estimator_",
    "scipy.interpolate": "Use KBinsDiscretizer or PolynomialFeatures in the place of splines",
    "sklearn.metrics._dist_metrics": "Use another metric, or KNeighborsClassifier(algorithm='brute')",
}
ADDRESSES = frozenset({"_stop_words_id"})
"""Attributes that are memory addresses; scikit-learn recreates missing ones."""
SCHEMA = "schema.json"
_SUFFIXES = (".npy", ".npz", ".bin")  # of the other entries
_MOST_SMALL_BYTES = 2**26  # of the schema and of bytes, which take ten to twenty times as much in memory
_MOST_PARTS = 5_000_000  # of a schema, counted per reference; a forest of a thousand trees has 350,000
_NAME = re.compile(rb':\s*"(\w+)"')  # of a class or function in a schema, among other texts
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip entry


def load(file: Path) -> Any:
    """The estimator in `file`. Raises: as in `loads`, and BundleError if it is too large."""
    return loads(_read(file), name=file.name)


def loads(packed: bytes, *, name: str) -> Any:
    """The estimator in a skops file.

    Args:
        packed: the file's bytes.
        name: names it in errors.
    Raises: BundleError if it has an untrusted type, unpacks to too much, or is not a skops file.
    """
    import skops.io

    # skops gets a file written here from validated entries, because it would trust the file's own directory.
    entries = _entries(packed, name=name)
    checked = _zip(entries, compression=zipfile.ZIP_STORED)
    try:
        model = skops.io.loads(checked, trusted=_trusted_in(entries[SCHEMA]))
        tree_check.check(model, name=name)
        boosters.restore(model, name=name)
    except BundleError:
        raise
    except Exception as error:  # skops may raise anything on broken input
        _refuse_parts(checked, name=name)
        raise BundleError(name, f"it cannot be opened: {type(error).__name__}: {error}", "Train again") from error
    return model


def _trusted_in(schema: bytes) -> list[str]:
    """Those of `TRUSTED` that a file may hold. skops copies the list for each part: of a text model, 100,000 times."""
    named = set(_NAME.findall(schema))
    return [one for one in TRUSTED if one.rpartition(".")[2].encode() in named]


def _refuse_parts(packed: bytes, *, name: str) -> None:
    """Say what is wrong with the types of a file that skops did not open, if they are why. Raises: BundleError."""
    import skops.io

    try:
        # Read again, and only here: of a large model it takes as long as to open it.
        held = skops.io.get_untrusted_types(data=packed)
    except Exception:  # then its types are not what is wrong with it
        return
    strange = sorted(set(held) - set(TRUSTED))
    if strange:
        raise _not_trusted(name, strange)
    boosters.refuse_missing(held, name=name)


def _not_trusted(name: str, strange: list[str]) -> BundleError:
    libraries = all(one.partition(".")[0] in {"numpy", "scipy", "sklearn"} for one in strange)
    if not libraries:
        return BundleError(
            name,
            f"it holds {', '.join(strange)}, which proveout does not open",
            "Build the model of scikit-learn's own parts: preprocessing of your own belongs in flows/features.py",
        )
    remedy = next((told for begin, told in INSTEAD.items() if any(one.startswith(begin) for one in strange)), None)
    return BundleError(
        name,
        f"it holds {', '.join(strange)}, which proveout does not open: nobody has read yet what it does with what a "
        "file brings",
        remedy or "Use another estimator: docs/models.md lists those that are not opened",
    )


def dump(model: Any, file: Path) -> None:
    """Write an estimator into `file`, in the canonical form."""
    import skops.io

    with boosters.as_text(model, name=file.name):
        skops.io.dump(model, file)
    file.write_bytes(canonical_bytes(file))


def canonical_bytes(file: Path) -> bytes:
    """The skops file in canonical form, equal for two trainings of one model.

    Ids and array names are numbered by appearance, entries and sets are sorted, times and addresses are removed.
    """
    found = _entries(_read(file), name=file.name)
    ids: dict[Any, int] = {}
    names: dict[str, str] = {}
    schema = _renamed(json.loads(found[SCHEMA]), ids, names, frozenset(found))
    entries = {new: found[old] for old, new in names.items()}
    entries[SCHEMA] = json.dumps(schema, sort_keys=True).encode()
    return _zip(entries, compression=zipfile.ZIP_DEFLATED)


def _renamed(part: Any, ids: dict[Any, int], names: dict[str, str], entries: frozenset[str]) -> Any:
    if isinstance(part, list):
        return [_renamed(inner, ids, names, entries) for inner in part]
    if not isinstance(part, Mapping):
        return part
    part = _in_order(part)
    renamed = {}
    for key in sorted(part):
        value = part[key]
        if key == "__id__":
            # Whether two equal numbers or texts are one object is accidental and does not matter.
            what = (part["content"], part.get("is_json")) if part.get("__loader__") == "JsonNode" else value
            value = ids.setdefault(what, len(ids))
        elif isinstance(value, str) and value in entries:
            value = names.setdefault(value, f"{len(names):05d}{Path(value).suffix}")
        else:
            value = _renamed(value, ids, names, entries)
        renamed[key] = value
    return renamed


def _in_order(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part with sets sorted and addresses removed."""
    content, loader = part.get("content"), part.get("__loader__")
    if loader == "SetNode" and isinstance(content, list):
        return {**part, "content": sorted(content, key=_without_ids)}
    if loader == "DictNode" and isinstance(content, Mapping):
        kinds = zip(content, part["key_types"]["content"], strict=False)
        kept = [kind for key, kind in sorted(kinds, key=lambda pair: pair[0]) if key not in ADDRESSES]
        known = {key: value for key, value in content.items() if key not in ADDRESSES}
        return {**part, "content": known, "key_types": {**part["key_types"], "content": kept}}
    return part


def _without_ids(part: Any) -> str:
    def bare(inner: Any) -> Any:
        if isinstance(inner, Mapping):
            return {key: bare(value) for key, value in inner.items() if key != "__id__"}
        return [bare(one) for one in inner] if isinstance(inner, list) else inner

    return json.dumps(bare(part), sort_keys=True)


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
    if file.stat().st_size > safe_zip.MOST_BYTES:
        raise BundleError(
            file.name, f"it has {file.stat().st_size:,} bytes, more than any model", "Train a smaller one"
        )
    return file.read_bytes()


def _entries(packed: bytes, *, name: str) -> dict[str, bytes]:
    """The entries of a skops file. Raises: BundleError if they are not those of a model, or too large."""
    entries = safe_zip.entries(packed, name=name, objection=_objection)
    rest = safe_zip.MOST_BYTES - sum(map(len, entries.values()))
    for entry, content in entries.items():
        if entry.endswith(".npz"):  # itself a zip file, which NumPy would trust
            rest -= sum(map(len, safe_zip.entries(content, name=f"{name}, {entry}", most=rest).values()))
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
    """The number of parts that skops visits in `part`.

    A part that is referred to by its id is visited again with all its content, so forty short lines that each refer
    twice to the one before are a thousand billion parts.
    """
    if isinstance(part, list):
        return 1 + sum(_weight(inner, known) for inner in part)
    if not isinstance(part, dict):
        return 1
    mark = part.get("__id__")
    if mark and mark in known:
        return known[mark]
    if mark:
        known[mark] = 1  # refers to itself: skops does not follow it
    weight = 1 + sum(_weight(inner, known) for inner in part.values())
    if mark:
        known[mark] = weight
    return weight
