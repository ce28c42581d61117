"""What is said of a risk."""

from dataclasses import replace

from proveout.monitoring import risk_text
from proveout.records.risk_report import RiskReport

WORSE = RiskReport(
    model="late", bundle="0" * 64, loss="brier", unit="day", level=0.05, reference_rows=27_000, reference_units=31,
    reference_risk=0.128, rows=9_000, units=27, waiting=0, risk=0.15, evidence=24.0, alarmed_on="2013-06-27",
    since="2013-06-24", risk_since=0.181,
)  # fmt: skip
QUIET = replace(WORSE, alarmed_on=None, since=None, risk_since=None)


def test_a_risk_that_rose():
    """How much, since when, and since when it is sure."""
    assert risk_text.headline(WORSE) == (
        "Worse than on held-out rows: brier 0.181 since 2013-06-24, 0.128 on held-out rows; sure since 2013-06-27."
    )


def test_a_risk_of_which_nothing_is_known():
    """Each reason has its own words."""
    nothing = replace(QUIET, units=0, rows=0, risk=None)

    assert risk_text.headline(QUIET) == (
        "No evidence that the risk rose: brier 0.15 in 27 days, 0.128 on held-out rows."
    )
    assert risk_text.headline(nothing) == "Whether the risk rose is not known yet: no answer has an outcome."
    assert "1,200 answers have an outcome, of days that are not complete" in risk_text.headline(
        replace(nothing, waiting=1200)
    )
    assert risk_text.headline(replace(nothing, unjudged="3 held-out rows")) == (
        "Whether the risk rose is not judged: 3 held-out rows."
    )
