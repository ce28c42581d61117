"""Fixtures of the gate: whether a check gets them, and whether they are still, at the end, what was read at the start.

Input: a fixture that pytest is about to set up; the evaluation context of a run. Output: a `CheckResult` for each
fixture of the project that took the name of one of the gate's, and for each part of the context that a check changed in
place: fixtures of a session are shared, so what one check writes into the held-out rows, every later one reads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.errors import ProveoutError
from proveout.evaluation.code_origin import short
from proveout.evaluation.fixture_digests import of_bundle, of_rows
from proveout.gate.guards import vacuous
from proveout.gate.preconditions import wrong
from proveout.records.verdict import CheckResult
from proveout.settings import Settings

if TYPE_CHECKING:
    from proveout.evaluation.context import EvaluationContext

FIXTURES = frozenset({
    "candidate", "champion", "criteria", "edge_answers", "edge_case", "edge_cases", "evidence", "gate_context",
    "generated", "holdout", "profiles", "project", "snapshot", "training",
})  # fmt: skip
ASKED_AGAIN = 200  # rows of the bundle's own reference: enough to tell two models apart


def overridden(fixture: Any, settings: Settings) -> CheckResult | None:
    """Whether a fixture that is about to be set up has the name of one of the gate's and is another one."""
    name = fixture.argname
    if name not in FIXTURES or fixture.func.__module__ == "proveout.gate.fixtures":
        return None
    code = getattr(vacuous.plain(fixture.func), "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    if name == "edge_case" and (file is None or "_pytest" in file.parts):
        return None  # pytest's own, for the cases that the gate gave it
    by = short(file, settings.root) if file is not None and "_pytest" not in file.parts else "a parametrize mark"
    message = f"{by} overrides the fixture {name}, so the checks judge something else: give yours another name"
    return wrong(f"fixtures[{name}]", message)


def broken(context: "EvaluationContext") -> Iterator[CheckResult]:
    """What somebody changed: the rows, a bundle's insides, the bounds."""
    made: dict[str, Any] = vars(context)
    for name, seal in context.seals.items():
        now = made[name]
        if isinstance(seal, str):
            if seal != of_rows(now.labels, now.raw, now.records):
                message = (
                    f"the rows of the fixture {name} are no longer those of the snapshot: a check or a fixture changed "
                    f"them in place, for all that came after it. Work on a copy: {name}.records.copy()"
                )
                yield wrong(f"changed[{name}]", message)
        elif seal != of_bundle(now) or not _answers_the_same(now):
            message = (
                f"the opened {name} no longer answers as what was packed: a check or a fixture changed it in place. "
                f"Ask it, and change a copy: copy.deepcopy({name})"
            )
            yield wrong(f"changed[{name}]", message)
    if "criteria" in made and dict(made["criteria"]) != dict(context.bounds):
        message = (
            "the bounds of the fixture criteria are no longer those the run began with: a check or a fixture changed "
            f"them in place. To ask for another bound: [evaluation] in {context.settings.train_config}"
        )
        yield wrong("changed[criteria]", message)


def _answers_the_same(opened: Any) -> bool:
    from proveout.model.bundle import open_bundle

    try:
        rows = opened.reference().head(ASKED_AGAIN)
        again = open_bundle(opened.folder, manifest=opened.bundle.manifest)
    except ProveoutError:  # its files were edited meanwhile
        return False
    return _said(opened, rows) == _said(again, rows)


def _said(opened: Any, rows: Any) -> bytes:
    try:
        return bytes(opened.predict(rows).tobytes())
    except Exception as error:  # whatever a model raises on rows; the checks say so
        return type(error).__name__.encode()
