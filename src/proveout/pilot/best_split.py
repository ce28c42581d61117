"""The best decision stump of a table: one condition on one column, which a person can check by hand.

Input: the request columns and outcomes of any task. Output: a `BestSplit`: the condition, and the answer on each side.
Of all columns and thresholds, it is the one with the least squared error.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.records.answer import TaskName
from proveout.task.plain_values import class_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Said = float | Mapping[str, float]
_CUTS = 32  # per numeric column
_LEAST_SHARE = 0.02  # of rows on each side
_LEAST_GAIN = 0.01  # share of the squared error


@dataclass(frozen=True, kw_only=True)
class BestSplit:
    """Rows with `column` >= `at_least`, or with `column` in `among`, get the answer `here`; others get `otherwise`."""

    rows: int
    otherwise: Said
    column: str | None = None  # None if no column predicts enough
    at_least: float | None = None
    among: tuple[str, ...] = ()
    here: Said = 0.0
    here_rows: int = 0


def find(frame: "pd.DataFrame", outcomes: "NDArray[Any]", task: TaskName) -> BestSplit:
    """The best split of `frame`. Rows without a value get `otherwise`.

    >>> import numpy as np
    >>> import pandas as pd
    >>> calls = pd.DataFrame({"calls": [1, 2, 3, 8, 9, 9] * 20})
    >>> found = find(calls, np.array([False, False, False, True, True, False] * 20), "binary")
    >>> found.column, found.at_least, round(found.here, 2), found.otherwise
    ('calls', 8.0, 0.67, 0.0)
    """
    import numpy as np

    told = _targets(outcomes, task)
    questions = list(_questions(frame, told))
    # The best of so many conditions gains about this much even if no column predicts anything.
    by_chance = 2 * math.log(max(len(questions), 1)) / len(told)
    best, asked = _squared(told, np.ones(len(told), dtype=bool)) * (1 - _LEAST_GAIN - by_chance), None
    for column, question, here in questions:
        share = float(here.mean())
        if not _LEAST_SHARE <= share <= 1 - _LEAST_SHARE:
            continue
        left = _squared(told, here) + _squared(told, ~here)
        if left < best:
            best, asked = left, (column, question, here)
    if asked is None:
        return BestSplit(rows=len(told), otherwise=_said(outcomes, task))
    column, question, here = asked
    at_least, among = (question, ()) if isinstance(question, float) else (None, question)
    return BestSplit(
        rows=len(told), column=column, at_least=at_least, among=among, here=_said(outcomes[here], task),
        here_rows=int(here.sum()), otherwise=_said(outcomes[~here], task),
    )  # fmt: skip


def _questions(
    frame: "pd.DataFrame", told: "NDArray[np.float64]"
) -> "Iterator[tuple[str, float | tuple[str, ...], NDArray[np.bool_]]]":
    """Each column with each condition on it, and a flag for each row that meets it."""
    import numpy as np

    for name in map(str, frame.columns):
        values = frame[name]
        if values.dtype.kind in "iuf":
            numbers = values.to_numpy(dtype=float)
            cuts = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _CUTS + 1)[1:], method="higher"))
            yield from ((name, float(f"{cut:.6g}"), numbers >= float(f"{cut:.6g}")) for cut in cuts)
        elif values.dtype.kind not in "bM":
            texts = values.astype(object)
            kinds = sorted(texts.dropna().unique(), key=lambda kind: -float(told[(texts == kind).to_numpy(), 0].mean()))
            yield from (
                (name, tuple(kinds[:many]), texts.isin(kinds[:many]).to_numpy()) for many in range(1, len(kinds))
            )


def _targets(outcomes: "NDArray[Any]", task: TaskName) -> "NDArray[np.float64]":
    """Numeric targets, shape (rows, targets); for a multi-class task one indicator per class, most frequent first."""
    import numpy as np

    if task != "multiclass":
        return outcomes.astype(float)[:, None]
    _, codes, counts = np.unique(outcomes.astype(str), return_inverse=True, return_counts=True)
    return np.eye(len(counts))[codes][:, np.argsort(-counts)]


def _squared(told: "NDArray[np.float64]", here: "NDArray[np.bool_]") -> float:
    if not here.any():
        return 0.0
    chosen = told[here]
    return float(((chosen - chosen.mean(axis=0)) ** 2).sum())


def _said(outcomes: "NDArray[Any]", task: TaskName) -> Said:
    import numpy as np

    if task == "binary":
        return float(outcomes.mean())
    if task == "regression":
        return float(np.median(outcomes))
    kinds, counts = np.unique(outcomes, return_counts=True)
    return {class_text(kind): int(count) / len(outcomes) for kind, count in zip(kinds.tolist(), counts, strict=True)}
