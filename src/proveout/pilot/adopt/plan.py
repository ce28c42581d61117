"""The plan of an adopted project: all decisions about it, before a file is written.

Input: what was recovered of the pilot, and choices that a person made on the plan's page. Output: `Plan`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proveout.errors import ProveoutError
from proveout.model import notebook_file
from proveout.pilot import scaffold, source_text
from proveout.pilot.adopt import (
    asked_columns,
    idle_cells,
    lifted_parameters,
    made_outcome,
    outcome,
    pilot_quality,
    recovered_model,
)
from proveout.pilot.adopt.asked_columns import ColumnRefused, OutcomeAsked
from proveout.pilot.adopt.lifted_parameters import LiftedNotebook
from proveout.pilot.adopt.outcome import Outcome, OutcomeUnknown
from proveout.pilot.adopt.pilot_quality import PilotQuality
from proveout.pilot.adopt.plan_choices import Choices
from proveout.pilot.adopt.recovered_model import OpenModel
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.project_proposal import Proposal
from proveout.pilot.table_profile import Column
from proveout.pilot.table_split import TableSplit
from proveout.pilot.table_target import Target
from proveout.records.train_config import NotebookSplit
from proveout.recovery.handed_outcome import HandedOutcome
from proveout.recovery.recovery_report import PilotMetric, RecoveredModel

COMMAND = "proveout adopt"


class PlanRefused(ProveoutError):
    """No project can be made of the model that was recovered."""

    exit_code = 1

    def __init__(self, notebook: str, problem: str, remedy: str) -> None:
        super().__init__(notebook, problem, remedy)
        self.notebook, self.problem, self.remedy = notebook, problem, remedy

    def __str__(self) -> str:
        return f"{self.notebook} cannot be adopted: {self.problem}. {self.remedy}."


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """All decisions. `files` are those that the notebook reads, by their name in `data/`."""

    notebook: Path
    recovered: RecoveredModel
    opened: OpenModel
    outcome: Outcome
    proposal: Proposal
    quality: PilotQuality
    lifted: LiftedNotebook
    files: Mapping[str, Path]
    cells: int
    raised: tuple[int, ...]  # cells that raised
    seconds: float = 0.0  # that the pilot's run took
    slow: tuple[int, ...] = ()  # cells that take long, and those that read what they make: the model needs none of them

    @property
    def skipped(self) -> tuple[int, ...]:
        """Cells that raised, and the model needs nothing of them."""
        return tuple(place for place in self.raised if place not in self.recovered.cells)

    @property
    def raising(self) -> tuple[int, ...]:
        """Cells that raised after statements that the model needs."""
        return tuple(place for place in self.raised if place in self.recovered.cells)

    @property
    def left_out(self) -> tuple[int, ...]:
        """Code cells that the way from raw rows to the prediction does not need."""
        return tuple(place for place in self.code_cells if place not in self.recovered.cells)

    @property
    def code_cells(self) -> tuple[int, ...]:
        """The places of all code cells of the pilot."""
        return tuple(
            cell.metadata["proveout"][lifted_parameters.CELL]
            for cell in self.lifted.document.cells
            if cell.cell_type == "code" and "proveout" in cell.metadata
        )

    @property
    def metrics(self) -> tuple[PilotMetric, ...]:
        """What the pilot measured."""
        return self.recovered.metrics


def propose(
    notebook: Path,
    recovered: RecoveredModel,
    folder: Path,
    *,
    pilot: Any | None = None,
    files: Mapping[str, Path] | None = None,
    raised: Sequence[int] = (),
    seconds: float = 0.0,
    cell_seconds: Mapping[int, float] | None = None,
    name: str | None = None,
    choices: Choices | None = None,
) -> Plan:
    """The plan for one model of a pilot.

    Args:
        recovered: what is known of the model.
        folder: what recovery handed over of it.
        pilot: the document that was run; default: what is in its file.
        files: what the notebook reads, by the path that it asks for.
        raised: cells that raised in the pilot's run.
        seconds: that the run took.
        cell_seconds: that each of its cells took.
        name: of the project; default: that of the notebook.
        choices: a person's, read from a plan's page.
    Raises: PlanRefused, with the reason and the way on.
    """
    choices = choices or Choices()
    if recovered.handed is None or not recovered.has_outcome:
        raise PlanRefused(notebook.name, recovered.reason or _no_outcome(recovered), _ROW_BY_ROW)
    opened = recovered_model.read(folder, function=recovered.handed.function)
    known = _outcome(notebook, recovered, opened, called=choices.target)
    try:
        columns = asked_columns.read(opened, known.columns)
    except OutcomeAsked as error:
        raise PlanRefused(notebook.name, str(error), "Take them out of the inputs") from error
    except ColumnRefused as error:
        remedy = "Give the column a type that JSON has, in the cell that reads the rows"
        raise PlanRefused(notebook.name, str(error), remedy) from error
    columns = choices.applied(columns)
    copies = _copies(files or {})
    written = notebook_file.read(notebook)
    pilot = pilot if pilot is not None else written
    paths = {asked: f"../data/{copy}" for asked, copy in copies.items()}
    analysis = Analysis(notebook_text.read(notebook))
    lifted = lifted_parameters.lift(pilot, recovered.cells, written=written, paths=paths, analysis=analysis)
    proposal = _proposal(notebook, opened, known, columns, name=choices.name or name)
    quality = pilot_quality.measure(proposal, opened, known)
    quality = replace(quality, bounds=choices.bounded(quality.bounds))
    return Plan(
        notebook=notebook, recovered=recovered, opened=opened, outcome=known, proposal=proposal, quality=quality,
        lifted=lifted, files={copy: (files or {})[asked] for asked, copy in copies.items()}, cells=len(pilot.cells),
        raised=tuple(dict.fromkeys(raised)), seconds=seconds, slow=_slow(pilot, recovered, cell_seconds or {}, raised),
    )  # fmt: skip


def _slow(
    pilot: Any, recovered: RecoveredModel, cell_seconds: Mapping[int, float], raised: Sequence[int]
) -> tuple[int, ...]:
    needed = {*recovered.cells, *(metric.cell for metric in recovered.metrics)}
    slow = idle_cells.slow(pilot.cells, needed=needed, seconds=cell_seconds)
    return tuple(place for place in slow if place not in raised)


_ROW_BY_ROW = "Make the outcome of columns of the rows that the notebook reads, each row by itself"


def _no_outcome(recovered: RecoveredModel) -> str:
    why = recovered.handed.no_outcome if recovered.handed is not None else ""
    more = f", and it cannot be computed from several: {why}" if why else ""
    return f"no raw column holds what its model learned{more}"


def _outcome(notebook: Path, recovered: RecoveredModel, opened: OpenModel, *, called: str) -> Outcome:
    """What one raw column says, if it says it in a form that can be read; else what the pilot's statements make."""
    handed = recovered.handed
    assert handed is not None
    try:
        try:
            found = _of_column(recovered, opened)
        except OutcomeUnknown:
            if handed.outcome is None:
                raise
            found = _of_statements(recovered, opened, handed.outcome)
        return found.called(called) if called else found
    except OutcomeUnknown as error:
        problem = f"its outcome cannot be made of the raw column {recovered.target}: {error}"
        if handed.outcome is not None:
            problem = f"its outcome cannot be made of {made_outcome.listed(handed.outcome.columns)}: {error}"
        elif handed.no_outcome:
            problem += f"; nor can it be computed as the pilot did: {handed.no_outcome}"
        raise PlanRefused(notebook.name, problem, _ROW_BY_ROW) from error


