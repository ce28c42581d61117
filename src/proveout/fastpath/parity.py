"""The direct path: features and fitted steps on NumPy arrays, used only if its answers equal the pipeline's.

Input: the model, the features function and reference rows. Output: `Direct`, or the reason why there is none. For a
single row, the pipeline spends nearly all of its time on table overhead: names, checks, copies. The direct path runs
the same function and the same fitted numbers on arrays. It is compared with the pipeline on the reference rows, in a
batch and one by one, and on edge rows; once when a bundle is packed, and again when it is opened.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from proveout.data import request_columns
from proveout.data.features import Features
from proveout.errors import ProveoutError
from proveout.fastpath import tolerance as numerics
from proveout.fastpath import transformers
from proveout.fastpath.frame import Block, BlockFeatures, block_of
from proveout.fastpath.series import NotDirect
from proveout.schema import coercion
from proveout.task.question import Question

if TYPE_CHECKING:
    import pandas as pd

Scorer = Callable[["pd.DataFrame"], NDArray[np.float64]]

_ALONE = 24  # reference rows that are compared one by one
_BATCH = 256
ON = "on"
KNOWN = ("1.5", "1.6", "1.7", "1.8", "1.9")
"""The minor releases of scikit-learn whose private parts and arithmetic the fast path knows."""
_FAR = (0, -1, 1_000_000)


class Direct:
    """Scores from arrays. Raises for rows that only the pipeline can answer.

    Raises: NotDirect, or the error of the features function on a Block, if there is no direct path.
    """

    def __init__(
        self, model: Any, function: Features, dtypes: Mapping[str, str], sample: Mapping[str, Any], *, asked: Question
    ) -> None:
        self._function, self._dtypes = cast(BlockFeatures, function), dict(dtypes)
        self._columns = self._features(sample).columns
        self._score = transformers.scorer(model, self._columns, asked=asked)

    def predict(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """The scores of each row. See `OpenBundle.predict_columns`."""
        with np.errstate(all="ignore"):  # as in pandas: undefined results are NaN, without a warning
            block = self._features(columns)
            if block.columns != self._columns:
                raise NotDirect("a table whose columns depend on the rows")
            return self._score(block)

    def _features(self, columns: Mapping[str, Any]) -> Block:
        block = block_of(columns, self._dtypes)
        made = self._function(block)
        if not isinstance(made, Block) or len(made) != len(block):
            raise NotDirect(f"features that give a {type(made).__name__}")
        return made


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of the comparison. `why` is "on", or why the pipeline has to answer. `rows` were compared, within
    `tolerance`, which is relative to the answer (see `tolerance.py`)."""

    why: str
    rows: int = 0
    tolerance: float = 0.0
    direct: Direct | None = None


def find(
    model: Any,
    function: Features,
    dtypes: Mapping[str, str],
    *,
    asked: Question,
    plain: Scorer,
    reference: "pd.DataFrame",
) -> Found:
    """The direct path of a model, if it has one whose answers equal those of `plain`, the pipeline.

    Args:
        asked: which output of the model the scores are.
        reference: raw rows with at least the request columns.
    """
    import sklearn

    if ".".join(sklearn.__version__.split(".")[:2]) not in KNOWN:
        return Found(
            why=f"it is not known with scikit-learn {sklearn.__version__}, only with {KNOWN[0]} to {KNOWN[-1]}"
        )
    rows = reference[list(dtypes)].reset_index(drop=True)
    if rows.empty:
        return Found(why="there are no reference rows to compare it on")
    places = np.unique(np.linspace(0, len(rows) - 1, _ALONE).astype(int))
    try:
        wanted, compared = plain(rows), 0
        direct = Direct(model, function, dtypes, request_columns.arrays(rows, dtypes), asked=asked)
        tolerance = numerics.tolerance(model).answers
        for part in (slice(None), slice(0, _BATCH), *(slice(place, place + 1) for place in places)):
            _compare(direct.predict(request_columns.arrays(rows[part], dtypes)), wanted[part], tolerance)
            compared += len(rows[part])
        awkward = edges(rows, dtypes)
        answered = _answered(direct, awkward, dtypes)
        # Where the pipeline raises, the direct path has to: then what it answered can be asked in one go.
        for found, answer in zip(answered.values(), _each(plain, awkward.iloc[[*answered]]), strict=True):
            _compare(found, answer, tolerance)
            compared += 1
    except Exception as error:  # the project's own code runs on a Block, for which it was not written
        return Found(why=str(error) if isinstance(error, NotDirect | Differs) else f"it raised {error!r:.200}")
    return Found(why=ON, rows=compared, tolerance=tolerance, direct=direct)


def _answered(direct: Direct, rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> dict[int, NDArray[np.float64]]:
    """The direct path's answer to each row alone, by its place. The pipeline will answer those for which it raises."""
    answered = {}
    for place in range(len(rows)):
        with suppress(Exception):
            answered[place] = direct.predict(request_columns.arrays(rows.iloc[[place]], dtypes))
    return answered


class Differs(ProveoutError):
    """The direct path's answer differs from the pipeline's, which is `wanted` (None if it raises)."""

    def __init__(self, found: float, wanted: float | None) -> None:
        super().__init__(found, wanted)
        self.found, self.wanted = found, wanted

    def __str__(self) -> str:
        other = "raises" if self.wanted is None else f"says {self.wanted!r}"
        return f"it says {self.found!r} of a row of which the pipeline {other}"


def _compare(found: NDArray[np.float64], wanted: NDArray[np.float64] | None, tolerance: float) -> None:
    if wanted is None:
        raise Differs(float(found.flat[0]), None)
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise NotDirect(f"a result of {found.dtype} and shape {found.shape}")
    apart = numerics.apart(found, wanted, tolerance)
    if apart.any():
        one, other = (np.atleast_1d(scores[int(np.argmax(apart))]) for scores in (found, wanted))
        worst = int(np.argmax(np.abs(one - other)))
        raise Differs(float(one[worst]), float(other[worst]))


def _each(plain: Scorer, rows: "pd.DataFrame") -> Iterator[NDArray[np.float64] | None]:
    """The pipeline's answer to each row, in order; None if it raises."""
    try:
        scores = plain(rows) if len(rows) else np.empty(0)
    except Exception:
        if len(rows) == 1:
            yield None
            return
        for place in range(len(rows)):
            yield from _each(plain, rows.iloc[[place]])
        return
    yield from (scores[place : place + 1] for place in range(len(rows)))


def edges(rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> "pd.DataFrame":
    """Edge rows: the first of `rows` with all or single values unknown, with unseen texts, or with extreme numbers."""
    kinds = {name: coercion.kind_of(dtype) for name, dtype in dtypes.items()}
    text = [name for name, dtype in dtypes.items() if kinds[name] == "str" or dtype == "object"]
    nullable = text + [name for name, dtype in dtypes.items() if name not in text and coercion.has_null(dtype)]
    holds = {name: convert for name, dtype in dtypes.items() if (convert := coercion.converter(dtype)) is not None}
    numbers = [name for name, kind in kinds.items() if kind in ("int", "float")]
    changes: list[dict[str, Any]] = [
        dict.fromkeys(nullable),
        *({name: None} for name in nullable),
        *({name: unseen} for name in text for unseen in ("", "never seen before")),
        *({name: far} for name in numbers for far in _FAR if holds[name](far) is not None),
    ]
    first = {name: request_columns.plain(rows[name].head(1))[0] for name in dtypes}
    made = [{**first, **change} for change in changes]
    return request_columns.table({name: [row[name] for row in made] for name in dtypes}, dtypes)
