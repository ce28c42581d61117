"""How good the pilot's own model is on its held-out rows: bounds for the gate, rules to compare with, edge cases.

Input: a recovered model, and what was decided about its project. Output: `PilotQuality`.
"""

import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import features
from proveout.evaluation import metrics, regression, task_metric
from proveout.evaluation.context import LabelledRows
from proveout.model import estimator
from proveout.pilot import best_split, bounds_proposal, cases_proposal, project_files, rehearsal
from proveout.pilot.adopt import exact_sums
from proveout.pilot.adopt.outcome import Outcome
from proveout.pilot.adopt.recovered_model import OpenModel
from proveout.pilot.best_split import BestSplit
from proveout.pilot.bounds_proposal import SERVING, in_words, round_down, round_up
from proveout.pilot.first_model import Rows, rules_scores
from proveout.pilot.project_proposal import Bound, Proposal
from proveout.pilot.rules_proposal import CaseProposal
from proveout.records.answer import TaskFacts
from proveout.records.verdict import Evidence
from proveout.task import conformal
from proveout.task import task as tasks
from proveout.task.plain_values import class_text
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_MOST_MEASURED = 15_000  # rows of a side
_MOST_ASKED = 60  # texts of a column that the rules may ask for
_TIMED = 5  # requests, one by one
_SLOWER = 5.0  # than measured here, on a busy machine


@dataclass(frozen=True, kw_only=True)
class PilotQuality:
    """The measurements on the pilot's held-out rows, and what files are made of. `request_ms` is of one row alone."""

    bounds: tuple[Bound, ...]
    cases: tuple[CaseProposal, ...]
    rules: BestSplit
    rules_words: str  # how good the rules are on the held-out rows
    summary: str  # how good the model is
    is_better: bool  # significantly better than the rules
    beaten: str  # what simpler answer is at least as good on the held-out rows, by one measure; or ""
    worthless: str  # how good the same answer for all rows is, if that is at least as good by every measure; or ""
    exact: str  # what adds up to the outcome, exactly; or ""
    request_ms: float


def measure(proposal: Proposal, opened: OpenModel, outcome: Outcome) -> PilotQuality:
    """Measure the pilot's model, and rules that a person can check, on the held-out rows.

    Raises: BundleError if the model does not fit the task; Unpackable if its classes cannot be renamed.
    """
    model = opened.named(outcome.renamed)
    asked = estimator.question(model, outcome.task, label=outcome.name)
    labels = outcomes(opened.raw, outcome)
    train, held = (_known(places, labels) for places in (opened.train_rows, opened.holdout_rows))
    names = [one.name for one in proposal.asked]
    sides = [_rows(opened.raw.iloc[places], labels.iloc[places], names, outcome) for places in (train, held)]
    learned, judged = sides
    scores = estimator.scores(model, opened.inputs(judged.records), asked)
    task = tasks.of(_facts(model, outcome, judged.labels, scores))
    rules = best_split.find(learned.records[_asked_by_rules(proposal)], learned.labels, outcome.task)
    ruled = rules_scores(proposal, rules, judged.records, task)
    naive = task.naive(learned.labels, judged.rows)
    ahead = task_metric.gain(task, judged.labels, scores, ruled, margin=0.0, better=True)
    both = _both(learned, judged)
    apart = both.apart
    request_ms, thousand_ms = _speed(opened, model, asked, judged.records)
    bounds = (
        *bounds_proposal.quality_bounds(task, judged.labels, scores, naive, None, weak_too=True),
        *bounds_proposal.slice_bound(task, judged.labels, scores, ruled, naive, records=judged.records, clusters=None),
        *bounds_proposal.leak_bounds(outcome.task, _all_columns(opened, learned, names), learned.labels),
        *_serving(opened, request_ms, thousand_ms),
        _alike_bound(opened, labels, names, outcome),
        rehearsal.slices_bound(judged.rows),
        *_rules_margin(ahead),
    )
    return PilotQuality(
        bounds=project_files.usable(bounds),
        cases=_distinct(
            *cases_proposal.cases(proposal, both.rows, apart, scores, task, side="a held-out row"),
            *_hardest(proposal, both.rows, apart, scores, task),
        ),
        rules=rules,
        rules_words=f"On the pilot's held-out rows: {_quality(task, judged, ruled)}; the pilot's model: "
        f"{_quality(task, judged, scores)}.",
        summary=f"{_quality(task, judged, scores)}; the rules: {_quality(task, judged, ruled)}",
        is_better=ahead.low is not None and ahead.low > 0,
        beaten=_beaten(task, judged, scores, naive, ahead),
        worthless=_worthless(task, judged, scores, naive),
        exact=exact_sums.found(learned, judged, outcome.name) if outcome.task == "regression" else "",
        request_ms=request_ms,
    )  # fmt: skip


