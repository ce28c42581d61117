"""The ML Test Score of a project: a point for each of 28 tests, and the evidence for it.

Input: the verdict of the served model, facts from the ledger, statements of people. Output: a `Score`. Counting is
pure. A test gets a point for a passed check of the gate that covers it, or for an event in the ledger. A person's
statement gives half a point while it is valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from proveout.records.verdict import Verdict
from proveout.rollout import releases
from proveout.score import rubric

if TYPE_CHECKING:
    from proveout.ledger.ledger import Ledger
    from proveout.score.attestations import Statement

MOST_NAMED = 3  # checks that are named for one point
NOTHING = "nothing"  # the evidence of a test without a point


@dataclass(frozen=True, kw_only=True)
class Fact:
    """An event that is evidence for a test: one point if it ran automatically, else half a point."""

    test: str
    what: str
    points: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One test with its points and the evidence."""

    id: str
    title: str
    points: float  # 0, 0.5 or 1
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Score:
    """The points of all 28 tests, and their sums."""

    model: str
    verdict: str  # which verdict was used, as text
    points: tuple[Point, ...]
    sums: dict[str, float]  # by section, 0 to 7
    score: float  # the smallest of the sums
    band: str


def count(
    model: str, verdict: Verdict | None, facts: Sequence[Fact], statements: "Sequence[Statement]", *, today: date
) -> Score:
    """The score. A test whose check did not pass gets no point, even with a person's statement."""
    points = tuple(_point(test, verdict, facts, statements, today=today) for test in rubric.TESTS)
    sums: dict[str, float] = {
        s: sum(one.points for one in points if one.id.startswith(f"{s}-")) for s in rubric.SECTIONS
    }
    named = f"the verdict of {verdict.judged_at[:16]} on {model}@{verdict.candidate[:12]}" if verdict else "no verdict"
    least = min(sums.values())
    return Score(model=model, verdict=named, points=points, sums=sums, score=least, band=rubric.band(least))


def _point(
    test: rubric.RubricTest,
    verdict: Verdict | None,
    facts: Sequence[Fact],
    statements: "Sequence[Statement]",
    *,
    today: date,
) -> Point:
    covering = [result for result in (verdict.results if verdict else ()) if test.id in result.covers]
    failed = [f"{_short(result.check)} {result.outcome}" for result in covering if result.outcome != "passed"]
    if failed:
        return Point(id=test.id, title=test.title, points=0.0, why=tuple(failed[:MOST_NAMED]))
    found = [Fact(test=test.id, what=what) for what in _functions([result.check for result in covering])]
    found += [fact for fact in facts if fact.test == test.id]
    expired = []
    for statement in statements:
        if statement.test != test.id:
            continue
        if statement.holds(today):
            found.append(Fact(test=test.id, what=f"{statement.by}, {statement.date}: {statement.says}", points=0.5))
        else:
            expired.append(f"what {statement.by} stated ended on {statement.until}")
    most = max((fact.points for fact in found), default=0.0)
    why = [fact.what for fact in found if fact.points == most]
    return Point(id=test.id, title=test.title, points=most, why=(*why[:MOST_NAMED], *expired) or (NOTHING,))


def _functions(checks: Sequence[str]) -> list[str]:
    """The check functions of the node ids, each once, with how many of their cases passed."""
    names = [_short(check).partition("[")[0] for check in checks]
    counted = {name: names.count(name) for name in names}
    return [f"{name} passed" if many == 1 else f"{name}: {many} passed" for name, many in counted.items()]


def _short(check: str) -> str:
    return check.rpartition("/")[2]


def verdict_to_score(ledger: "Ledger", model: str) -> Verdict | None:
    """The verdict on which the champion was released; without a champion, the newest approving one, else the newest."""
    from proveout.ledger.ledger import read

    champion = releases.current(ledger, model)
    entries = ledger.entries(kind="verdict", newest_first=True)
    judged = [(entry, read(Verdict, entry)) for entry in entries]
    mine = [(entry, verdict) for entry, verdict in judged if verdict.model == model]
    for wanted in (
        lambda entry, _: champion is not None and entry.hash == champion.verdict,
        lambda _, verdict: verdict.outcome == "approved",
        lambda _, verdict: True,
    ):
        for entry, verdict in mine:
            if wanted(entry, verdict):
                return verdict
    return None
