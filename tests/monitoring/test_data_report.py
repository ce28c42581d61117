"""monitoring/data_report.py: whether a batch moved further than batches usually do; and its page."""

import numpy as np
import pandas as pd
import pytest
from html_page import Page

from proveout.errors import NotFound
from proveout.monitoring import data_report, report
from proveout.monitoring.data_report import compare, distance


def batches(*, shift=0.0, level="UA", missing=0.1, months=5, rows=2_000) -> dict[str, pd.DataFrame]:
    """Months that differ a little by nature, the last one changed on purpose."""
    rng = np.random.default_rng(3)
    made = {}
    for month in range(1, months + 1):
        last = month == months
        temp = rng.normal(50 + 3 * np.sin(month) + (shift if last else 0), 10, rows)
        made[f"2013-0{month}"] = pd.DataFrame(
            {
                "month": month,
                "temp": np.where(rng.random(rows) < (missing if last else 0.1), np.nan, temp),
                "carrier": np.where(rng.random(rows) < 0.3, level if last else "UA", "B6").astype(object),
                "seats": rng.integers(20, 300, rows),
            }
        )
    return made


COLUMNS = ["month", "temp", "carrier", "seats"]


def test_a_batch_like_the_others_is_said_to_be():
    """The third of five months, come once more."""
    made = batches()
    made["2013-06"] = made["2013-03"]

    found = compare(made, "2013-06", COLUMNS, left_out=["month"])

    assert found.beyond == ()
    assert found.left_out == ("month",)
    assert found.earlier_rows == 10_000
    assert "like the 5 batches before it" in data_report.headline(found)
    assert "1 of 6 batches" in data_report.chance(found)


@pytest.mark.parametrize(
    ("changed", "column"),
    [({"shift": 15.0}, "temp"), ({"level": "ZZ"}, "carrier"), ({"missing": 0.6}, "temp")],
)
def test_a_column_that_moved_is_found(changed, column):
    """Another unit, another spelling, a lost sensor."""
    found = compare(batches(**changed), "2013-05", COLUMNS, left_out=["month"])

    assert column in found.beyond
    assert found.columns[0].column == column
    assert f"in {len(found.beyond)} of 3 columns" in data_report.headline(found)


def test_chance_goes_beyond_the_usual_about_as_often_as_is_said():
    """Batches in no order: one in five is the furthest of five."""
    rng = np.random.default_rng(0)
    trials = 300

    def once() -> bool:
        made = {str(place): pd.DataFrame({"x": rng.normal(size=60)}) for place in range(5)}
        return bool(compare(made, "4", ["x"]).beyond)

    share = sum(once() for _ in range(trials)) / trials

    # The four are held against three others, the fifth against four: a little nearer, so beyond a little less often.
    assert 0.08 < share < 0.27


def test_the_second_batch_has_no_usual_yet():
    """One batch before is no yardstick: nothing is called unusual."""
    found = compare(batches(shift=30.0, months=2), "2013-02", COLUMNS)

    assert found.beyond == ()
    assert all(shift.usual is None for shift in found.columns)
    assert "from the third on" in data_report.headline(found)


def test_the_distance_of_numbers_is_that_of_kolmogorov_and_smirnov():
    """Against scipy; and missing values count as a value, the last of all."""
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(1)
    one, other = pd.Series(rng.normal(size=200)), pd.Series(rng.normal(0.5, 2, size=300))

    assert distance(one, other) == pytest.approx(ks_2samp(one, other).statistic)
    assert distance(one, one.mask(one.index < 50)) >= 0.25
    assert distance(one, one) == 0.0


def test_an_empty_column_is_compared_by_what_is_missing():
    """A sensor that never reported, and one that begins to."""
    nothing, something = pd.Series([np.nan] * 4), pd.Series([1.0, np.nan, 2.0, np.nan])

    assert distance(nothing, nothing) == 0.0
    assert distance(something, nothing) == 0.5


def test_the_page_shows_each_column_and_closes_its_tags():
    """It is read where nothing else is at hand."""
    made = batches(level='<script>"&')
    page = Page(report.distributions_page(compare(made, "2013-05", COLUMNS, left_out=["month"]), made))

    assert page.open == []
    assert len(page.of("svg")) == 3 + 2
    assert not page.of("script")
    assert "2013-05 is further from the 4 batches before it" in page.words


def test_the_command_needs_a_batch_that_is_there(ingested):
    """The error lists those that are."""
    with pytest.raises(NotFound, match=r"2013-01, 2013-02"):
        data_report.of(ingested.settings(), "2014-01")
    with pytest.raises(NotFound, match="before 2013-01"):
        data_report.of(ingested.settings(), "2013-01")


def test_the_newest_month_is_compared_with_those_before(ingested, tmp_path):
    """`proveout data report`, as the data workflow runs it: table, page and job summary."""
    summary, html = tmp_path / "summary.md", tmp_path / "pages" / "may.html"

    ran = ingested.run("-m", "proveout", "data", "report", "--html", str(html), GITHUB_STEP_SUMMARY=str(summary))

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("2013-05 is further from the 4 batches before it")
    assert "dewp" in ran.stdout
    assert "| dewp |" in summary.read_text()
    assert Page(html.read_text()).open == []
