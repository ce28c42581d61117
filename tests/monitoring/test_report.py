"""`report.py` and `pictures.py`: a page that starts with the result, needs no other files, hides nothing."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from html_page import Page

from proveout.monitoring import charts, drift, report
from proveout.monitoring.promise import Promise
from proveout.records.drift_report import Alert, DriftReport, Performance
from proveout.records.values import Digest
from proveout.task.binary import Binary


def frames(rows: int = 300, *, shift: float = 0.0, level: str = "UA") -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(8)
    sides = []
    for moved, extra in ((0.0, "UA"), (shift, level)):
        sides.append(
            pd.DataFrame(
                {
                    "temp": rng.normal(50 + moved, 10, rows),
                    "gust": np.where(rng.random(rows) < 0.5, np.nan, rng.normal(20, 5, rows)),
                    "carrier": np.where(np.arange(rows) % 3 == 0, extra, "B6").astype(object),
                    "probability": rng.random(rows),
                }
            )
        )
    return sides[0], sides[1]


def reported(reference: pd.DataFrame, window: pd.DataFrame, performance: Performance | None = None) -> DriftReport:
    answers = [name for name in reference if name == "probability"]
    inputs = [name for name in reference if name not in answers]
    tests = drift.compare(reference, window, inputs, drift_alpha=0.01, answers=answers)
    return DriftReport(
        model="flight-delay",
        bundle=Digest("ab" * 32),
        window_from="2013-06-01T04:00:00.000+00:00",
        window_to="2013-06-30T23:00:00.000+00:00",
        window_rows=len(window),
        drift_alpha=0.01,
        tests=tests,
        alarm=any(test.alarmed for test in tests),
        performance=performance,
        sources={"model": len(window) - 30, "rules": 30},
    )


def alert(severity: str) -> Alert:
    return Alert(
        severity=severity,
        what="the performance fell: AUC 0.612",
        details="",
        next_step="proveout status shows how to roll back",
        at="2013-07-01T00:00:00.000+00:00",
    )


def page(reference: pd.DataFrame, window: pd.DataFrame, *, performance=None, alert=None, promised=0.77) -> str:
    return report.page(
        reported(reference, window, performance),
        reference,
        window,
        alert=alert,
        promise=Promise(task=Binary(), metric="auc", value=promised),
    )


def test_a_calm_page_says_so_first_and_that_there_is_nothing_to_do():
    """Whoever opens it every morning reads one line."""
    shown = Page(page(*frames()))

    assert "● Calm: none of 7 tests tells the window from the rows the model was trained and judged on." in shown.words
    assert shown.words.index("Calm: none") < shown.words.index("Nothing to do.") < shown.words.index("Who answered")
    assert "▲" not in shown.words


def test_an_alarm_names_what_moved_first_and_what_to_do_second():
    """The headline is the finding, the next line the action, the numbers come after."""
    shown = Page(page(*frames(shift=30, level="ZZ"), alert=alert("warning")))

    headline = shown.words.index(
        "▲ Alarm: temp and carrier moved away from the rows the model was trained and judged on."
    )
    assert (
        headline
        < shown.words.index("Next: proveout status shows how to roll back")
        < shown.words.index("What happened")
    )
    assert shown.words.count("▲ moved") == 4  # a word and a shape beside the colour
    assert shown.words.count("● calm") == 3
    assert "moved, a large change: 33.3 % of the rows have a level that the reference does not have" in shown.words


def test_a_fallen_performance_is_said_before_that_nothing_moved():
    """Calm inputs under a model that got worse are no calm."""
    shown = Page(page(*frames(), alert=alert("critical")))

    assert "▲ Critical: the performance fell: AUC 0.612." in shown.words
    assert "Calm" not in shown.words


def test_the_least_likely_column_is_the_first_row():
    """Thirty tests are read from the top."""
    html = page(*frames(shift=30, level="ZZ"))
    cells = re.findall(r'<td class="n">(&lt; 1e-12|[\d.]+(?:e-\d+)?)</td>\s*</tr>', html)
    p_values = [float(cell.replace("&lt; ", "")) for cell in cells][-5:]

    assert p_values == sorted(p_values)
    assert Page(html).words.index("temp its values") < Page(html).words.index("gust its values")


def test_the_page_needs_nothing_else():
    """It is a Metaflow card, a mail attachment and a file in an archive: no script, no other host, in a small file."""
    html = page(*frames(shift=30))

    assert len(html.encode()) < 60_000
    assert not re.search(r"<script|<link|<img|@import|url\(|https?:|src=|javascript", html)


def test_every_picture_can_be_heard():
    """Who does not see the picture gets its title and its numbers; the rest of the page is well formed."""
    shown = Page(page(*frames(shift=30)))
    pictures_shown = [svg for svg in shown.of("svg") if svg.get("role") == "img"]
    identified = [attributes["id"] for _, attributes in shown.tags if "id" in attributes]

    assert shown.open == []
    assert len(pictures_shown) == 5
    assert len(set(identified)) == len(identified) == 10
    assert all(set(svg["aria-labelledby"].split()) <= set(identified) for svg in pictures_shown)
    assert re.search(r"missing [\d.]+ % → [\d.]+ % \(reference → window\)\.", shown.words)
    assert shown.of("html") == [{"lang": "en"}]


def test_what_came_over_the_wire_stays_text():
    """A carrier named like a tag must not become one in the browser of whoever watches."""
    reference, window = frames(level="<script>alert(1)</script>")

    html = page(reference, window)

    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_numbers_of_both_sides_are_on_the_page_in_words():
    """A p-value shows that a column moved, not how far: that is in its row."""
    shown = Page(page(*frames(shift=30, level="ZZ")))

    assert re.search(r"median (49|50)[.\d]* → (79|80)[.\d]*", shown.words)
    assert re.search(r"(UA 33.3 % → 0 %|ZZ 0 % → 33.3 %)", shown.words)
    assert "model 270 90 % cache 0 0 % rules 30 10 % none 0 0 %" in shown.words
    assert "at most 1 % of such windows raise an alarm, for the 7 tests together" in shown.words


def test_the_performance_stands_beside_its_promise():
    """Measured and promised, side by side, with the number of outcomes they rest on."""
    measured = Performance(rows=240, metrics={"auc": 0.71234, "accuracy": 0.8, "base_rate": 0.224})

    shown = Page(page(*frames(), performance=measured))

    assert "240 answers of the model have an outcome by now." in shown.words
    assert "AUC 0.7123 0.77" in shown.words
    assert "base rate 0.224 –" in shown.words


@pytest.mark.parametrize(
    ("performance", "said"),
    [
        (None, "No outcome of these answers has come in yet"),
        (
            Performance(rows=3, metrics={"accuracy": 1.0}),
            "not yet: all came out alike",
        ),
    ],
)
def test_what_is_not_known_is_said_not_drawn(performance, said):
    """An empty cell looks like a zero."""
    assert said in Page(page(*frames(), performance=performance, promised=None)).words


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([None] * 40, id="nothing"),
        pytest.param([3.0] * 40, id="one number"),
        pytest.param(["JFK"] * 40, id="one word"),
        pytest.param([float("inf"), *([1.0] * 39)], id="infinity"),
        pytest.param([True, False] * 20, id="yes and no"),
        pytest.param([f"N{row}" for row in range(40)], id="names"),
    ],
)
@pytest.mark.parametrize("other", [[None] * 40, None], ids=["against nothing", "against itself"])
def test_a_strange_column_is_drawn_or_said(values, other):
    """The monitor must not stop on the day a sensor does."""
    reference = pd.DataFrame({"odd": pd.Series(values, dtype=object)})
    window = pd.DataFrame({"odd": pd.Series(values if other is None else other, dtype=object)})

    html = page(reference, window)

    assert Page(html).open == []
    assert not re.search(r"\bnan\b", html)


def test_two_equal_samples_are_drawn_alike_and_the_axis_says_where_it_ends():
    """The picture is the data: same data, same outline; what lies beyond the axis is counted and marked."""
    values = pd.Series([*range(1, 1000), 10_000], dtype="float64")

    drawn = charts.numeric(values, values)

    assert drawn.reference == drawn.window
    assert drawn.high.startswith("≥ ")
    assert drawn.low.startswith("≤ ")
    assert drawn.change == "median 500 on both sides"


def test_many_names_are_told_apart_in_the_headline():
    """Thirty column names are no headline."""
    reference, window = frames(shift=30)
    found = reported(reference, window)
    moved = replace(found.tests[0], alarmed=True)
    many = replace(found, alarm=True, tests=tuple(replace(moved, column=f"c{i}", p_value=i / 1e6) for i in range(9)))

    assert (
        report.headline(many)
        == "Alarm: c0, c1, c2 and 6 more columns moved away from the rows the model was trained and judged on."
    )
    assert report.headline(replace(many, tests=many.tests[:1])).startswith("Alarm: c0 moved")
    assert report.headline(replace(many, tests=many.tests[:4])).startswith("Alarm: c0, c1, c2 and one more column")
