"""The gate's checks of its own inputs: held-out rows are really held out and recent, and no edge case is missing.

Input: the candidate's rows, batches and edge cases, as values. Output: a `CheckResult` for each problem. `ask` gets the
values, the other functions decide. `run_options` checks how the run was started.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proveout.edge_cases import case_store
from proveout.errors import ProveoutError
from proveout.gate.verdict import GATE
from proveout.project import open_ledger
from proveout.records.snapshot import Snapshot
from proveout.records.train_config import TimeSplit
from proveout.records.values import Digest
from proveout.records.verdict import CheckOutcome, CheckResult, Verdict

if TYPE_CHECKING:
    from proveout.edge_cases import Case
    from proveout.evaluation.context import EvaluationContext, LabelledRows

EDGE_CASES = f"{GATE}edge-cases"
TWINS_AT_MOST = 0.01
"""Share of held-out rows that may equal a training row beyond chance. A memorized row is answered right without skill,
so this share raises accuracy by at most 0.01, the smallest difference that gates usually have to detect."""
TWINS_FEW = 3
"""This many equal rows are tolerated in any case, for small batches."""


def wrong(name: str, message: str, *, outcome: CheckOutcome = "failed") -> CheckResult:
    """A problem found by the gate itself, as a check result with the name `gate::NAME`."""
    return CheckResult(check=GATE + name, outcome=outcome, required=True, message=message)


def ask(context: "EvaluationContext", cases: "Sequence[Case]") -> tuple[CheckResult, ...]:
    """Run all checks in this module on the candidate in `context`. `cases`: the current edge cases."""
    bundle = context.bundle
    found = [*overlap(context.training, context.holdout, key=context.settings.event_key)]
    if isinstance(bundle.split, TimeSplit):  # only a split by time has an order
        found += order(train_through=bundle.split.train_through, holdout=bundle.split.holdout)
        newer = _newer(context, bundle.split.holdout)
        found += stale(bundle.split.holdout, newer, allowed=context.settings.max_newer_batches)
    try:
        retired = case_store.retired(context.settings)
    except ProveoutError as error:
        return (*found, wrong("retired-cases", str(error), outcome="error"))
    return (*found, *weaker(_cases_before(context), suite(cases), retired))


def suite(cases: "Sequence[Case]") -> dict[str, Digest]:
    """The digest of each edge case by its id, as stored in a verdict."""
    from proveout import edge_cases as edge

    return dict(edge.suite(cases)) if cases else {}


# --- decisions ----------------------------------------------------------------------------------------------------


def order(*, train_through: str, holdout: str) -> tuple[CheckResult, ...]:
    """A result if the held-out batch does not come after the last training batch."""
    if train_through < holdout:
        return ()
    what = f"the candidate was trained through {train_through} and is judged on {holdout}, which is not after it"
    return (wrong("holdout-in-training", f"{what}: hold out a later batch: [split] in train.toml"),)


def overlap(training: "LabelledRows", holdout: "LabelledRows", *, key: Sequence[str]) -> tuple[CheckResult, ...]:
    """Results if held-out rows are among the training rows: the same event key, or the same content under another key.

    A key names one event, so no key may be on both sides; without a key, rows are identified by content. Content is
    every request column except the key, and the label. Rows with few distinct values can be equal by chance. The share
    by chance is estimated from training: the share of its rows that equal another one. A result needs more than that
    by three standard errors plus `TWINS_AT_MOST` plus `TWINS_FEW` rows. The false alarm rate was at most 1.3 % of 300
    trials, in 25 settings of 200 to 5,000 random rows with 20 to 20,000 distinct contents.
    """
    keys = _fingerprints(training.raw[list(key)], holdout.raw[list(key)]) if key else ((), ())
    content = [column for column in holdout.records.columns if column not in key]
    found = []
    known = _share_in(keys[1], keys[0])
    if known > 0:
        found.append(
            _overlaps(known, holdout.rows, f"are among the training rows too, by their key ({', '.join(key)})")
        )
    elif content and training.rows and holdout.rows:
        tables = [rows.records[content].assign(_label=rows.labels) for rows in (training, holdout)]
        learned, held = _fingerprints(*tables)
        twins, chance = _share_in(held, learned), _share_of_twins(learned)
        # The number of distinct contents in training varies, which doubles the error of its share compared with
        # independent rows.
        error = (chance * (1 - chance) * (1 / holdout.rows + 4 / training.rows)) ** 0.5
        if twins > chance + 3 * error + TWINS_AT_MOST + TWINS_FEW / holdout.rows:
            what = "have the content of a training row under another key (every request column and the label"
            found.append(_overlaps(twins, holdout.rows, f"{what}; by chance it would be {chance:.1%})"))
    return tuple(found)


def stale(holdout: str, newer: Sequence[str], *, allowed: int) -> tuple[CheckResult, ...]:
    """A result if the held-out batch is too old to represent today's data.

    Args:
        newer: later batches with known outcomes.
        allowed: how many later batches there may be.
    """
    if len(newer) <= allowed:
        return ()
    what = f"the held-out batch {holdout} is stale: {len(newer)} newer batches have known outcomes ({newer[0]} to "
    return (
        wrong(
            "stale-holdout",
            f"{what}{newer[-1]}), allowed: {allowed}. Hold out a newer one: [split] in train.toml; or raise "
            "max_newer_batches in [tool.proveout]",
        ),
    )


def weaker(
    before: Mapping[str, Digest], now: Mapping[str, Digest], retired: Collection[str]
) -> tuple[CheckResult, ...]:
    """Results for edge cases of an earlier verdict that are missing, or changed under the same id."""
    sentences = case_store.shrunk(before, now, retired)
    return tuple(
        wrong(f"{EDGE_CASES.removeprefix(GATE)}[{place}]", text) for place, text in enumerate(sentences, start=1)
    )


def unasked(cases: "Sequence[Case]", *, asked: bool) -> tuple[CheckResult, ...]:
    """A result if there are edge cases but no check uses them."""
    if asked or not cases:
        return ()
    what = f"there are edge cases ({len(cases)}), but no check of this run uses them"
    remedy = "run a check with the fixture edge_case, or retire them: proveout cases retire"
    return (wrong(f"{EDGE_CASES.removeprefix(GATE)}-unasked", f"{what}: {remedy}", outcome="missing"),)


# --- parts --------------------------------------------------------------------------------------------------------


def _overlaps(share: float, rows: int, how: str) -> CheckResult:
    what = f"{round(share * rows):,} of {rows:,} held-out rows {how}: a memorized answer proves nothing"
    return wrong("holdout-overlaps-training", f"{what}. Remove them from one side, in the source of the batches")


def _fingerprints(training: Any, holdout: Any) -> tuple[Any, Any]:
    """A 64-bit hash of each row of two tables with the same columns. Null counts as a value."""
    import pandas as pd

    # Both together, because a column that is empty in one table would have another type there.
    both = pd.util.hash_pandas_object(pd.concat([training, holdout], ignore_index=True), index=False).to_numpy()
    return both[: len(training)], both[len(training) :]


def _share_in(rows: Any, others: Any) -> float:
    import numpy as np

    return float(np.isin(rows, others).mean()) if len(rows) else 0.0


def _share_of_twins(rows: Any) -> float:
    """The share of rows that equal another row."""
    import numpy as np

    _, counts = np.unique(rows, return_counts=True)
    return float(counts[counts > 1].sum() / len(rows))


def _newer(context: "EvaluationContext", holdout: str) -> tuple[str, ...]:
    """The batches after the held-out one with known outcomes; stops once there are too many."""
    from proveout.ledger.ledger import read

    with open_ledger(context.settings, create=True) as ledger:
        newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    if not newest:
        return ()
    snapshot = read(Snapshot, newest[0])
    names = [batch.name for batch in snapshot.batches if batch.name > holdout]
    if len(names) <= context.settings.max_newer_batches:
        return ()
    return tuple(name for name in names if context.outcomes_known(snapshot, name))


def _cases_before(context: "EvaluationContext") -> Mapping[str, Digest]:
    """The edge cases of the newest complete verdict on any bundle."""
    from proveout.ledger.ledger import read

    with open_ledger(context.settings, create=True) as ledger:
        for few in (10, None):  # it is nearly always among the newest
            for entry in ledger.entries(kind="verdict", limit=few, newest_first=True):
                verdict = read(Verdict, entry)
                if verdict.model == context.bundle.model and verdict.cases:
                    return verdict.cases
    return {}
