"""The ground that mutants grow on: the candidate, its rows, and which of its columns are worth breaking.

Input: an opened candidate and the rows of its gate. Output: `MutationContext`. Columns are chosen by what the
model itself makes of them, so that nothing here knows what a project is about.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from proveout.errors import ProveoutError
from proveout.evaluation.context import LabelledRows
from proveout.model.bundle import OpenBundle
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LOOKED_AT = 4_000  # held-out rows that a column's weight is measured on
SEED = 0
_LIKE_A_CLOCK = re.compile(r"hour|time|clock|minute", re.IGNORECASE)


class DoesNotApply(ProveoutError):
    """This project has nothing to break in that way. `why` says what is not there."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, kw_only=True)
class MutationContext:
    """What mutants are made from."""

    candidate: OpenBundle
    training: LabelledRows
    holdout: LabelledRows
    units: Mapping[str, str] = field(default_factory=dict)  # request column to the unit its schema describes
    closed: frozenset[str] = frozenset()  # request columns whose schema lists every value
    deadline_s: float = 0.5  # of an answer

    @cached_property
    def learned(self) -> "pd.DataFrame":
        """The model's columns of the rows trained on."""
        return self.candidate.model_columns(self.training.records)

    @cached_property
    def held(self) -> "pd.DataFrame":
        """The model's columns of the rows held out."""
        return self.candidate.model_columns(self.holdout.records)

    @cached_property
    def scores(self) -> "NDArray[np.float64]":
        """What the candidate says of the rows held out."""
        return self.candidate.predict(self.holdout.records)

    @property
    def task(self) -> Task:
        """What the candidate answers."""
        return self.candidate.task

    def refit(
        self, columns: "pd.DataFrame | None" = None, labels: "NDArray[Any] | None" = None, *, rows: Any = None
    ) -> Any:
        """The candidate's own steps and parameters, fitted to what it learned from, or to something else.

        Args:
            rows: the places of the rows to fit to, or a flag each; all of them without it.
        Raises: DoesNotApply where one outcome alone, or not each class, is left to learn from.
        """
        import numpy as np

        columns = self.learned if columns is None else columns
        labels = self.training.labels if labels is None else labels
        chosen = np.arange(len(labels))[slice(None) if rows is None else rows]
        if len(np.unique(labels[chosen])) < 2:
            raise DoesNotApply("all that would be learned from has the same outcome")
        if missing := {*self.task.facts.classes} - {*labels[chosen].tolist()}:
            raise DoesNotApply(f"there would be no row of class {min(map(str, missing))} to learn from")
        return self.candidate.fit_again(columns.iloc[chosen], labels[chosen])

    # --- columns that are worth breaking ------------------------------------------------------------------------------

    @cached_property
    def model_weights(self) -> Mapping[str, float]:
        """How far the answers move when a column of the model is shuffled, the mean over rows; the heaviest first."""
        rows, predict = self.held.iloc[self._places], self.candidate.predict_model_columns
        return _weights(rows, list(rows.columns), predict)

    @cached_property
    def request_weights(self) -> Mapping[str, float]:
        """The same for each column of a request."""
        rows = self.holdout.records.iloc[self._places]
        return _weights(rows, list(rows.columns), self.candidate.predict)

    @cached_property
    def _places(self) -> "NDArray[np.intp]":
        import numpy as np

        drawn = np.random.default_rng(SEED).permutation(self.holdout.rows)[:LOOKED_AT]
        return np.sort(drawn)

    def heaviest_number(self) -> str:
        """The column of numbers that the model's answers hang on most. Raises: DoesNotApply."""
        return _first(
            self.model_weights, among=numbers(self.learned), what="column of numbers that the answers hang on"
        )

    def lightest_number(self) -> str:
        """The column of numbers that they hang on least. Raises: DoesNotApply."""
        there = numbers(self.learned)
        if not there:
            raise DoesNotApply("the model has no column of numbers")
        return min(there, key=lambda name: self.model_weights[name])

    def heaviest(self) -> str:
        """The column, numbers or text, that the model's answers hang on most. Raises: DoesNotApply."""
        known = [*numbers(self.learned), *texts(self.learned)]
        return _first(self.model_weights, among=known, what="column of numbers or text that the answers hang on")

    def heaviest_open_text(self) -> str:
        """The text of a request, its values not listed in the schema, that the answers hang on most.

        Raises: DoesNotApply.
        """
        known = [name for name in texts(self.training.records) if name not in self.closed]
        what = "text that the answers hang on, and that may be another one than those listed in its schema"
        return _first(self.request_weights, among=known, what=what)

    def clocks(self) -> Mapping[str, str]:
        """The request's columns that read like a clock, each with how: hours, minutes or HHMM."""
        return {name: how for name in numbers(self.training.records) if (how := clock(self.training.records[name]))}

    # --- the packed features ------------------------------------------------------------------------------------------

    @cached_property
    def signature(self) -> Mapping[str, Any]:
        """What the bundle says of its request: the type of each column, and the function that makes the model's."""
        signature: Mapping[str, Any] = orjson.loads((self.candidate.folder / "signature.json").read_bytes())
        return signature

    def features_with(self, *, before: Sequence[str] = (), after: Sequence[str] = ()) -> str:
        """The source of the packed features, broken.

        Args:
            before: lines on `rows`, the request's columns, before the features see them.
            after: lines on `columns`, which are the model's then.
        """
        source = (self.candidate.folder / "code" / "features.py").read_text(encoding="utf-8")
        name = str(self.signature["features"])
        lines = [
            *before,
            f"columns = _whole_{name}(rows)",
            *(["columns = columns.copy()", *after] if after else []),
            "return columns",
        ]
        body = "\n".join(f"    {line}" if line else "" for line in lines)
        return f"{source.rstrip()}\n\n\n_whole_{name} = {name}\n\n\ndef {name}(rows):\n{body}\n"


