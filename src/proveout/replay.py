"""Logged traffic, through another bundle: what it would have answered, before anybody is shadowed.

Comes in: settings, an opened candidate and a span of time. Goes out: a `Replay`: how far its answers lie from those
that were given, and where the outcomes are known, which were better and what both cost. Nothing is released, and
nothing is written. Of each answer a few numbers are kept, the records only of the newest.
"""

from array import array
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.errors import BundleError, NotFound
from proveout.evaluation import cost as costs
from proveout.ledger import logged_traffic
from proveout.ledger.ledger import Ledger
from proveout.ledger.prediction_log import HIDDEN
from proveout.model.bundle import OpenBundle
from proveout.records import Digest, Evidence, Scalar
from proveout.rollout import rollout_report as besides
from proveout.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ROWS = 1_000_000
"""So many of the newest answers are replayed: their numbers take 40 MB."""

SLICED_ROWS = 20_000
"""So many of the newest pairs are looked through for slices."""

FEWEST_ANSWERED = 200
"""Records that a candidate may fail on before it has answered one. It cannot answer this traffic."""

_AT_ONCE = 5_000
_PER = 1_000  # answers that a cost is told for


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A candidate on logged traffic, beside what was answered then."""

    model: str
    candidate: str  # model@digest
    bundle: Digest
    window_from: str
    window_to: str
    logged: int  # answers in the window
    replayed: int  # of them, the newest
    rows: int  # pairs: answers of a model, or of its cache, that the candidate gave a probability for
    by: Mapping[str, int]  # pairs by the release that answered
    others: int  # answers of the rules, or none: not compared
    problems: int  # records the candidate cannot answer
    example: str | None  # why not, for the first of them
    hidden: tuple[str, ...]  # fields about persons, whose values the log does not have: the candidate was given null
    hidden_rows: int
    to_true: int  # labels that the candidate turns
    to_false: int
    mean_difference: float | None  # of the probabilities, the candidate's less the logged ones
    p50: float | None  # of the differences without sign
    p95: float | None
    most: float | None
    sliced_rows: int  # pairs that were looked through for slices, the newest
    worst: tuple[besides.Slice, ...]
    outcomes: int  # pairs whose outcome is known
    measured: tuple[Evidence, ...]  # on them; `champion` is the value of what was answered


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What both said of the same requests, shape (rows,) each."""

    logged: "NDArray[np.float64]"
    candidate: "NDArray[np.float64]"
    logged_labels: "NDArray[np.bool_]"
    labels: "NDArray[np.bool_]"
    outcomes: "NDArray[np.int8]"  # -1 where it is not known
    events: "NDArray[np.int64]"


