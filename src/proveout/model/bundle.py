"""Opened bundles: predict, give the confidence of answers, and refit the model.

Input: the folder of a bundle, in the store or elsewhere; `manifest.py` describes its files. Output: an `OpenBundle`,
after every file was compared with the manifest; and the rows that it contains or refers to.
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
from proveout.records.bundle import Bundle, PackedConfig
from proveout.records.json_form import from_json
from proveout.records.values import Digest, Scalar
from proveout.task import task as tasks
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class OpenBundle:
    """A verified and opened bundle, ready to predict. Arguments: as in `open_bundle`."""

    def __init__(self, folder: Path, *, manifest: Digest | None = None, direct: bool = True) -> None:
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
        """The bundle's task."""
        self._asked = estimator.question(self._model, self.task.name, label=self._label)
        self._confidence = orjson.loads(self._taken("confidence.json"))
        self.tolerance = tolerance.tolerance(self._model)
        """The tolerance between two computations of one answer, and its reason."""
        self.detours = 0  # calls of `predict_columns` that fell back to the pipeline
        found = self._found() if direct else parity.Found(why="it was opened without")
        self.direct: str = found.why
        """`on`, or the reason why `predict_columns` uses the pipeline."""
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
        # Compared again, because versions of NumPy and scikit-learn, or the processor, may differ here.
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
        """The threshold of a binary bundle. Raises: UsageError for another task."""
        threshold = self.task.facts.threshold
        if threshold is None:
            raise UsageError(f"{self.bundle.name} answers a {self.task.name} task: a threshold belongs to binary ones.")
        return threshold

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each record: the probability of true, or the value, shape (rows,); for several classes, the
        probability of each, shape (rows, classes).

        Args:
            records: the request columns, in any order; others are ignored. None and NaN are null.
        Raises: KeyError if a request column is missing; any error of the model.
        """
        return self.predict_model_columns(self.model_columns(records))

    def predict_columns(self, columns: Mapping[str, "NDArray[Any]"]) -> "NDArray[np.float64]":
        """The same from arrays; without a table if `direct` is on, which is many times faster for few rows.

        Args:
            columns: an array for each request column, as made by `request_columns`, all of one length; others are
                ignored.
        Raises: as in `predict`.
        """
        if self._direct is not None:
            try:
                return self._direct.predict(columns)
            except Exception:  # a row that only the pipeline can handle, or raises on
                self.detours += 1
        return self.predict(request_columns.table(columns, self._dtypes))

    def columns(self, records: Sequence[Mapping[str, Scalar]]) -> "dict[str, NDArray[Any]]":
        """JSON requests in the form for `predict_columns`: an array for each request column.

        Raises: KeyError if a request lacks a column; ValueError or TypeError if a value has the wrong type.
        """
        return request_columns.arrays_of_records(records, self._dtypes)

    def table(self, records: Sequence[Mapping[str, Scalar]]) -> "pd.DataFrame":
        """JSON requests in the form for `predict`. Raises: as in `columns`."""
        return request_columns.table(self.columns(records), self._dtypes)

    def arrays(self, records: "pd.DataFrame") -> "dict[str, NDArray[Any]]":
        """A table in the form for `predict_columns`."""
        return request_columns.arrays(records, self._dtypes)

    def awkward(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """Requests made from the first of `records`: with nulls, unseen values, and extreme values."""
        return parity.edges(records.reset_index(drop=True), self._dtypes)

    def model_columns(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """The model's columns from the packed features, one row per record. Raises: as in `predict`."""
        return model_columns(self._features, records, self._dtypes, name=self._function)

    def predict_model_columns(self, columns: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of rows of model columns: `predict` without the features."""
        return self.ask(self._model, columns)

    def parameters(self) -> Mapping[str, Any]:
        """The model's parameters, by scikit-learn's names."""
        return cast(Mapping[str, Any], self._model.get_params())

    def fit_again(
        self, columns: "pd.DataFrame", labels: "NDArray[Any]", *, changes: Mapping[str, Any] | None = None
    ) -> Any:
        """A new model with the same steps and parameters, fitted to these `model_columns` and outcomes.

        Args:
            changes: parameters to change.
        """
        return estimator.fit_again(self._model, columns, labels, asked=self._asked, changes=changes)

    def ask(self, model: Any, columns: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of a model from `fit_again`, or of any model fitted to the same target.

        For several classes, those that both the model and this bundle know, in this bundle's order.
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
        """For each row of valid scores, the share of held-out rows with similar scores that were right, 0 to 1.

        None for a regression, where the interval expresses the confidence.
        """
        sure = self.task.certainty(scores)
        if sure is None:
            return [None] * len(scores)
        edges, right = self._confidence["edges"], self._confidence["right"]
        return [right[bisect.bisect_right(edges, one)] for one in sure.tolist()]

    def reference(self) -> "pd.DataFrame":
        """A sample of the training rows: request columns and `label`. At most 2,000.

        Answers to them do not show the quality on other rows, because the model may have memorized them.
        """
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self._taken(REFERENCE)))

    def heldout_answers(self) -> "pd.DataFrame":
        """The model's answers to a sample of the held-out rows, named as the task watches them, and their `label`.

        At most 2,000.
        """
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self._taken(HELDOUT_ANSWERS)))

    def membership(self) -> "pd.DataFrame":
        """The side of each row of the snapshot, in its order: `batch`, and `split`, null for neither."""
        return _membership(self._taken(MEMBERSHIP))

    def _taken(self, file: str) -> bytes:
        """The content of a file, verified again, because it could be replaced after the first check."""
        return verified_content(self.folder, file, self._listed)


def _packed_function(file: Path, source: bytes, name: str) -> features.Features:
    # Compiled from the verified source, not imported: an import would trust bytecode next to it.
    module = types.ModuleType(f"proveout_packed_{file.parts[-3][:12]}")
    module.__file__ = str(file)
    exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  # what an approval signed
    return cast(features.Features, getattr(module, name))


def reference_rows(folder: Path) -> "pd.DataFrame":
    """The rows of `OpenBundle.reference` without loading the model. Raises: Tampered."""
    import pandas as pd

    _, listed = read_manifest(folder)
    # Without threads, because the caller may fork afterwards.
    return pd.read_parquet(io.BytesIO(verified_content(folder, REFERENCE, listed)), use_threads=False)


def open_bundle(folder: Path, *, manifest: Digest | None = None, direct: bool = True) -> OpenBundle:
    """Verify every file of the bundle in `folder`, then open it.

    Args:
        manifest: the required digest of the manifest, if an approval was read for it.
        direct: compare the direct path with the pipeline, so that `predict_columns` may use it. False saves
            its time where only `predict` is called.
    Raises: Tampered, BundleError.
    """
    return OpenBundle(folder, manifest=manifest, direct=direct)


def rows_on(opened: OpenBundle, store: Store, side: str) -> "pd.DataFrame":
    """The raw rows of the bundle's snapshot on one side of its split, `train` or `holdout`, in order.

    Raises: NotFound if the store does not have the snapshot; BundleError if its rows do not match the bundle.
    """
    return _rows_on(opened.bundle, opened.membership(), store, side)


def packed_rows_on(folder: Path, store: Store, side: str) -> "pd.DataFrame":
    """The rows of `rows_on` without loading the model. Raises: as in `rows_on`, and Tampered."""
    bundle, listed = read_manifest(folder)
    return _rows_on(bundle, _membership(verified_content(folder, MEMBERSHIP, listed)), store, side)


def _membership(packed: bytes) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(io.BytesIO(packed)).astype(object)


def _rows_on(bundle: Bundle, membership: "pd.DataFrame", store: Store, side: str) -> "pd.DataFrame":
    names = list(dict.fromkeys(membership.loc[membership[SPLIT] == side, BATCH]))
    there = membership[membership[BATCH].isin(names)]
    rows = snapshots.read(store, bundle.snapshot, batches=names)
    if rows[BATCH].tolist() != there[BATCH].tolist():
        raise BundleError(
            bundle.name,
            f"it says of {len(there):,} rows on which side of the split they stand, and its snapshot has {len(rows):,}",
            "Train again: python flows/train.py run",
        )
    return rows[(there[SPLIT] == side).to_numpy()].reset_index(drop=True)


def model_columns(
    compute: features.Features, rows: "pd.DataFrame", dtypes: Mapping[str, str], *, name: str
) -> "pd.DataFrame":
    """The model's columns for requests; `name` names the function in errors. Raises: as in `features.compute`."""
    return features.compute(compute, request_columns.typed(rows, dtypes), tuple(dtypes), name=name)
