"""Monitors a served model: compares requests with training rows, answers with answers to held-out rows, and answers
with outcomes.

Input: the settings and the time. Output: a report in the ledger, an alert if needed, and an HTML page. Pure functions
decide (`join`, `compared_columns`, `decide`); the rest reads and writes.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from proveout.data import request_columns
from proveout.errors import NotFound
from proveout.ledger.prediction_rows import HIDDEN, event_key
from proveout.monitoring.promise import Promise
from proveout.project import actor, open_ledger, open_store
from proveout.records.bundle import Bundle
from proveout.records.drift_report import Alert, Backtest, DriftReport, DriftTest, Stream
from proveout.records.prediction import Outcome, Prediction
from proveout.records.risk_report import RiskReport
from proveout.records.snapshot import Snapshot
from proveout.records.train_config import GroupSplit, Split, TimeSplit
from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.ledger.ledger import Ledger
    from proveout.model.bundle import OpenBundle


@dataclass(frozen=True, kw_only=True)
class Look:
    """The result of one monitoring run."""

    report: DriftReport
    risk: RiskReport
    alert: Alert | None
    page: str  # HTML


MOST_ANSWERS = 50_000
"""Answers that a look holds in memory. Of a larger window it has a sample of about so many, even over its time."""


def window(settings: Settings, *, newest: int, since: str | None = None) -> tuple[Prediction, ...]:
    """The newest logged answers, ordered by time; of more than 50,000 a sample. `since` is ISO 8601.

    Raises: NotFound if there are none.
    """
    with open_ledger(settings) as ledger:
        if newest > MOST_ANSWERS:
            predictions = _sample(ledger, settings.model, newest=newest, since=since or "0001-01-01")
        else:
            predictions = ledger.predictions(model=settings.model, since=since, newest=newest)
    if not predictions:
        raise NotFound("prediction", f"of {settings.model} in the window", "Serve it first: python serve/app.py")
    return predictions


def _sample(ledger: "Ledger", model: str, *, newest: int, since: str) -> tuple[Prediction, ...]:
    import random

    from proveout.ledger import prediction_history

    until = "9999-01-01"
    number = min(newest, prediction_history.count(ledger, model, since=since, until=until))
    share, draw = MOST_ANSWERS / max(number, 1), random.Random(0)  # noqa: S311  # a sample, not a secret
    return tuple(
        logged.prediction
        for portion in prediction_history.portions(ledger, model, since=since, until=until, newest=newest)
        for logged in portion
        if draw.random() < share
    )


def learn_outcomes(
    settings: Settings, predictions: Sequence[Prediction], *, at: str, opened: "OpenBundle | None" = None
) -> int:
    """How many outcomes were new or corrected: of the predictions' events, in rows the champion did not learn from.

    Args:
        opened: the champion, where it is open already.
    """
    from proveout.data import features
    from proveout.ledger.ledger import read

    opened = opened or champion(settings)
    with open_ledger(settings) as ledger:
        newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
        if not newest or not predictions:
            return 0
        rows = unseen(settings, opened, read(Snapshot, newest[0]))
        key = features.event_key(settings)
        outcomes = join(predictions, rows, features.labels(settings, rows), key=key, known_at=at)
        return ledger.add_outcomes(outcomes)


def unseen(settings: Settings, opened: "OpenBundle", snapshot: Snapshot) -> "pd.DataFrame":
    """The rows of a snapshot that a bundle was not trained on: by batch if it was split by time, else by event key."""
    import pandas as pd

    from proveout.data import features, snapshots
    from proveout.data.splits import TRAIN
    from proveout.model.bundle import rows_on

    store, split = open_store(settings), opened.bundle.split
    names = [batch.name for batch in snapshot.batches]
    if isinstance(split, TimeSplit):
        names = [name for name in names if name > split.train_through]
    if not names:
        return rows_on(opened, store, TRAIN).head(0)
    rows = snapshots.read(store, snapshot.digest, batches=names)
    if isinstance(split, TimeSplit):
        return rows
    key = features.event_key(settings)
    learned = {*_events(rows_on(opened, store, TRAIN), key)}
    new = pd.Series([event not in learned for event in _events(rows, key)], dtype=bool)
    return rows[new.to_numpy()].reset_index(drop=True)


def _events(rows: "pd.DataFrame", key: Sequence[str]) -> Iterator[tuple[Scalar, ...]]:
    """The event key of each row, in the log's form."""
    return map(event_key, zip(*(request_columns.plain(rows[field]) for field in key), strict=True))


