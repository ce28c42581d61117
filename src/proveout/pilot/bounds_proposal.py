"""Bounds for the project of a table, each with its reason, from the quality of a first model.

Input: outcomes of the rows kept apart, and the scores of the model, the rules and a naive answer. Output: `Bound`, for
[evaluation] of train.toml.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from proveout.evaluation import calibration, leakage, metrics, multiclass, regression, slice_search, task_metric
from proveout.pilot.project_proposal import Bound
from proveout.records.answer import TaskName
from proveout.records.verdict import Evidence
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_SLACK = 0.25  # of the distance from the interval's worse end to the naive value
_MARGIN = 0.01  # how much a share may change with another sample of rows
_USUAL_ERROR = 0.08  # calibration error that is common on a thousand rows


def quality_bounds(
    task: Task,
    known: "NDArray[Any]",
    scores: "NDArray[np.float64]",
    naive: "NDArray[np.float64]",
    clusters: "NDArray[Any] | None",
    *,
    weak_too: bool = False,
) -> Iterator[Bound]:
    """Bounds on the metrics of a task: between the worse end of the model's interval and a naive answer's value.

    Args:
        weak_too: a metric by which the model is worse than the naive answer gets a bound that the model passes, and
            says so. Without it the bound is the naive answer's value.
    """
    import numpy as np

    at_least, at_most = partial(_at_least, weak_too=weak_too), partial(_at_most, weak_too=weak_too)

    losses, plain = (task_metric.losses(task, known, one) for one in (scores, naive))
    if task.name == "binary":
        yield at_least("auc_at_least", metrics.auc(known, scores, clusters=clusters), 0.5, "guessing")
        brier = metrics.mean(losses, name="brier", clusters=clusters)
        yield at_most("brier_at_most", brier, float(plain.mean()), "always predicting the base rate")
        yield _spread("promised_less_observed_within", calibration.in_the_large(known, scores, clusters=clusters))
        off = calibration.error(known, scores, clusters=clusters)
        yield Bound(
            name="calibration_error_at_most",
            value=round_up(max(_USUAL_ERROR, (off.high if off.high is not None else 0.1) + 2 * _MARGIN)),
            reason=f"{off.name}: {in_words(off)}",
        )
    elif task.name == "multiclass":
        said = task.labels(scores)
        most = float((known == task.labels(naive)).mean())
        yield at_most(
            "brier_at_most",
            metrics.mean(losses, name="brier", clusters=clusters),
            float(plain.mean()),
            "always predicting the class shares",
        )
        yield at_least(
            "accuracy_at_least", multiclass.accuracy(known, said, clusters=clusters), most, "the most frequent class"
        )
        _, counts = np.unique(known, return_counts=True)
        fewest = min(20, max(5, int(0.6 * counts.min())))
        worst = multiclass.worst_class(known, said, of="recall", fewest=fewest, clusters=clusters)
        low = worst.low if worst.low is not None else 0.0
        yield Bound(
            name="class_recall_at_least",
            value=round_down(low / 2),
            reason=f"{worst.name} ({worst.slice or 'too few rows of each'}): {in_words(worst)}; half of its lower end",
        )
        yield Bound(
            name="class_rows_at_least",
            value=fewest,
            reason=f"classes with fewer held-out rows are not judged; the smallest has {int(counts.min()):,} here",
        )
        yield _spread("promised_less_observed_within", _top_in_the_large(known, said, scores, clusters))
        off = calibration.of_top_label(known, scores, classes=task.facts.classes, clusters=clusters)
        yield Bound(
            name="calibration_error_at_most",
            value=round_up(max(_USUAL_ERROR, (off.high if off.high is not None else 0.1) + 2 * _MARGIN)),
            reason=f"{off.name}: {in_words(off)}",
        )
    else:
        mae = regression.mae(known, scores, clusters=clusters)
        yield at_most("mae_at_most", mae, float(plain.mean()), "always predicting the median")
        yield at_least(
            "r2_at_least", regression.r2(known, scores, clusters=clusters), 0.0, "always predicting the mean"
        )
        yield _spread(
            "predicted_less_observed_within",
            regression.bias(known, scores, clusters=clusters),
            floor=0.05 * float(plain.mean()),
        )
        rows = len(known)
        below = 0.9 - 3 * math.sqrt(0.09 / rows)
        yield Bound(
            name="coverage_at_least",
            value=round_down(below),
            reason=f"intervals promise 90 %; the bound is three standard errors below, for {rows:,} rows",
        )
    yield Bound(
        name="champion_margin",
        value=round_up(0.05 * float(np.mean(plain)) if task.name != "binary" else 0.01),
        reason=f"how much {task_metric.metric_name(task)} a candidate may lose against the champion"
        + ("" if task.name == "binary" else ": a twentieth of the naive error"),
    )


def _top_in_the_large(
    known: "NDArray[Any]", said: "NDArray[Any]", scores: "NDArray[np.float64]", clusters: "NDArray[Any] | None"
) -> Evidence:
    """The mean probability of the predicted classes, less the share of them that is right."""
    return calibration.in_the_large(known == said, scores.max(axis=1), clusters=clusters)


WEAKEST_SLICE = "weakest_slice_at_most"
SLICE_ROWS = "slice_rows_at_least"


def slice_bound(
    task: Task,
    known: "NDArray[Any]",
    scores: "NDArray[np.float64]",
    ruled: "NDArray[np.float64]",
    naive: "NDArray[np.float64]",
    *,
    records: "pd.DataFrame",
    clusters: "NDArray[Any] | None",
) -> Iterator[Bound]:
    """A bound that the significantly weaker slices of the rows kept apart would still pass; none without slices.

    Rows of texts alone have none: no two of them are alike.
    """
    plain = float(task_metric.losses(task, known, naive).mean())
    ours, theirs = (task_metric.losses(task, known, one) for one in (scores, ruled))
    fewest = fewest_of_a_slice(len(known))
    *slices, looked_at = slice_search.search(ours - theirs, records, fewest=fewest, clusters=clusters)
    if not looked_at.value:
        return
    by_chance = 3 * float((ours - theirs).std()) / math.sqrt(fewest)
    weak = [one for one in slices if one.low is not None and one.low > 0 and one.high is not None]
    worst = max((one.high or 0.0 for one in weak), default=0.0)
    seen = f"; {weak[0].slice}: {_short(weak[0].value)}" if weak else ""
    yield Bound(
        name=WEAKEST_SLICE,
        value=round_up(max(0.5 * plain + by_chance, 1.25 * worst)),
        reason=f"{task_metric.loss_name(task)} less the rules', of a slice beyond that of all other rows, if sure. "
        f"Over all rows the model has {_short(float(ours.mean()))}, the rules {_short(float(theirs.mean()))}, "
        f"naive {_short(plain)}; chance alone moves a slice of {fewest} rows by {_short(by_chance)}{seen}",
    )


def leak_bounds(task: TaskName, named: "Mapping[str, pd.Series[Any]]", outcomes: "NDArray[Any]") -> Iterator[Bound]:
    """Bounds on how well one of the columns alone may predict the outcome, and on its lead over the others."""
    strongest, *_, lead = leakage.of_columns(task, named, outcomes)
    assert strongest.at_most is not None
    yield Bound(
        name="column_alone_at_most",
        value=strongest.at_most if not strongest.breaks else min(1.0, round_up((strongest.value or 0.0) + 0.005)),
        reason=f"{strongest.name}: highest for {strongest.slice}, {_short(strongest.value)}"
        + ("; more would be leakage" if not strongest.breaks else ". MORE THAN USUAL: is it known before the outcome?"),
    )
    if lead.at_most is not None and lead.value is not None:
        yield Bound(
            name="column_lead_at_most",
            value=lead.at_most if lead.holds else round_up(lead.value + 0.02),
            reason=f"{lead.name}: {lead.decision}, {_short(lead.value)}"
            + ("" if lead.holds else ". MORE THAN USUAL: is it known before the outcome?"),
        )


SERVING = (
    Bound(name="p50_ms_at_most", value=20, reason="per record, in a separate process with one thread"),
    Bound(name="p99_ms_at_most", value=200, reason="the deadline of a request is 500 ms"),
    Bound(name="opening_s_at_most", value=30, reason="from the file to the first answer"),
    Bound(name="memory_mb_at_most", value=400, reason="memory that the bundle adds to a process"),
    Bound(name="bundle_mb_at_most", value=50, reason="on disk"),
    Bound(name="features_ms_at_most", value=100, reason="for a thousand rows"),
)


def _at_least(name: str, found: Evidence, naive: float, who: str, *, weak_too: bool) -> Bound:
    low = found.low if found.low is not None else naive
    bound = low - _SLACK * (low - naive) if low > naive else naive
    worse = found.value is not None and found.value < round_down(bound)
    if weak_too and found.value is not None and worse:
        bound = min(low, found.value)
    return Bound(name=name, value=round_down(bound), reason=_against(found, naive, who, sure=low > naive, worse=worse))


def _at_most(name: str, found: Evidence, naive: float, who: str, *, weak_too: bool) -> Bound:
    high = found.high if found.high is not None else naive
    bound = high + _SLACK * (naive - high) if high < naive else naive
    worse = found.value is not None and found.value > round_up(bound)
    if weak_too and found.value is not None and worse:
        bound = max(high, found.value)
    return Bound(name=name, value=round_up(bound), reason=_against(found, naive, who, sure=high < naive, worse=worse))


def _spread(name: str, found: Evidence, *, floor: float = 0.02) -> Bound:
    ends = [abs(one) for one in (found.low, found.high) if one is not None]
    return Bound(
        name=name, value=round_up(max(floor, 2 * max(ends, default=floor))), reason=f"{found.name}: {in_words(found)}"
    )


def _against(found: Evidence, naive: float, who: str, *, sure: bool, worse: bool) -> str:
    end = "" if sure else ". NOT SIGNIFICANTLY BETTER: the columns may not predict the outcome"
    end += ". WORSE THAN THAT" if worse else ""
    return f"{found.name}: {in_words(found)}; {who}: {_short(naive)}{end}"


def in_words(found: Evidence) -> str:
    """A measured number with its interval, or why it has none."""
    if found.value is None:
        return f"not measured ({found.unjudged})"
    if found.low is None or found.high is None:
        return f"{_short(found.value)} ({found.unjudged or 'without an interval'})"
    return f"{_short(found.value)} (95 %: {_short(found.low)} to {_short(found.high)})"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def round_down(value: float) -> float:
    """`value` rounded down to two digits, or to three decimals if these are fewer digits."""
    return _to_digits(value, math.floor)


def round_up(value: float) -> float:
    """`value` rounded up in the same way."""
    return _to_digits(value, math.ceil)


def _to_digits(value: float, towards: Any) -> float:
    """Rounded `towards` to two significant digits."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{towards(value / unit - 1e-9 if towards is math.ceil else value / unit + 1e-9) * unit:.12g}")


def fewest_of_a_slice(rows: int) -> int:
    """The fewest rows that a slice needs to be judged: 200, or fewer if `rows` is small."""
    return min(200, max(10, rows // 10))


_MANY_ALIKE = (
    ". MANY: if rows belong to one person or thing, hold out by it: init --table … --split group:COLUMN, or "
    "GroupShuffleSplit in the notebook"
)


def duplicate_bound(shares: Sequence[float]) -> Bound:
    """The bound on the share of held-out rows that resemble a training row, from the measured `shares`."""
    worst = max(shares, default=0.0)
    return Bound(
        name="alike_share_at_most",
        value=round_up(worst + _MARGIN),
        reason=f"held-out rows that differ from a training row in at most one column: {100 * worst:.3g} %"
        + (_MANY_ALIKE if worst > 0.2 else ""),
    )
