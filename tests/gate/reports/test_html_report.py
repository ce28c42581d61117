"""The page of a verdict: whole, escaped, and with its numbers drawn."""

from html_page import VOID, Page

from proveout.gate.reports import html_report
from proveout.records.values import Digest
from proveout.records.verdict import CheckResult, Evidence, MovedBound, Verdict

CHECK = "checks/test_model.py::test_auc"
VERDICT = Verdict(
    model="churn",
    candidate=Digest("9f" * 32),
    manifest=Digest("a" * 64),
    data=Digest("b" * 64),
    checks=Digest("c" * 64),
    configuration=Digest("d" * 64),
    outcome="refused",
    passed=0,
    failed=(CHECK,),
    judged_at="2026-01-02T00:00:00.000+00:00",
    results=(CheckResult(check=CHECK, outcome="failed", required=True, message="auc <b>0.6</b>\nmore"),),
    evidence=(
        Evidence(check=CHECK, name="auc", value=0.6, at_least=0.7, low=0.55, high=0.65, level=0.95, champion=0.68),
        Evidence(check=CHECK, name="rows", value=10.0),
    ),
    bounds={"auc_at_least": 0.7},
    moved=(MovedBound(name="auc_at_least", before=0.75, now=0.7, looser=True),),
    moved_since="the champion's verdict",
)  # fmt: skip


def page() -> Page:
    shown = Page(html_report.html(VERDICT))
    assert [tag for tag in shown.open if tag not in {*VOID, "circle"}] == []
    return shown


def test_the_page_says_what_stands_against_the_candidate_first():
    words = page().words

    assert words.index("What stands against it") < words.index("Evidence") < words.index("All 1 checks")
    assert "looser auc_at_least 0.75 0.7" in words
    assert "All 1 bounds of [evaluation]" in words


def test_what_a_check_says_is_text_and_never_markup():
    """A message holds what a model or a file said."""
    shown = page()

    assert "auc <b>0.6</b>" in shown.words
    assert shown.of("b") == []


def test_bound_interval_candidate_and_champion_are_drawn_on_one_scale():
    """A number without a bound has no scale and no drawing."""
    shown = page()

    [drawing] = shown.of("svg")
    assert drawing["aria-label"] == "auc failed"
    champion, candidate = (float(str(circle["cx"])) for circle in shown.of("circle"))
    forbidden, interval = shown.of("rect")
    assert float(str(interval["x"])) < candidate < champion < float(str(forbidden["width"]))


def test_the_page_needs_nothing_from_elsewhere():
    shown = page()

    assert shown.of("script") == shown.of("link") == shown.of("img") == []
