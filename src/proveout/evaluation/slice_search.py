"""Searches the slices in which the model is weakest, by single columns and by pairs of columns.

Input: a loss for each row (`log_losses`, `squared_errors`, `wrong_calls`, or one model's less another's) and a frame
of columns. Output: `Evidence` for the weakest slices, each with its difference to all other rows:

    evidence(slice_search.search(slice_search.squared_errors(holdout.labels, scores), holdout.records, at_most=0.15))

Among thousands of slices, some look bad even for a perfect model. So each slice is compared with the distribution of
the worst of ALL slices if losses were independent of the columns: losses are randomly permuted over the rows hundreds
of times, and each time the largest t statistic (Welch's, of a slice against the rest) is recorded: max-T, Westfall and
Young, Resampling-Based Multiple Testing (1993). Unlike a normal approximation, permutations keep the skewness of the
losses; and unlike sample splitting, all rows are used for both search and test.

Correlated rows, such as the flights of one day, cannot be permuted one by one. With `clusters=`, the losses stay in
place, and the deviations from the mean change sign for random whole clusters: the wild cluster bootstrap with the null
imposed, with cluster-robust t statistics (Cameron, Gelbach and Miller, Review of Economics and Statistics 90 (2008)). A
slice within very few clusters is not tested, because it cannot be distinguished from them.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks, permutation
from proveout.evaluation.stats import groups as parts
from proveout.evaluation.stats.permutation import Atoms
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

COVERS = ("model-6",)
MOST_KINDS = 40  # distinct texts with their own slice; rarer ones share one
ALIKE = 0.5  # from this share of common rows on, a second slice is redundant


def search(
    losses: "ArrayLike",
    frame: "pd.DataFrame",
    *,
    at_most: float | None = None,
    columns: Sequence[str] | None = None,
    fewest: int = 200,
    depth: int = 2,
    bands: int = 4,
    alpha: float = 0.05,
    top: int = 5,
    deals: int = 299,
    clusters: "ArrayLike | None" = None,
    seed: int = 0,
    name: str = "mean loss, slice less rest",
) -> tuple[Evidence, ...]:
    """The slices whose mean loss is most significantly above that of all other rows; last, the number of tested slices.

    Evidence of a slice: its mean loss less that of the rest, its rows, and an interval that accounts for the search:
    each end holds for all slices at once with probability 1 - `alpha`. The decision is `weaker than the rest` if the
    lower end is above 0. If losses are independent of the columns, at most a share `alpha` of searches reports a slice.

    A slice may be weak because its rows are harder to predict: an event with probability one half costs more than a
    rare one. To find weaknesses of this model, search the losses less those of the champion or of a simpler model; and
    `labels - scores` for slices with too low predictions, `scores - labels` for too high ones.

    Args:
        losses: of each row, higher is worse, shape (rows,).
        frame: columns that define slices: each value of a text, bands of a number with about equally many rows, and
            null. Rare values share a slice. A column with one value defines none.
        at_most: bound for slices that are significantly weaker than the rest; others are not bounded, because chance
            makes some slice look bad. 0 refuses any significantly weaker slice.
        columns: columns of the frame to use; default: all.
        fewest: fewest rows of a slice, and of its rest.
        depth: 1 for single columns, 2 for pairs as well.
        bands: number of bands of a numeric column.
        top: how many slices to return. Of two that share half of their rows, only the more significant one.
        deals: number of permutations. With more, the interval depends less on `seed`.
        clusters: shape (rows,), such as the day of each flight; without them, rows count as independent. Slices are
            tested if they have rows of at least six effective clusters.
    Raises: UsageError for losses that are not numbers, another length, another depth, or too few deals.

    >>> import pandas as pd
    >>> from random import Random
    >>> chance, carrier = Random(0), ["UA", "MQ"] * 1_000
    >>> flights = pd.DataFrame({"carrier": carrier, "hour": [chance.randrange(24) for _ in carrier]})
    >>> losses = [chance.random() + (name == "MQ" and hour >= 18) for name, hour in zip(carrier, flights["hour"])]
    >>> found, looked_at = search(losses, flights, at_most=0.2, top=1)
    >>> found.slice, found.rows, round(found.value, 2), found.decision, found.holds
    ('carrier=MQ & hour=[17, 23]', 311, 0.86, 'weaker than the rest', False)
    >>> looked_at.value, looked_at.decision
    (14, '3 surely weaker than the rest')
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    known = array_checks.numbers(losses, "losses")
    array_checks.same_length(len(known), rows_of_the_frame=frame)
    groups = array_checks.groups(clusters, len(known))
    if depth not in {1, 2} or deals < 1 / alpha - 1:
        raise UsageError(
            f"search() looks at columns (depth=1) and at pairs of them (depth=2), with {1 / alpha - 1:.0f} deals or "
            f"more for alpha={alpha}; asked: depth={depth}, deals={deals}."
        )
    atoms = _atoms(frame if columns is None else frame[list(columns)], fewest=fewest, bands=bands)
    slices = partial(permutation.slices, atoms, fewest=fewest, depth=depth)
    unit = float(known.std()) if len(known) and np.ptp(known) else 0.0
    scaled = (known - known.mean()) / unit if unit else np.zeros(len(known))
    # One thread: the matrix product's threads spin while they wait, so on a busy machine 1 s becomes 80 s.
    with threadpool_limits(limits=1, user_api="blas"):
        game = permutation.by_row(scaled, slices) if groups is None else permutation.by_cluster(scaled, groups, slices)
        looked = list(game.compare(game.as_it_is[:, None]))
        if not looked:
            return (_looked_at(0, rows=len(known), weaker=0),)
        most, least = permutation.extremes(game, deals=deals, seed=seed)
    place = min(math.ceil((1 - alpha) * (deals + 1)), deals) - 1
    pairs = [(one.atom, int(other)) for one in looked for other in one.others]
    rows, difference, error = (
        np.concatenate([getattr(one, part).reshape(len(one.rows)) for one in looked])
        for part in ("rows", "difference", "error")
    )
    low, high = difference - np.sort(most)[place] * error, difference + np.sort(-least)[place] * error
    weaker = low > 0
    breaking = weaker & (unit * difference > (math.inf if at_most is None else at_most))
    found = [
        Evidence(
            name=name, slice=_called(atoms, pairs[one]), rows=int(rows[one]), covers=COVERS, level=1 - 2 * alpha,
            value=float(unit * difference[one]), low=float(unit * low[one]), high=float(unit * high[one]),
            at_most=at_most if weaker[one] else None,
            decision="weaker than the rest" if weaker[one] else "not surely weaker than chance would make one",
        )
        for one in _unlike(np.lexsort((-low, ~breaking)), pairs, atoms, top=top)
    ]  # fmt: skip
    return (*found, _looked_at(len(pairs), rows=len(known), weaker=int(weaker.sum())))


