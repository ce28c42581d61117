"""Variants of a bundle, with another model, other features or another request, packed again.

Input: an opened bundle, the change, the training rows and the held-out rows. Output: a folder that opens like any
bundle, with its digest and everything that depends on the change computed again. It is written to the caller's folder,
never to the store, because it must not be served.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from proveout.data import profiles
from proveout.fastpath import parity
from proveout.model import bundle as bundles
from proveout.model import heldout_facts, model_io
from proveout.model.bundle import OpenBundle
from proveout.model.manifest import HELDOUT_ANSWERS, LABEL, MANIFEST, REFERENCE, REFERENCE_ROWS, verify
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.json_form import canonical, digest_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Rows = tuple[pd.DataFrame, NDArray[Any]]
    """Raw rows and the outcome of each."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The parts to change. None: unchanged."""

    what: str = ""  # in a few words, for reports
    model: Any = None  # a fitted scikit-learn estimator
    features: str | None = None  # the source of code/features.py, with the function of the same name in it
    request: Mapping[str, str] | None = None  # dtype of each request column
    task: TaskFacts | None = None  # how scores are read: the width of an interval


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A changed bundle, and its answers to the held-out rows."""

    bundle: Bundle
    scores: "NDArray[np.float64]"


def repack(candidate: OpenBundle, into: Path, change: Change, *, training: "Rows", heldout: "Rows") -> Variant:
    """Write the changed bundle into the empty folder `into`.

    Without a change, the identity and so the digest is the candidate's. If the model changes, the notebook's metrics
    and the width of intervals are measured again; metrics under other names stay.

    Args:
        training, heldout: raw rows with a known outcome, with all columns of the batch.
    Raises: BundleError if the model has untrusted parts; any error of the changed features on these rows.
    """
    shutil.copytree(candidate.folder, into, dirs_exist_ok=True)
    if change.model is not None:
        model_io.dump(change.model, into / "model.skops")
    if change.features is not None:
        (into / "code" / "features.py").write_text(change.features, encoding="utf-8")
    if change.request is not None:
        signature = {**orjson.loads((into / "signature.json").read_bytes()), "request": dict(change.request)}
        (into / "signature.json").write_bytes(orjson.dumps(signature, option=orjson.OPT_INDENT_2))
    # Opened twice: first to predict the held-out rows, which are part of the bundle, then to find its direct path.
    _state_direct(into, "it has not been compared yet")
    _seal(into)
    opened = bundles.open_bundle(into)
    scores = opened.predict(heldout[0])
    stated = _write_answers(opened, into, training, scores, heldout[1], anew=change.model is not None)
    if change.request is not None:
        _write_profile(into, training[0][list(opened.request_columns)])
    facts = change.task
    if facts is None and change.model is not None:
        facts = heldout_facts.measured_facts(opened.task.facts, scores, heldout[1])
    _state_direct(into, parity.ON)
    _seal(into, stated, facts)
    _state_direct(into, bundles.open_bundle(into).direct)
    _seal(into, stated, facts)
    return Variant(bundle=verify(into), scores=scores)


def _write_answers(
    opened: OpenBundle,
    folder: Path,
    training: "Rows",
    scores: "NDArray[np.float64]",
    outcomes: "NDArray[Any]",
    *,
    anew: bool,
) -> Mapping[str, float]:
    """Write everything in a bundle that depends on the model's answers. Returns the metrics of the manifest."""
    rows, labels = training
    confidence = heldout_facts.confidence_table(scores, outcomes, opened.task)
    (folder / "confidence.json").write_bytes(canonical(confidence))
    learned = rows[list(opened.request_columns)].assign(**{LABEL: labels})
    sample = learned.sample(min(REFERENCE_ROWS, len(rows)), random_state=0).reset_index(drop=True)
    sample.to_parquet(folder / REFERENCE, index=False)
    heldout_facts.heldout_answers(scores, outcomes, opened.task).to_parquet(folder / HELDOUT_ANSWERS, index=False)
    stated = {metric.name: metric.value for metric in opened.bundle.metrics}
    if anew:
        stated |= opened.task.measure(tuple(stated), outcomes, scores)
    (folder / "metrics.json").write_bytes(canonical(stated))
    return stated


def _write_profile(folder: Path, learned: "pd.DataFrame") -> None:
    profiled = profiles.profile(learned)
    (folder / "profile.bin").write_bytes(profiled)
    (folder / "profile.json").write_bytes(canonical(profiles.numbers(profiled)))


def _state_direct(folder: Path, why: str) -> None:
    (folder / "direct.json").write_bytes(canonical({"direct": why}))


def _seal(folder: Path, stated: Mapping[str, float] | None = None, facts: TaskFacts | None = None) -> None:
    """Update the manifest to the files in the folder."""
    file = folder / MANIFEST
    manifest = orjson.loads(file.read_bytes())
    listed = sorted(path for path in folder.rglob("*") if path.is_file() and path != file)
    digests = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in listed}
    manifest["identity"]["files"] = {name: digests[name] for name in manifest["identity"]["files"]}
    manifest["provenance"]["files"] = {n: d for n, d in digests.items() if n not in manifest["identity"]["files"]}
    if stated is not None:
        manifest["provenance"]["metrics"] = dict(stated)
    if facts is not None:
        manifest["provenance"]["task"] = orjson.loads(canonical(facts))
    manifest["digest"] = digest_of(manifest["identity"])
    file.write_bytes(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
