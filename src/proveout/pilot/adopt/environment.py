"""The environment that a notebook is run, trained, judged and served in: chosen, and made where it has to be.

Input: an `Analysis`, and the project's folder. Output: `Environment`, with sentences that say what was chosen and why.

Where the running interpreter has all that the notebook asks for, it is used as it is. Otherwise the packages go into
`.venv` of the project, proveout beside them. Where that fails, the running interpreter is used, and what it lacks is
said.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proveout.pilot.adopt import virtual_environment
from proveout.pilot.adopt.environment_plan import plan
from proveout.pilot.adopt.virtual_environment import EnvironmentFailed, Installer
from proveout.pilot.audit.analysis import Analysis


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
    chosen, here = plan(analysis), Path(sys.executable)
    left_out = tuple(one.module for one in (*chosen.unknown, *chosen.idle))
    if not chosen.reason:
        return Environment(python=here, why=chosen.why, requirements=(), left_out=left_out, made=False)
    installer = installer or virtual_environment.UvOrPip(tell)
    try:
        made = virtual_environment.make(project / ".venv", chosen.requirements, chosen.modules, installer=installer)
    except EnvironmentFailed as failed:
        lacks = f", which lacks {', '.join(chosen.missing)}" if chosen.missing else ""
        why = (*chosen.why, chosen.reason, str(failed), f"It goes on in the running interpreter{lacks}.")
        return Environment(python=here, why=why, requirements=(), left_out=(*left_out, *chosen.missing), made=False)
    lost = tuple(f"{module} is not there: the cell that imports it will say so." for module in made.missing)
    changes = tuple(f"{change}." for change in made.changes)
    return Environment(
        python=Path(made.python),
        why=(*chosen.why, chosen.reason, *changes, *lost),
        requirements=made.requirements,
        left_out=(*left_out, *made.missing),
        made=True,
    )