def run(
    ledger: Ledger,
    settings: Settings,
    candidate: OpenBundle,
    *,
    since: str,
    until: str,
    newest: int = MOST_ROWS,
    margin: float,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Replay:
    """What `candidate` would have answered from `since` on and before `until`.

    Args:
        newest: only so many answers of the window, the newest.
        margin: how much worse its AUC may be.
        tell: is told how many of how many answers are done.
    Raises: NotFound if nothing is logged there; BundleError if the candidate answers none of it; ConfigError if the
    cost function cannot be used.
    """
    from threadpoolctl import threadpool_limits

    logged = logged_traffic.count(ledger, settings.model, since=since, until=until)
    if not logged:
        raise NotFound(
            "logged answer", f"of {settings.model} from {since} to {until}", "What is logged: proveout status"
        )
    # First, so that a mistake in it is told before an hour's work.
    cost = costs.load(settings)
    log = _Log(candidate)
    # One thread: portions are small, and threads that wait for each other on a busy machine take five times as long.
    with threadpool_limits(1):
        for portion in logged_traffic.portions(
            ledger, settings.model, since=since, until=until, newest=newest, rows=_AT_ONCE
        ):
            log.take(portion)
            tell(log.replayed, min(logged, newest))
    pairs = log.pairs()
    return Replay(
        model=settings.model,
        candidate=candidate.bundle.name,
        bundle=candidate.bundle.digest,
        window_from=since,
        window_to=until,
        logged=logged,
        **log.counted(),
        **_differences(pairs),
        outcomes=int((pairs.outcomes >= 0).sum()),
        measured=measure(pairs, cost=cost, margin=margin),
    )


def measure(pairs: Pairs, *, cost: costs.Cost | None, margin: float) -> tuple[Evidence, ...]:
    """Which answers were better, on the rows whose outcome is known: AUC, Brier score and cost, each paired.

    Answers about one event, such as one flight, count as one where intervals are taken. Nothing where no outcome is
    known.
    """
    import numpy as np

    from proveout.evaluation import compare

    known = pairs.outcomes >= 0
    if not known.any():
        return ()
    truth, mine, theirs = pairs.outcomes[known] == 1, pairs.candidate[known], pairs.logged[known]
    events = pairs.events[known]
    clusters = events if len(np.unique(events)) < len(events) else None
    gain = compare.auc(truth, mine, theirs, margin=margin, clusters=clusters)
    found = [] if gain.champion is None or gain.value is None else [_both("auc", gain.champion + gain.value, gain)]
    found.append(gain)
    found += _means("brier", *((said - truth) ** 2 for said in (mine, theirs)), clusters=clusters)
    if cost is not None:
        spent = [
            _PER * costs.of_each(cost, called[known], said, truth)
            for called, said in ((pairs.labels, mine), (pairs.logged_labels, theirs))
        ]
        found += _means(f"cost per {_PER:,} answers", *spent, clusters=clusters)
    return tuple(found)


def _means(
    name: str,
    mine: "NDArray[np.float64]",
    theirs: "NDArray[np.float64]",
    *,
    clusters: "NDArray[np.int64] | None",
) -> list[Evidence]:
    """Two means of what is better the lower it is, and the difference, less than 0 where the candidate is better."""
    from proveout.evaluation import metrics

    apart = metrics.mean(mine - theirs, name=f"{name}, difference", clusters=clusters)
    means = _both(name, float(mine.mean()), replace(apart, champion=float(theirs.mean())))
    return [means, replace(apart, decision=_better(apart))]


def _both(name: str, value: float, of: Evidence) -> Evidence:
    return Evidence(name=name, value=value, champion=of.champion, rows=of.rows)


def _better(apart: Evidence) -> str:
    if apart.low is None or apart.high is None:
        return ""
    return "better" if apart.high < 0 else "worse" if apart.low > 0 else "undecided"


# --- one portion after the other -----------------------------------------------------------------------------------


class _Log:
    """What is kept of the traffic."""

    def __init__(self, candidate: OpenBundle) -> None:
        self._candidate = candidate
        self.replayed = self._others = self._problems = self._hidden_rows = 0
        self._example: str | None = None
        self._hidden: set[str] = set()
        self._by: Counter[str] = Counter()
        self._newest: deque[besides.Pair] = deque(maxlen=SLICED_ROWS)
        self._logged, self._mine, self._events = array("d"), array("d"), array("q")
        self._logged_labels, self._labels, self._outcomes = array("b"), array("b"), array("b")

    def take(self, portion: Sequence[logged_traffic.Logged]) -> None:
        """Ask the candidate what was asked then, and keep what both said."""
        self.replayed += len(portion)
        asked = [
            one
            for one in portion
            if one.prediction.answered_by in {"model", "cache"} and one.prediction.probability is not None
        ]
        self._others += len(portion) - len(asked)
        for one, said in zip(asked, self._ask([self._seen(one.prediction.record) for one in asked]), strict=True):
            if said is not None:
                self._keep(one, said)

    def _seen(self, record: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The record as the candidate is given it: the log hides what is about a person."""
        hidden = {name for name in self._candidate.request_columns if str(record.get(name)).startswith(HIDDEN)}
        self._hidden |= hidden
        self._hidden_rows += bool(hidden)
        return {name: None if name in hidden else record.get(name) for name in self._candidate.request_columns}

    def _ask(self, records: Sequence[Mapping[str, Scalar]]) -> list[float | None]:
        """The candidate's probabilities; None for each record that it cannot answer, found by halving."""
        if not records:
            return []
        try:
            said = self._candidate.predict(request_columns.untyped(records, self._candidate.request_columns))
            if bool(((said >= 0) & (said <= 1)).all()):
                return [float(one) for one in said]
            why = "it answers with no probability"  # NaN, or a number outside 0 to 1
        except Exception as error:  # whatever the user's features or the model raise
            why = f"{type(error).__name__}: {error}"
        if len(records) > 1:
            middle = len(records) // 2
            return self._ask(records[:middle]) + self._ask(records[middle:])
        self._problems += 1
        self._example = self._example or why.partition("\n")[0]
        if not self._mine and self._problems >= FEWEST_ANSWERED:
            problem = f"answers none of the first {self._problems} logged records: {self._example}"
            raise BundleError(self._candidate.bundle.name, problem, "It was packed for other requests than these")
        return [None]

    def _keep(self, one: logged_traffic.Logged, said: float) -> None:
        answer, label = one.prediction, said >= self._candidate.threshold
        self._by[answer.release] += 1
        self._logged.append(answer.probability or 0.0)
        self._mine.append(said)
        self._logged_labels.append(bool(answer.label))
        self._labels.append(label)
        self._outcomes.append(-1 if one.outcome is None else one.outcome)
        # What was logged without one is about something of its own.
        self._events.append(one.event if one.event is not None else -len(self._events))
        pair = besides.Pair(
            record=answer.record,
            champion=answer.probability or 0.0,
            shadow=said,
            same_label=label == answer.label,
        )
        self._newest.append(pair)

    def pairs(self) -> Pairs:
        """What was kept, as arrays."""
        import numpy as np

        return Pairs(
            logged=np.array(self._logged),
            candidate=np.array(self._mine),
            logged_labels=np.array(self._logged_labels, dtype=bool),
            labels=np.array(self._labels, dtype=bool),
            outcomes=np.array(self._outcomes, dtype=np.int8),
            events=np.array(self._events),
        )

    def counted(self) -> dict[str, Any]:
        """Fields of a `Replay`."""
        return {
            "replayed": self.replayed,
            "rows": len(self._mine),
            "by": dict(self._by.most_common()),
            "others": self._others,
            "problems": self._problems,
            "example": self._example,
            "hidden": tuple(sorted(self._hidden)),
            "hidden_rows": self._hidden_rows,
            "sliced_rows": len(self._newest),
            "worst": besides.worst_slices(self._newest),
        }


def _differences(pairs: Pairs) -> dict[str, Any]:
    import numpy as np

    apart = pairs.candidate - pairs.logged
    far = np.abs(apart)
    return {
        "to_true": int((pairs.labels & ~pairs.logged_labels).sum()),
        "to_false": int((~pairs.labels & pairs.logged_labels).sum()),
        "mean_difference": float(apart.mean()) if len(apart) else None,
        "p50": float(np.quantile(far, 0.5)) if len(far) else None,
        "p95": float(np.quantile(far, 0.95)) if len(far) else None,
        "most": float(far.max()) if len(far) else None,
    }
