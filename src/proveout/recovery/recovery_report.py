"""What was recovered of a notebook, in plain values: what the kernel hands over when the run has ended.

Input: a tape. Output: `RecoveredNotebook`; beside it, for each model whose inputs come from raw rows, its features.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proveout.records.answer import TaskName
from proveout.recovery import features_writer
from proveout.recovery.features_writer import Unwritable
from proveout.recovery.held_out import HeldOut, held_out, task_of
from proveout.recovery.tape import Tape
from proveout.recovery.verification import Level, Recovery, verify


@dataclass(frozen=True, kw_only=True)
class PilotMetric:
    """A number that the pilot measured on a model's held-out answers."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class RecoveredModel:
    """One model of the pilot, and how far the way to it from raw rows was found.

    `cells` are those of the slice, counted over all cells of the notebook; `raised_cells` those of them that raised.
    `target` is the raw column with the truth. `found` of `asked` held-out rows were compared, `alone` of `singles` were
    equal one by one. `features` is the module's file, "" where none was written.
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
    features: str


@dataclass(frozen=True, kw_only=True)
class RecoveredNotebook:
    """All models of a notebook, in the order of its run. `redirected`: a path asked for, and the file that was read."""

    models: tuple[RecoveredModel, ...]
    fits: int
    predictions: int
    redirected: tuple[tuple[str, str], ...]
    seconds: float


def recover(tape: Tape, folder: Path) -> RecoveredNotebook:
    """The models of a run; their features are written into `folder`."""
    began, tape.answering = time.monotonic(), None
    models = []
    for place, one in enumerate(held_out(tape)):
        found = verify(tape, one)
        models.append(_model(tape, one, found, features=_written(tape, found, folder / f"features_{place}.py")))
    return RecoveredNotebook(
        models=tuple(models),
        fits=len(tape.fits),
        predictions=len(tape.predictions),
        redirected=tuple(tape.redirected),
        seconds=round(time.monotonic() - began, 3),
    )


def _written(tape: Tape, found: Recovery, file: Path) -> str | Unwritable:
    if found.level != "raw":
        return ""
    try:
        module = features_writer.write(tape, found)
    except Unwritable as error:
        return error
    file.write_text(module.text, encoding="utf-8")
    return file.name


def _model(tape: Tape, one: HeldOut, found: Recovery, *, features: str | Unwritable) -> RecoveredModel:
    statements = [tape.statements[place] for place in found.replay.places] if found.replay is not None else []
    asked = tape.statements[one.prediction.key.statement]
    unwritten = isinstance(features, Unwritable)
    return RecoveredModel(
        model=_name(one),
        level="inputs" if unwritten else found.level,
        reason=str(features) if unwritten else found.reason,
        task=task_of(one),
        target=found.target,
        metrics=tuple(_metrics(tape, one)),
        line=asked.source.splitlines()[0][:120],
        cells=tuple(sorted({statement.cell for statement in statements})),
        raised_cells=found.raised_cells,
        found=found.compared[0],
        asked=found.compared[1],
        alone=found.alone[0],
        singles=found.alone[1],
        features="" if isinstance(features, Unwritable) else features,
    )


def _name(one: HeldOut) -> str:
    model = one.prediction.model
    return f"{type(model).__module__}.{type(model).__qualname__}" if model is not None else "a function of the notebook"


def _metrics(tape: Tape, one: HeldOut) -> list[PilotMetric]:
    """The metrics that were given this very answer; and what `score` gave."""
    answers: Any = one.prediction.answers
    found = [
        PilotMetric(name=metric.name, value=metric.value)
        for metric in tape.metrics
        if metric.value is not None and any(argument is answers for argument in metric.arguments)
    ]
    if one.prediction.name == "score" and isinstance(answers, float):
        found.append(PilotMetric(name="score", value=float(answers)))
    return found
