"""The direct path: features and fitted steps on NumPy arrays, served only where they say what the pipeline says.

Input: the model, the features function and reference rows. Output: `Direct`, or the reason why there is none. The
pipeline spends nearly all of its time on tables of one row: names, checks, copies. What is asked here instead is the
same function and the same fitted numbers, compared with the pipeline's answers on the reference rows, in a batch and
one by one, and on rows made to be awkward: when a bundle is packed, and again when it is opened.
"""

from collections.abc import Callable, Mapping
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

_ALONE = 24  # reference rows that are asked one by one
_BATCH = 256
ON = "on"
_FAR = (0, -1, 1_000_000)


class Direct:
    """Scores from arrays. Raises on whatever only the pipeline can answer.

    Raises: NotDirect, or what the features function raises on a Block, if there is no direct path.
    """

    def __init__(
        self, model: Any, function: Features, dtypes: Mapping[str, str], sample: Mapping[str, Any], *, asked: Question
    ) -> None:
        self._function, self._dtypes = cast(BlockFeatures, function), dict(dtypes)
        self._columns = self._features(sample).columns
        self._score = transformers.scorer(model, self._columns, asked=asked)

    def predict(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """The scores of each row. See `OpenBundle.predict_columns`."""
        with np.errstate(all="ignore"):  # as pandas computes: what has no value is NaN
            block = self._features(columns)
            if block.columns != self._columns:
                raise NotDirect("a table whose columns depend on the rows")
            return self._score(block)

    def _features(self, columns: Mapping[str, Any]) -> Block:
        asked = block_of(columns, self._dtypes)
        made = self._function(asked)
        if not isinstance(made, Block) or len(made) != len(asked):
            raise NotDirect(f"features that give a {type(made).__name__}")
        return made


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the comparison found. `why` is `on`, or why the pipeline serves. `rows` were compared, up to `tolerance`, a
    share of the answer: see `tolerance`."""

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
    """The direct path of a model, if it has one that answers as `plain`, the pipeline, does.

    Args:
        asked: what of the model its scores are.
        reference: rows as they come, their request columns and more.
    """
    rows = reference[list(dtypes)].reset_index(drop=True)
    if rows.empty:
        return Found(why="there are no reference rows to compare it on")
    places = np.unique(np.linspace(0, len(rows) - 1, _ALONE).astype(int))
    try:
        said, compared = plain(rows), 0
        direct = Direct(model, function, dtypes, request_columns.arrays(rows, dtypes), asked=asked)
        tolerance = numerics.tolerance(model).answers
        for part in (slice(None), slice(0, _BATCH), *(slice(place, place + 1) for place in places)):
            _compare(direct.predict(request_columns.arrays(rows[part], dtypes)), said[part], tolerance)
            compared += len(rows[part])
        awkward = edges(rows, dtypes)
        for place, answer in enumerate(_each(plain, awkward)):
            row = awkward.iloc[[place]]
            try:
                found = direct.predict(request_columns.arrays(row, dtypes))
            except Exception:  # noqa: S112  # it is the pipeline that is asked then
                continue
            _compare(found, answer, tolerance)
            compared += 1
    except Exception as error:  # the project's own code, in a place it was not written for
        return Found(why=str(error) if isinstance(error, NotDirect | Differs) else f"it raised {error!r:.200}")
    return Found(why=ON, rows=compared, tolerance=tolerance, direct=direct)


class Differs(ProveoutError):
    """The direct path says something else than the pipeline, which says `wanted`, or raises."""

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


def _each(plain: Scorer, rows: "pd.DataFrame") -> list[NDArray[np.float64] | None]:
    """What the pipeline says of each row: None where it raises."""
    try:
        said = plain(rows)
        return [said[place : place + 1] for place in range(len(rows))]
    except Exception:
        return [None] if len(rows) == 1 else [_each(plain, rows.iloc[[place]])[0] for place in range(len(rows))]


def edges(rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> "pd.DataFrame":
    """Rows that are awkward: the first of `rows` with values not known, all or one, never seen before, or far off."""
    kinds = {name: coercion.kind_of(dtype) for name, dtype in dtypes.items()}
    text = [name for name, dtype in dtypes.items() if kinds[name] == "str" or dtype == "object"]
    nullable = text + [name for name, dtype in dtypes.items() if name not in text and coercion.has_null(dtype)]
    holds = {name: convert for name, dtype in dtypes.items() if (convert := coercion.converter(dtype)) is not None}
    numbers = [name for name, kind in kinds.items() if kind in ("int", "float")]
    changes: list[dict[str, Any]] = [
        dict.fromkeys(nullable),
        *({name: None} for name in nullable),
        *({name: strange} for name in text for strange in ("", "never seen before")),
        *({name: far} for name in numbers for far in _FAR if holds[name](far) is not None),
    ]
    first = {name: request_columns.plain(rows[name].head(1))[0] for name in dtypes}
    made = [{**first, **change} for change in changes]
    return request_columns.table({name: [row[name] for row in made] for name in dtypes}, dtypes)
