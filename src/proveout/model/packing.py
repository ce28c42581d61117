"""Packing: makes a bundle from the results of a training run.

Input: a `PackOrder`. Output: a folder in the store, named by the digest of its identity, which predicts like the model
before packing; and the same folder as one zip file.
"""

import io
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from proveout.data import features, profiles, request_columns
from proveout.data.store import Store
from proveout.errors import BundleError
from proveout.fastpath import parity, tolerance
from proveout.model import estimator, model_io
from proveout.model import stated_metrics as metrics
from proveout.model.bundle import OpenBundle, model_columns
from proveout.model.heldout_facts import confidence_table, heldout_answers, measured_facts
from proveout.model.manifest import (
    FORMAT,
    HELDOUT_ANSWERS,
    LABEL,
    LOCK,
    MANIFEST,
    MEMBERSHIP,
    REFERENCE,
    REFERENCE_ROWS,
    file_digests,
    file_names,
    verify,
)
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle, PackedConfig
from proveout.records.json_form import canonical, digest_of
from proveout.records.train_config import TrainConfig
from proveout.records.values import Digest
from proveout.settings import load_module
from proveout.task import task as tasks
from proveout.task.question import Question
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_IDENTITY = "features.py:features"
_IDENTITY_SOURCE = '''"""The model is given the columns of the request as they are."""


def features(rows):
    return rows
'''


@dataclass(frozen=True, kw_only=True)
class PackOrder:
    """The results of a training run to be packed."""

    model: str
    model_file: Path  # skops, as exported from the kernel
    features: str | None  # `path:function`, relative to `root`; None: the model gets the request's columns
    root: Path
    feature_files: tuple[
        str, ...
    ] = ()  # files that the features read, relative to `root`, in the folder of their code or below
    notebook: Path
    executed: Path
    config: TrainConfig  # of the run; its bounds ([evaluation]) are not packed
    snapshot: Digest
    membership: "pd.DataFrame"  # batch and side of each row of the snapshot, see `splits.table`
    label: str  # the name of the target, which may be a class of a binary model
    task: TaskFacts  # threshold or coverage from train.toml; the rest is computed here
    request: Mapping[str, str]  # dtype of each request column
    training: "pd.DataFrame"  # request columns of the training rows
    training_labels: "NDArray[Any]"  # outcomes in the task's form
    heldout: "pd.DataFrame"
    heldout_labels: "NDArray[Any]"
    metrics: Mapping[str, float]
    run: str
    git_commit: str
    trained_at: str
    lock: Path | None
    metrics_seen: bool = False  # in the calls of an adopted notebook; nobody handed them over


