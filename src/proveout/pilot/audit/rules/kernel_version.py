"""PA201 kernel-version."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import NOTEBOOK, Example, Hit, Rule

_OLDEST = (3, 10)  # newer than this is still mended by its authors or was not long ago


def find(analysis: Analysis) -> Iterator[Hit]:
    """A notebook that does not say which Python ran it, or says an old one."""
    notebook = analysis.notebook
    if not notebook.has_metadata:
        return
    reasons = []
    if notebook.kernel_name is None:
        reasons.append("no kernelspec")
    elif notebook.kernel_name != "python3":
        reasons.append(f"the kernel is {notebook.kernel_name!r}, not python3")
    found = re.match(r"(\d+)\.(\d+)", notebook.language_version or "")
    if found is None:
        reasons.append("no version of Python")
    elif (int(found[1]), int(found[2])) < _OLDEST:
        reasons.append(f"it ran with Python {notebook.language_version}")
    if reasons:
        yield Hit(cell=NOTEBOOK, line=1, evidence="; ".join(reasons))


RULE = Rule(
    code="PA201",
    kind="kernel-version",
    severity="medium",
    title="Kernel or Python version not stated, or old",
    why="Another Python runs the same cells to other results, or not at all, and the libraries of an old one are gone.",
    fix="Run it with a supported Python and save it, so that the file says which one; pin it in the project.",
    adopt="does",
    adopt_note="Chooses a Python for the environment and says which and why.",
    find=find,
    positive=(
        Example(
            cells=("x = 1",),
            found=((NOTEBOOK, 1),),
            metadata=(("kernel_name", "python3"), ("language_version", "3.6.5")),
        ),
        Example(
            cells=("x = 1",),
            found=((NOTEBOOK, 1),),
            metadata=(("kernel_name", "conda_python3"), ("language_version", "3.11.2")),
        ),
        Example(cells=("x = 1",), found=((NOTEBOOK, 1),), metadata=(("kernel_name", "python3"),)),
    ),
    negative=(Example(cells=("x = 1",), metadata=(("kernel_name", "python3"), ("language_version", "3.11.2"))),),
)