def _beaten(
    task: Task, judged: LabelledRows, scores: "NDArray[np.float64]", naive: "NDArray[np.float64]", ahead: Evidence
) -> str:
    ours, plain = (float(task_metric.losses(task, judged.labels, one).mean()) for one in (scores, naive))
    loss = task_metric.loss_name(task)
    if ours >= plain:
        return f"{loss} {ours:.3g}, and the same answer for all rows gets {plain:.3g}"
    if ahead.value is None or ahead.value > 0:
        return ""
    return f"the rules, one condition, are as good: {task_metric.metric_name(task)}, gain on them {ahead.value:.3g}"


def outcomes(raw: "pd.DataFrame", outcome: Outcome) -> "pd.Series[Any]":
    """The outcome of each raw row, in the form of the task; null while unknown."""
    found = raw[outcome.columns[0]]
    if outcome.function:
        space: dict[str, Any] = {"__file__": str(outcome.folder / "target.py"), "__name__": "target"}
        exec(compile(outcome.function, "target", "exec"), space)  # noqa: S102  # our own file
        found = space[outcome.name](raw)
    return features.typed_outcomes(found, tasks.named(outcome.task), name=outcome.name)


def _worthless(task: Task, judged: LabelledRows, scores: "NDArray[np.float64]", naive: "NDArray[np.float64]") -> str:
    """Empty for one that ranks well, or is right more often, and whose probabilities alone are worse than none."""
    ours, plain = (float(task_metric.losses(task, judged.labels, one).mean()) for one in (scores, naive))
    if task.name == "binary":
        name, second, nothing = "auc", metrics.auc(judged.labels, scores).value, 0.5
    elif task.name == "multiclass":
        right, most = (float((task.labels(one) == judged.labels).mean()) for one in (scores, naive))
        name, second, nothing = "accuracy", right, most
    else:
        name, second, nothing = "r2", regression.r2(judged.labels, scores).value, 0.0
    if ours < plain or (second is not None and second > nothing):
        return ""
    shown = "" if second is None else f" and {name} {second:.3g} against {nothing:.3g}"
    return (
        f"on its {judged.rows:,} held-out rows the same answer for all is as good: {task_metric.loss_name(task)} "
        f"{ours:.3g} against {plain:.3g}{shown}"
    )


def _rules_margin(ahead: Evidence) -> Iterator[Bound]:
    """A bound for a model that is not surely better than the rules on these rows. Better ones prove it."""
    if ahead.value is None or ahead.low is None or ahead.low > 0:
        return
    by = ahead.name.replace("the champion", "the rules")
    said = "NOT SIGNIFICANTLY BETTER" if ahead.value > 0 else "NO BETTER: one condition on one column does as well"
    yield Bound(
        name=project_files.RULES_MARGIN,
        value=round_up(max(-1.5 * ahead.low, 1e-6)),
        reason=f"{by}: {in_words(ahead)}. {said} on {ahead.rows:,} held-out rows. On more rows it has to be",
    )


def _all_columns(opened: OpenModel, learned: LabelledRows, asked: Sequence[str]) -> "dict[str, pd.Series[Any]]":
    """What is asked, and what the model is given: the gate looks at both for a leak."""
    inputs = opened.inputs(learned.records)
    own = {str(name): inputs[name] for name in inputs if name not in asked}
    return {**{name: learned.records[name] for name in asked}, **own}


