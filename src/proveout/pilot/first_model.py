"""The first model of a table, and its rules, fitted before the project is created.

Input: a `Proposal` and the training rows. Output: scores of the rows kept apart, by the model from the notebook's own
cells, and by the rules file of the project.
"""

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.data.splits import BATCH, HOLDOUT, SPLIT, TRAIN
from proveout.evaluation import compare, task_metric
from proveout.model import threads
from proveout.pilot import notebook_proposal, rules_proposal
from proveout.pilot.best_split import BestSplit
from proveout.pilot.project_proposal import Family, Proposal
from proveout.records.answer import TaskFacts
from proveout.task import task as tasks
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The training rows: the notebook's table, the request records, and the outcomes."""

    table: "pd.DataFrame"
    records: "pd.DataFrame"
    outcomes: "NDArray[Any]"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model of one family, and its scores."""

    family: Family
    scores: "NDArray[np.float64]"  # of the rows kept apart
    task: Task


def fit(proposal: Proposal, rows: Rows, apart: "NDArray[np.bool_]") -> Fitted:
    """The model of the better family on the rows kept apart; linear unless trees are significantly better."""
    has_texts = any(one.kind == "prose" for one in proposal.features)
    # A sum of extreme numbers is infinite. Only the probability of a binary task is still valid then.
    either: tuple[Family, ...] = ("linear", "trees") if proposal.target.task == "binary" else ("trees",)
    families: tuple[Family, ...] = ("linear",) if has_texts else either
    fitted = [_fit_family(proposal, family, rows, apart) for family in families]
    if len(fitted) == 1:
        return fitted[0]
    linear, trees = fitted
    known = rows.outcomes[apart]
    losses = [task_metric.losses(one.task, known, one.scores) for one in (trees, linear)]
    ahead = compare.rows(losses[0], losses[1], margin=0.0, name="loss", better=True)
    return trees if ahead.low is not None and ahead.low > 0 else linear


def _fit_family(proposal: Proposal, family: Family, rows: Rows, apart: "NDArray[np.bool_]") -> Fitted:
    import numpy as np

    table = rows.table.assign(**{SPLIT: np.where(apart, HOLDOUT, TRAIN)})
    model = _run(notebook_proposal.code_cells(notebook_proposal.notebook(proposal, family)), table)
    columns = table.columns.drop([proposal.target.name, BATCH, SPLIT])
    given = table[columns][apart]
    if proposal.target.task == "regression":
        said = np.asarray(model.predict(given), dtype=float)
        width = float(np.quantile(np.abs(said - rows.outcomes[apart]), 0.9))
        return Fitted(
            family=family, scores=said,
            task=tasks.of(TaskFacts(task="regression", half_width=width, coverage=0.9)),
        )  # fmt: skip
    said = np.asarray(model.predict_proba(given), dtype=float)
    if proposal.target.task == "binary":
        return Fitted(family=family, scores=said[:, 1], task=tasks.of(TaskFacts(task="binary", threshold=0.5)))
    classes = tuple(model.classes_.tolist())
    return Fitted(family=family, scores=said, task=tasks.of(TaskFacts(task="multiclass", classes=classes)))


def _run(code: str, table: "pd.DataFrame") -> Any:
    """The `model` that the notebook's cells define."""
    import contextlib
    import io

    with tempfile.TemporaryDirectory(prefix="proveout-init-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the notebook itself shows them
        file = Path(folder) / "features.parquet"
        table.to_parquet(file, index=False)
        space: dict[str, Any] = {}
        given = code.replace('features_path = "features.parquet"', f"features_path = {str(file)!r}", 1)
        # One thread: on a busy machine, waiting for other threads costs many times what they gain.
        with contextlib.redirect_stdout(io.StringIO()), threads.limited():
            exec(compile(given, "notebook", "exec"), space)  # noqa: S102  # our own cells
        return space["model"]


def rules_scores(proposal: Proposal, best: BestSplit, records: "pd.DataFrame", task: Task) -> "NDArray[np.float64]":
    """The answers of the rules, as scores. Runs the file that the project will get."""
    import numpy as np

    space: dict[str, Any] = {}
    exec(compile(rules_proposal.rules(proposal, best), "fallback", "exec"), space)  # noqa: S102  # our own file
    said = [task.scores(task.read_rules(space["rules"](one))) for one in request_columns.plain_records(records)]
    return np.array(said, dtype=float).reshape(task.shape(len(said)))
