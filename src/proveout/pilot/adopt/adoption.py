"""From a notebook to the plan of a project: look at its code, run it recorded, choose a model, decide.

Input: a notebook and what a person said. Output: `Recovered`, then a `Plan`; each refusal says the way on.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proveout.model import notebook_file
from proveout.pilot.adopt import data_files, model_choice, pilot_run, plan, refusals, renamed_calls
from proveout.pilot.adopt.data_files import DataFile
from proveout.pilot.adopt.model_choice import Candidate, NoModel
from proveout.pilot.adopt.pilot_run import PilotRun, RunLimits
from proveout.pilot.adopt.plan import Plan, PlanRefused
from proveout.pilot.adopt.plan_choices import Choices
from proveout.pilot.adopt.refusals import PilotRefused
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis

Tell = Callable[[str], None]
_RAISED = "refused-for-a-cell.txt"
_MOST_RENEWALS = 4  # runs with names of today: what raised first may have hidden what raises next
_NAME_IT = "Improve it first; to serve it as it is, name it with --model"
_ASK_LESS = (
    "Who can give these columns needs no model: leave those out that are known only with the outcome. To serve it all "
    "the same, name it with --model"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovered:
    """A pilot that was run: its models that can be served, the best first, their files in `folder`.

    `pilot` is its document: as it is in the file, or with names of today in place of those that libraries gave up.
    """

    notebook: Path
    pilot: Any
    run: PilotRun
    candidates: tuple[Candidate, ...]
    folder: Path
    named: bool = False  # whether a person has named the model


def look(notebook: Path) -> tuple[Analysis, tuple[DataFile, ...]]:
    """What the code says before anything runs: its analysis, and the files it will read.

    Raises: PilotRefused if it makes no model that can be served; ConfigError if it is no notebook.
    """
    analysis = Analysis(notebook_text.read(notebook))
    refusals.before_run(analysis)
    return analysis, data_files.find(analysis)


def recover(
    analysis: Analysis,
    notebook: Path,
    *,
    into: Path,
    files: Mapping[str, Path],
    limits: RunLimits,
    model: str | None,
    tell: Tell,
) -> Recovered:
    """Run the pilot, and find the models that can be served.

    Args:
        into: a folder that gets what was recovered; it stays, whatever happens.
        files: what to read in place of paths that the notebook asks for.
        model: as in `model_choice.candidates`.
    Raises: PilotFailed, PilotRefused, NoModel, UsageError.
    """
    into.mkdir(parents=True, exist_ok=True)
    (into / _RAISED).unlink(missing_ok=True)
    pilot = notebook_file.read(notebook)
    for last in range(_MOST_RENEWALS, -1, -1):
        run = pilot_run.run(notebook, document=pilot, into=into, limits=limits, files=files, tell=tell)
        try:
            refusals.after_run(analysis, run)
            found = model_choice.candidates(str(notebook), run, into, named=model)
            break
        except (PilotRefused, NoModel) as refused:
            renewed = renamed_calls.renewed(pilot, [(one.index, one.problem) for one in run.raised]) if last else None
            if renewed is None:
                if refused.cell_raised:
                    (into / _RAISED).write_text(f"{refused}\n", encoding="utf-8")
                raise
            tell(f"once more, with the names that libraries have today: {refused}")
            pilot = renewed
    return Recovered(notebook=notebook, pilot=pilot, run=run, candidates=found, folder=into, named=model is not None)


def refused_for_a_cell(into: Path) -> str:
    """What the last `recover` into it said, perhaps in another process, if it refused for a cell that raised; or ""."""
    with suppress(OSError):
        return (into / _RAISED).read_text(encoding="utf-8").strip()
    return ""


def propose(
    recovered: Recovered, *, files: Mapping[str, Path], name: str | None, choices: Choices | None, tell: Tell
) -> Plan:
    """The plan for the best model that a project can be made of, and that nothing simpler beats on the held-out rows.

    If something simpler beats each, it is the best one all the same, and its plan says so. Only if a person has named
    it is one taken that is no better than the same answer for everybody, or whose outcome is a sum of its columns.
    Raises: PlanRefused with the reason of the first.
    """
    beaten: Plan | None = None
    first: PlanRefused | None = None
    for candidate in recovered.candidates:
        one = candidate.model
        try:
            made = plan.propose(
                recovered.notebook, one, recovered.folder / one.folder, pilot=recovered.pilot, files=files,
                raised=[cell.index for cell in recovered.run.raised], seconds=recovered.run.seconds,
                cell_seconds=recovered.run.cell_seconds, name=name, choices=choices,
            )  # fmt: skip
            if made.quality.worthless and not recovered.named:
                raise PlanRefused(recovered.notebook.name, made.quality.worthless, _NAME_IT)
            if made.quality.exact and not recovered.named:
                raise PlanRefused(recovered.notebook.name, made.quality.exact, _ASK_LESS)
        except Exception as error:  # the pilot's own statements and its model may raise anything
            refused = error if isinstance(error, PlanRefused) else _unplanned(recovered.notebook, error)
            tell(f"{model_choice.label(one)} is left out: {refused.problem}")
            first = first or refused
            continue
        if not made.quality.beaten:
            return made
        tell(f"{model_choice.label(one)} is not the first choice: {made.quality.beaten}")
        beaten = beaten or made
    if beaten is not None:
        return beaten
    assert first is not None
    raise first


def _unplanned(notebook: Path, error: Exception) -> PlanRefused:
    said = " ".join(str(error).split())[:300].rstrip(".")
    remedy = "Name another model of the notebook with --model; if it has none, please report this with the notebook"
    refused = PlanRefused(notebook.name, f"its plan could not be made, {type(error).__name__}: {said}", remedy)
    refused.__cause__ = error
    return refused
