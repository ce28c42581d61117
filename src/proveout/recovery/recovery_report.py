"""What was recovered of a notebook, in plain values: what the kernel hands over when the run has ended.

Input: a tape. Output: `RecoveredNotebook`; beside it, for each model whose inputs come from raw rows, its features.
"""

import math
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proveout.model import native_boosters
from proveout.records.adopted_notebook import AdoptedNotebook, CallPlace, RenamedClass
from proveout.records.answer import TaskName
from proveout.recovery import held_back, learned_truth
from proveout.recovery.handover import HandedOver, NotHandedOver, hand_over
from proveout.recovery.held_out import HeldOut, held_out, task_of
from proveout.recovery.places import key_of, place_of
from proveout.recovery.tables import equal_rows, rows_of
from proveout.recovery.tape import Prediction, Tape
from proveout.recovery.verification import Level, Recovery, verify


@dataclass(frozen=True, kw_only=True)
class PilotMetric:
    """A number that the pilot measured on a model's held-out answers, in cell `cell`.

    `plain`: by the metric without options.
    """

    name: str
    value: float
    cell: int
    plain: bool = True


@dataclass(frozen=True, kw_only=True)
class RecoveredModel:
    """One model of the pilot, and how far the way to it from raw rows was found.

    `cells` are those of the slice, counted over all cells of the notebook; `raised_cells` those of them that raised.
    `target` is the raw column with the truth. `found` of `asked` held-out rows were compared, `alone` of `singles` were
    equal one by one. `folder` has the files of `handover`, "" where there are none. `place` is that of the prediction,
    `source` that of the call that read the raw rows.
    """

    model: str
    level: Level
    reason: str
    task: TaskName
    target: str | None
    metrics: tuple[PilotMetric, ...]
    line: str
    cells: tuple[int, ...]
    raised_cells: tuple[int, ...]
    found: int
    asked: int
    alone: int
    singles: int
    place: CallPlace
    source: CallPlace | None
    folder: str
    handed: HandedOver | None

    @property
    def has_outcome(self) -> bool:
        """Whether the truth can be computed from raw rows."""
        return self.target is not None or (self.handed is not None and self.handed.outcome is not None)


@dataclass(frozen=True, kw_only=True)
class RecoveredNotebook:
    """All models of a notebook, in the order of its run. `redirected`: a path asked for, and the file that was read.

    `unsplit` is the call that reads the raw rows of a notebook with no held-out rows that the way to its model is known
    for: as one that fits it to all of them.
    """

    models: tuple[RecoveredModel, ...]
    unsplit: CallPlace | None = None
    fits: int
    predictions: int
    redirected: tuple[tuple[str, str], ...]
    seconds: float


_MOST_OF_ONE_LINE = 5  # models of one class that one line asks in turn: settings that were tried in a loop
_TRIED = f"it is one of many that one line asks in turn, and only the best {_MOST_OF_ONE_LINE} of them were looked at"
_LATER = "others that measured better can be served, and it was not looked at for their sake: name it with --model"
_ENOUGH = 3  # models that can be served


def recover(tape: Tape, folder: Path, *, within_s: float = math.inf, enough_s: float = math.inf) -> RecoveredNotebook:
    """The models of a run; their features are written into `folder`.

    Args:
        within_s: no further model is begun after this time. The best come first: some notebooks try thousands.
        enough_s: nor after this time, once three can be served: each is asked row by row.
    """
    began, tape.answering = time.monotonic(), None
    seen = held_out(tape) if tape.held_back is None else held_back.fits_of(tape)
    models: dict[int, RecoveredModel] = {}
    of_one_line: Counter[tuple[int, str, type]] = Counter()
    splits = False  # whether the way to rows that the notebook itself held out is known
    for number in _best_first(tape, seen):
        one, name = seen[number], f"model_{number}"
        line = (one.prediction.key.statement, one.prediction.key.site, type(one.prediction.model))
        of_one_line[line] += 1
        if of_one_line[line] > _MOST_OF_ONE_LINE:
            found = Recovery(level="failed", reason=_TRIED)
        elif models and time.monotonic() - began > within_s:
            found = Recovery(level="failed", reason=f"{within_s:.0f} s were over before it was looked at")
        elif time.monotonic() - began > enough_s and sum(bool(model.folder) for model in models.values()) >= _ENOUGH:
            found = Recovery(level="failed", reason=_LATER)
        else:
            one, found = _verified(tape, one)
        splits = splits or (one.split is not None and found.level == "raw")
        models[number] = _model(tape, one, found, name, _handed(tape, one, found, folder / name))
    return RecoveredNotebook(
        models=tuple(models[number] for number in sorted(models)),
        unsplit=None if splits or tape.held_back is not None else _unsplit(tape, models.values()),
        fits=len(tape.fits),
        predictions=len(tape.predictions),
        redirected=tuple(tape.redirected),
        seconds=round(time.monotonic() - began, 3),
    )


def _verified(tape: Tape, one: HeldOut) -> tuple[HeldOut, Recovery]:
    """What was found for a model; of rows that were held back from it, with the answers to these."""
    found = verify(tape, one)
    if found.level != "raw":
        return one, found
    if tape.held_back is None:
        return learned_truth.of(tape, one, found)
    try:
        return held_back.asked(tape, one, found)
    except Exception as error:  # whatever the notebook's statements say of rows that they never saw
        return one, replace(found, level="failed", reason=f"the rows held back from it cannot be asked: {error}")