def _truth(opened: OpenModel) -> list[Any]:
    if "truth" not in opened.held_out:
        raise OutcomeUnknown("the pilot never said what is true of the held-out rows")
    known: list[Any] = opened.held_out["truth"].tolist()
    return known


def _of_column(recovered: RecoveredModel, opened: OpenModel) -> Outcome:
    if recovered.target is None:
        raise OutcomeUnknown("no raw column holds it")
    column, held = recovered.target, opened.held_out
    return outcome.read(
        opened.raw[column],
        _truth(opened),
        held["row"].tolist(),
        task=recovered.task,
        learned=opened.classes(),
        answers=held["answer"].tolist() if recovered.task == "regression" else (),
        taken={str(name) for name in opened.raw} - {column},
        can_rename=recovered.task == "regression" or opened.can_rename(),
    )


def _of_statements(recovered: RecoveredModel, opened: OpenModel, handed: HandedOutcome) -> Outcome:
    return made_outcome.read(
        opened.folder,
        handed,
        _truth(opened),
        task=recovered.task,
        learned=opened.classes(),
        taken={str(name) for name in opened.raw},
        can_rename=recovered.task == "regression" or opened.can_rename(),
    )


def _copies(files: Mapping[str, Path]) -> dict[str, str]:
    """The name in data/ of each file that the notebook asks for. One file asked for in two ways is one copy."""
    names: dict[Path, str] = {}
    for file in files.values():
        if file.resolve() not in names:
            names[file.resolve()] = source_text.free(file.name, {*names.values()})
    return {asked: names[file.resolve()] for asked, file in files.items()}


