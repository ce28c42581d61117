"""Replay: a candidate answers logged traffic, without a shadow release.

Input: settings, an opened candidate and a time window. Output: a `Replay`: how far its answers differ from the logged
ones, and for known outcomes, which were better and what both cost. Nothing is released or written. Memory holds a few
numbers for each answer, and the records of the newest answers only.
"""

from array import array
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.errors import BundleError, NotFound
from proveout.evaluation import cost as costs
from proveout.ledger import prediction_history
from proveout.ledger.ledger import Ledger
from proveout.ledger.prediction_rows import HIDDEN
from proveout.model import threads
from proveout.model.bundle import OpenBundle
from proveout.records.answer import Answer, TaskName
from proveout.records.values import Digest, Scalar, TargetValue
from proveout.records.verdict import Evidence
from proveout.rollout import rollout_report as besides
from proveout.settings import Settings
from proveout.task.plain_values import class_text
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ROWS = 1_000_000
"""At most this many answers are replayed, the newest: their numbers take 40 MB."""

SLICED_ROWS = 20_000
"""At most this many pairs are searched for slices, the newest."""

FEWEST_ANSWERED = 200
"""If a candidate fails on this many records and has answered none, the replay ends."""

_AT_ONCE = 5_000
_PER = 1_000  # answers that a reported cost is for


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A candidate's answers to logged traffic, compared with the logged answers."""

    model: str
    candidate: str  # model@digest
    bundle: Digest
    window_from: str
    window_to: str
    logged: int  # answers in the window
    replayed: int  # number of these that were replayed, the newest
    task: TaskName
    rows: int  # pairs: logged answers of a model, or of its cache, to requests that the candidate answered too
    by: Mapping[str, int]  # pairs by the release that answered
    others: int  # logged answers of the rules, or without an answer: not compared
    problems: int  # records the candidate cannot answer
    example: str | None  # the reason for the first of them
    hidden: tuple[str, ...]  # personal fields: the log does not have their values, so the candidate gets null
    hidden_rows: int
    turned: Mapping[str, int]  # decisions that the candidate changes, by its answer; empty for a regression
    # Differences are candidate minus log, of probabilities or values. For several classes, a difference is the
    # probability that moved, which has no sign.
    mean_difference: float | None
    p50: float | None  # of the absolute differences
    p95: float | None
    most: float | None
    sliced_rows: int  # pairs that were searched for slices, the newest
    worst: tuple[besides.Slice, ...]
    outcomes: int  # pairs whose outcome is known
    measured: tuple[Evidence, ...]  # on them; `champion` is the value of the logged answers


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The logged answers and the candidate's answers to the same requests, one row each."""

    logged: "NDArray[np.float64]"  # scores, in the task's shape
    candidate: "NDArray[np.float64]"
    difference: "NDArray[np.float64]"  # between the two answers
    known: tuple[int, ...]  # rows whose outcome is known
    outcomes: tuple[TargetValue, ...]  # of these rows
    logged_answers: tuple[Answer, ...]
    candidate_answers: tuple[Answer, ...]
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
    """Compare the answers of `candidate` with the logged answers from `since` on and before `until`.

    Args:
        newest: the maximum number of answers; the newest of the window are used.
        margin: how much worse the candidate's AUC may be.
        tell: called with the number of answers done, and of all.
    Raises: NotFound if the window has no logged answers; BundleError if the candidate answers none of them; ConfigError
    if the cost function cannot be used.
    """

    logged = prediction_history.count(ledger, settings.model, since=since, until=until)
    if not logged:
        raise NotFound(
            "logged answer", f"of {settings.model} from {since} to {until}", "What is logged: proveout status"
        )
    # First, so that a mistake in it is reported before an hour's work.
    cost = costs.load(settings)
    log = _Log(candidate)
    # One thread: portions are small, and on a busy machine, threads that wait for each other take five times as long.
    with threads.limited():
        for portion in prediction_history.portions(
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
        task=candidate.task.name,
        **log.counted(),
        **_differences(pairs),
        outcomes=len(pairs.known),
        measured=measure(pairs, candidate.task, cost=cost, margin=margin),
    )


def measure(pairs: Pairs, task: Task, *, cost: costs.Cost | None, margin: float) -> tuple[Evidence, ...]:
    """Which answers were better on rows with a known outcome: paired differences of the task's loss and of the cost. A
    binary task has the AUC as well, first.

    Answers about one event, such as one flight, are one cluster for intervals. Empty if no outcome is known.
    """
    import numpy as np

    from proveout.evaluation import compare

    if not pairs.known:
        return ()
    known, happened = np.array(pairs.known), pairs.outcomes
    truth, mine, theirs = task.outcomes(happened), pairs.candidate[known], pairs.logged[known]
    events = pairs.events[known]
    clusters = events if len(np.unique(events)) < len(events) else None
    found: list[Evidence] = []
    if task.name == "binary":
        gain = compare.auc(truth, mine, theirs, margin=margin, clusters=clusters)
        if gain.champion is not None and gain.value is not None:
            found.append(_both("auc", gain.champion + gain.value, gain))
        found.append(gain)
    losses = (task.losses(truth, said) for said in (mine, theirs))
    found += _means(task.default_loss.replace("_", " "), *losses, clusters=clusters)
    if cost is not None:
        both = (pairs.candidate_answers, pairs.logged_answers)
        spent = [_PER * costs.of_each(cost, answers, happened) for answers in both]
        found += _means(f"cost per {_PER:,} answers", *spent, clusters=clusters)
    return tuple(found)