def _known(places: "NDArray[np.intp]", labels: "pd.Series[Any]") -> "NDArray[np.intp]":
    import numpy as np

    there = _with_outcome(places, labels)
    chosen = np.random.default_rng(0).choice(len(there), min(len(there), _MOST_MEASURED), replace=False)
    return there[np.sort(chosen)]


def _with_outcome(places: "NDArray[np.intp]", labels: "pd.Series[Any]") -> "NDArray[np.intp]":
    return places[labels.iloc[places].notna().to_numpy()]


def _alike_bound(opened: OpenModel, labels: "pd.Series[Any]", names: list[str], outcome: Outcome) -> Bound:
    """Of all rows: a sample of a large table has few of its twins."""
    train, held = (_with_outcome(places, labels) for places in (opened.train_rows, opened.holdout_rows))
    learned, judged = (_rows(opened.raw.iloc[places], labels.iloc[places], names, outcome) for places in (train, held))
    return rehearsal.alike_bound(learned, judged)


def _rows(raw: "pd.DataFrame", labels: "pd.Series[Any]", names: list[str], outcome: Outcome) -> LabelledRows:
    known = tasks.named(outcome.task).outcomes(labels.to_numpy())
    whole = raw.reset_index(drop=True)
    return LabelledRows(raw=whole, records=whole[names], labels=known)


