"""The quality of a first model of a table, measured before the project is created: bounds for the gate, with reasons.

Input: the training rows of the project. Output: a `Baseline`. A fifth of the training rows is kept apart to measure on.
The held-out rows are not used, so that the gate's first verdict is independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.evaluation import task_metric
from proveout.pilot import best_split
from proveout.pilot.best_split import BestSplit
from proveout.pilot.bounds_proposal import SERVING, in_words, leak_bounds, quality_bounds, slice_bound
from proveout.pilot.cases_proposal import cases
from proveout.pilot.first_model import Rows, fit, rules_scores
from proveout.pilot.project_proposal import Bound, Family, Proposal
from proveout.pilot.rules_proposal import CaseProposal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEPT_APART = 0.2  # of the training rows


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The measurements, and the values for the project's files."""

    family: Family
    bounds: tuple[Bound, ...]
    cases: tuple[CaseProposal, ...]
    rules: BestSplit
    summary: str  # how good it is, in one line
    is_better: bool  # significantly better than the rules


def measure(
    proposal: Proposal, rows: Rows, *, apart: "NDArray[np.bool_]", clusters: "NDArray[Any] | None" = None
) -> Baseline:
    """Fit the notebook's model and the rules on the other rows, and measure both on the rows `apart`.

    Args:
        apart: flags of the training rows to measure on, shape (rows,).
        clusters: the cluster of each row apart, if rows are not independent.
    """
    fitted = fit(proposal, rows, apart)
    known = rows.outcomes[apart]
    first_rules = best_split.find(rows.records[~apart], rows.outcomes[~apart], proposal.target.task)
    ruled = rules_scores(proposal, first_rules, rows.records[apart], fitted.task)
    naive = fitted.task.naive(rows.outcomes[~apart], int(apart.sum()))
    ahead = task_metric.gain(fitted.task, known, fitted.scores, ruled, margin=0.0, better=True, clusters=clusters)
    found = task_metric.quality(fitted.task, known, fitted.scores, clusters=clusters)
    return Baseline(
        family=fitted.family,
        bounds=(
            *quality_bounds(fitted.task, known, fitted.scores, naive, clusters),
            *slice_bound(
                fitted.task, known, fitted.scores, ruled, naive, records=rows.records[apart], clusters=clusters
            ),
            *leak_bounds(
                proposal.target.task, {one.name: rows.records[one.name] for one in proposal.features}, rows.outcomes
            ),
            *SERVING,
        ),
        cases=tuple(cases(proposal, rows, apart, fitted.scores, fitted.task)),
        rules=best_split.find(rows.records, rows.outcomes, proposal.target.task),
        summary=f"{found.name} {in_words(found)}, {_FAMILY_WORDS[fitted.family]}; "
        f"the rules: {in_words(task_metric.quality(fitted.task, known, ruled))}",
        is_better=ahead.low is not None and ahead.low > 0,
    )


_FAMILY_WORDS: Mapping[Family, str] = {"trees": "boosted trees", "linear": "a linear model"}
