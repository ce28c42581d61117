"""The bundle: a model with everything needed to serve it, to judge it and to make it again.

Input: what a training run made. Output: a folder in the store, named by the digest of its identity, and opened
only after every file in it has been compared with the manifest.

    manifest.json       what follows, each file with its SHA-256
      identity          model.skops  signature.json  config.json  code/features.py  code/notebook.ipynb
                        code/…, the files that the features read
      provenance        executed.ipynb  metrics.json  confidence.json  reference.parquet  heldout_answers.parquet
                        membership.parquet  profile.bin  profile.json  direct.json  requirements.lock, and when, where,
                        from which commit and by which run it was made

The digest is over the identity, which knows no clock: the same snapshot and configuration give the same digest.
An approval signs the manifest whole.
"""

import bisect
import hashlib
import io
import math
import platform
import shutil
import stat
import tempfile
import types
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from proveout.data import features, profiles, request_columns, snapshots
from proveout.data.splits import BATCH, SPLIT
from proveout.data.store import Store
from proveout.errors import BundleError, Tampered, UsageError
from proveout.fastpath import parity, tolerance
from proveout.model import estimator, model_io
from proveout.model import stated_metrics as metrics
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle, Metric, PackedConfig
from proveout.records.json_form import canonical, digest_of, from_json
from proveout.records.train_config import Split, TrainConfig
from proveout.records.values import Digest, Scalar
from proveout.settings import load_module
from proveout.task import conformal
from proveout.task import task as tasks
from proveout.task.question import Question
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MANIFEST = "manifest.json"
LOCK = "requirements.lock"
FORMAT = 1  # of the manifest; a newer one is refused
REFERENCE = "reference.parquet"
HELDOUT_ANSWERS = "heldout_answers.parquet"
MEMBERSHIP = "membership.parquet"
REFERENCE_ROWS = 2_000
_MOST_MANIFEST_BYTES = 2**20
CONFIDENCE_BINS = 20
_IDENTITY = "features.py:features"
_IDENTITY_SOURCE = '''"""The model is given the columns of the request as they are."""


def features(rows):
    return rows
'''
LABEL = "label"
# Outcomes are joined to the request columns under this name, so no request field may have it.


@dataclass(frozen=True, kw_only=True)
class PackOrder:
    """What a training run made, ready to be packed."""

    model: str
    model_file: Path  # skops, as it came out of the kernel
    features: str | None  # `path:function`, relative to `root`; None: the model is given the request's columns
    root: Path
    feature_files: tuple[str, ...] = ()  # what the features read, relative to `root`, beside their code or below it
    notebook: Path
    executed: Path
    config: TrainConfig  # of the run; its bounds, [evaluation], are not packed
    snapshot: Digest
    membership: "pd.DataFrame"  # the batch and the side of each row of the snapshot: see `splits.table`
    label: str  # what the target is called: so may a class of a binary model be
    task: TaskFacts  # what train.toml says of it: the threshold, or the coverage; the rest is found out here
    request: Mapping[str, str]  # dtype of each request column
    training: "pd.DataFrame"  # request columns of the training rows
    training_labels: "NDArray[Any]"  # as the task has outcomes
    heldout: "pd.DataFrame"
    heldout_labels: "NDArray[Any]"
    metrics: Mapping[str, float]
    run: str
    git_commit: str
    trained_at: str
    lock: Path | None