def _facts(model: Any, outcome: Outcome, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> TaskFacts:
    if outcome.task == "binary":
        return TaskFacts(task="binary", threshold=outcome.threshold)
    if outcome.task == "multiclass":
        return TaskFacts(task="multiclass", classes=estimator.classes(model))
    width = conformal.half_width(known - scores)
    return TaskFacts(task="regression", half_width=width, coverage=conformal.COVERAGE)


def _asked_by_rules(proposal: Proposal) -> list[str]:
    plain = [
        one.name
        for one in proposal.features
        if one.kind in ("whole", "number", "flag") or (one.kind == "category" and len(one.kinds) <= _MOST_ASKED)
    ]
    return plain or [one.name for one in proposal.features]


def _quality(task: Task, rows: LabelledRows, scores: "NDArray[np.float64]") -> str:
    found = task_metric.quality(task, rows.labels, scores)
    return f"{found.name} {in_words(found)}"


@dataclass(frozen=True, kw_only=True)
class _BothSides:
    rows: Rows
    apart: "NDArray[np.bool_]"  # the held-out ones


def _both(learned: LabelledRows, judged: LabelledRows) -> _BothSides:
    import numpy as np
    import pandas as pd

    records = pd.concat([learned.records, judged.records], ignore_index=True)
    known = np.concatenate([learned.labels, judged.labels])
    return _BothSides(
        rows=Rows(table=records, records=records, outcomes=known),
        apart=np.arange(len(known)) >= learned.rows,
    )


# --- serving ----------------------------------------------------------------------------------------------------------


def _speed(opened: OpenModel, model: Any, asked: Any, records: "pd.DataFrame") -> tuple[float, float]:
    """Milliseconds for one row from its features to its score, and for the features of a thousand rows."""
    times = []
    for place in range(min(_TIMED, len(records))):
        began = time.perf_counter()
        estimator.scores(model, opened.inputs(records.iloc[[place]]), asked)
        times.append(1_000 * (time.perf_counter() - began))
    some = records.sample(1_000, replace=True, random_state=0)
    began = time.perf_counter()
    opened.inputs(some)
    return sorted(times)[len(times) // 2], 1_000 * (time.perf_counter() - began)


def _serving(opened: OpenModel, request_ms: float, thousand_ms: float) -> Iterator[Bound]:
    """The bounds of every project, wider where the pilot's own steps or its model ask for it."""
    files = [file for file in opened.folder.rglob("*") if file.suffix == ".skops"]
    size_mb, unpacked_mb = sum(file.stat().st_size for file in files) / 1e6, sum(map(_unpacked_mb, files))
    wider = {
        "p50_ms_at_most": (_SLOWER * request_ms, f"measured: {request_ms:.0f} ms"),
        "p99_ms_at_most": (4 * _SLOWER * request_ms, f"measured: {request_ms:.0f} ms for the middle one"),
        "features_ms_at_most": (_SLOWER * thousand_ms, f"measured: {thousand_ms:.0f} ms"),
        "bundle_mb_at_most": (3 * size_mb, f"the model's files have {size_mb:.0f} MB"),
        "memory_mb_at_most": (
            400 + max(12 * size_mb, 6 * unpacked_mb),
            f"the model's files have {size_mb:.0f} MB, unpacked {unpacked_mb:.0f} MB",
        ),
    }
    for bound in SERVING:
        wanted, why = wider.get(bound.name, (0.0, ""))
        yield replace(bound, value=round_up(wanted), reason=f"{bound.reason}; {why}") if wanted > bound.value else bound


def _unpacked_mb(file: Path) -> float:
    """What the entries of a skops file have in memory. A deep forest of many rows is packed to a sixth."""
    with zipfile.ZipFile(file) as packed:
        return sum(entry.file_size for entry in packed.infolist()) / 1e6


# --- the hardest rows -------------------------------------------------------------------------------------------------


def _distinct(*cases: CaseProposal) -> tuple[CaseProposal, ...]:
    """The cases without those whose record an earlier one has: of few rows, the plain one is the hardest as well."""
    return tuple(
        case for place, case in enumerate(cases) if all(case.record != before.record for before in cases[:place])
    )


def _hardest(
    proposal: Proposal, rows: Rows, apart: "NDArray[np.bool_]", scores: "NDArray[np.float64]", task: Task
) -> Iterator[CaseProposal]:
    """The held-out rows that the pilot is most wrong on. A model may not be much worse on them."""
    import numpy as np

    places, known = np.flatnonzero(apart), rows.outcomes[apart]
    of_task = {"binary": _hardest_answers, "multiclass": _hardest_class, "regression": _hardest_value}[task.name]
    for case_id, place, reason, expect in of_task(task, known, scores):
        yield cases_proposal.case_of(
            proposal, rows, int(places[place]), side="a held-out row", case_id=case_id, reason=reason, expect=expect
        )


_Found = Iterator[tuple[str, int, str, dict[str, Any]]]


def _hardest_answers(task: Task, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    for case_id, side in (("hardest-yes", True), ("hardest-no", False)):
        here = np.flatnonzero(known == side)
        if not len(here):
            continue
        place = int(here[scores[here].argmin() if side else scores[here].argmax()])
        said = float(scores[place])
        bound = round_down(said / 2) if side else 1 - round_down((1 - said) / 2)
        if 0 < bound < 1:
            reason = f"The pilot's model is furthest off here among the rows that are {str(side).lower()}: {said:.3g}."
            yield case_id, place, reason, {"probability": {"at_least" if side else "at_most": round(bound, 6)}}


def _hardest_class(task: Task, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    order = list(task.facts.classes)
    kinds = enumerate(known.tolist())
    own = np.array([scores[place, order.index(kind)] if kind in order else 1.0 for place, kind in kinds])
    place = int(own.argmin())
    bound = round_down(float(own[place]) / 2)
    if bound > 0:
        kind = class_text(known[place].item() if hasattr(known[place], "item") else known[place])
        reason = f"The pilot's model is furthest off here: {kind} has a probability of {own[place]:.3g}."
        yield "hardest-class", place, reason, {"probabilities": {kind: {"at_least": bound}}}


def _hardest_value(task: Task, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    off = np.abs(scores - known)
    place = int(off.argmax())
    low, high = sorted((float(known[place]), float(scores[place])))
    room = max(high - low, 1e-9) / 4
    expect = {"value": {"at_least": round_down(low - room), "at_most": round_up(high + room)}}
    yield "hardest-value", place, f"The pilot's model is furthest off here, by {off[place]:.3g}.", expect
