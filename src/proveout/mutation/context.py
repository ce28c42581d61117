"""What mutants are made from: the candidate, its rows, and which of its columns matter most.

Input: an opened candidate and the rows of its gate. Output: `MutationContext`. Columns are chosen by how much the
model's answers depend on them, so this works for any project.
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

LOOKED_AT = 4_000  # held-out rows used to measure a column's weight
SEED = 0
_LIKE_A_CLOCK = re.compile(r"hour|time|clock|minute", re.IGNORECASE)


class DoesNotApply(ProveoutError):
    """The mutation cannot be made for this project; `why` says what is missing."""

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
    units: Mapping[str, str] = field(default_factory=dict)  # by request column: the unit in its schema
    closed: frozenset[str] = frozenset()  # request columns whose schema lists every value
    deadline_s: float = 0.5  # of an answer

    @cached_property
    def learned(self) -> "pd.DataFrame":
        """The model's columns of the training rows."""
        return self.candidate.model_columns(self.training.records)

    @cached_property
    def held(self) -> "pd.DataFrame":
        """The model's columns of the held-out rows."""
        return self.candidate.model_columns(self.holdout.records)

    @cached_property
    def scores(self) -> "NDArray[np.float64]":
        """The candidate's scores of the held-out rows."""
        return self.candidate.predict(self.holdout.records)

    @property
    def task(self) -> Task:
        """The candidate's task."""
        return self.candidate.task

    def refit(
        self, columns: "pd.DataFrame | None" = None, labels: "NDArray[Any] | None" = None, *, rows: Any = None
    ) -> Any:
        """The candidate's own steps and parameters, fitted again to its training rows, or to other columns or labels.

        Args:
            rows: positions of the rows to fit to, or a flag for each row; default: all.
        Raises: DoesNotApply if only one outcome is left, or a class has no row.
        """
        import numpy as np

        columns = self.learned if columns is None else columns
        labels = self.training.labels if labels is None else labels
        chosen = np.arange(len(labels))[slice(None) if rows is None else rows]
        if len(np.unique(labels[chosen])) < 2:
            raise DoesNotApply("all training rows would have the same outcome")
        if missing := {*self.task.facts.classes} - {*labels[chosen].tolist()}:
            raise DoesNotApply(f"no training row of class {min(map(str, missing))} would be left")
        return self.candidate.fit_again(columns.iloc[chosen], labels[chosen])

    # --- columns that are worth breaking ------------------------------------------------------------------------------

    @cached_property
    def model_weights(self) -> Mapping[str, float]:
        """By model column: the mean change of the scores if the column is shuffled; the largest first."""
        rows, predict = self.held.iloc[self._places], self.candidate.predict_model_columns
        return _weights(rows, list(rows.columns), predict)

    @cached_property
    def request_weights(self) -> Mapping[str, float]:
        """By request column: the mean change of the scores if the column is shuffled; the largest first."""
        rows = self.holdout.records.iloc[self._places]
        return _weights(rows, list(rows.columns), self.candidate.predict)

    @cached_property
    def _places(self) -> "NDArray[np.intp]":
        import numpy as np

        drawn = np.random.default_rng(SEED).permutation(self.holdout.rows)[:LOOKED_AT]
        return np.sort(drawn)

    def heaviest_number(self) -> str:
        """The numeric column that the scores depend on most. Raises: DoesNotApply if there is none."""
        return _first(self.model_weights, among=numbers(self.learned), what="numeric column that affects the answers")

    def lightest_number(self) -> str:
        """The numeric column that the scores depend on least. Raises: DoesNotApply if there is none."""
        there = numbers(self.learned)
        if not there:
            raise DoesNotApply("the model has no numeric column")
        return min(there, key=lambda name: self.model_weights[name])

    def heaviest(self) -> str:
        """The numeric or text column that the scores depend on most. Raises: DoesNotApply if there is none."""
        known = [*numbers(self.learned), *texts(self.learned)]
        return _first(self.model_weights, among=known, what="numeric or text column that affects the answers")

    def heaviest_open_text(self) -> str:
        """The text field of a request that the scores depend on most, of those whose schema does not list the values.

        Raises: DoesNotApply.
        """
        known = [name for name in texts(self.training.records) if name not in self.closed]
        what = "text field that affects the answers and whose schema allows other values"
        return _first(self.request_weights, among=known, what=what)

    def clocks(self) -> Mapping[str, str]:
        """The request columns that look like a time of day, each with its format: hours, minutes or HHMM."""
        return {name: how for name in numbers(self.training.records) if (how := clock(self.training.records[name]))}

    # --- the packed features ------------------------------------------------------------------------------------------

    @cached_property
    def signature(self) -> Mapping[str, Any]:
        """The bundle's signature: the type of each request column, and the function that computes model columns."""
        signature: Mapping[str, Any] = orjson.loads((self.candidate.folder / "signature.json").read_bytes())
        return signature

    def features_with(self, *, before: Sequence[str] = (), after: Sequence[str] = ()) -> str:
        """The source of the packed features with a fault added.

        Args:
            before: lines that change `rows`, the request columns, before the features are computed.
            after: lines that change `columns`, the model's columns, after that.
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
    """A typical value of the column: of numbers the one nearest to the median, of texts the most frequent.

    >>> import pandas as pd
    >>> usual(pd.Series([1, 2, 2, 9])), usual(pd.Series(["a", "b", "b"]))
    (2, 'b')
    """
    if column.dtype.kind in "iuf":
        return column.quantile(0.5, interpolation="lower").item()
    return column.mode().iloc[0]


def clock(column: "pd.Series[Any]") -> str:
    """The time format of a column, by its name and its values: `hours`, `minutes`, `HHMM`, or empty if it is no time.

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