def _proposal(
    notebook: Path, opened: OpenModel, known: Outcome, columns: tuple[Column, ...], *, name: str | None
) -> Proposal:
    called = scaffold.project_name(name or re.sub(r"[^\x00-\x7f]", "", notebook.stem) or "pilot")
    there = opened.raw[list(known.columns)].notna().all(axis=1)
    return Proposal(
        name=called,
        table=notebook.name,
        source=f"data/{_raw_name(called)}.parquet",
        rows=len(opened.raw),
        target=Target(
            column=known.column, name=known.name, task=known.task, why=f"as {notebook.name} has it",
            rows=int(there.sum()), unknown=int((~there).sum()), classes=known.classes,
            event=known.event or None, is_function=bool(known.function),
        ),
        columns=columns,
        split=TableSplit(split=NotebookSplit(), words=_split_words(opened)),
        command=COMMAND,
    )  # fmt: skip


def _raw_name(project: str) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '_', project)}_rows"


def _split_words(opened: OpenModel) -> str:
    train, held, rows = len(opened.train_rows), len(opened.holdout_rows), len(opened.raw)
    rest = rows - train - held
    left = f"; {rows - train - held:,} rows that it filters out are on neither side" if rest else ""
    return f"as the notebook splits them: {train:,} rows for training, {held:,} held out{left}"


def only_a_human_knows(plan: Plan) -> tuple[str, ...]:
    """What rows and code do not say, each as a question or a task."""
    asked = [one.name for one in plan.proposal.asked]
    nulls = [one.name for one in plan.proposal.asked if one.nullable]
    texts = [one.name for one in plan.proposal.asked if one.kinds]
    rest = len(plan.opened.raw) - len(plan.opened.train_rows) - len(plan.opened.holdout_rows)
    told = [
        "What is one row called, and which fields name it? Set `event_key` in pyproject.toml: outcomes that come later "
        "are joined by it.",
        f"Is each input known when somebody asks? {', '.join(asked[:12])}{', …' if len(asked) > 12 else ''}: one that "
        "becomes known only with the outcome has to go.",
        "Who acts on an answer, and what does a wrong one cost? See `actions` and `cost_function`.",
        "A mean, a scale or a code that the pilot computed over all its rows before it split them has seen the "
        "held-out rows too. Is that acceptable?",
    ]
    if rest:
        told.append(f"The pilot filters {rest:,} rows out. The model answers such rows as well: should it?")
    if nulls:
        told.append(f"{', '.join(nulls[:12])} may be missing, because rows of the pilot had holes. Is that right?")
    if texts:
        told.append(f"A text that the pilot never saw in {', '.join(texts[:12])} is refused. What should be answered?")
    held = plan.opened.raw[list(plan.outcome.columns)].iloc[plan.opened.holdout_rows]
    if unknown := int(held.isna().all(axis=1).sum()):
        told.append(
            f"{unknown:,} of {len(held):,} held-out rows have no outcome, and the pilot fills it in: its own metrics "
            "count them, the gate does not. Should they be there?"
        )
    told.append("Which model is it to be? If the notebook has several, --model chooses another one.")
    return tuple(told)
