"""The guard: what lets a batch in. What it refuses goes to quarantine with its reason, never on and never lost.

Comes in: raw rows and a pandera schema. Goes out: accepted rows, refused rows with a `refused_by` column, and how
many each check refused. Door to: pandera.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.errors import DataRefused
from proveout.records import Refusal

if TYPE_CHECKING:
    import pandas as pd

REASON = "refused_by"
_LONGEST_CHECK = 60  # pandera prints a whole reference set into the name of an `isin` check


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A batch, parted. `refused` has every column of the batch and `refused_by`, the checks in words."""

    accepted: "pd.DataFrame"
    refused: "pd.DataFrame"
    refusals: tuple[Refusal, ...]

    @property
    def refused_share(self) -> float:
        """Share of the rows that were refused, 0 to 1."""
        rows = len(self.accepted) + len(self.refused)
        return len(self.refused) / rows if rows else 0.0


def check(frame: "pd.DataFrame", schema: Any, *, name: str) -> Guarded:
    """Part the rows of `frame` by `schema`, a pandera DataFrameModel or DataFrameSchema. All of them may be bad.

    Accepted rows come back with the schema's types and columns in its order. Raises: DataRefused for faults that no
    row can be blamed for: a missing or unknown column, no rows at all.
    """
    import pandera.errors

    if frame.empty:
        raise DataRefused(name, "it has no rows", "none")
    frame = frame.reset_index(drop=True)  # so that an index label of a failure is a row number
    try:
        accepted = schema.validate(frame, lazy=True)
        return Guarded(accepted=accepted, refused=frame.iloc[:0].assign(**{REASON: ""}), refusals=())
    except pandera.errors.SchemaErrors as errors:
        reasons = _reasons(errors.failure_cases, name)
    bad = sorted(reasons)
    refused = frame.loc[bad].assign(**{REASON: ["; ".join(reasons[row]) for row in bad]})
    good = frame.drop(index=bad)
    counted = Counter(reason for found in reasons.values() for reason in found)
    return Guarded(
        # Validated once more: pandera hands out no coerced frame beside its errors, and what passes is to be proven.
        accepted=schema.validate(good).reset_index(drop=True),
        refused=refused.reset_index(drop=True),
        refusals=tuple(Refusal(check=reason, rows=rows) for reason, rows in counted.most_common()),
    )


def _reasons(cases: "pd.DataFrame", name: str) -> dict[int, list[str]]:
    """The checks each bad row failed, by row number. A check over the whole frame reports a row once per column."""
    structural = cases[cases["index"].isna()]
    if len(structural):
        problems = sorted({f"{case.check}: {case.failure_case}" for case in structural.itertuples()})
        raise DataRefused(name, "; ".join(problems), "none")
    reasons: dict[int, list[str]] = {}
    row_of = [int(row) for row in cases["index"]]
    for row, case in zip(row_of, cases.itertuples(), strict=True):
        found = reasons.setdefault(row, [])
        reason = _words(case)
        if reason not in found:
            found.append(reason)
    return reasons


def _words(case: Any) -> str:
    check_name = str(case.check)
    if len(check_name) > _LONGEST_CHECK:
        check_name = check_name.partition("(")[0]
    return f"{case.column} {check_name}" if case.schema_context == "Column" else check_name