def log_losses(labels: "ArrayLike", probabilities: "ArrayLike") -> "NDArray[np.float64]":
    """The log loss of each row in nats: minus the log of the probability of the outcome.

    Probabilities are limited to a millionth from 0 and 1, so that no single loss is infinite.

    >>> log_losses([True, False], [0.5, 0.1]).round(3).tolist()
    [0.693, 0.105]
    """
    import numpy as np

    truth, said = _answers(labels, probabilities)
    return np.asarray(-np.log(np.maximum(np.where(truth, said, 1 - said), 1e-6)))


def squared_errors(labels: "ArrayLike", probabilities: "ArrayLike") -> "NDArray[np.float64]":
    """The squared difference of each probability from the outcome, 0 to 1; their mean is the Brier score.

    >>> squared_errors([True, False], [0.5, 0.1]).round(3).tolist()
    [0.25, 0.01]
    """
    import numpy as np

    truth, said = _answers(labels, probabilities)
    return np.asarray(np.square(said - truth))


def wrong_calls(labels: "ArrayLike", probabilities: "ArrayLike", *, threshold: float = 0.5) -> "NDArray[np.float64]":
    """1 for each row with the wrong label, if rows are predicted true from `threshold` on; 0 for the others.

    >>> wrong_calls([True, True, False], [0.5, 0.1, 0.4], threshold=0.3).tolist()
    [0.0, 1.0, 1.0]
    """
    import numpy as np

    truth, said = _answers(labels, probabilities)
    return np.asarray((said >= threshold) != truth, dtype=float)


