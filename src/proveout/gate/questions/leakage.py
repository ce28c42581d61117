"""Leaks: what a model was told that nobody will know when it is asked, or that it is judged on afterwards.

Comes in: the candidate, the rows it learned from, the rows held out. Goes out: `Evidence`. A leak makes every other
number of a gate look better, so nothing here asks how good the model is; it asks how it could know.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.gate.questions import comparison, intervals
from proveout.records import Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.gate.material import LabelledRows
    from proveout.settings import Settings
    from proveout.training.bundle import OpenBundle

SHOWN = 3  # columns that are stated even though they are within the bounds
_BINS = 64
_PRIOR = 10.0  # rows by which the rate of a value is drawn to the rate of all
_TWINS = 0.95  # correlation of what two columns say, from which on they are one column twice
_FEWEST_ALIKE = 5  # columns that have to be equal before two rows are called alike
_FEWEST_UNKNOWN = 20  # rows without an outcome


# --- target-like columns ----------------------------------------------------------------------------------------------


def columns(
    candidate: "OpenBundle",
    training: "LabelledRows",
    *,
    auc_at_most: float = 0.95,
    lead_at_most: float = 0.25,
    rows: int = 20_000,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """How well each column alone tells the label: what is known before something happens seldom tells it by itself.

    evidence(leakage.columns(candidate, training))

    Every request column and every model column, numbers, text and «not known» alike. Its values, or 64 bins of them,
    are scored by the label's rate in the other half of the rows, so that a name seen once tells nothing.

    Args:
        auc_at_most: of one column alone.
        lead_at_most: AUC of the strongest column less that of the next which says something else.
        rows: of training, at most; drawn at random where there are more.
    Returns: the strongest columns, and all that break the bound, each by its name; then the lead of the strongest.
    """
    from proveout.gate.questions.benefit import sample

    taken = sample(training.rows, rows, seed=seed)
    records = training.records.iloc[taken].reset_index(drop=True)
    labels = training.labels[taken]
    scores = {name: _rates(values, labels, seed=seed) for name, values in _each(candidate, records)}
    found = [
        replace(intervals.auc(labels, told), name="auc of one column alone", slice=name, at_most=auc_at_most)
        for name, told in scores.items()
    ]
    found.sort(key=lambda one: -(one.value or 0))
    strongest = found[0]
    others = [one for one in found if not _alike(scores[one.slice or ""], scores[strongest.slice or ""])]
    lead = (strongest.value or 0) - max((one.value or 0.5 for one in others), default=0.5)
    after = f", then {others[0].slice}" if others else ""
    return (
        *(one for place, one in enumerate(found) if place < SHOWN or not one.holds),
        Evidence(
            name="auc, lead of the strongest column",
            value=lead,
            at_most=lead_at_most,
            rows=len(taken),
            decision=f"{strongest.slice}{after}",
        ),
    )


def _each(candidate: "OpenBundle", records: "pd.DataFrame") -> "Iterator[tuple[str, pd.Series[Any]]]":
    """Each request column, and each model column that is not one of them under the same name."""
    made = candidate.model_columns(records)
    yield from ((str(name), records[name]) for name in records)
    for name in made:
        if name not in records or not made[name].equals(records[name]):
            yield (str(name) if name not in records else f"{name}, as the model has it"), made[name]


def _rates(values: "pd.Series[Any]", labels: "NDArray[np.bool_]", *, seed: int) -> "NDArray[np.float64]":
    """The label's rate among rows of the other half that have the same value, shape (rows,)."""
    import numpy as np

    codes = _codes(values)
    half = np.random.default_rng(seed).random(len(labels)) < 0.5
    said = np.empty(len(labels))
    for here in (half, ~half):
        known, rate = ~here, labels[~here].mean() if (~here).any() else 0.5
        hits = np.bincount(codes[known], weights=labels[known], minlength=codes.max() + 1)
        seen = np.bincount(codes[known], minlength=codes.max() + 1)
        said[here] = ((hits + _PRIOR * rate) / (seen + _PRIOR))[codes[here]]
    return said


def _codes(values: "pd.Series[Any]") -> "NDArray[np.intp]":
    """Equal values, or neighbouring numbers, by one number from 1; 0 for what is not known."""
    import numpy as np
    import pandas as pd

    if values.dtype.kind in "iuf" and values.nunique() > _BINS:
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1]))
        return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right") + 1)
    return pd.factorize(values)[0] + 1