class OpenBundle:
    """A bundle whose files are what its manifest says, opened: it predicts."""

    def __init__(self, folder: Path, *, manifest: Digest | None = None) -> None:
        self.folder = folder
        self.bundle, self._listed = _described(folder)
        if manifest is not None and self.bundle.manifest != manifest:
            raise Tampered(folder.name, MANIFEST, "was replaced after its approval was read")
        _compare(folder, self._listed)
        signature = orjson.loads(self._taken("signature.json"))
        self.config = from_json(PackedConfig, self._taken("config.json")).config
        self._label: str = signature["label"]
        self._dtypes: dict[str, str] = signature["request"]
        self.request_columns = tuple(self._dtypes)
        self._function: str = signature["features"]
        source = self._taken("code/features.py")
        self._features = _packed_function(folder / "code" / "features.py", source, self._function)
        self._model = model_io.loads(self._taken("model.skops"), name="model.skops")
        self.task: Task = tasks.of(self.bundle.task)
        """How its scores are read."""
        self._asked = estimator.question(self._model, self.task.name, label=self._label)
        self._confidence = orjson.loads(self._taken("confidence.json"))
        self.tolerance = tolerance.tolerance(self._model)
        """How far two computations of one of its answers may be apart, and why."""
        self.detours = 0  # calls of `predict_columns` that the direct path could not answer, and the pipeline did
        found = self._found()
        self.direct: str = found.why
        """`on`, or why the pipeline answers `predict_columns`."""
        self._direct = found.direct

    @property
    def dtypes(self) -> Mapping[str, str]:
        """The pandas type of each request column."""
        return self._dtypes

    def _found(self) -> parity.Found:
        stated = "direct.json" in self._listed
        packed = orjson.loads(self._taken("direct.json"))["direct"] if stated else "it was packed without one"
        if packed != parity.ON:
            return parity.Found(why=packed)
        # Compared again: here the versions of NumPy and scikit-learn, or the processor, may be others.
        return parity.find(
            self._model,
            self._features,
            self._dtypes,
            asked=self._asked,
            plain=self.predict,
            reference=self.reference(),
        )

    @property
    def threshold(self) -> float:
        """From which probability on a binary bundle says true. Raises: UsageError for one of another task."""
        threshold = self.task.facts.threshold
        if threshold is None:
            raise UsageError(f"{self.bundle.name} answers a {self.task.name} task: a threshold belongs to binary ones.")
        return threshold

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each record: shape (rows,) the probability of true, 0 to 1, or the value; for several classes
        shape (rows, classes), the probability of each.

        Args:
            records: the request columns, in any order; others are not looked at. None and NaN are "not known".
        Raises: KeyError if a request column is not there; whatever the model raises on values it cannot take.
        """
        return self.predict_model_columns(self.model_columns(records))

    def predict_columns(self, columns: Mapping[str, "NDArray[Any]"]) -> "NDArray[np.float64]":
        """The same, from arrays and without a table where `direct` is on: many times faster for few rows.

        Args:
            columns: an array for each request column, as `request_columns` makes them. All of one length; others are
                not looked at.
        Raises: as `predict`.
        """
        if self._direct is not None:
            try:
                return self._direct.predict(columns)
            except Exception:  # one of these rows is of a kind that only the pipeline answers, or raises on
                self.detours += 1
        return self.predict(request_columns.table(columns, self._dtypes))

    def columns(self, records: Sequence[Mapping[str, Scalar]]) -> "dict[str, NDArray[Any]]":
        """Requests, as JSON has them, in the form that `predict_columns` takes: one array for each request column.

        Raises: KeyError if a request lacks a column; ValueError or TypeError if a value is not of its type.
        """
        return request_columns.arrays_of_records(records, self._dtypes)

    def table(self, records: Sequence[Mapping[str, Scalar]]) -> "pd.DataFrame":
        """Requests, as JSON has them, in the form that `predict` takes. Raises: as `columns`."""
        return request_columns.table(self.columns(records), self._dtypes)

    def arrays(self, records: "pd.DataFrame") -> "dict[str, NDArray[Any]]":
        """A table, in the form that `predict_columns` takes."""
        return request_columns.arrays(records, self._dtypes)

    def awkward(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """Requests made of the first of `records`: with values not known, never seen before, or far off."""
        return parity.edges(records.reset_index(drop=True), self._dtypes)

    def model_columns(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """The columns that the packed features give the model, one row for each record. Raises: as `predict`."""
        return _model_columns(self._features, records, self._dtypes, name=self._function)

    def predict_model_columns(self, columns: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each row of model columns: `predict` without the features."""
        return self.ask(self._model, columns)

    def parameters(self) -> Mapping[str, Any]:
        """The model's parameters, by the names that scikit-learn gives them."""
        return cast(Mapping[str, Any], self._model.get_params())

    def fit_again(
        self, columns: "pd.DataFrame", labels: "NDArray[Any]", *, changes: Mapping[str, Any] | None = None
    ) -> Any:
        """The model's steps and parameters, fitted to other `model_columns` and their outcomes.

        Args:
            changes: parameters that are to be others.
        """
        return estimator.fit_again(self._model, columns, labels, asked=self._asked, changes=changes)

    def ask(self, model: Any, columns: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of a model that `fit_again` gave, or of any that was fitted to the same target.

        Of several classes, those that the model knows and this bundle does too, in this bundle's order.
        """
        asked = estimator.question(model, self.task.name, label=self._label)
        found = estimator.scores(model, columns, asked)
        known = self.task.facts.classes
        if not known or (own := estimator.classes(model)) == known:
            return found
        return estimator.reordered(found, own, known)

    def requirements(self) -> str | None:
        """The packed requirements.lock; None if it was packed without one."""
        return self._taken(LOCK).decode() if LOCK in self._listed else None

    def confidences(self, scores: "NDArray[np.float64]") -> list[float | None]:
        """For each row of valid scores the share of held-out rows with about such ones that were right, 0 to 1.

        None for a value: how sure one may be of it, its interval says.
        """
        sure = self.task.certainty(scores)
        if sure is None:
            return [None] * len(scores)
        edges, right = self._confidence["edges"], self._confidence["right"]
        return [right[bisect.bisect_right(edges, one)] for one in sure.tolist()]

    def reference(self) -> "pd.DataFrame":
        """A sample of the training rows: request columns and `label`. At most 2,000.

        What the model says of them is no measure of what it says of others: it may have learned them by heart.
        """
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self._taken(REFERENCE)))

    def heldout_answers(self) -> "pd.DataFrame":
        """What the model says of a sample of the held-out rows, under the name that its task watches it by, and their
        `label`. At most 2,000."""
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self._taken(HELDOUT_ANSWERS)))

    def membership(self) -> "pd.DataFrame":
        """On which side each row of the snapshot stands, in its order: `batch`, and `split`, null for none."""
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self._taken(MEMBERSHIP))).astype(object)

    def _taken(self, file: str) -> bytes:
        """The content of a file, compared again: between the look at it and its use it can be replaced."""
        return _content(self.folder, file, self._listed)


def _packed_function(file: Path, source: bytes, name: str) -> features.Features:
    # Compiled from the source just verified, never imported: an import would trust bytecode lying beside it.
    module = types.ModuleType(f"proveout_packed_{file.parts[-3][:12]}")
    module.__file__ = str(file)
    exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  # what an approval signed
    return cast(features.Features, getattr(module, name))


def reference_rows(folder: Path) -> "pd.DataFrame":
    """The rows of `OpenBundle.reference`, of a bundle that is not opened: no model is loaded. Raises: Tampered."""
    import pandas as pd

    _, listed = _described(folder)
    # Without threads: whoever asks may fork afterwards.
    return pd.read_parquet(io.BytesIO(_content(folder, REFERENCE, listed)), use_threads=False)


def _content(folder: Path, file: str, listed: Mapping[str, str]) -> bytes:
    content = (folder / file).read_bytes()
    if hashlib.sha256(content).hexdigest() != listed.get(file):
        raise Tampered(folder.name, file, "is not what the manifest says (its SHA-256 differs)")
    return content


def open_bundle(folder: Path, *, manifest: Digest | None = None) -> OpenBundle:
    """Verify every file of the bundle in `folder`, then open it.

    Args:
        manifest: the digest that the manifest must have, where an approval was read for it.
    Raises: Tampered, BundleError.
    """
    return OpenBundle(folder, manifest=manifest)


def rows_on(opened: OpenBundle, store: Store, side: str) -> "pd.DataFrame":
    """The raw rows of the bundle's snapshot that stand on one side of its split, `train` or `holdout`, in order.

    Raises: NotFound if the store has no such snapshot; BundleError if it has other rows than the bundle says.
    """
    membership = opened.membership()
    names = list(dict.fromkeys(membership.loc[membership[SPLIT] == side, BATCH]))
    there = membership[membership[BATCH].isin(names)]
    rows = snapshots.read(store, opened.bundle.snapshot, batches=names)
    if rows[BATCH].tolist() != there[BATCH].tolist():
        raise BundleError(
            opened.bundle.name,
            f"it says of {len(there):,} rows on which side of the split they stand, and its snapshot has {len(rows):,}",
            "Train again: python flows/train.py run",
        )
    return rows[(there[SPLIT] == side).to_numpy()].reset_index(drop=True)


# --- packing ----------------------------------------------------------------------------------------------------------


def pack(order: PackOrder, store: Store) -> Bundle:
    """Pack what a run made into the store. The same identity again finds the bundle that is there and changes nothing.

    Raises: BundleError if the model holds what is not trusted, cannot answer the task, or does not predict the same
    once packed.
    """
    model = model_io.load(order.model_file)
    asked = estimator.question(model, order.task.task, label=order.label)
    order = replace(order, task=estimator.completed(model, order.task))
    if order.task.classes:
        estimator.refuse_unknown_classes(order.task.classes, order.heldout_labels)
    with tempfile.TemporaryDirectory(prefix="proveout-pack-") as temporary:
        building = Path(temporary)
        _write_identity(building, order)
        file, _, function = (order.features or _IDENTITY).partition(":")
        compute: features.Features = (
            features.identity if order.features is None else getattr(load_module(order.root / file), function)
        )
        plain = partial(_scores, model, compute, order, asked, name=function)
        task = _write_provenance(building, order, model=model, compute=compute, plain=plain, asked=asked)
        identity = {"model": order.model, "files": _hashes(building, only=_identity(building))}
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
                "metrics": dict(order.metrics),
                "task": task.facts,
                "files": {n: h for n, h in _hashes(building).items() if n not in identity["files"]},
            },
        }
        (building / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
        _prove(building, order, model, plain)
        folder = store.put("bundles", digest, lambda empty: _copy(building, empty))
    return describe(folder)


IDENTITY = ("model.skops", "signature.json", "config.json")  # and whatever lies below `code`


def _identity(folder: Path) -> frozenset[str]:
    return frozenset(file for file in _files(folder) if file in IDENTITY or file.startswith("code/"))


def _write_identity(folder: Path, order: PackOrder) -> None:
    (folder / "code").mkdir()
    (folder / "model.skops").write_bytes(model_io.canonical_bytes(order.model_file))
    file, _, function = (order.features or _IDENTITY).partition(":")
    if order.features is None:
        (folder / "code" / "features.py").write_text(_IDENTITY_SOURCE, encoding="utf-8")
    else:
        shutil.copyfile(order.root / file, folder / "code" / "features.py")
    for read in order.feature_files:
        # As it lies beside the code in the project, so that `Path(__file__).with_name(...)` finds it here too.
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
    # What the gate asks makes no other model: with another bound, training comes to the same bundle.
    packed = PackedConfig(snapshot=order.snapshot, config=replace(order.config, evaluation={}))
    (folder / "config.json").write_bytes(canonical(packed))


def _write_provenance(
    folder: Path, order: PackOrder, *, model: Any, compute: features.Features, plain: parity.Scorer, asked: Question
) -> Task:
    """Write what says how the bundle came about and how good it is. Returns the task with all that was measured."""
    shutil.copyfile(order.executed, folder / "executed.ipynb")
    (folder / "metrics.json").write_bytes(canonical(dict(order.metrics)))
    requests = request_columns.typed(order.heldout, order.request)
    name = order.features or "the request's columns"
    features.check_columns(compute, requests, tuple(order.request), name=name)
    scores = plain(order.heldout)
    task = tasks.of(measured_facts(order.task, scores, order.heldout_labels))
    metrics.compare(order.metrics, order.heldout_labels, scores, task=task)
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
    return task


def measured_facts(facts: TaskFacts, scores: "NDArray[np.float64]", outcomes: "NDArray[Any]") -> TaskFacts:
    """The facts of the task with what held-out rows tell: of a regression, how wide its interval is.

    Without a half width where there are too few rows for any.
    """
    if facts.task != "regression":
        return facts
    coverage = conformal.COVERAGE if facts.coverage is None else facts.coverage
    width = conformal.half_width(outcomes - scores, coverage=coverage)
    return replace(facts, half_width=width, coverage=coverage) if math.isfinite(width) else TaskFacts(task=facts.task)


def _prove(folder: Path, order: PackOrder, model: Any, plain: parity.Scorer) -> None:
    """What was packed predicts what was trained: opened from its files, on the first rows of the held-out batch."""
    import numpy as np

    rows = order.heldout.head(200)
    before = plain(rows)
    after = OpenBundle(folder).predict(rows)
    # Neither of the two is wrong where only the order of a sum is another.
    if tolerance.apart(after, before, tolerance.tolerance(model).answers).any():
        raise BundleError(
            order.model,
            f"packed, it predicts otherwise: up to {np.abs(before - after).max():.3g} apart on {len(rows)} rows",
            "flows/features.py must give the same columns wherever it is loaded from",
        )


def confidence_table(scores: "NDArray[np.float64]", outcomes: "NDArray[Any]", task: Task) -> dict[str, list[float]]:
    """How often scores like these were right on held-out rows: `right[i]` between `edges[i-1]` and `edges[i]`.

    Bins hold equally many rows each (20 at most), so each share rests on as many rows as any other. Empty for a task
    whose answers have no confidence.
    """
    import numpy as np

    sure = task.certainty(scores)
    if sure is None:
        return {"edges": [], "right": []}
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, CONFIDENCE_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, sure, side="right")
    right = task.right(outcomes, scores)
    everywhere = float(right.mean())  # of a bin that ties in the scores left empty
    shares = [float(right[place == i].mean()) if (place == i).any() else everywhere for i in range(len(edges) + 1)]
    return {"edges": [float(edge) for edge in edges], "right": shares}


def heldout_answers(scores: "NDArray[np.float64]", outcomes: "NDArray[Any]", task: Task) -> "pd.DataFrame":
    """A sample of the answers to held-out rows, in no order: what later answers are compared with."""
    import pandas as pd

    answers = pd.DataFrame({task.watched: task.watch(scores), LABEL: outcomes})
    return answers.sample(min(REFERENCE_ROWS, len(answers)), random_state=0).reset_index(drop=True)


def _scores(
    model: Any, compute: features.Features, order: PackOrder, asked: Question, rows: "pd.DataFrame", *, name: str
) -> "NDArray[np.float64]":
    return estimator.scores(model, _model_columns(compute, rows, order.request, name=name), asked)


def _model_columns(
    compute: features.Features, rows: "pd.DataFrame", dtypes: Mapping[str, str], *, name: str
) -> "pd.DataFrame":
    return features.compute(compute, request_columns.typed(rows, dtypes), tuple(dtypes), name=name)


def _source_only(notebook: Path) -> bytes:
    """The notebook without outputs, counts and metadata of an editor: what its author wrote."""
    # Deferred: who opens a bundle needs no nbformat.
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
    """The whole bundle as one zip file, the same bytes for the same files: Metaflow keeps it with the run."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in _files(folder):
            zipped.writestr(zipfile.ZipInfo(file, date_time=(1980, 1, 1, 0, 0, 0)), (folder / file).read_bytes())
    return packed.getvalue()


# --- verifying --------------------------------------------------------------------------------------------------------


def describe(folder: Path) -> Bundle:
    """What the bundle in `folder` says of itself, every file compared with the manifest first.

    Raises: Tampered, naming the first file that is changed, missing or strange.
    """
    bundle, listed = _described(folder)
    _compare(folder, listed)
    return bundle


def _described(folder: Path) -> tuple[Bundle, dict[str, str]]:
    """What the manifest says, and the SHA-256 it gives for each file."""
    name = folder.name
    try:
        text = _manifest(folder)
        manifest = orjson.loads(text)
        if manifest["format"] > FORMAT:
            raise BundleError(name, f"its format {manifest['format']} is newer than {FORMAT}", "Upgrade proveout")
        identity, provenance = manifest["identity"], manifest["provenance"]
        listed: dict[str, str] = {**provenance["files"], **identity["files"]}
        stated = tuple(Metric(name=n, value=float(v)) for n, v in sorted(provenance["metrics"].items()))
        bundle = Bundle(
            model=identity["model"],
            digest=Digest(manifest["digest"]),
            manifest=Digest(hashlib.sha256(text).hexdigest()),
            snapshot=Digest(provenance["snapshot"]),
            metrics=stated,
            trained_at=provenance["trained_at"],
            run=provenance["run"],
            git_commit=provenance["git_commit"],
            split=from_json(cast(Any, Split), canonical(provenance["split"])),
            task=from_json(TaskFacts, canonical(provenance["task"])),
            bytes=sum((folder / file).stat().st_size for file in listed if (folder / file).is_file()),
        )
    except FileNotFoundError as error:
        raise Tampered(name, MANIFEST, "is missing") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Tampered(name, MANIFEST, "is not readable as a manifest") from error
    if digest_of(identity) != bundle.digest:
        raise Tampered(name, MANIFEST, "does not have the digest that its identity gives")
    if len(name) == len(bundle.digest) and name != bundle.digest:
        raise Tampered(name, MANIFEST, f"is the one of another bundle, {bundle.digest[:12]}")
    return bundle, listed


verify = describe


def _manifest(folder: Path) -> bytes:
    file = folder / MANIFEST
    if not stat.S_ISREG(file.lstat().st_mode) or file.lstat().st_size > _MOST_MANIFEST_BYTES:
        raise Tampered(folder.name, MANIFEST, "is no file, or far too large for a manifest")
    return file.read_bytes()


def _compare(folder: Path, listed: Mapping[str, str]) -> None:
    present = set(_files(folder)) - {MANIFEST}
    for file in sorted(present | set(listed)):
        if file not in listed:
            raise Tampered(folder.name, file, "is not in the manifest")
        if file not in present or not stat.S_ISREG((folder / file).lstat().st_mode):
            raise Tampered(folder.name, file, "is missing")  # a link points elsewhere, a pipe is waited for in vain
        with (folder / file).open("rb") as opened:  # in portions: nothing says yet that it fits into the memory
            if hashlib.file_digest(opened, "sha256").hexdigest() != listed[file]:
                raise Tampered(folder.name, file, "is not what the manifest says (its SHA-256 differs)")


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _hashes(folder: Path, only: Collection[str] | None = None) -> dict[str, str]:
    return {
        file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for file in _files(folder)
        if only is None or file in only
    }
