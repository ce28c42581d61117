"""The slices of a search against the rest, for losses as they are and for losses as chance would deal them.

Input: atoms, the slices that single columns make, and losses. Output: the difference of every slice and pair to
all other rows, with its error, and the largest t statistic that chance makes of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUMBERS_AT_ONCE = 6_000_000  # dealt losses in memory, 4 bytes each
FEWEST_CLUSTERS = 6  # a slice has to have rows of, counted after Kish: with fewer its t statistic is anything


@dataclass(frozen=True, kw_only=True)
class Atoms:
    """The slices that single columns make: what pairs are put together from."""

    names: tuple[str, ...]
    column: "NDArray[np.intp]"  # of each atom
    of_rows: "NDArray[np.intp]"  # the atom of each row in each column, shape (columns, rows)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Slices that begin with one atom, each against the rest, for one dealing of the losses or many."""

    atom: int
    others: "NDArray[np.intp]"  # the second atom of each slice, or the first again where it stands alone
    rows: "NDArray[np.intp]"  # of each slice
    difference: "NDArray[np.float64]"  # of its mean loss to the rest's, shape (slices, dealings)
    error: "NDArray[np.float64]"  # standard error of the difference, shape (slices, dealings)


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Slices that begin with one atom."""

    atom: int
    here: "NDArray[np.intp]"  # the rows that it has
    member: "NDArray[np.intp]"  # the second atom of each of them in each later column, and the first: (columns, rows)
    others: "NDArray[np.intp]"  # the second atom of each slice, or the first again where it stands alone
    rows: "NDArray[np.intp]"  # of each slice


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How losses would fall if they had nothing to do with the columns, and how slices compare for it."""

    as_it_is: "NDArray[np.float64]"
    deal: Callable[["np.random.Generator"], "NDArray[np.float64]"]  # in the place of `as_it_is`
    compare: Callable[["NDArray[Any]"], Iterator[Compared]]  # slices for many of these at once, one to a column


def extremes(chance: Chance, *, deals: int, seed: int) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """The largest and the smallest t statistic of all slices in each deal, shape (deals,) both."""
    import numpy as np

    random = np.random.default_rng(seed)
    most, least = np.full(deals, -np.inf), np.full(deals, np.inf)
    at_once = max(1, NUMBERS_AT_ONCE // len(chance.as_it_is))
    for start in range(0, deals, at_once):
        now = slice(start, min(start + at_once, deals))
        dealt = np.stack([chance.deal(random).astype(np.float32) for _ in range(deals)[now]], axis=1)
        for one in chance.compare(dealt):
            t = one.difference / one.error
            most[now], least[now] = np.maximum(most[now], t.max(axis=0)), np.minimum(least[now], t.min(axis=0))
    return most, least


def slices(atoms: Atoms, *, fewest: int, depth: int) -> Iterator[Slices]:
    """Every slice with enough rows in it and outside."""
    import numpy as np

    rows, count = atoms.of_rows.shape[1], len(atoms.names)
    for atom in range(count):
        here = np.flatnonzero(atoms.of_rows[atoms.column[atom]] == atom)
        later = atoms.of_rows[atoms.column[atom] + 1 if depth == 2 else len(atoms.of_rows) :, here]
        member = np.vstack([np.full(len(here), atom), later])
        sizes = np.bincount(member.ravel(), minlength=count)
        kept = np.flatnonzero((sizes >= fewest) & (sizes <= rows - fewest))
        if len(kept):
            yield Slices(atom=atom, here=here, member=member, others=kept, rows=sizes[kept])


def by_row(losses: "NDArray[np.float64]", slices: Callable[[], Iterator[Slices]]) -> Chance:
    """Each loss dealt out to another row; Welch's t statistic."""
    import numpy as np

    def compare(dealt: "NDArray[Any]") -> Iterator[Compared]:
        rows = len(dealt)
        total, total_squares = dealt.sum(axis=0), (dealt**2).sum(axis=0)
        for some in slices():
            # Which of these rows is in which slice: sums of all slices in all deals are then one product of matrices.
            belongs = np.zeros((some.member.max() + 1, len(some.here)), dtype=dealt.dtype)
            belongs[some.member, np.arange(len(some.here))] = 1
            mine = dealt[some.here]
            sums, squares = belongs[some.others] @ mine, belongs[some.others] @ mine**2
            inside, outside = some.rows[:, None], rows - some.rows[:, None]
            rest, rest_squares = total - sums, total_squares - squares
            spread = (squares - sums**2 / inside) / (inside * (inside - 1.0))
            rest_spread = (rest_squares - rest**2 / outside) / (outside * (outside - 1.0))
            yield _compared(some, sums / inside - rest / outside, spread + rest_spread)

    return Chance(as_it_is=losses, deal=lambda random: random.permutation(losses), compare=compare)


def by_cluster(
    losses: "NDArray[np.float64]", groups: "NDArray[np.intp]", slices: Callable[[], Iterator[Slices]]
) -> Chance:
    """The losses of a cluster, whose mean over all rows is 0, with one sign or the other; the clusters' t statistic."""
    import numpy as np

    units = int(groups.max()) + 1
    total, size = np.bincount(groups, losses), np.bincount(groups)

    def compare(signs: "NDArray[Any]") -> Iterator[Compared]:
        for some in slices():
            cells = (some.member * units + groups[some.here]).ravel()
            shape, length = (-1, units), (int(some.member.max()) + 1) * units
            sums = np.bincount(cells, np.tile(losses[some.here], len(some.member)), length).reshape(shape)
            sizes = np.bincount(cells, minlength=length).reshape(shape)
            spread_evenly = [
                np.square(part.sum(axis=1)) / np.maximum(np.square(part).sum(axis=1), 1) >= FEWEST_CLUSTERS
                for part in (sizes[some.others], size - sizes[some.others])
            ]
            kept = spread_evenly[0] & spread_evenly[1]
            if not kept.any():
                continue
            some = replace(some, others=some.others[kept], rows=some.rows[kept])  # noqa: PLW2901  # fewer of the same
            inside, outside = some.rows[:, None], len(losses) - some.rows[:, None]
            here, there = sums[some.others] / inside, (total - sums[some.others]) / outside
            ours, theirs = sizes[some.others] / inside, (size - sizes[some.others]) / outside
            mean, rest = here @ signs, there @ signs
            # The square of what a cluster adds to the difference, (here - there) * sign - ours * mean + theirs * rest,
            # summed over clusters, without an array of slices, clusters and deals at once.
            away = here - there
            spread = (
                np.square(away).sum(axis=1, keepdims=True)
                + np.square(mean) * np.square(ours).sum(axis=1, keepdims=True)
                + np.square(rest) * np.square(theirs).sum(axis=1, keepdims=True)
                - 2 * mean * ((away * ours) @ signs)
                + 2 * rest * ((away * theirs) @ signs)
                - 2 * mean * rest * (ours * theirs).sum(axis=1, keepdims=True)
            )
            yield _compared(some, mean - rest, spread * units / (units - 1))

    return Chance(as_it_is=np.ones(units), deal=lambda random: random.choice((-1.0, 1.0), units), compare=compare)


def _compared(slices: Slices, difference: "NDArray[Any]", variance: "NDArray[Any]") -> Compared:
    import numpy as np

    error = np.sqrt(np.maximum(variance, 1e-12))
    return Compared(atom=slices.atom, others=slices.others, rows=slices.rows, difference=difference, error=error)
