"""Two gates, two processes, one place to release into: whoever is second is told so, and nothing is replaced unseen.

The place is the champion's that both compared with. Both record an approving verdict and release at once, as two
pipelines do that were started by two commits; one becomes champion, and the other's evidence is about another champion.
"""

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from patience import PATIENCE_S
from real_postgres import own_schema
from registry_toy import MODEL, at, bundle

from proveout.errors import Conflict
from proveout.gate.verdict import record_verdict
from proveout.ledger.ledger import Ledger
from proveout.records.bundle import Bundle
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.rollout import releases
from proveout.rollout.admission import Fingerprint
from proveout.trust.signing import PRIVATE_KEY_VARIABLE, Keyring

YARDSTICK = Fingerprint(checks=Digest("e" * 64), configuration=Digest("c" * 64))
SAMPLE, ALL = 10, 200


@dataclass(frozen=True)
class Ran:
    """What became of one of the two."""

    name: str
    won: bool
    exit_code: int
    said: str
    judging: tuple[int, int]  # nanoseconds of the machine's clock
    releasing: tuple[int, int]


def candidate(race: int, side: int) -> Bundle:
    digest = Digest(f"{race:060x}{side:04x}")
    return replace(bundle("a"), digest=digest, manifest=Digest(digest[::-1]))


def gate(url: str, keys: str, side: int, start: Barrier, told: Connection) -> None:
    """One of the two: judges beside the champion it finds, waits for the other, records and releases."""
    with Ledger(url) as ledger:
        keyring = Keyring(Path(keys))
        while (race := told.recv()) is not None:
            mine, champion = candidate(race, side), releases.current(ledger, MODEL)
            verdict = Verdict(
                model=MODEL,
                candidate=mine.digest,
                manifest=mine.manifest,
                data=mine.snapshot,
                checks=YARDSTICK.checks,
                configuration=YARDSTICK.configuration,
                outcome="approved",
                passed=3,
                champion=champion.bundle if champion else None,
                judged_at=at(0),
            )
            start.wait(PATIENCE_S)
            began = time.monotonic_ns()
            record_verdict(ledger, keyring, verdict, by=f"gate {side}", expires_at="2013-09-01")
            start.wait(PATIENCE_S)  # for the other one: on a busy machine one would be through before the other begins
            # Every other race is one to the last step; in the others one may have released before the other begins to,
            # which the ledger's own compare-and-append does not see.
            time.sleep(random.Random(2 * race + side).uniform(0, 0.05) if race % 2 else 0)
            released = time.monotonic_ns()
            code, said = 0, ""
            try:
                releases.release(
                    ledger,
                    keyring,
                    mine,
                    by=f"gate {side}",
                    reason=f"race {race}",
                    at=at(1),
                    current_fingerprint=YARDSTICK,
                )
            except Conflict as lost:
                code, said = lost.exit_code, str(lost)
            ended = time.monotonic_ns()
            told.send(Ran(mine.name, not code, code, said, (began, ended), (released, ended)))


@contextmanager
def two_gates(url: str, keys: Path) -> Iterator[tuple[Connection, Connection]]:
    spawn = multiprocessing.get_context("spawn")
    start, ours, theirs = spawn.Barrier(2), [], []
    for _ in range(2):
        near, far = spawn.Pipe()
        ours.append(near)
        theirs.append(far)
    processes = [
        spawn.Process(target=gate, args=(url, str(keys), side, start, theirs[side]), daemon=True) for side in (0, 1)
    ]
    for process in processes:
        process.start()
    try:
        yield ours[0], ours[1]
    finally:
        for near, process in zip(ours, processes, strict=True):
            near.send(None)
            process.join(PATIENCE_S)


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty ledger, on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return own_schema(request.getfixturevalue("postgres"))


@pytest.mark.parametrize("races", [SAMPLE, pytest.param(ALL, marks=pytest.mark.chaos)])
def test_of_two_gates_that_release_at_once_exactly_one_wins(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, races: int
) -> None:
    """The other gets Conflict, exit code 4, with who won; the chain has every verdict and one release a race."""
    monkeypatch.delenv(PRIVATE_KEY_VARIABLE, raising=False)
    Keyring(tmp_path / "keys").key_id()
    won, lost, inside, releasing = 0, 0, 0, 0
    with Ledger(url) as ledger, two_gates(url, tmp_path / "keys") as gates:
        for race in range(races):
            before = releases.current(ledger, MODEL)
            for near in gates:
                near.send(race)
            for near in gates:
                assert near.poll(2 * PATIENCE_S), "a gate is gone"
            one, other = (near.recv() for near in gates)

            assert sorted((one.exit_code, other.exit_code)) == [0, 4], (one, other)
            winner, loser = (one, other) if one.won else (other, one)
            made = releases.history(ledger, MODEL)
            assert len(made) == race + 1
            assert made[-1].name == winner.name
            assert made[-1].before == (before.bundle if before else None)
            assert f"The release of {loser.name}" in loser.said or loser.name.rpartition("@")[2] in loser.said
            won, lost = won + 1, lost + 1
            inside += overlap(one.judging, other.judging)
            releasing += overlap(one.releasing, other.releasing)
        entries = ledger.verify_chain()
    print(
        f"{url.partition(':')[0]}: {races} races of two processes on {os.cpu_count()} processors, {won} won, "
        f"{lost} lost, {entries} entries; both inside at once in {inside}, both releasing at once in {releasing}"
    )
    assert entries == races * 5  # two verdicts, two approvals, one release
    assert inside == races
