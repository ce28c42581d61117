"""The candidate as it will be served: latency, size, completeness without the project, and equal answers on all paths.

Input: the candidate and held-out rows. Output: `Evidence`. What depends on the process is measured in a fresh one
(`isolated_probe`), because the checks' process has everything imported and other work to do. The rest is measured on
the candidate as opened here.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.data.request_columns import plain_records
from proveout.evaluation.predictions import as_served, at_limits, each, extreme, largest_difference, spread
from proveout.records.verdict import Evidence
from proveout.schema.spec import RequestSchema

if TYPE_CHECKING:
    import pandas as pd

    from proveout.evaluation.context import LabelledRows
    from proveout.evaluation.isolated_probe import Linked, Told
    from proveout.model.bundle import OpenBundle

RECORDS = 200  # different requests for a fresh process
ALONE = 200  # rows predicted one by one
AWKWARD = 60  # and awkward ones, of a candidate that is not served directly
_BEYOND = 5  # fewest calls above a quantile to measure it


def performance(
    candidate: "OpenBundle",
    holdout: "LabelledRows",
    *,
    champion: "OpenBundle | None" = None,
    p50_ms_at_most: float | None = None,
    p99_ms_at_most: float | None = None,
    opening_s_at_most: float | None = None,
    memory_mb_at_most: float | None = None,
    bundle_mb_at_most: float | None = None,
    calls: int = 600,
    within_s: float = 10.0,
) -> tuple[Evidence, ...]:
    """Latency of one record (p50, p99), opening time, memory and size, in a fresh process with one thread.

    evidence(
        serving_parity.performance(
            candidate,
            holdout,
            champion=champion,
            p50_ms_at_most=criteria["p50_ms_at_most"],
            p99_ms_at_most=criteria["p99_ms_at_most"],
            opening_s_at_most=criteria["opening_s_at_most"],
            memory_mb_at_most=criteria["memory_mb_at_most"],
            bundle_mb_at_most=criteria["bundle_mb_at_most"],
        )
    )

    Args:
        champion: measured beside it and shown, not compared: two runs of one model differ too.
        calls: counted calls for one record, from JSON's values to the probability; a tenth as many come before.
        within_s: fewer calls are made if they take longer; waiting for a processor does not count. Below 500 the p99 is
            judged only if it is surely above its bound, which few calls show of what is far too slow, or surely below.
    Returns: five pieces of evidence; a sixth, which does not hold, if a bound could not be judged for lack of calls.
        Intervals of the quantiles are by their ranks, as if calls were independent. Memory is the most that opening and
        answering add to a process that has pandas and scikit-learn imported.
    """
    from proveout.evaluation import isolated_probe

    records = tuple(plain_records(spread(holdout.records, RECORDS)))

    def measured(bundle: "OpenBundle") -> "Told":
        return isolated_probe.ask(
            isolated_probe.Asked(folder=str(bundle.folder), records=records, calls=calls, within_s=within_s)
        )

    now = measured(candidate)
    if now.trouble:
        name = "faults in a fresh process"
        return (Evidence(name=name, value=1, at_most=0, decision=now.trouble, covers=("monitor-6",)),)
    before = None if champion is None else measured(champion)
    before = None if before is None or before.trouble else before
    sizes = (
        ("opening, s", now.opening_s, opening_s_at_most, None if before is None else before.opening_s),
        ("memory added, MB", now.memory_mb, memory_mb_at_most, None if before is None else before.memory_mb),
        (
            "bundle, MB",
            candidate.bundle.bytes / 1e6,
            bundle_mb_at_most,
            None if champion is None else champion.bundle.bytes / 1e6,
        ),
    )
    found = (
        _quantile(now, before, 0.50, p50_ms_at_most),
        _quantile(now, before, 0.99, p99_ms_at_most),
        *(Evidence(name=name, value=value, at_most=most, champion=was) for name, value, most, was in sizes),
    )
    open_ = [one.name for one in found if one.unjudged and one.at_most is not None]
    if open_:
        # Slow models make few calls: if these were not judged, the slowest models would pass.
        said = f"{' and '.join(open_)}: {len(now.took_ms)} calls in {within_s:g} s; give it more: calls=, within_s="
        found = (*found, Evidence(name="bounds not judged", value=len(open_), at_most=0, decision=said))
    return tuple(replace(one, covers=("monitor-6",)) for one in found)


def _quantile(now: "Told", before: "Told | None", share: float, at_most: float | None) -> Evidence:
    import numpy as np
    from scipy.stats import binom

    took = np.sort(now.took_ms)
    count = len(took)
    name = f"p{round(100 * share)} of one record, ms"
    over = 0 if at_most is None else int((took > at_most).sum())
    # If at most `1 - share` of all calls were above the bound, this many above it would have a probability below 1 in
    # 40.
    too_slow = over > 0 and binom.sf(over - 1, count, 1 - share) < 0.025
    fast_enough = at_most is not None and binom.cdf(over, count, 1 - share) < 0.025  # so few, if more were above it
    if count * (1 - share) < _BEYOND and not (too_slow or fast_enough):
        return Evidence(name=name, value=None, at_most=at_most, rows=count, unjudged=f"{count} calls in the time")
    middle, half = count * share, 1.96 * math.sqrt(count * share * (1 - share))
    low, high = took[max(0, math.floor(middle - half))], took[min(count - 1, math.ceil(middle + half))]
    return Evidence(
        name=name,
        value=float(np.quantile(took, share)),
        low=float(low),
        high=float(high),
        level=0.95,
        at_most=at_most,
        rows=count,
        champion=float(np.quantile(before.took_ms, share)) if before is not None and before.took_ms else None,
    )


# --- without the project around it ------------------------------------------------------------------------------------


def clean(candidate: "OpenBundle") -> tuple[Evidence, ...]:
    """Whether the bundle opens and predicts the same if only the packages in its requirements.lock can be imported.

    evidence(serving_parity.clean(candidate))

    A copy is opened in a process with no environment variables, an empty working directory, and of all installed
    packages only the locked ones and proveout. So neither other files of the project nor a library that was installed
    by hand are available.

    Returns: what failed (the decision names a missing module), packages imported in another version than locked, and
        the largest difference of its answers from those here.
    """
    import shutil
    import tempfile
    from pathlib import Path

    import numpy as np

    from proveout.evaluation import isolated_probe

    lock = candidate.requirements()
    name = "faults in a clean environment"
    if lock is None:
        why = "no requirements.lock is packed: nobody can build its environment"
        return (Evidence(name=name, value=1, at_most=0, decision=why),)
    reference = candidate.reference()[list(candidate.request_columns)]
    with tempfile.TemporaryDirectory(prefix="proveout-clean-") as temporary:
        # Copied, so that `Path(__file__).parents[3]` in a features.py is not the project.
        copy = Path(shutil.copytree(candidate.folder, Path(temporary) / candidate.folder.name))
        (Path(temporary) / "site").mkdir()
        pinned = isolated_probe.locked(lock)
        linked = isolated_probe.link(Path(temporary) / "site", pinned=pinned)
        asked = isolated_probe.Asked(folder=str(copy), records=tuple(plain_records(reference)), calls=20)
        told = isolated_probe.ask(asked, site=Path(temporary) / "site")
    if told.trouble:
        return (Evidence(name=name, value=1, at_most=0, decision=_why(told, linked, pinned)),)
    others = _others(told, linked, pinned)
    here = candidate.predict(reference).ravel()
    there = np.array([math.nan if answer is None else answer for answer in told.answers])
    return (
        Evidence(name=name, value=0, at_most=0, decision="it opens and answers", rows=len(reference)),
        Evidence(
            name="packages in another version than locked",
            value=len(others),
            at_most=0,
            decision="; ".join(others),
            covers=("monitor-1",),
        ),
        Evidence(
            name="largest difference to an answer in a clean environment",
            value=largest_difference(here, there),
            at_most=candidate.tolerance.answers,
            rows=len(reference),
            covers=("monitor-3",),
        ),
    )


def _why(told: "Told", linked: "Linked", pinned: Mapping[str, str]) -> str:
    module = told.missing
    top = module.partition(".")[0]
    if not module:
        return told.trouble
    if top in linked.modules and linked.modules[top] not in pinned:
        return f"it imports {module}, of {linked.modules[top]}, which requirements.lock does not name"
    if top in linked.modules:
        return f"it imports {module}, which {linked.modules[top]} does not have"
    return f"it imports {module}, which is in no locked package: a module of the project is not packed"


def _others(told: "Told", linked: "Linked", pinned: Mapping[str, str]) -> list[str]:
    used = sorted({linked.modules[module] for module in told.modules if module in linked.modules})
    return [
        f"{name} is {linked.installed[name]} here, locked {pinned[name]}"
        for name in used
        if name in linked.installed and linked.installed[name] != pinned[name]
    ]


# --- of one mind ------------------------------------------------------------------------------------------------------


def same_by_columns(
    candidate: "OpenBundle", records: "pd.DataFrame", *, alone: int = ALONE, at_most: float | None = None
) -> tuple[Evidence, ...]:
    """Whether arrays and single records, as in the server, get the same scores as a table, as in the gate.

    evidence(serving_parity.same_by_columns(candidate, holdout.records))

    Args:
        records: all are predicted together, in both ways, and so are awkward ones made from the first: all of them, or
            some where the server answers by the pipeline, too.
        alone: number of records, spread over all, to predict one by one.
        at_most: the allowed difference; default: the candidate's own tolerance, which is 0 unless it computes sums
            (`fastpath/tolerance.py`).
    Returns: the largest difference of a score together, and alone. Both NaN, or both raising, count as equal.
    """
    import numpy as np

    at_most = candidate.tolerance.answers if at_most is None else at_most
    rows = records.reset_index(drop=True)
    singles = spread(rows, alone)
    places = singles.index.to_numpy()
    awkward = candidate.awkward(rows)
    if candidate.direct != "on":  # the pipeline answers both: no column has a reading of its own
        awkward = spread(awkward, AWKWARD)
    together = candidate.predict(rows)
    at_once = largest_difference(as_served(candidate, rows), together)
    judged = np.concatenate([together[places], each(candidate, awkward, served=False)])
    one_by_one = np.concatenate([each(candidate, singles, served=True), each(candidate, awkward, served=True)])
    way = "" if candidate.direct == "on" else "the pipeline answers both"
    return (
        Evidence(
            name="largest difference, as served and as judged",
            value=at_once,
            at_most=at_most,
            rows=len(rows),
            decision=way,
            covers=("monitor-3",),
        ),
        Evidence(
            name="largest difference, served alone and judged together",
            value=largest_difference(one_by_one, judged),
            at_most=at_most,
            rows=len(one_by_one),
            decision=way,
            covers=("monitor-3",),
        ),
    )


def _admits(schema: RequestSchema, record: Mapping[str, Any]) -> bool:
    """Whether each value of a record passes the checks of its field."""
    values = ((one, record.get(one.name)) for one in schema.fields)
    return all(one.takes_null if value is None else one.holds(value) for one, value in values)


def numerically_stable(
    candidate: "OpenBundle", holdout: "LabelledRows", *, schema: RequestSchema | None = None
) -> tuple[Evidence, ...]:
    """Whether every answer is valid: on the held-out rows, on awkward ones, and on extreme numbers.

    evidence(serving_parity.numerically_stable(candidate, holdout))

    Args:
        schema: of requests; with it, extreme rows are only those that it lets in, up to the ends of its ranges. A sum
            of the greatest numbers that there are is infinite for every linear model.
    Returns: the number of invalid answers on held-out and on extreme rows: not a probability from 0 to 1; for several
        classes, probabilities that do not add up to 1; for a regression, not a finite number. If the model raises,
        there is no invalid answer; the decision counts these.
    """
    import numpy as np
    import pandas as pd

    rows = holdout.records.reset_index(drop=True)
    farthest = extreme(candidate, rows)
    if schema is not None:
        farthest = pd.concat([farthest, at_limits(rows, schema)], ignore_index=True)
        farthest = farthest[[_admits(schema, record) for record in plain_records(farthest)]].reset_index(drop=True)
    answers, task = each(candidate, farthest, served=True), candidate.task
    raised = np.isneginf(answers.reshape(len(answers), math.prod(answers.shape[1:]))).all(axis=1)
    strange = "no finite number" if task.name == "regression" else "no probability"
    return (
        Evidence(
            name=f"answers that are {strange}",
            value=int((~task.valid_rows(candidate.predict(rows))).sum()),
            at_most=0,
            rows=len(rows),
            covers=("monitor-5",),
        ),
        Evidence(
            name=f"answers to extreme records that are {strange}",
            value=int((~task.valid_rows(answers[~raised])).sum()),
            at_most=0,
            rows=len(farthest),
            decision=f"{int(raised.sum())} raised" if raised.any() else "",
            covers=("monitor-5",),
        ),
    )