def pack(order: PackOrder, store: Store) -> Bundle:
    """Pack the results of a run into the store. If the store has a bundle with the same identity, nothing changes.

    Raises: BundleError if the model has untrusted parts, does not fit the task, or predicts differently once packed.
    """
    model = model_io.load(order.model_file)
    asked = estimator.question(model, order.task.task, label=order.label)
    order = replace(order, task=estimator.completed(model, order.task))
    if order.task.classes:
        estimator.refuse_unknown_classes(order.task.classes, order.heldout_labels)
    with tempfile.TemporaryDirectory(prefix="proveout-pack-") as temporary:
        building = Path(temporary)
        files = write_identity(building, order)
        file, _, function = (order.features or _IDENTITY).partition(":")
        compute: features.Features = (
            features.identity if order.features is None else getattr(load_module(order.root / file), function)
        )
        plain = partial(_scores, model, compute, order, asked, name=function)
        task, measured = _write_provenance(building, order, model=model, compute=compute, plain=plain, asked=asked)
        identity = {"model": order.model, "files": files}
        digest = digest_of(identity)
        manifest = {
            "format": FORMAT,
            "digest": digest,
            "identity": identity,
            "provenance": {
                "snapshot": order.snapshot,
                "split": order.config.split,
                "run": order.run,
                "trained_at": order.trained_at,
                "git_commit": order.git_commit,
                "python": platform.python_version(),
                "machine": f"{platform.system()} {platform.machine()}",
                "metrics": dict(measured),
                "task": task.facts,
                "files": {n: h for n, h in file_digests(building).items() if n not in identity["files"]},
            },
        }
        (building / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
        _prove(building, order, model, plain)
        folder = store.put("bundles", digest, lambda empty: _copy(building, empty))
    return verify(folder)


IDENTITY = ("model.skops", "signature.json", "config.json")  # and everything below `code`


def _identity(folder: Path) -> frozenset[str]:
    return frozenset(file for file in file_names(folder) if file in IDENTITY or file.startswith("code/"))


def write_identity(folder: Path, order: PackOrder) -> dict[str, str]:
    """Write the files that a bundle's digest is over into an empty folder. Returns the SHA-256 of each."""
    (folder / "code").mkdir()
    (folder / "model.skops").write_bytes(model_io.canonical_bytes(order.model_file))
    file, _, function = (order.features or _IDENTITY).partition(":")
    if order.features is None:
        (folder / "code" / "features.py").write_text(_IDENTITY_SOURCE, encoding="utf-8")
    else:
        shutil.copyfile(order.root / file, folder / "code" / "features.py")
    for read in order.feature_files:
        # In the same place relative to the code as in the project, so that `Path(__file__).with_name(...)` finds it.
        there = folder / "code" / Path(read).relative_to(Path(file).parent)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(order.root / read, there)
    (folder / "code" / "notebook.ipynb").write_bytes(_source_only(order.notebook))
    signature = {
        "request": dict(order.request),
        "label": order.label,
        "task": order.task,
        "features": function,
    }
    (folder / "signature.json").write_bytes(orjson.dumps(signature, option=orjson.OPT_INDENT_2))
    # Bounds are left out, because they do not change the model: training with other bounds makes the same bundle.
    packed = PackedConfig(snapshot=order.snapshot, config=replace(order.config, evaluation={}))
    (folder / "config.json").write_bytes(canonical(packed))
    return file_digests(folder, only=_identity(folder))


def _write_provenance(
    folder: Path, order: PackOrder, *, model: Any, compute: features.Features, plain: parity.Scorer, asked: Question
) -> tuple[Task, Mapping[str, float]]:
    """Write the provenance and the measurements. Returns the task completed with them, and the notebook's metrics."""
    shutil.copyfile(order.executed, folder / "executed.ipynb")
    requests = request_columns.typed(order.heldout, order.request)
    name = order.features or "the request's columns"
    features.check_columns(compute, requests, tuple(order.request), name=name)
    scores = plain(order.heldout)
    task = tasks.of(measured_facts(order.task, scores, order.heldout_labels))
    measured = order.metrics
    if order.metrics_seen:
        measured = metrics.own_names(measured, order.heldout_labels, scores, task=task)
    metrics.compare(measured, order.heldout_labels, scores, task=task)
    (folder / "metrics.json").write_bytes(canonical(dict(measured)))
    (folder / "confidence.json").write_bytes(canonical(confidence_table(scores, order.heldout_labels, task)))
    training = order.training.assign(**{LABEL: order.training_labels})
    sample = training.sample(min(REFERENCE_ROWS, len(training)), random_state=0).reset_index(drop=True)
    if task.name == "binary":
        estimator.refuse_backwards(plain(sample), sample[LABEL].to_numpy(dtype=bool), label=order.label)
    sample.to_parquet(folder / REFERENCE, index=False)
    heldout_answers(scores, order.heldout_labels, task).to_parquet(folder / HELDOUT_ANSWERS, index=False)
    order.membership.to_parquet(folder / MEMBERSHIP, index=False, compression="zstd")
    profiled = profiles.profile(order.training)
    (folder / "profile.bin").write_bytes(profiled)
    (folder / "profile.json").write_bytes(canonical(profiles.numbers(profiled)))
    found = parity.find(
        model,
        compute,
        order.request,
        asked=asked,
        plain=plain,
        reference=sample,
    )
    stated = {"direct": found.why, "rows": found.rows, "tolerance": found.tolerance}
    (folder / "direct.json").write_bytes(canonical(stated))
    if order.lock is not None:
        shutil.copyfile(order.lock, folder / LOCK)
    return task, measured


def _prove(folder: Path, order: PackOrder, model: Any, plain: parity.Scorer) -> None:
    """Return if the packed bundle, opened from its files, predicts like the trained model on held-out rows."""
    import numpy as np

    rows = order.heldout.head(200)
    before = plain(rows)
    after = OpenBundle(folder, direct=False).predict(rows)
    # Allow for sums computed in another order.
    if tolerance.apart(after, before, tolerance.tolerance(model).answers).any():
        raise BundleError(
            order.model,
            f"packed, it predicts otherwise: up to {np.abs(before - after).max():.3g} apart on {len(rows)} rows",
            "flows/features.py must give the same columns wherever it is loaded from",
        )


def _scores(
    model: Any, compute: features.Features, order: PackOrder, asked: Question, rows: "pd.DataFrame", *, name: str
) -> "NDArray[np.float64]":
    return estimator.scores(model, model_columns(compute, rows, order.request, name=name), asked)


def _source_only(notebook: Path) -> bytes:
    """The notebook without outputs, counts and editor metadata."""
    # Imported late, because opening a bundle does not need nbformat.
    from proveout.model.notebook_file import read

    cells = [
        {
            "type": cell["cell_type"],
            "tags": cell.metadata.get("tags", []),
            "source": cell["source"],
        }
        for cell in read(notebook).cells
    ]
    return orjson.dumps(cells, option=orjson.OPT_INDENT_2)


def _copy(building: Path, empty: Path) -> None:
    shutil.copytree(building, empty, dirs_exist_ok=True)


def archive(folder: Path) -> bytes:
    """The whole bundle as one zip file with the same bytes for the same files, for Metaflow to store with the run."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in file_names(folder):
            zipped.writestr(zipfile.ZipInfo(file, date_time=(1980, 1, 1, 0, 0, 0)), (folder / file).read_bytes())
    return packed.getvalue()
