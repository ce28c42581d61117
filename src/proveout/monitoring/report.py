"""Reports as one self-contained HTML page: no script, no font, no other host.

Input: the results, and the compared frames. Output: HTML.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from proveout import html_pages
from proveout.monitoring import charts, data_report, drift, risk_text
from proveout.monitoring.charts import Picture
from proveout.monitoring.data_report import ColumnShift, Distributions
from proveout.monitoring.drift_tests import verdict_text
from proveout.monitoring.drift_tests.column_kind import kind_of
from proveout.monitoring.promise import Promise
from proveout.monitoring.stream import walk_forward
from proveout.records.drift_report import Alert, DriftReport, DriftTest, Part, Season, Stream
from proveout.records.prediction import AnswerSource
from proveout.records.risk_report import RiskReport

_TEMPLATES = Path(__file__).with_name("templates")

TOGETHER = "the inputs together"

_PARTS: Mapping[Part, str] = {
    "inputs": "Inputs, column by column",
    "answers": "Answers of the model",
    "jointly": "Inputs, all together",
}
_COMPARED = {"ks": "its values", "chi2": "its levels", "nulls": "missing or not"}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One test on the page."""

    test: DriftTest
    title: str
    compared: str
    method: str
    p_value: str
    picture: Picture
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Section:
    """The tests of one part, and those that are calm and have no picture of their own."""

    title: str
    rows: tuple[_Row, ...]
    calm: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Shifted:
    """One column of a batch on the page."""

    shift: ColumnShift
    picture: Picture


def page(
    report: DriftReport,
    reference: drift.Reference,
    window: pd.DataFrame,
    *,
    alert: Alert | None,
    promise: Promise,
    risk: RiskReport | None = None,
    left_out: Sequence[str] = (),
) -> str:
    """The page: the headline, the next step, then the evidence: what moved and matters to the answers first.

    Args:
        alert: the result of `monitor.decide`, with the next step for the page.
        promise: the bundle's metric on its held-out rows.
        risk: of the bundle as outcomes arrived.
        left_out: request columns that were not compared, because they belong to the event key.
    """
    measured = report.performance.metrics if report.performance else {}
    sections = [_section(title, part, report, reference, window) for part, title in _PARTS.items()]
    return _render(
        "report.html.jinja",
        report=report,
        sections=[section for section in sections if section.rows],
        headline=headline(report, alert),
        tests=len(family(report)),
        alert=alert,
        promise=promise,
        risk="" if risk is None else risk_text.headline(risk),
        titles={name: replace(promise, metric=name).title for name in measured},
        left_out=left_out,
        sources=[(source, report.sources.get(source, 0)) for source in get_args(AnswerSource)],
        size=(charts.WIDTH, charts.HEIGHT),
    )


def distributions_page(found: Distributions, batches: Mapping[str, pd.DataFrame]) -> str:
    """The page of a batch compared with earlier batches, with a picture for each column."""
    before = pd.concat([rows for name, rows in batches.items() if name != found.batch], ignore_index=True)
    rows = [_Shifted(shift=shift, picture=_spread(before, batches[found.batch], shift)) for shift in found.columns]
    return _render(
        "distributions.html.jinja",
        found=found,
        rows=rows,
        headline=data_report.headline(found),
        chance=f"{data_report.chance(found).capitalize()}.",
        size=(charts.WIDTH, charts.HEIGHT),
    )


def _spread(before: pd.DataFrame, now: pd.DataFrame, shift: ColumnShift) -> Picture:
    if shift.kind == "empty":
        return charts.missing(before[shift.column], now[shift.column])
    draw = charts.numeric if shift.kind == "numeric" else charts.text
    return draw(before[shift.column], now[shift.column])


def _render(template: str, **values: Any) -> str:
    filters = {"percent": charts.percent, "number": charts.number}
    return html_pages.render(_TEMPLATES, template, values=values, filters=filters)


def headline(report: DriftReport, alert: Alert | None = None) -> str:
    """The result in one sentence: a worse model comes before changed inputs."""
    moved, tests = moved_columns(report), len(family(report))
    if alert is not None and alert.severity == "critical":
        return f"Critical: {alert.what}."
    if report.stream is not None:
        return stream_headline(report, report.stream)
    if not tests:
        return f"Not compared: {report.window_rows} answers, and a test needs {drift.FEWEST_ROWS}."
    if not report.alarm:
        return f"Calm: none of {tests} tests tells the window from the rows the model was trained and judged on."
    return f"Alarm: {_list(moved)} moved away from the rows the model was trained and judged on."