def join(
    predictions: Sequence[Prediction],
    rows: "pd.DataFrame",
    labels: "pd.Series[Any]",
    *,
    key: Sequence[str],
    known_at: str,
) -> tuple[Outcome, ...]:
    """The outcome of each prediction whose event is among `rows` and has an outcome.

    Args:
        labels: the outcome of each row; null while unknown.
        key: request fields that name one event; several requests may be about the same event.
    """
    ended = labels.notna()
    events = _events(rows[ended], key)
    happened = dict(zip(events, labels[ended].tolist(), strict=True))
    asked = ((one.request_id, event_key(one.record.get(field) for field in key)) for one in predictions)
    return tuple(
        Outcome(request_id=request_id, value=happened[event], known_at=known_at)
        for request_id, event in asked
        if event in happened
    )


def look(settings: Settings, predictions: Sequence[Prediction], *, at: str, opened: "OpenBundle | None" = None) -> Look:
    """Compare `predictions` with the champion's training and held-out rows, and with known outcomes. Writes nothing.

    Requests are compared with training rows. Answers are compared with answers to held-out rows, because a model's
    probabilities for its training rows are closer to 0 and 1.

    A window with too few rows for a test is reported without tests, because a quiet night is not an error.

    Args:
        opened: the champion, where it is open already.
    Raises: NotFound if nothing is released; DriftError if the window cannot be compared.
    """
    from proveout.monitoring import drift, performance, report, risk, stream_monitor
    from proveout.rollout import status

    opened = opened or champion(settings)
    learned, answered = opened.reference(), _table(predictions, opened)
    columns = compared_columns(
        opened.request_columns,
        settings.event_key,
        learned,
        hidden=hidden_columns(predictions),
        split=opened.bundle.split,
    )
    said = opened.task.watched
    reference = {**{name: learned[name] for name in columns}, said: opened.heldout_answers()[said]}
    enough = len(predictions) >= drift.FEWEST_ROWS
    # Too few held-out rows do not show how answers are distributed.
    asked = [name for name, values in reference.items() if name != said or len(values) >= drift.FEWEST_ROWS]
    tests = _tests(reference, answered, asked, opened, drift_alpha=settings.drift_alpha) if enough else ()
    own = [prediction for prediction in predictions if _is_by(opened.bundle, prediction)]
    with open_ledger(settings) as ledger:
        outcomes = ledger.outcomes([prediction.request_id for prediction in own])
        metric = promised_metric(opened)
        stated = status.held_out(ledger, opened.bundle, metric)
        judged = risk.look(settings, opened, ledger, at=at)
        told = risk.reported(ledger, opened.bundle)
    promised = stated if stated is not None else _measured(settings, opened, metric)
    moved = tuple(dict.fromkeys(test.column for test in tests if test.alarmed and test.part == "inputs"))
    streamed = None
    if settings.drift_mode == "stream":
        watched = {name: reference[name] for name in asked}
        streamed = stream_monitor.judge(settings, opened, watched, moved=moved, window=predictions, at=at)
    found = DriftReport(
        model=settings.model,
        bundle=opened.bundle.digest,
        window_from=predictions[0].at,
        window_to=predictions[-1].at,
        window_rows=len(predictions),
        drift_alpha=settings.drift_alpha,
        tests=tests,
        alarm=paged(streamed.stream) if streamed else any(test.alarmed for test in tests),
        stream=streamed.stream if streamed else None,
        seasons=streamed.seasons if streamed else (),
        performance=performance.measure(own, outcomes, opened.task),
        sources=Counter(prediction.answered_by for prediction in predictions),
    )
    promise = Promise(task=opened.task, metric=metric, value=promised)
    alert = decide(found, promise, risk=None if told else judged, at=at)
    left_out = [column for column in opened.request_columns if column not in columns]
    shown = report.page(found, reference, answered, risk=judged, alert=alert, promise=promise, left_out=left_out)
    return Look(report=found, risk=judged, alert=alert, page=shown)


def paged(stream: Stream) -> bool:
    """Whether the newest whole day begins an alarm; one that goes on was told on its first day."""
    return stream.newest is not None and stream.newest.paged


def backtest(
    settings: Settings,
    *,
    mode: Literal["batch", "stream"],
    source: Literal["log", "data"],
    budget_days: float,
    at: str,
) -> Backtest:
    """The alarms that a setting of the drift monitor would have raised on the days of the past.

    Raises: NotFound if nothing is released, or the past has no days.
    """
    from proveout.monitoring import stream_monitor

    opened = champion(settings)
    learned = opened.reference()
    columns = compared_columns(opened.request_columns, settings.event_key, learned, split=opened.bundle.split)
    said = opened.task.watched
    reference = {**{name: learned[name] for name in columns}, said: opened.heldout_answers()[said]}
    return stream_monitor.backtest(
        settings, opened, reference, mode=mode, source=source, budget_days=budget_days, at=at
    )


