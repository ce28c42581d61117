"""Whether what a candidate was judged with is still, at the end of a run, what was read at its beginning.

Comes in: the material of a run. Goes out: a `CheckResult` for each part of it that somebody changed in place: fixtures
of a session are shared, so what one check writes into the held-out rows, every later one reads.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from proveout.errors import ProveoutError
from proveout.evaluation.fixture_digests import of_bundle, of_rows
from proveout.gate.preconditions import wrong
from proveout.records import CheckResult

if TYPE_CHECKING:
    from proveout.evaluation.context import EvaluationContext

ASKED_AGAIN = 200  # rows of the bundle's own reference: enough to tell two models apart


def broken(material: "EvaluationContext") -> Iterator[CheckResult]:
    """What somebody changed: the rows, a bundle's insides, the bounds."""
    made: dict[str, Any] = vars(material)
    for name, seal in material.seals.items():
        now = made[name]
        if isinstance(seal, str):
            if seal != of_rows(now):
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
    if "criteria" in made and dict(made["criteria"]) != dict(material.bounds):
        message = (
            "the bounds of the fixture criteria are no longer those the run began with: a check or a fixture changed "
            f"them in place. To ask for another bound: [evaluation] in {material.settings.train_config}"
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
