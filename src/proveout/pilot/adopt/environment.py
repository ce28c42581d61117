"""The environment that a notebook is run, trained, judged and served in: chosen, and made where it has to be.

Input: an `Analysis`, and the project's folder. Output: `Environment`, with sentences that say what was chosen and why.

Where the running interpreter has all that the notebook asks for, it is used as it is. Where it only lacks packages,
they go into `.venv` of the project, on top of it; where it has others than the notebook asks for, all go into `.venv`,
proveout beside them. Where that fails, the running interpreter is used, and what it lacks is said.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from proveout.pilot.adopt import virtual_environment
from proveout.pilot.adopt.environment_plan import EnvironmentPlan, plan
from proveout.pilot.adopt.virtual_environment import EnvironmentFailed, IndexUnreachable, Installer, MadeEnvironment
from proveout.pilot.audit.analysis import Analysis

_ON_TOP = "It lies on top of the running interpreter, where nothing is changed, and adds {added}."


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An interpreter for a notebook.

    `why` are sentences to print, `left_out` modules that the notebook imports and that are not there. `made` says that
    it is a virtual environment of the project, which holds `requirements` and proveout.
    """

    python: Path
    why: tuple[str, ...]
    requirements: tuple[str, ...]
    left_out: tuple[str, ...]
    made: bool


def environment_for(
    analysis: Analysis,
    project: Path,
    *,
    installer: Installer | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Environment:
    """The environment of a notebook, made in `.venv` of `project` where the running interpreter does not do.

    `tell` takes lines of progress while packages are installed.
    """
    return _of_plan(plan(analysis), project, installer or virtual_environment.UvOrPip(tell))


def in_its_time(
    analysis: Analysis,
    project: Path,
    *,
    installer: Installer | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Environment | None:
    """That of the releases of the notebook's time, for one in which a cell raised with those of `environment_for`.

    None if that had them already, if they are none that proveout works with, or if they cannot be had.
    """
    chosen = plan(analysis, cell_raised=True)
    if not chosen.of_its_time or plan(analysis).of_its_time:
        return None
    made = _of_plan(chosen, project, installer or virtual_environment.UvOrPip(tell))
    return made if made.made else None


def _of_plan(chosen: EnvironmentPlan, project: Path, installer: Installer) -> Environment:
    here = Path(sys.executable)
    left_out = tuple(one.module for one in (*chosen.unknown, *chosen.idle))
    if not chosen.reason:
        return Environment(python=here, why=chosen.why, requirements=(), left_out=left_out, made=False)
    try:
        made = _made(chosen, project / ".venv", installer)
    except EnvironmentFailed as failed:
        lacks = f", which lacks {', '.join(chosen.missing)}" if chosen.missing else ""
        why = (*chosen.why, chosen.reason, str(failed), f"It goes on in the running interpreter{lacks}.")
        return Environment(python=here, why=why, requirements=(), left_out=(*left_out, *chosen.missing), made=False)
    lost = tuple(f"{module} is not there: the cell that imports it will say so." for module in made.missing)
    changes = tuple(f"{change}." for change in made.changes)
    on_top = (_ON_TOP.format(added=", ".join(made.requirements)),) if made.on_top and made.requirements else ()
    return Environment(
        python=Path(made.python),
        why=(*chosen.why, chosen.reason, *on_top, *changes, *lost),
        requirements=made.requirements,
        left_out=(*left_out, *made.missing),
        made=True,
    )


def _made(chosen: EnvironmentPlan, folder: Path, installer: Installer) -> MadeEnvironment:
    """The environment of a plan: on top of the running interpreter where that does, else with everything in it.

    On top it is a matter of seconds; with everything, of minutes.
    """
    if chosen.additions:
        try:
            return virtual_environment.make(folder, chosen.additions, chosen.modules, installer=installer, on_top=True)
        except IndexUnreachable:
            raise
        except EnvironmentFailed as failed:  # all together may find versions that go with each other
            made = virtual_environment.make(folder, chosen.requirements, chosen.modules, installer=installer)
            in_the_way = f"It holds all packages, and is not on top of the running interpreter: {failed.problem}"
            return replace(made, changes=(in_the_way, *made.changes))
    return virtual_environment.make(folder, chosen.requirements, chosen.modules, installer=installer)
