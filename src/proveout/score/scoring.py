"""The ML Test Score of a project: a point for each of 28 tests, and what it rests on.

Input: the verdict the served model rests on, facts of the ledger, what people answer for. Output: a `Score`.
Counting is pure. A point is for what ran: a check of the gate that passed and says what it covers, or an event that
the ledger holds. A person's word is half a point, and only until its day.
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
NOTHING = "nothing"  # why there is no point


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened and speaks for a test: a whole point if it ran by itself, else half."""

    test: str
    what: str
    points: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One test, what it got, and why."""

    id: str
    title: str
    points: float  # 0, 0.5 or 1
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Score:
    """All 28, and their sums."""

    model: str
    verdict: str  # what was looked at, in words
    points: tuple[Point, ...]
    sums: dict[str, float]  # of each section, 0 to 7
    score: float  # the least of them
    band: str


def count(
    model: str, verdict: Verdict | None, facts: Sequence[Fact], statements: "Sequence[Statement]", *, today: date
) -> Score:
    """The score. A check that covers a test and did not pass leaves it without a point, whatever people say of it."""
    points = tuple(_point(test, verdict, facts, statements, today=today) for test in rubric.TESTS)
    sums: dict[str, float] = {
        s: sum(one.points for one in points if one.id.startswith(f"{s}-")) for s in rubric.SECTIONS
    }
    named = f"the verdict of {verdict.judged_at[:16]} on {model}@{verdict.candidate[:12]}" if verdict else "no verdict"
    least = min(sums.values())
    return Score(model=model, verdict=named, points=points, sums=sums, score=least, band=rubric.band(least))


def _point(
    test: rubric.Asked,
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
    """The check functions among node ids, each once, with how many of its cases passed."""
    names = [_short(check).partition("[")[0] for check in checks]
    counted = {name: names.count(name) for name in names}
    return [f"{name} passed" if many == 1 else f"{name}: {many} passed" for name, many in counted.items()]


def _short(check: str) -> str:
    return check.rpartition("/")[2]


def verdict_to_score(ledger: "Ledger", model: str) -> Verdict | None:
    """The verdict that the champion was released on; before there is one, the newest that approves, else the newest."""
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
