"""Drift of profiles: where rows are not kept, their merged profiles are compared, with the error that costs.

Input: profiles as bytes. Output: `DriftTest`s, each with its error in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from proveout.data import features, profiles, snapshots
from proveout.errors import DriftError, NotFound
from proveout.ledger.ledger import read
from proveout.monitoring.drift import FEWEST_ROWS, WEIGHTS
from proveout.monitoring.drift_tests import column_sketch, families, verdict_text
from proveout.monitoring.drift_tests.measurement import Measurement
from proveout.project import open_ledger, open_store
from proveout.records.drift_report import DriftTest, TestName
from proveout.records.snapshot import ColumnSketch, Snapshot
from proveout.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ProfileDrift:
    """A batch compared with earlier batches by their profiles."""

    batch: str
    earlier: tuple[str, ...]
    tests: tuple[DriftTest, ...]


def of(settings: Settings, batch: str | None) -> ProfileDrift:
    """The newest batch of the newest snapshot, or `batch`, beside all batches before it. Reads no rows.

    Raises: NotFound if there is no such batch, or no earlier one.
    """
    with open_ledger(settings) as ledger:
        newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    if not newest:
        raise NotFound("snapshot", "yet", "Make one: python flows/ingest.py run")
    known = {one.name: one.digest for one in read(Snapshot, newest[0]).batches}
    asked = batch or list(known)[-1]
    if asked not in known:
        raise NotFound("batch", asked, f"The newest snapshot has {', '.join(known)}")
    earlier = tuple(known)[: tuple(known).index(asked)]
    if not earlier:
        raise NotFound("batch", f"before {asked}", "There is nothing to compare it with yet")
    store = open_store(settings)
    columns = [name for name in features.request_columns(settings) if name not in settings.event_key]
    tests = compare(
        [snapshots.profile(store, known[name]) for name in earlier],
        [snapshots.profile(store, known[asked])],
        columns,
        drift_alpha=settings.drift_alpha,
    )
    return ProfileDrift(batch=asked, earlier=earlier, tests=tests)


def compare(
    reference: Sequence[bytes], window: Sequence[bytes], columns: Sequence[str], *, drift_alpha: float
) -> tuple[DriftTest, ...]:
    """Test each column of the merged profiles of `window` against those of `reference`.

    Values and nulls are tested; levels beyond the profile's list, dependence of columns, and what they did to the
    answers need rows. The family alarms by chance with probability `drift_alpha` at most.

    Raises: DriftError if a side has fewer than 20 rows, or lacks a column.
    """
    sides = profiles.sketches(profiles.merged(reference), profiles.merged(window))
    before, after = ({one.name: one for one in side} for side in sides)
    made: list[tuple[DriftTest, float]] = []
    for column in columns:
        if column not in before:
            raise DriftError(column, "one of the profiles has no such column")
        pair = before[column], after[column]
        if min(one.rows for one in pair) < FEWEST_ROWS:
            raise DriftError(column, f"a side has fewer than {FEWEST_ROWS} rows")
        test: TestName = "ks" if pair[0].below else "chi2"
        made.append((_test(test, column_sketch.values(*pair), pair), column_sketch.error(*pair)))
        if any(one.nulls for one in pair):
            made.append((_test("nulls", column_sketch.nulls(*pair), pair), 0.0))
    levels = families.levels([WEIGHTS[test.test] for test, _ in made], alpha=drift_alpha)
    flags = families.listed([test.p_value for test, _ in made], share=drift_alpha)
    return tuple(
        _judged(replace(test, level=level, alarmed=test.p_value <= level, listed=flag), error)
        for (test, error), level, flag in zip(made, levels, flags, strict=True)
    )


def _test(test: TestName, found: Measurement, pair: tuple[ColumnSketch, ColumnSketch]) -> DriftTest:
    whole = test == "nulls"
    rows = [one.rows if whole else one.rows - one.nulls for one in pair]
    return DriftTest(
        part="inputs", column=pair[0].name, test=test, level=0.0, verdict="",
        statistic=found.statistic, p_value=found.p_value, effect=found.effect,
        reference_rows=rows[0], window_rows=rows[1],
    )  # fmt: skip


def _judged(test: DriftTest, error: float) -> DriftTest:
    exact = "counted exactly" if test.test == "nulls" else f"from profiles, ± {100 * error:.2g} % of the rows"
    return replace(test, verdict=f"{verdict_text.verdict(test)} ({exact})")
