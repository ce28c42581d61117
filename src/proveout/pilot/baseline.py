"""What a first model of a table reaches, measured before the project is laid out: bounds for the gate, with reasons.

Input: the training rows of the project. Output: a `Baseline`. A fifth of the training rows is kept apart to measure on;
the rows that the gate will judge by are not looked at, so that its first verdict is worth something. The model is that
of the notebook: its own cells are run.
"""

import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.data.splits import BATCH, HOLDOUT, SPLIT, TRAIN
from proveout.evaluation import (
    calibration,
    compare,
    leakage,
    metrics,
    multiclass,
    regression,
    slice_search,
    task_metric,
)
from proveout.pilot import best_split, notebook_proposal, rules_proposal, source_text
from proveout.pilot.best_split import BestSplit
from proveout.pilot.project_proposal import Bound, Family, Proposal
from proveout.pilot.rules_proposal import CaseProposal
from proveout.records.answer import TaskFacts
from proveout.records.verdict import Evidence
from proveout.task import task as tasks
from proveout.task.plain_values import class_text
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

KEPT_APART = 0.2  # of the training rows
_SLACK = 0.25  # of the way from what is surely reached to what naive reaches
_MARGIN = 0.01  # of a share: what another sample of rows may change
_USUAL_ERROR = 0.08  # of calibration, that many models have on a thousand rows


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What was measured, and what it means for the files of the project."""

    family: Family
    bounds: tuple[Bound, ...]
    cases: tuple[CaseProposal, ...]
    rules: BestSplit
    summary: str  # how good it is, in a line
    is_better: bool  # surely, than the rules


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The training rows: what the notebook is given of them, what a request says, and what happened."""

    table: "pd.DataFrame"
    records: "pd.DataFrame"
    outcomes: "NDArray[Any]"


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    family: Family
    scores: "NDArray[np.float64]"  # of the rows kept apart
    task: Task


def measure(
    proposal: Proposal, rows: Rows, *, apart: "NDArray[np.bool_]", clusters: "NDArray[Any] | None" = None
) -> Baseline:
    """What the notebook's model and the rules reach on the rows `apart`, having learned from the others.

    Args:
        apart: of the training rows those to measure on, shape (rows,).
        clusters: which of the rows apart belong together.
    """
    fitted = _fit(proposal, rows, apart)
    known = rows.outcomes[apart]
    first_rules = best_split.find(rows.records[~apart], rows.outcomes[~apart], proposal.target.task)
    ruled = _ruled(proposal, first_rules, rows.records[apart], fitted.task)
    naive = fitted.task.naive(rows.outcomes[~apart], int(apart.sum()))
    ahead = task_metric.gain(fitted.task, known, fitted.scores, ruled, margin=0.0, better=True, clusters=clusters)
    found = task_metric.quality(fitted.task, known, fitted.scores, clusters=clusters)
    return Baseline(
        family=fitted.family,
        bounds=(
            *_quality_bounds(fitted.task, known, fitted.scores, naive, clusters),
            _slice_bound(
                fitted.task, known, fitted.scores, ruled, naive, records=rows.records[apart], clusters=clusters
            ),
            *_leak_bounds(proposal, rows),
            *SERVING,
        ),
        cases=tuple(_cases(proposal, rows, apart, fitted)),
        rules=best_split.find(rows.records, rows.outcomes, proposal.target.task),
        summary=f"{found.name} {_measured(found)}, {_FAMILY_WORDS[fitted.family]}; "
        f"the rules: {_measured(task_metric.quality(fitted.task, known, ruled))}",
        is_better=ahead.low is not None and ahead.low > 0,
    )


_FAMILY_WORDS: Mapping[Family, str] = {"trees": "boosted trees", "linear": "a linear model"}


# --- fitting ----------------------------------------------------------------------------------------------------------