def _answers(labels: "ArrayLike", probabilities: "ArrayLike") -> "tuple[NDArray[np.bool_], NDArray[np.float64]]":
    truth, said = array_checks.truths(labels), array_checks.numbers(probabilities, "probabilities")
    array_checks.same_length(len(truth), probabilities=said)
    return truth, said


def _atoms(frame: "pd.DataFrame", *, fewest: int, bands: int) -> Atoms:
    import numpy as np

    names: list[str] = []
    column: list[int] = []
    of_rows: list[NDArray[np.intp]] = []
    for title, values in frame.items():
        codes, kinds = _kinds(values, name=str(title), fewest=fewest, bands=bands)
        if len(kinds) > 1:
            column += [len(of_rows)] * len(kinds)
            of_rows.append(codes + len(names))
            names += kinds
    stacked = np.array(of_rows, dtype=int).reshape(len(of_rows), len(frame))
    return Atoms(names=tuple(names), column=np.array(column, dtype=int), of_rows=stacked)


def _kinds(values: "pd.Series[Any]", *, name: str, fewest: int, bands: int) -> "tuple[NDArray[np.intp], list[str]]":
    """The index of each row's slice in one column, and the slices' names; numbers as bands, rare values together."""
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype) and values.nunique() > 2 * bands:
        values = parts.quantile_bands(values, bands)
    codes, kinds = parts.kinds_of(values, name=name)
    rows = np.bincount(codes, minlength=len(kinds))
    rare = (rows > 0) & (rows < max(fewest, np.sort(rows)[-MOST_KINDS:][0]))
    rare[-1] = False  # null always has its own slice
    if rare.sum() > 1:
        codes = np.where(rare[codes], len(kinds), codes)
        kinds = [*kinds, f"{name}: {int(rare.sum()):,} rare values"]
    there, codes = np.unique(codes, return_inverse=True)
    return codes, [kinds[kind] for kind in there]


def _unlike(order: "NDArray[np.intp]", pairs: list[tuple[int, int]], atoms: Atoms, *, top: int) -> list[int]:
    """The first `top` slices in this order that do not mostly repeat the rows of an earlier one."""
    chosen: list[int] = []
    taken: list[NDArray[np.bool_]] = []
    for one in order[: 100 * top]:
        first, second = pairs[one]
        rows = (atoms.of_rows[atoms.column[first]] == first) & (atoms.of_rows[atoms.column[second]] == second)
        if all((rows & other).sum() < ALIKE * (rows | other).sum() for other in taken):
            chosen.append(int(one))
            taken.append(rows)
        if len(chosen) == top:
            break
    return chosen


def _called(atoms: Atoms, pair: tuple[int, int]) -> str:
    first, second = (atoms.names[one] for one in pair)
    return first if first == second else f"{first} & {second}"


def _looked_at(count: int, *, rows: int, weaker: int) -> Evidence:
    said = (
        f"{weaker:,} surely weaker than the rest" if weaker else "no slice is surely weaker than chance would make one"
    )
    # A search without slices proves nothing.
    return Evidence(
        name="slices looked at", value=count, rows=rows, at_least=1, decision=said if count else "", covers=COVERS
    )
