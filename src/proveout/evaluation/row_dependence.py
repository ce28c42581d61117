"""Whether features and label depend on the row alone: no clock, no other row, no file that is not packed.

Input: the candidate or the project's label, and held-out rows. Output: `Evidence`. `purity` computes them again in a
separate process.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from proveout.data.splits import BATCH
from proveout.evaluation import purity
from proveout.evaluation.code_origin import is_foreign
from proveout.evaluation.stats.row_sample import sample
from proveout.records.verdict import NOTHING_TO_ASK, Evidence
from proveout.settings import is_object

if TYPE_CHECKING:
    import pandas as pd

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle
    from proveout.settings import Settings

_NAMED = 5  # columns or files in one sentence


def pure_features(
    candidate: "OpenBundle",
    holdout: "LabelledRows",
    *,
    project: "Settings",
    rows: int = 100,
    seed: int = 0,
    apart_at_most: float = 1e-9,
) -> tuple[Evidence, ...]:
    """Whether the packed features depend on the row alone: not on place, time or other rows.

    evidence(row_dependence.pure_features(candidate, holdout, project=project))

    They are computed again in a fresh process with an empty working directory and no environment variables, from a copy
    of the packed code in another folder; and there with other clocks, in another order, in halves, and row by row. The
    docstring of `purity` says what that process may read, and what this check cannot detect.

    Args:
        rows: most held-out rows, drawn at random.
        apart_at_most: relative tolerance for numbers, because sums may be computed in another order. All other values
            must be equal.
    Returns: for each of these changes, the columns that differ; last, the files that were read but are not packed.
    """
    signature = orjson.loads((candidate.folder / "signature.json").read_bytes())
    records = holdout.records.iloc[sample(holdout.rows, rows, seed=seed)].reset_index(drop=True)
    records = records[list(candidate.request_columns)]
    with tempfile.TemporaryDirectory(prefix="proveout-code-") as temporary:
        code = Path(shutil.copytree(candidate.folder / "code", Path(temporary) / "code"))
        asked = purity.Asked(
            file=str(code / "features.py"),
            function=signature["features"],
            columns=signature["request"],
            root=str(project.root),
            readable=(str(code),),
            apart_at_most=apart_at_most,
        )
        expected = purity.cells(candidate.model_columns(records))
        return _pure(asked, records, expected, unread="files read that are not packed")


def pure_label(holdout: "LabelledRows", *, project: "Settings", rows: int = 100, seed: int = 0) -> tuple[Evidence, ...]:
    """Whether the label depends on the raw row alone: not on place, time or other rows.

    evidence(row_dependence.pure_label(holdout, project=project))

    Tests the project's current label function in the same way as `pure_features`. It may read files of the project.
    """
    from proveout.data import features

    raw = holdout.raw.iloc[sample(holdout.rows, rows, seed=seed)].reset_index(drop=True).drop(columns=BATCH)
    if not is_object(project.target):
        why = f"the outcome is the column {project.target}"
        return (Evidence(name="columns that come out otherwise", value=None, unjudged=why, decision=NOTHING_TO_ASK),)
    path, _, function = project.target.partition(":")
    asked = purity.Asked(
        file=str(project.root / path),
        function=function,
        columns={},
        root=str(project.root),
        readable=(str(project.root),),
        path=tuple(place for place in sys.path if place and is_foreign(Path(place).absolute(), project.root)),
    )
    expected = purity.cells(features.labels(project, raw).to_frame(function))
    return _pure(asked, raw, expected, unread="files read outside the project")


def _pure(asked: purity.Asked, rows: "pd.DataFrame", expected: purity.Cells, *, unread: str) -> tuple[Evidence, ...]:
    def other(told: purity.Told) -> tuple[str, ...]:
        """The columns that differ in this process; all, if it returned none."""
        return purity.differing(expected, told.cells, apart_at_most=asked.apart_at_most)

    bare = purity.ask(asked, rows)
    # Only if something differs, a second process tests whether environment variables are the cause.
    usual = purity.ask(asked, rows, environment=os.environ) if other(bare) else bare
    without = tuple(name for name in other(bare) if name not in other(usual))
    found = {
        "another process in an empty folder": (other(usual), usual.raised.get("", "")),
        "no environment variables": (without, bare.raised.get("", "") if without else ""),
    }
    told = usual if without else bare  # the run that returned columns, if any did
    for what in (purity.CLOCK, purity.ORDER, purity.FEWER, purity.ALONE):
        raised = told.raised.get(what, "")
        found[what] = (tuple(expected) if raised else told.differing.get(what, ()), raised)
    clock = purity.reads_clock(Path(asked.file).read_bytes())
    if clock and not found[purity.CLOCK][0]:
        found[purity.CLOCK] = (tuple(expected), f"the source says {', '.join(clock)}")
    read = dict.fromkeys([*bare.read, *usual.read])
    return (
        *(
            Evidence(
                name="columns that come out otherwise",
                value=len(columns),
                slice=what,
                at_most=0,
                rows=len(rows),
                decision=raised or ", ".join(columns[:_NAMED]) + (" and more" if len(columns) > _NAMED else ""),
            )
            for what, (columns, raised) in found.items()
        ),
        Evidence(name=unread, value=len(read), at_most=0, decision=", ".join(list(read)[:_NAMED])),
    )