def _fit(proposal: Proposal, rows: Rows, apart: "NDArray[np.bool_]") -> _Fitted:
    """The family that does better on the rows kept apart; the linear one where trees are not surely better."""
    has_texts = any(one.kind == "prose" for one in proposal.features)
    # A sum of extreme numbers is infinite, which only the one probability of a binary task takes without a fault.
    either: tuple[Family, ...] = ("linear", "trees") if proposal.target.task == "binary" else ("trees",)
    families: tuple[Family, ...] = ("linear",) if has_texts else either
    fitted = [_fit_family(proposal, family, rows, apart) for family in families]
    if len(fitted) == 1:
        return fitted[0]
    linear, trees = fitted
    known = rows.outcomes[apart]
    losses = [task_metric.losses(one.task, known, one.scores) for one in (trees, linear)]
    ahead = compare.rows(losses[0], losses[1], margin=0.0, name="loss", better=True)
    return trees if ahead.low is not None and ahead.low > 0 else linear


def _fit_family(proposal: Proposal, family: Family, rows: Rows, apart: "NDArray[np.bool_]") -> _Fitted:
    import numpy as np

    table = rows.table.assign(**{SPLIT: np.where(apart, HOLDOUT, TRAIN)})
    model = _run(notebook_proposal.code_cells(notebook_proposal.notebook(proposal, family)), table)
    columns = table.columns.drop([proposal.target.name, BATCH, SPLIT])
    given = table[columns][apart]
    if proposal.target.task == "regression":
        said = np.asarray(model.predict(given), dtype=float)
        width = float(np.quantile(np.abs(said - rows.outcomes[apart]), 0.9))
        return _Fitted(
            family=family, scores=said,
            task=tasks.of(TaskFacts(task="regression", half_width=width, coverage=0.9)),
        )  # fmt: skip
    said = np.asarray(model.predict_proba(given), dtype=float)
    if proposal.target.task == "binary":
        return _Fitted(family=family, scores=said[:, 1], task=tasks.of(TaskFacts(task="binary", threshold=0.5)))
    classes = tuple(model.classes_.tolist())
    return _Fitted(family=family, scores=said, task=tasks.of(TaskFacts(task="multiclass", classes=classes)))


