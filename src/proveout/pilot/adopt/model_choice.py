"""Which of a pilot's models becomes the project's.

Without a name: of the models that can be served, the one with the best answers to its held-out rows; of equals, the
last. The measure is one for all: the share of right classes, or the mean absolute error.

Input: a pilot's run, and a name. Output: the models that can be served, the best first; or `NoModel`.
"""

from dataclasses import dataclass
from pathlib import Path

from proveout.errors import ProveoutError, UsageError
from proveout.pilot.adopt import era
from proveout.pilot.adopt.pilot_run import PilotRun
from proveout.recovery.handover import HELD_OUT
from proveout.recovery.recovery_report import RecoveredModel
from proveout.recovery.tables import equal_rows

_MOST_REASONS = 3


class NoModel(ProveoutError):
    """No model of the pilot can be served, with the reason of each.

    `cell_raised`: the error of a cell is one, and may be none with other releases of its libraries.
    """

    def __init__(self, notebook: str, reasons: tuple[str, ...], *, cell_raised: bool = False) -> None:
        super().__init__(notebook, reasons)
        self.notebook, self.reasons, self.cell_raised = notebook, reasons, cell_raised

    def __str__(self) -> str:
        shown, rest = self.reasons[:_MOST_REASONS], len(self.reasons) - _MOST_REASONS
        more = f"; and {rest} more" if rest > 0 else ""
        return f"{self.notebook} cannot be adopted: {'; '.join(shown)}{more}."


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model that can be served, and how good its held-out answers are: more is better, of models of one task."""

    model: RecoveredModel
    quality: float


def candidates(notebook: str, run: PilotRun, folder: Path, *, named: str | None = None) -> tuple[Candidate, ...]:
    """The models that can be served, the best first.

    Args:
        folder: where recovery wrote their files.
        named: a part of the class's name or of the line that predicts, or a number: the place among all models, from 1.
    Raises: NoModel with the reasons; UsageError if no model has that name.
    """
    models = _named(run.recovered.models, named)
    servable = [one for one in models if one.handed is not None and not one.raised_cells]
    if not servable:
        reasons = tuple(dict.fromkeys(_reason(one, run) for one in models))
        raise NoModel(notebook, reasons, cell_raised=any(_of_releases(one, run) for one in models))
    task, target = _most(servable)
    of_one_kind = [one for one in servable if (one.task, _target(one)) == (task, target)]
    found = [Candidate(model=one, quality=_quality(one, folder / one.folder)) for one in of_one_kind]
    found.reverse()  # sorting is stable: of equals the last comes first
    return tuple(sorted(found, key=lambda one: -one.quality))


def label(model: RecoveredModel) -> str:
    """The model in a few words: its class, and the line that asks it."""
    return f"{model.model.rpartition('.')[2]} (cell {model.place.cell}: {model.line})"


def _named(models: tuple[RecoveredModel, ...], named: str | None) -> tuple[RecoveredModel, ...]:
    if named is None:
        return models
    if named.isdigit() and 1 <= int(named) <= len(models):
        return (models[int(named) - 1],)
    word = named.lower()
    exact = tuple(one for one in models if one.model.rpartition(".")[2].lower() == word)
    found = exact or tuple(one for one in models if word in one.model.lower() or word in one.line.lower())
    if not found:
        known = "; ".join(f"{place}: {label(one)}" for place, one in enumerate(models, 1)) or "none"
        raise UsageError(f"--model {named}: the notebook has no such model. It has {known}.")
    return found


def _target(model: RecoveredModel) -> tuple[str, ...]:
    """The raw columns that the outcome is, or is made of."""
    if model.target is not None:
        return (model.target,)
    handed = model.handed.outcome if model.handed is not None else None
    return handed.columns if handed is not None else ()


def _most(models: list[RecoveredModel]) -> tuple[str, tuple[str, ...]]:
    """The task and target that most models have; of equals, the last."""
    kinds = [(one.task, _target(one)) for one in models]
    return max(reversed(kinds), key=kinds.count)


def _of_releases(model: RecoveredModel, run: PilotRun) -> bool:
    """Whether a cell that the model needs said what other releases of its libraries may not say."""
    said = [one.problem for one in run.raised if one.index in model.raised_cells]
    return any(map(era.may_be_of_releases, said))


def _reason(model: RecoveredModel, run: PilotRun) -> str:
    name = label(model)
    if model.level == "leak":
        return f"{name}: {model.reason}. Take {'that column' if model.target else 'these columns'} out of the inputs"
    if model.raised_cells:
        cell = model.raised_cells[0]
        said = next((one.problem for one in run.raised if one.index == cell), "an error")
        return f"{name}: cell {cell}, which it needs, raised {said}. Repair it, or adopt it where it runs"
    if model.level == "inputs":
        return (
            f"{name}: what it is given cannot be computed from raw rows ({model.reason}). It could be served for rows "
            "that are prepared already, which no caller has"
        )
    return f"{name}: {model.reason}"


def _quality(model: RecoveredModel, folder: Path) -> float:
    import numpy as np
    import pandas as pd

    held = pd.read_parquet(folder / HELD_OUT)
    if "truth" not in held:
        return -np.inf
    if model.task == "regression":
        return -float(np.abs(held["truth"].astype(float) - held["answer"].astype(float)).mean())
    return float(equal_rows(held["truth"], held["answer"]).mean())