def _tests(
    reference: "Mapping[str, pd.Series[Any]]",
    answered: "pd.DataFrame",
    asked: Sequence[str],
    opened: "OpenBundle",
    *,
    drift_alpha: float,
) -> tuple[DriftTest, ...]:
    """The drift tests; those of inputs that moved say what that did to the answers."""
    from proveout.monitoring import drift
    from proveout.monitoring.drift_tests import answers

    said = [name for name in asked if name == opened.task.watched]
    inputs = [name for name in asked if name not in said]
    tests = drift.compare(reference, answered, inputs, drift_alpha=drift_alpha, answers=said, jointly=len(inputs) > 1)
    moved = [test.column for test in tests if test.part == "inputs" and (test.alarmed or test.listed)]

    def ask(rows: "pd.DataFrame") -> "NDArray[Any]":
        return opened.task.watch(opened.predict(rows))

    known = [name for name, dtype in opened.dtypes.items() if not coercion.has_null(dtype)]
    whole = answered[answered[known].notna().all(axis=1)]
    changed = answers.changes(whole, reference, list(dict.fromkeys(moved)), ask)
    return tuple(
        replace(test, answers_change=changed.get(test.column)) if test.alarmed or test.listed else test
        for test in tests
    )


def promised_metric(opened: "OpenBundle") -> str:
    """The metric that the bundle promises: `[decision] metric` of its configuration, else the usual one of its task."""
    return opened.config.decision.metric or opened.task.default_metric


def _measured(settings: Settings, opened: "OpenBundle", metric: str) -> float | None:
    """A metric on the held-out rows, if neither a check nor the notebook stated it; None without held-out rows."""
    from proveout.data import features
    from proveout.data.splits import HOLDOUT
    from proveout.model.bundle import rows_on

    try:
        rows = rows_on(opened, open_store(settings), HOLDOUT)
    except NotFound:
        return None
    labels = features.labels(settings, rows)
    known = labels.notna()
    if not known.any():
        return None
    outcomes = opened.task.outcomes(labels[known].to_numpy())
    return opened.task.measure((metric,), outcomes, opened.predict(rows[known])).get(metric)


def decide(report: DriftReport, promise: Promise, *, at: str, risk: RiskReport | None = None) -> Alert | None:
    """The alert for this report: the model got worse, or else its inputs changed; None if neither.

    Args:
        risk: of the bundle, if no alert told of it yet.
    """
    from proveout.monitoring import performance, risk_text
    from proveout.monitoring.report import family, headline, moved_columns

    name, did = f"{report.model}@{report.bundle[:12]}", report.performance
    details = f"{headline(report)} {report.window_rows} answers, {report.window_from} to {report.window_to}."
    if moved := moved_columns(report):
        least = min(test.p_value for test in family(report))
        details += f" Moved: {', '.join(moved)}; least p-value {least:.1e} of {len(family(report))} tests."
    metric, promised = promise.metric, promise.value
    there = did is not None and metric in did.metrics
    measured = f"{promise.title} {did.metrics[metric]:.3g} on {did.rows} outcomes" if there and did else ""
    if promised is not None and performance.fell(did, promise.task, name=metric, promised=promised):
        return Alert(
            severity="critical",
            what=f"the performance of {name} fell: {measured}, promised {promised:.3g}",
            details=details,
            next_step="proveout status shows how to roll back; then train on newer batches: python flows/train.py run",
            at=at,
        )
    if risk is not None and risk.alarm:
        return Alert(
            severity="warning",
            what=f"the risk of {name} rose: {risk_text.change(risk)}",
            details=f"{risk_text.headline(risk)} {details}",
            next_step=(
                "proveout status shows what changed just before, and how to roll back; if outcomes themselves changed, "
                "train on newer batches: python flows/train.py run"
            ),
            at=at,
        )
    if not report.alarm:
        return None
    if report.stream is not None:
        return Alert(
            severity="warning",
            what=f"{report.stream.newest.date if report.stream.newest else 'the newest day'} of {name} differs from "
            "the days before it more than days do",
            details=f"{details} {measured}".strip(),
            next_step="python flows/monitor.py card view look; what other settings would have raised: "
            "proveout drift backtest",
            at=at,
        )
    answers_alone = {test.part for test in report.tests if test.alarmed} == {"answers"}
    return Alert(
        severity="warning",
        what=f"what {name} answers is no longer what it answered to held-out rows"
        if answers_alone
        else f"what {name} is asked is no longer what it was trained on",
        details=f"{details} {measured}".strip(),
        next_step=(
            "if the change is permanent, name newer batches in flows/train.toml and train: python flows/train.py run. "
            "What it looks like: python flows/monitor.py card view look"
        ),
        at=at,
    )


