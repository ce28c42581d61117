"""The model runner: it answers messages with one opened model.

Input: messages (see `worker`). Output: replies. Plain requests are predicted at once. Explanations and shadow answers
are predicted in slices of some milliseconds, so a plain request waits for one slice at most. Between slices the caller
may pause. Only one thread at a time uses the model.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.errors import BundleError
from proveout.model import serving_form
from proveout.records.answer import Answer
from proveout.records.values import Scalar
from proveout.server import safe_traceback
from proveout.server.worker import shapley as reasoning
from proveout.server.worker.release_source import Served
from proveout.server.worker.shapley import Columns, Reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLICE_S = 0.003
_SLICE_CALLS = 2  # a slice lasts at least as long as two calls for a single row, for a pipeline with a slow call
_REPORT_EVERY_S = 60.0
_MOST_CALLS = 32  # of the model, to find the rows of one batch that make it fail
_CROWD = 5  # threads that may compete for the interpreter
_WARM_ROWS = (1, 2, 16, 64, 256)
_REFERENCE_ROWS = 256  # per call when the background is chosen; requests wait for the interpreter meanwhile
_FEWEST_SLICE_ROWS, _MOST_SLICE_ROWS = 64, 1_024

Scores = list[float | None]
"""The scores of one row: as many numbers as the task has."""
Pause = Callable[[float], None]
"""Called after each slice with its duration in seconds."""


class WrongShape(ValueError):
    """The model returned scores of the wrong shape."""


class ModelRunner:
    """Answers messages with one opened model.

    Args:
        dtypes: the pandas type of each request field.
        units: the unit of each field that has one.
        target_unit: the unit of the target, if it has one.
    Raises: BundleError if the model cannot score its own reference rows, or needs a field that requests do not have.
    """

    def __init__(
        self,
        served: Served,
        dtypes: Mapping[str, str],
        units: Mapping[str, str] | None = None,
        *,
        target_unit: str | None = None,
    ) -> None:
        self.release, self._model = served.release, served.model
        self.task = served.model.task
        self._dtypes, self._units, self._target_unit = dict(dtypes), dict(units or {}), target_unit
        self._fields = tuple(name for name in dtypes if name in served.model.request_columns)
        unknown = sorted(set(served.model.request_columns) - set(dtypes))
        if unknown:
            raise BundleError(
                served.release,
                f"asks for {', '.join(unknown)}, which no request has",
                "Train again with this request schema, or serve with the one it was trained with",
            )
        if isinstance(served.model, serving_form.Answering):  # a real bundle: repeat the check of the gate
            serving_form.refuse_unservable(served.model, dtypes, name=served.release)
        self._busy = threading.Lock()
        self._reported: dict[type[Exception], float] = {}
        self._slice_rows = float(_FEWEST_SLICE_ROWS)
        # Arrays if the model accepts them, else a DataFrame.
        self._direct: Callable[[Columns], NDArray[np.float64]] | None = getattr(served.model, "predict_columns", None)
        self._prepare()

    def _prepare(self) -> None:
        """Warm the model up, since its first calls are the slowest, and check that it scores its own reference rows."""
        import numpy as np

        reference = self._model.reference()[list(self._fields)]
        rows = self._columns({name: request_columns.plain(reference[name]) for name in self._fields})
        count = len(reference)
        parts = [range(first, min(first + _REFERENCE_ROWS, count)) for first in range(0, count, _REFERENCE_ROWS)]
        try:
            scores = np.concatenate([self._predict(_part(rows, part), len(part)) for part in parts])
            for size in _WARM_ROWS:
                self._predict(_part(rows, range(min(size, count))), min(size, count))
            began = time.thread_time()
            self._predict(_part(rows, range(1)), 1)
            self._slice_s = max(SLICE_S, _SLICE_CALLS * (time.thread_time() - began))
        except Exception as error:
            problem = f"cannot score its own reference rows ({type(error).__name__}: {error})"
            raise BundleError(self.release, problem, "Train it again") from error
        self._one = _part(rows, range(1))
        if not self.task.valid_rows(scores[:1])[0]:
            raise BundleError(self.release, "cannot score its own reference rows", "Train it again")
        self._background = _part(rows, reasoning.background_places(_ranked(scores), fields=len(self._fields)))
        self._starts = len(next(iter(self._background.values())))

    # --- messages -------------------------------------------------------------------------------------------------

    def probe(self) -> dict[str, Any]:
        """One row of the training data, scored."""
        with self._busy:
            return {"release": self.release, "scores": _plain(self._predict(self._one, 1))}

    def predict(self, columns: Mapping[str, Sequence[Scalar]]) -> dict[str, Any]:
        """Scores and confidence for each row; a problem for each row without scores."""
        rows = self._columns(columns)
        count = len(columns[self._fields[0]])
        with self._busy:
            scores, problems = self._each(rows, count)
        return {
            "release": self.release,
            "scores": scores,
            "confidence": self._confidences(scores),
            "problem": problems if any(problems) else None,
        }

    def shadow(self, columns: Mapping[str, Sequence[Scalar]], *, pause: Pause) -> dict[str, Any]:
        """As `predict`, in slices and without confidences; with the model's time for the longest slice."""
        rows, count = self._columns(columns), len(columns[self._fields[0]])
        scores: list[Scores | None] = []
        problems: list[str | None] = []
        longest_s, first = 0.0, 0
        while first < count:
            last = min(count, first + int(self._slice_rows))
            began = _clocks()
            with self._busy:
                slice_scores, slice_problems = self._each(_part(rows, range(first, last)), last - first)
            took_s = self._sliced(last - first, began)
            scores += slice_scores
            problems += slice_problems
            longest_s, first = max(longest_s, took_s), last
            pause(took_s)
        return {
            "release": self.release,
            "scores": scores,
            "problem": problems if any(problems) else None,
            "took_ms": round(longest_s * 1000, 3),
        }

    def explain(
        self, columns: Mapping[str, Sequence[Scalar]], *, within_s: float, pause: Pause
    ) -> list[tuple[Reason, ...] | None]:
        """The reasons for each row; None for rows that did not fit into `within_s`."""
        until = time.monotonic() + within_s
        rows, count = self._columns(columns), len(columns[self._fields[0]])
        found: list[tuple[Reason, ...] | None] = []
        for place in range(count):
            record = {name: columns[name][place] for name in self._fields}
            answer = Answer()
            if self.task.width > 1:  # explain the class that is answered
                with self._busy:
                    answer = self._answer(_part(rows, range(place, place + 1)))
            effect = self._effects(rows, place, answer, reasoning.seed_of(record), until=until, pause=pause)
            found.append(None if effect is None else self._reasons(effect, record, answer))
        return found

    def _reasons(
        self, effect: "NDArray[np.float64]", record: Mapping[str, Scalar], answer: Answer
    ) -> tuple[Reason, ...]:
        return reasoning.reasons(
            effect, record, self._units, words=partial(self.task.effect_words, answer=answer, unit=self._target_unit),
            smallest=self.task.smallest_effect,
        )  # fmt: skip

    # --- predicting -----------------------------------------------------------------------------------------------

    def _effects(
        self, rows: Columns, place: int, answer: Answer, seed: int, *, until: float, pause: Pause
    ) -> "NDArray[np.float64] | None":
        import numpy as np

        ways = reasoning.walks(self._fields, starts=self._starts, seed=seed)
        scores = np.empty(ways.rows)
        first = 0
        while first < ways.rows:
            if time.monotonic() > until:
                return None
            last = min(ways.rows, first + int(self._slice_rows))
            began = _clocks()
            mixed = reasoning.mixture(ways, self._background, rows, place, first=first, last=last)
            with self._busy:
                scores[first:last] = self.task.explained(self._predict(mixed, last - first), answer)
            took_s = self._sliced(last - first, began)
            first = last
            pause(took_s)
        return reasoning.effects(ways, scores)

    def _sliced(self, rows: int, began: tuple[float, float]) -> float:
        """The duration of the slice. Adapts the number of rows per slice to the target duration."""
        worked, wall = (now - then for now, then in zip(_clocks(), began, strict=True))
        # CPU time, because waiting for other threads would make slices small; but a model that itself waits counts.
        took_s = max(worked, wall / _CROWD)
        if rows >= int(self._slice_rows) or took_s > self._slice_s:
            aimed = rows * min(2.0, self._slice_s / max(took_s, 1e-6))
            self._slice_rows = min(_MOST_SLICE_ROWS, max(_FEWEST_SLICE_ROWS, (self._slice_rows + aimed) / 2))
        return took_s

    def _answer(self, row: Columns) -> Answer:
        """The answer to one row. Raises: ValueError if its scores are invalid; whatever the model raises."""
        scores = _plain(self._predict(row, 1))[0]
        if not self.task.is_valid(scores):
            raise ValueError(self.task.invalid)
        return self.task.answer([float(one) for one in scores if one is not None])

    def _each(self, rows: Columns, count: int) -> tuple[list[Scores | None], list[str | None]]:
        scores: list[Scores | None] = [None] * count
        problems: list[str | None] = [None] * count
        self._score(rows, range(count), scores, problems, calls=[_MOST_CALLS])
        return scores, problems

    def _score(
        self,
        rows: Columns,
        places: range,
        scores: list[Scores | None],
        problems: list[str | None],
        *,
        calls: list[int],
    ) -> None:
        """Fill `scores` at `places`. If the model raises, each half is tried, so that one bad request does not fail the
        other requests of its batch.

        Args:
            calls: the number of model calls left, in a list of one.
        """
        calls[0] -= 1
        try:
            part = rows if len(places) == len(scores) else _part(rows, places)
            found = _plain(self._predict(part, len(places)))
        except Exception as error:
            if len(places) == 1 or calls[0] < 2:
                self.report(error)
                for place in places:
                    problems[place] = f"it raised {type(error).__name__}"
                return
            middle = len(places) // 2
            self._score(rows, places[:middle], scores, problems, calls=calls)
            self._score(rows, places[middle:], scores, problems, calls=calls)
            return
        scores[places.start : places.stop] = found

    def _predict(self, rows: Columns, count: int) -> "NDArray[np.float64]":
        """The scores. Raises: WrongShape if their shape is not that of `count` rows; whatever the model raises."""
        import numpy as np

        if self._direct is not None:
            scores = self._direct(rows)
        else:
            dtypes = {name: self._dtypes[name] for name in self._fields}
            scores = self._model.predict(request_columns.table(rows, dtypes))
        found = np.asarray(scores, dtype=float)
        if found.shape != self.task.shape(count):
            raise WrongShape(f"{found.shape} for {count} rows")
        return found

    def _confidences(self, scores: Sequence[Scores | None]) -> list[float | None]:
        found: list[float | None] = [None] * len(scores)
        places = [place for place, one in enumerate(scores) if one is not None and None not in one]
        if not places:
            return found
        import numpy as np

        try:
            known = np.array([scores[place] for place in places], dtype=float).reshape(self.task.shape(len(places)))
            for place, confidence in zip(places, self._model.confidences(known), strict=True):
                found[place] = confidence
        except Exception as error:  # a prediction without a confidence is better than none
            self.report(error)
        return found

    def report(self, error: Exception) -> None:
        """Print the traceback, at most once a minute for each exception class."""
        last = self._reported.get(type(error), -math.inf)
        if time.monotonic() - last > _REPORT_EVERY_S:
            self._reported[type(error)] = time.monotonic()
            safe_traceback.report(error)

    def _columns(self, columns: Mapping[str, Sequence[Scalar]]) -> Columns:
        return {name: request_columns.array(columns[name], self._dtypes[name]) for name in self._fields}


def _clocks() -> tuple[float, float]:
    return time.thread_time(), time.perf_counter()


def _part(rows: Columns, places: Any) -> Columns:
    """The rows at `places`. For a range, views where the arrays support them."""
    if isinstance(places, range):
        return {name: array[places.start : places.stop] for name, array in rows.items()}
    return {name: array.take(places) for name, array in rows.items()}


def _plain(scores: "NDArray[np.float64]") -> list[Scores]:
    """The scores of each row as floats; None for NaN and infinity."""
    import numpy as np

    rows: list[list[Any]] = scores.reshape(len(scores), -1).tolist()
    if np.isfinite(scores).all():  # nearly always
        return rows
    return [[one if math.isfinite(one) else None for one in row] for row in rows]


def _ranked(scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """One number per row to sort by: of several scores, the one with the largest standard deviation."""
    return scores if scores.ndim == 1 else scores[:, int(scores.std(axis=0).argmax())]
