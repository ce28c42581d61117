"""A risk report in words."""

from proveout.records.risk_report import RiskReport


def change(risk: RiskReport) -> str:
    """How much the risk rose, and since when."""
    return f"{risk.loss} {_number(risk.risk_since)} since {risk.since}, {_number(risk.reference_risk)} on held-out rows"


def headline(risk: RiskReport) -> str:
    """One or two sentences on what is known of the risk."""
    if risk.unjudged:
        return f"Whether the risk rose is not judged: {risk.unjudged}."
    if risk.alarm:
        return f"Worse than on held-out rows: {change(risk)}; sure since {risk.alarmed_on}."
    if not risk.units:
        return f"Whether the risk rose is not known yet: {_waiting(risk)}."
    units = f"{risk.units:,} {risk.unit}{'s' if risk.units > 1 else ''}"
    before = f"{_number(risk.reference_risk)} on held-out rows"
    return f"No evidence that the risk rose: {risk.loss} {_number(risk.risk)} in {units}, {before}."


def _waiting(risk: RiskReport) -> str:
    if not risk.waiting:
        return "no answer has an outcome"
    return f"{risk.waiting:,} answers have an outcome, of days that are not complete"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