def _means(
    name: str,
    mine: "NDArray[np.float64]",
    theirs: "NDArray[np.float64]",
    *,
    clusters: "NDArray[np.int64] | None",
) -> list[Evidence]:
    """The means of two losses, and their difference: below 0 if the candidate is better."""
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
    """The numbers kept from the traffic."""

    def __init__(self, candidate: OpenBundle) -> None:
        self._candidate = candidate
        self.replayed = self._others = self._problems = self._hidden_rows = 0
        self._example: str | None = None
        self._hidden: set[str] = set()
        self._by: Counter[str] = Counter()
        self._newest: deque[besides.Pair] = deque(maxlen=SLICED_ROWS)
        self._task = candidate.task
        self._logged, self._mine, self._apart, self._events = array("d"), array("d"), array("d"), array("q")
        self._turned: Counter[str] = Counter()
        self._outcomes: dict[int, TargetValue] = {}
        self._given: dict[int, Answer] = {}  # logged answers with a known outcome

    def take(self, portion: Sequence[prediction_history.LoggedAnswer]) -> None:
        """Send the logged requests to the candidate, and keep both answers."""
        self.replayed += len(portion)
        asked = [
            one
            for one in portion
            if one.prediction.answered_by in {"model", "cache"} and self._logged_scores(one) is not None
        ]
        self._others += len(portion) - len(asked)
        for one, said in zip(asked, self._ask([self._seen(one.prediction.record) for one in asked]), strict=True):
            if said is not None:
                self._keep(one, said)

    def _logged_scores(self, one: prediction_history.LoggedAnswer) -> tuple[float, ...] | None:
        """The logged answer as scores of the candidate's task; None if it is an answer of another task."""
        said = self._task.scores(one.prediction.answer)
        return said if said is not None and len(said) == self._task.width else None

    def _seen(self, record: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The record for the candidate, with null for personal fields, which the log hides."""
        hidden = {name for name in self._candidate.request_columns if str(record.get(name)).startswith(HIDDEN)}
        self._hidden |= hidden
        self._hidden_rows += bool(hidden)
        return {name: None if name in hidden else record.get(name) for name in self._candidate.request_columns}

    def _ask(self, records: Sequence[Mapping[str, Scalar]]) -> list[list[float] | None]:
        """The candidate's scores; None for each record that it cannot answer, found by halving."""
        if not records:
            return []
        try:
            said = self._candidate.predict(request_columns.untyped(records, self._candidate.request_columns))
            if bool(self._task.valid_rows(said).all()):
                return list(said.reshape(len(records), -1).tolist())
            why = self._task.invalid
        except Exception as error:  # whatever the user's features or the model raise
            why = f"{type(error).__name__}: {error}"
        if len(records) > 1:
            middle = len(records) // 2
            return self._ask(records[:middle]) + self._ask(records[middle:])
        self._problems += 1
        self._example = self._example or why.partition("\n")[0]
        if not self._apart and self._problems >= FEWEST_ANSWERED:
            problem = f"answers none of the first {self._problems} logged records: {self._example}"
            raise BundleError(self._candidate.bundle.name, problem, "It was packed for other requests than these")
        return [None]

    def _keep(self, one: prediction_history.LoggedAnswer, said: list[float]) -> None:
        given, scores = one.prediction.answer, self._logged_scores(one)
        assert scores is not None  # else it was not asked about
        answer = self._task.answer(said)
        difference, agrees = self._task.difference(answer, given), self._task.agree(given, answer)
        self._by[one.prediction.release] += 1
        if self._task.name != "regression" and not agrees and answer.value is not None:
            self._turned[class_text(answer.value)] += 1
        row = len(self._apart)
        self._logged.extend(scores)
        self._mine.extend(said)
        self._apart.append(difference)
        if (outcome := self._outcome(one)) is not None:
            self._outcomes[row], self._given[row] = outcome, given
        # An answer that was logged without an event key is its own cluster.
        self._events.append(one.event if one.event is not None else -row)
        self._newest.append(besides.Pair(record=one.prediction.record, difference=difference, agrees=agrees))

    def _outcome(self, one: prediction_history.LoggedAnswer) -> TargetValue | None:
        try:
            return self._task.outcome(one.outcome)
        except ValueError:  # recorded for a former target
            return None

    def pairs(self) -> Pairs:
        """The kept numbers, as arrays."""
        import numpy as np

        shape, known = self._task.shape(len(self._apart)), [*self._outcomes]
        mine = np.array(self._mine).reshape(shape)
        sure = self._candidate.confidences(mine[known]) if known else []
        rows = mine[known].reshape(len(known), -1).tolist() if known else []
        answers = [self._task.answer(row, confidence=one) for row, one in zip(rows, sure, strict=True)]
        return Pairs(
            logged=np.array(self._logged).reshape(shape),
            candidate=mine,
            difference=np.array(self._apart),
            known=tuple(known),
            outcomes=tuple(self._outcomes.values()),
            logged_answers=tuple(self._given.values()),
            candidate_answers=tuple(answers),
            events=np.array(self._events),
        )

    def counted(self) -> dict[str, Any]:
        """Fields of a `Replay`."""
        return {
            "replayed": self.replayed,
            "rows": len(self._apart),
            "turned": dict(self._turned.most_common()),
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

    apart = pairs.difference
    far = np.abs(apart)
    return {
        "mean_difference": float(apart.mean()) if len(apart) else None,
        "p50": float(np.quantile(far, 0.5)) if len(far) else None,
        "p95": float(np.quantile(far, 0.95)) if len(far) else None,
        "most": float(far.max()) if len(far) else None,
    }