def _weights(rows: "pd.DataFrame", names: Sequence[str], predict: Any) -> dict[str, float]:
    import numpy as np

    said = predict(rows)
    order = np.random.default_rng(SEED).permutation(len(rows))
    moved = {
        name: float(np.abs(predict(rows.assign(**{name: rows[name].array.take(order)})) - said).mean())
        for name in names
    }
    return dict(sorted(moved.items(), key=lambda item: -item[1]))


def _first(weights: Mapping[str, float], *, among: Sequence[str], what: str) -> str:
    found = [name for name in weights if name in among and weights[name] > 0]
    if not found:
        raise DoesNotApply(f"there is no {what}")
    return found[0]


def numbers(rows: "pd.DataFrame") -> list[str]:
    """The columns that hold numbers."""
    return [str(name) for name in rows.columns if rows[name].dtype.kind in "iuf"]


def texts(rows: "pd.DataFrame") -> list[str]:
    """The columns that hold text."""
    return [str(name) for name in rows.columns if str(rows[name].dtype) in ("str", "string", "object")]


def usual(column: "pd.Series[Any]") -> Any:
    """A value that the column has: of numbers one as near to the middle as there is, of text the most frequent.

    >>> import pandas as pd
    >>> usual(pd.Series([1, 2, 2, 9])), usual(pd.Series(["a", "b", "b"]))
    (2, 'b')
    """
    if column.dtype.kind in "iuf":
        return column.quantile(0.5, interpolation="lower").item()
    return column.mode().iloc[0]


def clock(column: "pd.Series[Any]") -> str:
    """How a column tells the time, by its name and its values: `hours`, `minutes`, `HHMM`, or empty if it does not.

    >>> import pandas as pd
    >>> clock(pd.Series([5, 1359, 2400], name="departure_time")), clock(pd.Series([0, 23], name="hour"))
    ('HHMM', 'hours')
    >>> clock(pd.Series([5, 1375, 2200], name="flight_time")), clock(pd.Series([5, 1300], name="flight"))
    ('', '')
    """
    known = column.dropna()
    if known.empty or not _LIKE_A_CLOCK.search(str(column.name)) or (known < 0).any() or (known % 1 != 0).any():
        return ""
    most = known.max()
    if most <= 24:
        return "hours" if most > 12 else ""
    if "minute" in str(column.name).lower():
        return "minutes" if 720 < most < 1440 else ""
    return "HHMM" if 1200 < most <= 2400 and (known % 100 < 60).all() else ""
