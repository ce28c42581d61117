"""What runs beside the champion, compared with it: pairs of the shadow, arms of the canary, over a real ledger."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from real_postgres import own_schema
from registry_toy import MODEL, SHARE, A, B, C, Registry, answered, at, logged, settings

from proveout.errors import NotFound
from proveout.ledger.ledger import Ledger
from proveout.records.answer import Answer
from proveout.records.prediction import ShadowAnswer
from proveout.rollout import releases, rollout_report
from proveout.rollout.rollout_report import Comparison, Pair, compare, worst_slices
from proveout.task.binary import Binary


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """A champion since 10:01, a canary of a tenth since 10:02 and a shadow since 10:03."""
    made = Registry(tmp_path)
    if request.param == "postgresql":
        made.ledger.close()
        made.ledger = Ledger(own_schema(request.getfixturevalue("postgres")))
    for what in (A, B, C):
        made.judge(what)
    made.release(A, 1)
    made.release(B, 2, role="canary", share=SHARE)
    made.release(C, 3, role="shadow")
    yield made
    made.ledger.close()


def shadowed(number: int, probability: float | None, **changes: object) -> ShadowAnswer:
    answer = None if probability is None else Binary().answer([probability])
    plain = ShadowAnswer(request_id=f"r{number:06}", at=at(4), release=C.name, answer=answer, latency_ms=7.0)
    return replace(plain, **changes)


def compared(registry: Registry, **changes: Any) -> Comparison:
    return compare(registry.ledger, settings(), at=at(9), **changes)


# --- shadow -------------------------------------------------------------------------------------------------------


def test_the_shadow_is_compared_with_the_champion_on_the_same_requests(registry: Registry) -> None:
    """Pairs: what differs between them is the models, not the traffic."""
    both = [(0.6, 0.6), (0.6, 0.7), (0.6, 0.4), (0.4, 0.4), (0.2, 0.6)]
    for number, (champion, shadow) in enumerate(both):
        logged(
            registry,
            answered(number, "champion", answer=Binary().answer([champion]), latency_ms=float(number)),
            shadowed(number, shadow),
        )
    found = compared(registry).shadow

    assert found is not None
    assert (found.release.bundle, found.pairs, found.problems, found.agreement) == (C.digest, 5, 0, 0.6)
    assert found.mean_difference == pytest.approx(0.06)
    assert (found.p50, found.p95, found.most) == tuple(map(pytest.approx, (0.1, 0.4, 0.4)))
    assert (found.latency.p50, found.champion.p50, found.champion.p95) == (7.0, 2.0, 4.0)


def test_what_is_no_pair_is_not_compared(registry: Registry) -> None:
    """Beside a rule, the canary or another champion, the shadow would be compared with somebody else."""
    logged(
        registry,
        answered(1, "champion"), shadowed(1, 0.6),
        answered(2, "champion", answered_by="rules"), shadowed(2, 0.6),
        answered(3, "canary"), shadowed(3, 0.6),
        answered(4, "champion", release="flight-delay@0"), shadowed(4, 0.6),
        answered(5, "champion", answered_by="none", answer=Answer()), shadowed(5, 0.6),
        answered(6, "champion"), shadowed(6, None, problem="the worker died"),
        answered(7, "champion"), shadowed(7, 0.6, release="flight-delay@0"),
        answered(8, "champion"), shadowed(8, 0.6, at=at(2)),  # before it was the shadow
        shadowed(9, 0.6),  # its request is not drained yet
    )  # fmt: skip
    found = compared(registry).shadow

    assert found is not None
    assert (found.pairs, found.problems) == (1, 1)


def test_a_shadow_without_answers_is_shown_without_numbers(registry: Registry) -> None:
    """It was released a second ago."""
    found = compared(registry).shadow
    assert found is not None
    assert (found.pairs, found.agreement, found.p95, found.latency.p50, found.worst) == (0, None, None, None, ())


def test_only_so_many_of_the_newest_pairs_are_read(registry: Registry) -> None:
    """A month of shadowing must not make the page slow."""
    for number in range(6):
        logged(
            registry,
            answered(number, "champion", answer=Binary().answer([0.5])),
            shadowed(number, 0.5, at=at(4 + number)),
        )
    found = compared(registry, newest=2).shadow
    assert found is not None
    assert found.pairs == 2


# --- slices -------------------------------------------------------------------------------------------------------


def pair(difference: float, **record: Any) -> Pair:
    return Pair(record=record, difference=difference, agrees=True)


def test_the_worst_slices_are_values_of_texts_and_quarters_of_numbers() -> None:
    """ "They differ on average by 1 %" hides the airport where they differ by 30."""
    pairs = [
        pair(-0.3 if origin == "EWR" else 0.01, origin=origin, temp=float(n), day=n % 2)
        for n in range(100)
        for origin in ("EWR", "JFK", "LGA")
    ]
    worst = worst_slices(pairs)

    assert (worst[0].field, worst[0].values, worst[0].rows) == ("origin", "EWR", 100)
    assert worst[0].mean_difference == pytest.approx(0.3)
    assert len(worst) == 5
    warm = worst_slices([pair(0.4 if n >= 75 else 0.0, temp=float(n)) for n in range(100) for _ in range(2)])
    assert (warm[0].field, warm[0].values, warm[0].rows) == ("temp", "75 to 99", 50)
    assert [found.mean_difference for found in warm[1:]] == [0.0, 0.0, 0.0]


def test_a_slice_of_few_rows_is_chance_and_not_named() -> None:
    """29 rows that differ a lot are a bad morning; 30 are asked for."""
    few = [pair(0.9, origin="XNA") for _ in range(rollout_report.FEWEST_ROWS - 1)]
    assert worst_slices([*few, *(pair(0.1, origin="JFK") for _ in range(40))])[0].values == "JFK"
    assert worst_slices([*few, pair(0.9, origin="XNA")])[0].values == "XNA"
    assert worst_slices([]) == ()


def test_numbers_with_many_equal_values_and_missing_ones_are_cut_between_values() -> None:
    """A flag, a zero of rain: quarters of rows would cut through one value."""
    pairs = [
        pair(0.2 if wet else 0.0, precip=wet or None if n % 9 == 0 else float(wet)) for n in range(90) for wet in (0, 1)
    ]
    worst = worst_slices(pairs)
    assert [(found.values, found.mean_difference) for found in worst] == [("1", pytest.approx(0.2)), ("0", 0.0)]


def test_what_hides_a_person_and_what_has_too_many_values_is_no_slice() -> None:
    """A pseudonym is not a useful slice, and neither is one of 3,000 tail numbers."""
    hidden = [pair(0.5, tailnum=f"pii:{n % 2:032x}") for n in range(100)]
    many = [pair(0.5, flight=f"UA{n % 60}") for n in range(6_000)]
    flags = [pair(0.5, late=n % 2 == 0) for n in range(100)]
    assert worst_slices(hidden) == worst_slices(many) == ()
    assert {found.values for found in worst_slices(flags)} == {"True", "False"}


# --- canary -------------------------------------------------------------------------------------------------------


def test_the_canary_is_shown_beside_the_champion_with_its_verdict(registry: Registry) -> None:
    """Arms, not pairs: each request went to one of the two."""
    logged(
        registry,
        *(answered(n, "champion", latency_ms=float(n % 100)) for n in range(200)),
        *(answered(n, "canary", latency_ms=20.0) for n in range(300, 320)),
        answered(400, "canary", answered_by="rules", latency_ms=400.0),
    )
    found = compared(registry).canary

    assert found is not None
    assert (found.canary.answers, dict(found.canary.sources)) == (21, {"model": 20, "rules": 1})
    assert (found.champion.answers, dict(found.champion.sources)) == (200, {"model": 200})
    assert (found.canary.latency.p95, found.champion.latency.p50) == (20.0, 49.0)
    assert found.verdict.decision == "waits"


def test_with_nothing_beside_the_champion_there_is_nothing_to_compare(registry: Registry) -> None:
    """An empty page would look like agreement."""
    for role in ("canary", "shadow"):
        releases.end(registry.ledger, MODEL, role, by="ada", reason="-", at=at(5))  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="--as shadow"):
        compared(registry)