def _unsplit(tape: Tape, models: Iterable[RecoveredModel]) -> CallPlace | None:
    if any(one.level == "leak" or (one.handed is not None and one.has_outcome) for one in models):
        return None
    source = held_back.source_of_fits(tape)
    return place_of(tape, source) if source is not None else None


def _best_first(tape: Tape, seen: Sequence[HeldOut]) -> list[int]:
    """Models with a metric before those without, the best before the worse; of equal ones the last comes first."""

    def rank(number: int) -> tuple[bool, float, int]:
        measured = metrics_of(tape, seen[number])
        if not measured:
            return False, 0.0, number
        error = any(word in measured[0].name for word in ("error", "loss", "deviance"))
        return True, -measured[0].value if error else measured[0].value, number

    return sorted(range(len(seen)), key=rank, reverse=True)


class NotReached(Exception):
    """The run has no held-out prediction where the adopted notebook had it."""


def recover_one(tape: Tape, adopted: AdoptedNotebook, folder: Path) -> RecoveredModel:
    """The model of an adopted notebook; its files are written into `folder`.

    Raises: NotReached if the notebook made no such prediction. A model that is not recovered says so in its level.
    """
    tape.answering = None
    place, key = adopted.prediction, key_of(tape, adopted.prediction)
    seen = held_out(tape) if tape.held_back is None else held_back.fits_of(tape)
    one = next((one for one in seen if one.prediction.key == key), None)
    if one is None:
        where = f"cell {place.cell}, statement {place.statement + 1}"
        raise NotReached(
            f"{where}: there was no prediction of held-out rows. Adopt the notebook again if it was edited"
        )
    one, found = _verified(tape, one)
    return _model(tape, one, found, ".", _handed(tape, one, found, folder, classes=adopted.classes))


def _handed(
    tape: Tape, one: HeldOut, found: Recovery, folder: Path, *, classes: Sequence[RenamedClass] = ()
) -> HandedOver | NotHandedOver | None:
    if found.level != "raw":
        return None
    try:
        return hand_over(tape, one, found, folder, classes=classes)
    except Exception as error:  # one model's files may not cost the others theirs
        shutil.rmtree(folder, ignore_errors=True)
        said = f"its files could not be written: {type(error).__name__}: {str(error)[:150]}"
        return error if isinstance(error, NotHandedOver) else NotHandedOver(said)


def _model(
    tape: Tape, one: HeldOut, found: Recovery, folder: str, handed: HandedOver | NotHandedOver | None
) -> RecoveredModel:
    statements = [tape.statements[place] for place in found.replay.places] if found.replay is not None else []
    key = one.prediction.key
    kept_back = isinstance(handed, NotHandedOver)
    return RecoveredModel(
        model=_name(one),
        level="inputs" if kept_back else found.level,
        reason=str(handed) if kept_back else found.reason,
        task=task_of(one),
        target=found.target,
        metrics=tuple(metrics_of(tape, one)),
        line=tape.statements[key.statement].source.splitlines()[0][:120],
        cells=tuple(sorted({statement.cell for statement in statements})),
        raised_cells=found.raised_cells,
        found=found.compared[0],
        asked=found.compared[1],
        alone=found.alone[0],
        singles=found.alone[1],
        place=place_of(tape, key),
        source=place_of(tape, found.primary.key) if found.primary is not None else None,
        folder=folder if isinstance(handed, HandedOver) else "",
        handed=handed if isinstance(handed, HandedOver) else None,
    )


def _name(one: HeldOut) -> str:
    model = one.prediction.model
    return f"{type(model).__module__}.{type(model).__qualname__}" if model is not None else "a function of the notebook"


def metrics_of(tape: Tape, one: HeldOut) -> list[PilotMetric]:
    """The metrics that were given this very answer; and what `score` gave."""
    answers: Any = one.prediction.answers
    booster = native_boosters.is_booster(one.prediction.model)
    meant = native_boosters.answers_of(one.prediction.model, answers) if booster else None

    asked = {id(again.answers) for again in tape.predictions if _is_asked_again(again, one)} | {id(answers)}

    def is_answer(value: Any) -> bool:
        if id(tape.whole(value)) in asked:
            return True
        return meant is not None and rows_of(value) == len(meant) and _same(value, meant)

    found = [
        PilotMetric(
            name=metric.name, value=metric.value, cell=tape.statements[metric.key.statement].cell, plain=metric.plain
        )
        for metric in tape.metrics
        if metric.value is not None and any(map(is_answer, metric.arguments))
    ]
    if one.prediction.name == "score" and isinstance(answers, float):
        cell = tape.statements[one.prediction.key.statement].cell
        found.append(PilotMetric(name="score", value=float(answers), cell=cell))
    return found


def _is_asked_again(again: Prediction, one: HeldOut) -> bool:
    """Whether a prediction is the same once more: of the same model, as it was then, about the same rows."""
    first = one.prediction
    return (
        again.model is first.model is not None
        and (again.name, again.inputs_id) == (first.name, first.inputs_id)
        and again.state.keys() == first.state.keys()
        and all(value is first.state[name] for name, value in again.state.items())
    )


def _same(value: Any, meant: Any) -> bool:
    return bool(equal_rows(value, meant).all())
