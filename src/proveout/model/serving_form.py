"""Whether a bundle answers requests in the form that the server sends: checked by the gate and by the server.

Input: an opened bundle and the types of the request schema's columns. Output: nothing, or a BundleError that names the
field and its type. Without this check, a bundle that the gate measured on tables could be released and then fail on
every request.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from proveout.data import request_columns
from proveout.errors import BundleError
from proveout.fastpath import tolerance
from proveout.records.values import Scalar
from proveout.schema import coercion

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_Requests = dict[str, Mapping[str, Scalar]]
_ROWS = 32
_REMEDY = "Give the field one type in the request schema and in the batch schema, then ingest and train again"


@runtime_checkable
class Answering(Protocol):
    """The part of `OpenBundle` that is used here."""

    @property
    def dtypes(self) -> Mapping[str, str]:
        """The pandas type of each request column that it was trained with."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each row of a table."""

    def predict_columns(self, columns: "Mapping[str, NDArray[Any]]") -> "NDArray[np.float64]":
        """The same from arrays."""

    def reference(self) -> "pd.DataFrame":
        """Training rows: the request columns and more."""


def refuse_unservable(
    opened: Answering, dtypes: Mapping[str, str], *, nullable: Collection[str] = (), name: str
) -> None:
    """Predict some training rows in the form of requests, and rows with one field null.

    Args:
        dtypes: the pandas type of each field in the request schema.
        nullable: the fields that a request may leave out.
    Raises: BundleError if an answer differs from the one for the table of the same rows.
    """
    trained = opened.dtypes
    strange = sorted(set(trained) - set(dtypes))
    if strange:
        problem = f"asks for {', '.join(strange)}, which no request has"
        raise BundleError(name, problem, "Train again with this request schema, or serve with the one it was made with")
    for field in trained:
        if field in nullable and not coercion.has_null(trained[field]):
            problem = f"learned {field} as {trained[field]}, which has no null, and a request may leave it out"
            raise BundleError(name, problem, _REMEDY)
    rows, nulls = _questions(opened, dtypes)
    if _fault(opened, dtypes, [*rows.values(), *nulls.values()]) == "":
        return
    # Many models cannot take null: without those requests, the training rows are still asked about at once.
    at_once = _fault(opened, dtypes, list(rows.values())) == ""
    for what, record in (nulls if at_once else {**rows, **nulls}).items():  # one by one, to find the faulty one
        if fault := _fault(opened, dtypes, [record]):
            raise BundleError(name, f"{fault}: asked about {what}", _REMEDY)


def _questions(opened: Answering, dtypes: Mapping[str, str]) -> tuple[_Requests, _Requests]:
    """Requests by description: training rows, and the first of them with one field null."""
    records = request_columns.plain_records(opened.reference()[list(opened.dtypes)].head(_ROWS))
    rows: _Requests = {f"training row {place}": one for place, one in enumerate(records, start=1)}
    nulls: _Requests = {}
    for field, learned in opened.dtypes.items():
        if records and coercion.has_null(dtypes[field]):
            what = f"a request without {field} ({dtypes[field]} in the request schema, {learned} in the bundle)"
            nulls[what] = {**records[0], field: None}
    return rows, nulls


def _fault(opened: Answering, dtypes: Mapping[str, str], records: Sequence[Mapping[str, Scalar]]) -> str | None:
    """How types change the answers to these requests; empty if not, None if the model cannot predict the table either.

    The checks judge a model that cannot predict at all.
    """
    trained = opened.dtypes
    try:
        judged = opened.predict(request_columns.table(request_columns.arrays_of_records(records, trained), trained))
    except Exception:  # the user's features or the model may raise anything
        return None
    try:
        asked = {field: request_columns.array([one[field] for one in records], dtypes[field]) for field in trained}
        served = opened.predict_columns(asked)
    except Exception as error:
        return f"it cannot be asked as a server asks ({type(error).__name__}: {error})"
    if _alike(served, judged):
        return ""
    # This tests types only. The checks judge a model that also differs for arrays of its own types, or in each call.
    own = {field: request_columns.array([one[field] for one in records], trained[field]) for field in trained}
    return "it answers otherwise than the gate measures" if _alike(opened.predict_columns(own), judged) else ""


def _alike(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> bool:
    return one.shape == other.shape and not tolerance.apart(one, other, tolerance.SUMMED).any()