def record(settings: Settings, seen: Look, *, at: str) -> int:
    """Record the report and its alert in the ledger, then send waiting alerts; returns how many messages arrived."""
    from proveout.monitoring import alerts, risk_text
    from proveout.monitoring.report import headline

    with open_ledger(settings) as ledger:
        ledger.append(
            "drift", settings.model, seen.report, actor=actor(), reason=headline(seen.report, seen.alert), at=at
        )
        ledger.append("risk", settings.model, seen.risk, actor=actor(), reason=risk_text.headline(seen.risk), at=at)
        if seen.alert is not None:
            alerts.raise_alert(ledger, seen.alert, model=settings.model, by=actor())
        return alerts.deliver(ledger, settings.alert_urls, model=settings.model, by=actor())


def compared_columns(
    request: Sequence[str],
    key: Sequence[str],
    reference: "pd.DataFrame",
    *,
    hidden: frozenset[str] = frozenset(),
    split: Split | None = None,
) -> tuple[str, ...]:
    """The request's columns to test for drift.

    Numeric columns of the key date or number an event (year, day, flight), so they change by nature and are left out.
    So are `hidden` ones, because the log has pseudonyms where training rows have values, and the column of a split by
    group, which was made so that the model meets groups that it has not seen.
    """
    from proveout.monitoring.drift_tests.column_kind import kind_of

    left_out = {*hidden, *([split.column] if isinstance(split, GroupSplit) else [])}
    kept = (column for column in request if column not in left_out)
    return tuple(column for column in kept if column not in key or kind_of(reference[column]) != "numeric")


def hidden_columns(predictions: Sequence[Prediction]) -> frozenset[str]:
    """The personal data columns, for which the log has pseudonyms instead of values."""
    return frozenset(name for one in predictions for name, value in one.record.items() if _is_hidden(value))


def _is_hidden(value: object) -> bool:
    return isinstance(value, str) and value.startswith(HIDDEN)


def champion(settings: Settings) -> "OpenBundle":
    """The champion's bundle, opened. Raises: NotFound if nothing is released; NotApproved; Tampered."""
    from proveout.model.released_bundle import open_released
    from proveout.rollout import releases

    with open_ledger(settings) as ledger:
        release = releases.current(ledger, settings.model)
    if release is None:
        raise NotFound("release", f"of {settings.model}", "Release an approved bundle: proveout bundles")
    return open_released(settings, release.bundle, direct=False)


def _table(predictions: Sequence[Prediction], opened: "OpenBundle") -> "pd.DataFrame":
    """The requests with the champion's score of each: the logged score, if the champion answered.

    Requests that rules or an earlier champion answered are scored now, so that an outage or a release is not drift.
    """
    import numpy as np
    import pandas as pd

    # A pseudonym is not a value from training, so replace it by null for scoring.
    records: list[Mapping[str, Scalar]] = [
        {name: None if _is_hidden(value) else value for name, value in prediction.record.items()}
        for prediction in predictions
    ]
    table = request_columns.untyped(records, opened.request_columns)
    task = opened.task
    logged = [
        task.scores(prediction.answer) if _is_by(opened.bundle, prediction) else None for prediction in predictions
    ]
    none = (math.nan,) * task.width
    scores = np.array([none if one is None else one for one in logged], dtype=float).reshape(task.shape(len(logged)))
    # If a column cannot be null, such a row cannot be scored and is left out.
    known = [name for name, dtype in opened.dtypes.items() if not coercion.has_null(dtype)]
    answerable = table[known].notna().all(axis=1).to_numpy()
    asked_now = answerable & np.array([one is None for one in logged], dtype=bool)
    if asked_now.any():
        scores[asked_now] = opened.predict(table[asked_now])
    valid = task.valid_rows(scores)
    watched = task.watch(scores[valid])
    said = pd.Series(None, index=table.index, dtype=watched.dtype if watched.dtype.kind == "f" else object)
    said[valid] = watched
    return table.assign(**{task.watched: said})[answerable | valid]


def _is_by(bundle: Bundle, prediction: Prediction) -> bool:
    return prediction.release == bundle.name and prediction.answered_by in {"model", "cache"}