def _run(code: str, table: "pd.DataFrame") -> Any:
    """The model that the notebook's cells leave."""
    import contextlib
    import io

    from threadpoolctl import threadpool_limits

    with tempfile.TemporaryDirectory(prefix="proveout-init-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the notebook itself shows them
        file = Path(folder) / "features.parquet"
        table.to_parquet(file, index=False)
        space: dict[str, Any] = {}
        given = code.replace('features_path = "features.parquet"', f"features_path = {str(file)!r}", 1)
        # Threads wait for each other: on a busy machine that costs many times what they gain.
        with contextlib.redirect_stdout(io.StringIO()), threadpool_limits(1):
            exec(compile(given, "notebook", "exec"), space)  # noqa: S102  # our own cells
        return space["model"]


def _ruled(proposal: Proposal, best: BestSplit, records: "pd.DataFrame", task: Task) -> "NDArray[np.float64]":
    """What the rules say, as scores: the file that the project gets is run."""
    import numpy as np

    space: dict[str, Any] = {}
    exec(compile(rules_proposal.rules(proposal, best), "fallback", "exec"), space)  # noqa: S102  # our own file
    said = [task.scores(task.read_rules(space["rules"](one))) for one in request_columns.plain_records(records)]
    return np.array(said, dtype=float).reshape(task.shape(len(said)))


# --- bounds -----------------------------------------------------------------------------------------------------------


def _quality_bounds(
    task: Task,
    known: "NDArray[Any]",
    scores: "NDArray[np.float64]",
    naive: "NDArray[np.float64]",
    clusters: "NDArray[Any] | None",
) -> Iterator[Bound]:
    import numpy as np

    losses, plain = (task_metric.losses(task, known, one) for one in (scores, naive))
    if task.name == "binary":
        yield _at_least("auc_at_least", metrics.auc(known, scores, clusters=clusters), 0.5, "guessing")
        brier = metrics.mean(losses, name="brier", clusters=clusters)
        yield _at_most("brier_at_most", brier, float(plain.mean()), "always saying the base rate")
        yield _spread("promised_less_observed_within", calibration.in_the_large(known, scores, clusters=clusters))
        off = calibration.error(known, scores, clusters=clusters)
        yield Bound(
            name="calibration_error_at_most",
            value=_up(max(_USUAL_ERROR, (off.high if off.high is not None else 0.1) + 2 * _MARGIN)),
            reason=f"{off.name}: {_measured(off)}",
        )
    elif task.name == "multiclass":
        said = task.labels(scores)
        most = float((known == task.labels(naive)).mean())
        yield _at_most(
            "brier_at_most",
            metrics.mean(losses, name="brier", clusters=clusters),
            float(plain.mean()),
            "saying the shares",
        )
        yield _at_least(
            "accuracy_at_least", multiclass.accuracy(known, said, clusters=clusters), most, "the most frequent class"
        )
        worst = multiclass.worst_class(known, said, of="recall", fewest=10, clusters=clusters)
        low = worst.low if worst.low is not None else 0.0
        yield Bound(
            name="class_recall_at_least",
            value=_down(low / 2),
            reason=f"{worst.name} ({worst.slice or 'too few rows of each'}): {_measured(worst)}; half of its lower end",
        )
        yield _spread("promised_less_observed_within", _top_in_the_large(known, said, scores, clusters))
        off = calibration.of_top_label(known, scores, classes=task.facts.classes, clusters=clusters)
        yield Bound(
            name="calibration_error_at_most",
            value=_up(max(_USUAL_ERROR, (off.high if off.high is not None else 0.1) + 2 * _MARGIN)),
            reason=f"{off.name}: {_measured(off)}",
        )
    else:
        mae = regression.mae(known, scores, clusters=clusters)
        yield _at_most("mae_at_most", mae, float(plain.mean()), "always saying the median")
        yield _at_least("r2_at_least", regression.r2(known, scores, clusters=clusters), 0.0, "always saying the mean")
        yield _spread(
            "predicted_less_observed_within",
            regression.bias(known, scores, clusters=clusters),
            floor=0.05 * float(plain.mean()),
        )
        rows = len(known)
        below = 0.9 - 3 * math.sqrt(0.09 / rows)
        yield Bound(
            name="coverage_at_least",
            value=_down(below),
            reason=f"of intervals that promise 90 %: three standard errors below, of {rows:,} rows",
        )
    yield Bound(
        name="champion_margin",
        value=_up(0.05 * float(np.mean(plain)) if task.name != "binary" else 0.01),
        reason=f"how much {task_metric.metric_name(task)} a candidate may lose against the champion"
        + ("" if task.name == "binary" else ": a twentieth of what naive is off"),
    )


def _top_in_the_large(
    known: "NDArray[Any]", said: "NDArray[Any]", scores: "NDArray[np.float64]", clusters: "NDArray[Any] | None"
) -> Evidence:
    """What the probabilities of the classes that are said promise, less how often they are right."""
    return calibration.in_the_large(known == said, scores.max(axis=1), clusters=clusters)


def _slice_bound(
    task: Task,
    known: "NDArray[Any]",
    scores: "NDArray[np.float64]",
    ruled: "NDArray[np.float64]",
    naive: "NDArray[np.float64]",
    *,
    records: "pd.DataFrame",
    clusters: "NDArray[Any] | None",
) -> Bound:
    """From the slices that are surely weaker on the rows kept apart: as weak a one is no reason to refuse the next."""
    plain = float(task_metric.losses(task, known, naive).mean())
    ours, theirs = (task_metric.losses(task, known, one) for one in (scores, ruled))
    fewest = fewest_of_a_slice(len(known))
    *slices, _ = slice_search.search(ours - theirs, records, fewest=fewest, clusters=clusters)
    by_chance = 3 * float((ours - theirs).std()) / math.sqrt(fewest)
    weak = [one for one in slices if one.low is not None and one.low > 0 and one.high is not None]
    worst = max((one.high or 0.0 for one in weak), default=0.0)
    seen = f"; {weak[0].slice}: {_short(weak[0].value)}" if weak else ""
    return Bound(
        name="weakest_slice_at_most",
        value=_up(max(0.5 * plain + by_chance, 1.25 * worst)),
        reason=f"{task_metric.loss_name(task)} of a slice less that of the rules, beyond the rest's, where that is "
        f"sure. Of all rows the model has {_short(float(ours.mean()))}, the rules {_short(float(theirs.mean()))}, "
        f"naive {_short(plain)}; a slice of {fewest} rows is off by {_short(by_chance)} by chance{seen}",
    )


def _leak_bounds(proposal: Proposal, rows: Rows) -> Iterator[Bound]:
    task = proposal.target.task
    named = {one.name: rows.records[one.name] for one in proposal.features}
    strongest, *_, lead = leakage.of_columns(task, named, rows.outcomes)
    assert strongest.at_most is not None
    yield Bound(
        name="column_alone_at_most",
        value=strongest.at_most,
        reason=f"{strongest.name}: most by {strongest.slice}, {_short(strongest.value)}; one that tells all was told",
    )
    if lead.at_most is not None and lead.value is not None:
        yield Bound(
            name="column_lead_at_most",
            value=lead.at_most if lead.holds else _up(lead.value + 0.02),
            reason=f"{lead.name}: {lead.decision}, {_short(lead.value)}"
            + ("" if lead.holds else ". MORE THAN USUAL: is it known before the outcome is?"),
        )


SERVING = (
    Bound(name="p50_ms_at_most", value=20, reason="of one record, in a process of its own with one thread"),
    Bound(name="p99_ms_at_most", value=200, reason="the deadline of a request is 500 ms"),
    Bound(name="opening_s_at_most", value=30, reason="from the file to the first answer"),
    Bound(name="memory_mb_at_most", value=400, reason="that the bundle adds to a process"),
    Bound(name="bundle_mb_at_most", value=50, reason="on disk"),
    Bound(name="features_ms_at_most", value=100, reason="of a thousand rows"),
)


def _at_least(name: str, found: Evidence, naive: float, who: str) -> Bound:
    low = found.low if found.low is not None else naive
    bound = low - _SLACK * (low - naive) if low > naive else naive
    return Bound(name=name, value=_down(bound), reason=_against(found, naive, who, sure=low > naive))


def _at_most(name: str, found: Evidence, naive: float, who: str) -> Bound:
    high = found.high if found.high is not None else naive
    bound = high + _SLACK * (naive - high) if high < naive else naive
    return Bound(name=name, value=_up(bound), reason=_against(found, naive, who, sure=high < naive))


def _spread(name: str, found: Evidence, *, floor: float = 0.02) -> Bound:
    ends = [abs(one) for one in (found.low, found.high) if one is not None]
    return Bound(
        name=name, value=_up(max(floor, 2 * max(ends, default=floor))), reason=f"{found.name}: {_measured(found)}"
    )


def _against(found: Evidence, naive: float, who: str, *, sure: bool) -> str:
    end = "" if sure else ". NOT SURELY BETTER: the columns may tell nothing"
    return f"{found.name}: {_measured(found)}; {who}: {_short(naive)}{end}"


def _measured(found: Evidence) -> str:
    if found.value is None:
        return f"not measured ({found.unjudged})"
    if found.low is None or found.high is None:
        return f"{_short(found.value)} ({found.unjudged or 'without an interval'})"
    return f"{_short(found.value)} (95 %: {_short(found.low)} to {_short(found.high)})"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _down(value: float) -> float:
    return _to_digits(value, math.floor)


def _up(value: float) -> float:
    return _to_digits(value, math.ceil)


def _to_digits(value: float, towards: Any) -> float:
    """To two digits, or three decimals where that is less."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{towards(value / unit - 1e-9 if towards is math.ceil else value / unit + 1e-9) * unit:.12g}")


# --- edge cases -------------------------------------------------------------------------------------------------------


def _cases(proposal: Proposal, rows: Rows, apart: "NDArray[np.bool_]", fitted: _Fitted) -> Iterator[CaseProposal]:
    import numpy as np

    places, known, scores = np.flatnonzero(apart), rows.outcomes[apart], fitted.scores
    of_task = {"binary": _binary_cases, "multiclass": _class_cases, "regression": _value_cases}[fitted.task.name]
    first: CaseProposal | None = None
    for case_id, place, reason, expect in of_task(proposal, known, scores):
        row = rows.records.iloc[[places[place]]]
        [record] = request_columns.plain_records(row)
        outcome = known[place]
        plain = outcome.item() if hasattr(outcome, "item") else outcome
        said = source_text.number(plain) if isinstance(plain, float) else class_text(plain)
        case = CaseProposal(
            id=case_id, reason=reason, record=record, expect=expect,
            incident=f"a training row of {Path(proposal.table).name}: {proposal.target.name} was {said}.",
        )  # fmt: skip
        yield case
        first = first or case
    nullable = [one.name for one in proposal.features if one.nullable]
    if first is not None and nullable and fitted.task.name != "multiclass":
        yield CaseProposal(
            id="nothing-more-is-known", record={**first.record, **dict.fromkeys(nullable)},
            reason="The first case with everything left out that may be: an answer all the same, and no extreme one.",
            incident=f"None of its own: {first.id}, without what a request may leave out.",
            expect={"probability": {"at_least": 0.0, "at_most": 0.99}}
            if fitted.task.name == "binary"
            else {"value": _wide(rows.outcomes)},
        )  # fmt: skip


_Found = Iterator[tuple[str, int, str, dict[str, Any]]]


def _binary_cases(proposal: Proposal, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    no, yes = (np.flatnonzero(known == side) for side in (False, True))
    if not len(no) or not len(yes):
        return
    name = proposal.target.name
    low = int(no[np.argsort(scores[no], kind="stable")[len(no) // 20]])
    expect: dict[str, Any] = (
        {"probability": {"at_most": 0.5}} if scores[low] < 0.4 else {"probability": {"at_most": 0.99}}
    )
    yield "plain-no", low, f"Far from {name} by nearly every column: whoever knows the rows would say no.", expect
    high = int(yes[np.argsort(-scores[yes], kind="stable")[len(yes) // 20]])
    if scores[high] > scores[low] + 0.1:
        more: dict[str, Any] = {"label": True} if scores[high] > 0.75 else {}
        reason = f"As near to {name} as rows come: it has to look more probable than the plain no."
        yield "plain-yes", high, reason, {**more, "higher_than": ["plain-no"]}


def _class_cases(proposal: Proposal, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    classes = _classes_of(proposal)
    right = [place for place in range(len(known)) if classes[int(scores[place].argmax())] == known[place]]
    if right:
        order = sorted(right, key=lambda place: -float(scores[place].max()))
        place = order[len(order) // 20]
        kind = known[place].item() if isinstance(known[place], np.generic) else known[place]
        yield (
            "plain-one",
            place,
            f"As plainly {class_text(kind)} as rows come: whoever knows them would say so.",
            {"label": kind},
        )


def _classes_of(proposal: Proposal) -> list[Any]:
    return sorted(proposal.target.classes)  # as scikit-learn sorts them


def _value_cases(proposal: Proposal, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    off = np.abs(scores - known)
    room = max(float(np.abs(known - np.median(known)).mean()) / 4, 4 * float(off.mean()))
    middle = np.argsort(np.abs(known - np.median(known)), kind="stable")[: max(10, len(known) // 10)]
    place = int(middle[np.argsort(off[middle], kind="stable")[len(middle) // 4]])
    value = float(known[place])
    low, high = _down(value - room), _up(value + room)
    reason = f"A usual row, {proposal.target.name} near the middle: far off here, a model is far off everywhere."
    yield "usual-row", place, reason, {"value": {"at_least": low, "at_most": high}}


def _wide(outcomes: "NDArray[Any]") -> dict[str, float]:
    low, high = float(outcomes.min()), float(outcomes.max())
    return {"at_least": _down(low - (high - low)), "at_most": _up(high + (high - low))}


def fewest_of_a_slice(rows: int) -> int:
    """How many of so many rows a slice needs to be looked at: 200, and of a small table fewer."""
    return min(200, max(10, rows // 10))


def duplicate_bound(shares: Sequence[float]) -> Bound:
    """How many held-out rows may be like a training row, from how many are."""
    worst = max(shares, default=0.0)
    return Bound(
        name="alike_share_at_most",
        value=_up(worst + _MARGIN),
        reason=f"held-out rows that say the same as a training row, but for one column at most: {100 * worst:.3g} %"
        + (". MANY: rows of one person or thing? Then split by it: --split group:COLUMN" if worst > 0.2 else ""),
    )