def stream_headline(report: DriftReport, stream: Stream) -> str:
    """The result for a stream: its newest day first, then whether what differs from the training rows is a season."""
    day = stream.newest
    if day is None:
        first = (
            f"Unknown: {stream.known_days} whole days are known, and a budget of one false page in "
            f"{stream.budget_days:g} days needs {stream.needed_days}."
        )
    elif day.alarmed:
        first = (
            f"Alarm: {day.date} differs from the {walk_forward.REFERENCE_DAYS} days before it more than one day in "
            f"{stream.budget_days:g} does, most in {day.column}."
        )
    else:
        first = f"Calm: {day.date} differs from the days before it no more than days do."
    return " ".join([first, *_season_words(report.seasons)])


def _season_words(seasons: Sequence[Season]) -> Iterator[str]:
    said = {"seasonal": "seasonal, as expected", "not seasonal": "and that is no season", "unknown": ""}
    for verdict, words in said.items():
        some = [season for season in seasons if season.verdict == verdict]
        if some:
            names = _list([season.column for season in some])
            yield f"{names} moved away from the training rows: {words or some[0].words}."


def family(report: DriftReport) -> tuple[DriftTest, ...]:
    """The tests that can alarm: all but the stability indices."""
    return tuple(test for test in report.tests if test.level)


def moved_columns(report: DriftReport) -> tuple[str, ...]:
    """The columns with an alarm: first those that matter to the answers, then the most unlikely by chance.

    An alarm of all inputs together is named only where none of them alone has one.
    """
    alarmed = sorted((test for test in report.tests if test.alarmed), key=_rank)
    names = tuple(dict.fromkeys(test.column for test in alarmed if test.column))
    if any(test.part == "jointly" for test in alarmed) and not any(test.part == "inputs" for test in alarmed):
        return (*names, TOGETHER)
    return names


def _rank(test: DriftTest) -> tuple[bool, float, float]:
    return not test.alarmed, -(test.answers_change or 0.0), test.p_value


def _list(names: Sequence[str], *, longest: int = 3) -> str:
    shown, more = list(names[:longest]), len(names) - longest
    last = f"{more} more columns" if more > 1 else "one more column" if more == 1 else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last


def _section(title: str, part: Part, report: DriftReport, reference: drift.Reference, window: pd.DataFrame) -> _Section:
    tests = sorted((test for test in report.tests if test.part == part and test.level), key=_rank)
    # A calm test of levels says no more than its name: one line for all of them.
    calm = [one for one in tests if one.test in {"new_levels", "cardinality"} and not (one.alarmed or one.listed)]
    indices = {test.column: test for test in report.tests if test.test == "psi"}
    seasons = {season.column: [season.words] for season in report.seasons} if part == "inputs" else {}
    return _Section(
        title=title,
        rows=tuple(_row(test, reference, window, indices, seasons) for test in tests if test not in calm),
        calm=tuple(f"{verdict_text.TITLES[test.test]} of {test.column}" for test in calm),
    )


def _row(
    test: DriftTest,
    reference: drift.Reference,
    window: pd.DataFrame,
    indices: Mapping[str, DriftTest],
    seasons: Mapping[str, list[str]],
) -> _Row:
    notes = [note] if (note := drift.note(test)) else []
    if test.test in {"ks", "chi2"} and test.column in indices:
        notes.append(f"stability index {indices[test.column].verdict}")
    notes += seasons.get(test.column, [])
    if test.answers_change is not None:
        notes.append(f"set back, the answers differ by {charts.number(test.answers_change)} on average")
    return _Row(
        test=test,
        title=test.column or TOGETHER,
        compared=_COMPARED.get(test.test, verdict_text.TITLES[test.test]),
        method=verdict_text.TITLES[test.test],
        p_value=_chance(test.p_value),
        picture=_picture(test, reference, window),
        notes=tuple(notes),
    )


def _picture(test: DriftTest, reference: drift.Reference, window: pd.DataFrame) -> Picture:
    if not test.column:
        return Picture(change=test.verdict)
    before, after = reference[test.column], window[test.column]
    if test.test == "nulls":
        return charts.missing(before, after)
    return (
        charts.numeric(before, after) if "numeric" in {kind_of(before), kind_of(after)} else charts.text(before, after)
    )


def _chance(p_value: float) -> str:
    if p_value < 1e-12:
        return "< 1e-12"
    return f"{p_value:.1e}" if p_value < 0.001 else f"{p_value:.3f}"
