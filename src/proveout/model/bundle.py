"""A bundle, opened: it predicts, explains how sure it is, and is fitted again.

Input: the folder of a bundle, in the store or elsewhere; `manifest.py` says what lies in it. Output: an `OpenBundle`,
only after every file has been compared with the manifest; and the rows that it holds or stands for.
"""

import bisect
import io
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from proveout.data import features, request_columns, snapshots
from proveout.data.splits import BATCH, SPLIT
from proveout.data.store import Store
from proveout.errors import BundleError, Tampered, UsageError
from proveout.fastpath import parity, tolerance
from proveout.model import estimator, model_io
from proveout.model.manifest import (
    HELDOUT_ANSWERS,
    LOCK,
    MANIFEST,
    MEMBERSHIP,
    REFERENCE,
    compare_files,
    read_manifest,
    verified_content,
)
from proveout.records.bundle import PackedConfig
from proveout.records.json_form import from_json
from proveout.records.values import Digest, Scalar
from proveout.task import task as tasks
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class OpenBundle:
    """A bundle whose files are what its manifest says, opened: it predicts."""

    def __init__(self, folder: Path, *, manifest: Digest | None = None) -> None:
        self.folder = folder
        self.bundle, self._listed = read_manifest(folder)
        if manifest is not None and self.bundle.manifest != manifest:
            raise Tampered(folder.name, MANIFEST, "was replaced after its approval was read")
        compare_files(folder, self._listed)
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
        return model_columns(self._features, records, self._dtypes, name=self._function)

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
        return verified_content(self.folder, file, self._listed)


def _packed_function(file: Path, source: bytes, name: str) -> features.Features:
    # Compiled from the source just verified, never imported: an import would trust bytecode lying beside it.
    module = types.ModuleType(f"proveout_packed_{file.parts[-3][:12]}")
    module.__file__ = str(file)
    exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  # what an approval signed
    return cast(features.Features, getattr(module, name))


def reference_rows(folder: Path) -> "pd.DataFrame":
    """The rows of `OpenBundle.reference`, of a bundle that is not opened: no model is loaded. Raises: Tampered."""
    import pandas as pd

    _, listed = read_manifest(folder)
    # Without threads: whoever asks may fork afterwards.
    return pd.read_parquet(io.BytesIO(verified_content(folder, REFERENCE, listed)), use_threads=False)


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


def model_columns(
    compute: features.Features, rows: "pd.DataFrame", dtypes: Mapping[str, str], *, name: str
) -> "pd.DataFrame":
    """What a function of features makes of requests; `name` is what errors call it. Raises: as `features.compute`."""
    return features.compute(compute, request_columns.typed(rows, dtypes), tuple(dtypes), name=name)
