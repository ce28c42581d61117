"""Reports as one self-contained HTML page: no script, no font, no other host.

Input: the results, and the compared frames. Output: HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from proveout import html_pages
from proveout.monitoring import charts, data_report, drift
from proveout.monitoring.charts import Picture
from proveout.monitoring.data_report import ColumnShift, Distributions
from proveout.monitoring.promise import Promise
from proveout.records.drift_report import Alert, ColumnDrift, DriftReport
from proveout.records.prediction import AnswerSource

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One test on the page."""

    test: ColumnDrift
    compared: str
    method: str
    p_value: str
    picture: Picture
    note: str


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
    left_out: Sequence[str] = (),
) -> str:
    """The page: the headline, the next step, then the evidence, the most unlikely column first.

    Args:
        alert: the result of `monitor.decide`, with the next step for the page.
        promise: the bundle's metric on its held-out rows.
        left_out: request columns that were not compared, because they belong to the event key.
    """
    measured = report.performance.metrics if report.performance else {}
    rows = [_row(test, reference, window) for test in sorted(report.columns, key=lambda test: test.p_value)]
    return _render(
        "report.html.jinja",
        report=report,
        rows=rows,
        headline=headline(report, alert),
        share=report.drift_alpha / max(len(report.columns), 1),
        alert=alert,
        promise=promise,
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
    moved, tests = moved_columns(report), len(report.columns)
    if alert is not None and alert.severity == "critical":
        return f"Critical: {alert.what}."
    if not tests:
        return f"Not compared: {report.window_rows} answers, and a test needs {drift.FEWEST_ROWS}."
    if not report.alarm:
        return f"Calm: none of {tests} tests tells the window from the rows the model was trained and judged on."
    return f"Alarm: {_list(moved)} moved away from the rows the model was trained and judged on."


def moved_columns(report: DriftReport) -> tuple[str, ...]:
    """The columns with an alarm, the most unlikely first."""
    alarmed = sorted((test for test in report.columns if test.alarmed), key=lambda test: test.p_value)
    return tuple(dict.fromkeys(test.column for test in alarmed))


def _list(names: Sequence[str], *, longest: int = 3) -> str:
    shown, more = list(names[:longest]), len(names) - longest
    last = f"{more} more columns" if more > 1 else "one more column" if more == 1 else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last


def _row(test: ColumnDrift, reference: drift.Reference, window: pd.DataFrame) -> _Row:
    before, after = reference[test.column], window[test.column]
    # A numeric column's chi-square is over null or not, see `drift.compare`.
    numeric = "numeric" in {drift.kind_of(before), drift.kind_of(after)}
    if test.test == "ks":
        compared, method, picture = "its values", "Kolmogorov–Smirnov", charts.numeric(before, after)
    elif numeric:
        compared, method, picture = "missing or not", "chi-square, Fisher’s p", charts.missing(before, after)
    else:
        compared, method, picture = "its levels", "chi-square", charts.text(before, after)
    return _Row(
        test=test,
        compared=compared,
        method=method,
        p_value=_chance(test.p_value),
        picture=picture,
        note=drift.note(test),
    )


def _chance(p_value: float) -> str:
    if p_value < 1e-12:
        return "< 1e-12"
    return f"{p_value:.1e}" if p_value < 0.001 else f"{p_value:.3f}"