def _alike(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> bool:
    import numpy as np

    if one.std() == 0 or other.std() == 0:
        return False
    return bool(abs(np.corrcoef(one, other)[0, 1]) > _TWINS)


# --- time travel ------------------------------------------------------------------------------------------------------


def time_travel(
    candidate: "OpenBundle",
    training: "LabelledRows",
    holdout: "LabelledRows",
    *,
    project: "Settings",
    later: Sequence[str] = (),
    missing_at_most: float = 0.5,
    likeness_at_most: float = 0.999,
) -> tuple[Evidence, ...]:
    """Whether a request holds what is known only later, by name and by what the rows show, or training went too far.

    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["dep_delay", "air_time"]))

    Args:
        project: where the rows without an outcome are read from: the batch held out, as the snapshot has it.
        later: names of columns that are known only later.
        missing_at_most: of the rows that lack a column or the outcome, the share that lacks both.
        likeness_at_most: to a raw column that no request has: the correlation of numbers, the share of equal texts.
    Returns: columns known only later by their name; rows trained on from after training ended; the column that is
        missing most nearly when the outcome is; the column most like one that no request has.
    """
    from proveout.data import features, snapshots
    from proveout.training.flow import open_store

    bundle = candidate.bundle
    asked = list(candidate.request_columns)
    model = list(candidate.model_columns(holdout.records.head(1)))
    named = sorted({*later} & {*asked, *map(str, model)})
    too_late = int((training.raw[snapshots.BATCH] > bundle.train_through).sum())
    everything = snapshots.read(open_store(project), bundle.snapshot, batches=[bundle.holdout])
    return (
        Evidence(name="columns known only later", value=len(named), at_most=0, decision=", ".join(named)),
        Evidence(
            name="rows trained on from after training ended",
            value=too_late if bundle.train_through < bundle.holdout else training.rows,
            at_most=0,
            rows=training.rows,
            decision=f"up to {bundle.train_through}, judged on {bundle.holdout}",
        ),
        missing_with_outcome(
            everything[asked], features.labels(project, everything).isna().to_numpy(), at_most=missing_at_most
        ),
        like_a_later_one(
            holdout.raw[asked], holdout.raw.drop(columns=[*asked, snapshots.BATCH]), at_most=likeness_at_most
        ),
    )


def missing_with_outcome(rows: "pd.DataFrame", unknown: "NDArray[np.bool_]", *, at_most: float = 0.5) -> Evidence:
    """How nearly a column is missing exactly where the outcome is: such a column is written with the outcome.

    Args:
        rows: the request columns, rows without an outcome among them.
        unknown: shape (rows,), where there is no outcome.
    Returns: of the rows that lack the column or the outcome, the share that lacks both, of the column with the most.
    """
    import numpy as np

    name = "missing when the outcome is"
    if int(unknown.sum()) < _FEWEST_UNKNOWN:
        return Evidence(name=name, value=None, rows=len(rows), unjudged=f"{int(unknown.sum())} rows have no outcome")

    def share(column: str) -> float:
        missing = rows[column].isna().to_numpy()
        return float((missing & unknown).sum() / np.count_nonzero(missing | unknown))

    worst = max(rows.columns, key=share)
    return Evidence(name=name, value=share(worst), slice=worst, at_most=at_most, rows=len(rows))


def like_a_later_one(asked: "pd.DataFrame", others: "pd.DataFrame", *, at_most: float = 0.999) -> Evidence:
    """The request column most like a column that no request has: the same under another name, or in another unit.

    Returns: the correlation of two columns of numbers, or the share of equal texts, whichever is the largest.
    """
    import numpy as np

    name = "likeness of a request column to another one"
    found: tuple[float, str] = (0.0, "")
    ours, theirs = asked.select_dtypes("number"), others.select_dtypes("number")
    for column in map(str, ours):
        for other in map(str, theirs):
            both = (ours[column].notna() & theirs[other].notna()).to_numpy()
            one, two = ours[column].to_numpy(float)[both], theirs[other].to_numpy(float)[both]
            if len(one) > 2 and one.std() > 0 and two.std() > 0:
                found = max(found, (abs(float(np.corrcoef(one, two)[0, 1])), f"{column} and {other}"))
    for column in map(str, asked.columns.difference(ours.columns)):
        for other in map(str, others.columns.difference(theirs.columns)):
            equal = float((asked[column] == others[other]).mean())
            found = max(found, (equal, f"{column} and {other}"))
    if not found[1]:
        return Evidence(name=name, value=None, rows=len(asked), unjudged="the raw rows have no other column")
    return Evidence(name=name, value=found[0], slice=found[1], at_most=at_most, rows=len(asked))


def holdout_learned(
    candidate: "OpenBundle", training: "LabelledRows", holdout: "LabelledRows", *, gain_at_most: float = 0.02
) -> Evidence:
    """How much better the candidate is on the held-out rows than its own estimator, fitted to the training rows alone.

    evidence(leakage.holdout_learned(candidate, training, holdout))

    About nothing, for an honest notebook: it was given the held-out rows as well, to measure by, and if it has learned
    from them, here is where it shows.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        again = candidate.unfitted().fit(candidate.model_columns(training.records), training.labels)
        asked = candidate.model_columns(holdout.records)
        theirs = again.predict_proba(asked)[:, 1]
        ours = candidate.predict_model_columns(asked)
    found = comparison.auc(holdout.labels, ours, theirs, margin=0.0)
    return replace(
        found,
        name="auc, gain on itself fitted to the training rows alone",
        at_least=None,
        at_most=gain_at_most,
        surely=False,
        champion=None,
        decision="",
        covers=(),
    )


# --- rows on both sides -----------------------------------------------------------------------------------------------


def duplicates(
    training: "LabelledRows", holdout: "LabelledRows", *, key: Sequence[str], share_at_most: float = 0.0
) -> tuple[Evidence, ...]:
    """Held-out rows that are training rows too: by their batch, by their key, by all they say, and by nearly all.

    evidence(leakage.duplicates(training, holdout, key=project.key))

    Args:
        key: columns that name one event.
        share_at_most: of the held-out rows, for those that are equal, or all but equal, to a training row. Rows of few
            columns with few values are alike by chance.
    Returns: four pieces of evidence. All but equal are rows that differ in one request column, or in the key alone.
    """
    import numpy as np
    import pandas as pd

    from proveout.data.snapshots import BATCH

    both = sorted({*holdout.raw[BATCH]} & {*training.raw[BATCH]}) if BATCH in holdout.raw else []
    known = pd.MultiIndex.from_frame(training.raw[list(key)])
    twice = int(pd.MultiIndex.from_frame(holdout.raw[list(key)]).isin(known).sum())
    varying = [str(name) for name in training.records if training.records[name].nunique(dropna=False) > 1]
    ours, theirs = _hashes(holdout.records[varying]), _hashes(training.records[varying])
    whole = np.isin(_sum(ours, holdout.labels), _sum(theirs, training.labels))
    # A row without one column has the hash of the whole less that of the column.
    ways = [[name] for name in varying] + [[name for name in varying if name in key]]
    enough = [left_out for left_out in ways if left_out and len(varying) - len(left_out) >= _FEWEST_ALIKE]
    nearly = np.zeros(holdout.rows, dtype=bool)
    for left_out in enough:
        rest = [name for name in varying if name not in left_out]
        nearly |= np.isin(_sum({name: ours[name] for name in rest}), _sum({name: theirs[name] for name in rest}))
    name = "share of held-out rows all but equal to a training row"
    few = f"{len(varying)} columns vary, too few for rows to be alike in all but one"
    return (
        Evidence(name="batches both learned from and judged on", value=len(both), at_most=0, decision=", ".join(both)),
        Evidence(name="held-out rows with the key of a training row", value=twice, at_most=0, rows=holdout.rows),
        replace(
            intervals.share(int(whole.sum()), holdout.rows, name="share of held-out rows equal to a training row"),
            at_most=share_at_most,
        ),
        replace(
            intervals.share(int(nearly.sum()), holdout.rows, name=name),
            at_most=share_at_most,
            unjudged="" if enough else few,
        ),
    )


def _hashes(rows: "pd.DataFrame") -> "dict[str, NDArray[np.uint64]]":
    """A number for each value of each column; another one for the same value in another column."""
    import numpy as np
    import pandas as pd

    salts = np.random.default_rng(0).integers(2**62, size=rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        return {
            name: pd.util.hash_pandas_object(rows[name], index=False).to_numpy() * salt
            for name, salt in zip(map(str, rows), salts, strict=True)
        }


def _sum(hashes: "dict[str, NDArray[np.uint64]]", labels: "NDArray[np.bool_] | None" = None) -> "NDArray[np.uint64]":
    import numpy as np

    parts = [*hashes.values()] + ([] if labels is None else [labels.astype(np.uint64)])
    with np.errstate(over="ignore"):
        return np.asarray(np.add.reduce(np.stack(parts), axis=0, dtype=np.uint64), dtype=np.uint64)
