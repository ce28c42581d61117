"""Guards the gate's fixtures: detects fixtures that the project replaced, and data that a check changed in place.

Input: a fixture that pytest is about to set up; the evaluation context of a run. Output: a `CheckResult` for each
project fixture with the name of a gate fixture, and for each part of the context that a check changed in place. Session
fixtures are shared, so a change to the held-out rows would affect all later checks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.errors import ProveoutError
from proveout.evaluation.code_origin import short
from proveout.evaluation.fixture_digests import of_bundle, of_rows
from proveout.fastpath.tolerance import apart
from proveout.gate.guards import vacuous
from proveout.gate.preconditions import wrong
from proveout.records.verdict import CheckResult
from proveout.settings import Settings

if TYPE_CHECKING:
    from proveout.evaluation.context import EvaluationContext

FIXTURES = frozenset({
    "candidate", "champion", "criteria", "edge_answers", "edge_case", "edge_cases", "evidence", "gate_context",
    "generated", "holdout", "profiles", "project", "retraining", "snapshot", "training",
})  # fmt: skip
ASKED_AGAIN = 200  # reference rows to predict again: enough to distinguish two models


def overridden(fixture: Any, settings: Settings) -> CheckResult | None:
    """A result if the fixture about to be set up replaces one of the gate's; else None."""
    name = fixture.argname
    if name not in FIXTURES or fixture.func.__module__ == "proveout.gate.fixtures":
        return None
    code = getattr(vacuous.plain(fixture.func), "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    if name == "edge_case" and (file is None or "_pytest" in file.parts):
        return None  # pytest's own fixture for the gate's edge cases
    by = short(file, settings.root) if file is not None and "_pytest" not in file.parts else "a parametrize mark"
    message = f"{by} overrides the fixture {name}, so the checks judge something else: give yours another name"
    return wrong(f"fixtures[{name}]", message)


def broken(context: "EvaluationContext") -> Iterator[CheckResult]:
    """Results for parts that were changed in place: rows, an opened bundle, bounds."""
    made: dict[str, Any] = vars(context)
    for name, seal in context.seals.items():
        now = made[name]
        if isinstance(seal, str):
            if seal != of_rows(now.labels, now.raw, now.records):
                message = (
                    f"the rows of the fixture {name} are no longer those of the snapshot: a check or a fixture changed "
                    f"them in place, for all later checks. Work on a copy: {name}.records.copy()"
                )
                yield wrong(f"changed[{name}]", message)
        elif seal != of_bundle(now) or not _answers_the_same(now):
            message = (
                f"the opened {name} no longer answers like the packed one: a check or a fixture changed it in place. "
                f"Change only a copy: copy.deepcopy({name})"
            )
            yield wrong(f"changed[{name}]", message)
    if "criteria" in made and dict(made["criteria"]) != dict(context.bounds):
        message = (
            "the bounds of the fixture criteria are no longer those the run began with: a check or a fixture changed "
            f"them in place. To change a bound, edit [evaluation] in {context.settings.train_config}"
        )
        yield wrong("changed[criteria]", message)


def _answers_the_same(opened: Any) -> bool:
    from proveout.model.bundle import open_bundle

    try:
        rows = opened.reference().head(ASKED_AGAIN)
        again = open_bundle(opened.folder, manifest=opened.bundle.manifest, direct=False)
    except ProveoutError:  # its files were edited during the run
        return False
    now, then = _said(opened, rows), _said(again, rows)
    if isinstance(now, str) or isinstance(then, str):
        return isinstance(now, str) and isinstance(then, str) and now == then
    # A forest with several jobs adds its trees in another order each time.
    return now.shape == then.shape and not apart(now, then, again.tolerance.answers).any()


def _said(opened: Any, rows: Any) -> Any:
    """Its answers as an array, or the name of what it raises."""
    try:
        return opened.predict(rows)
    except Exception as error:  # the model raises on these rows; the checks report that
        return type(error).__name__
