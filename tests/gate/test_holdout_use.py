"""Tried until green: how many candidates the same held-out rows have judged, and from when on luck is enough."""

from dataclasses import replace

import pytest
from gate_toy import make_rows, train

from proveout.cli import _views
from proveout.gate import holdout_use
from proveout.gate.reports import html_report, text_report
from proveout.ledger.ledger import Ledger
from proveout.records.release import Release
from proveout.records.values import Digest
from proveout.records.verdict import Evidence, MovedBound, Verdict

pytest_plugins = "pytester"


def ask(root, bound: float) -> None:
    (root / "flows" / "train.toml").write_text(f"[evaluation]\nauc_at_least = {bound}\n")


def test_a_third_candidate_on_the_same_rows_after_two_refusals_and_a_looser_bound_is_told(gate, pytester):
    """Each candidate could pass by luck, and bounds became looser: "approved" alone shows neither."""
    root = pytester.path
    ask(root, 0.99)
    first = gate().verdict
    assert (first.outcome, first.holdout_use.candidates) == ("refused", 1)
    second = train(root, make_rows(), c=0.5)
    assert gate().verdict.holdout_use.candidates == 2
    train(root, make_rows(), c=0.1)
    ask(root, 0.6)

    run = gate()

    verdict = run.verdict
    assert verdict.outcome == "approved"
    assert [one.candidate for one in verdict.holdout_use.others] == [first.candidate, second.digest]
    assert verdict.moved == (MovedBound(name="auc_at_least", before=0.99, now=0.6, looser=True),)
    refused = f"{first.candidate[:12]}, {second.digest[:12]}"
    told = f"3 candidates were judged on these held-out rows; refused: {refused}"
    warned = "one of 3 on the same rows in up to 15 %. holdout_alpha allows 10 %, which no longer holds from 3"
    looser = "auc_at_least from 0.99 to 0.6, looser, since the first verdict on these rows"
    release = Release(
        model="toy", bundle=verdict.candidate, role="champion", share=1.0, since=verdict.judged_at, by="ada",
        reason="-", data=verdict.data, verdict=Digest("a" * 64),
    )  # fmt: skip
    for text in (
        " ".join(run.text.split()),
        _views.verdict(verdict, signed=""),
        _views.released(release, judged=verdict),
        text_report.markdown(verdict),
        html_report.html(verdict),
        "".join(value for _, value in text_report.properties(verdict)),
    ):
        assert told in text
        assert warned in text
    for text in (" ".join(run.text.split()), _views.verdict(verdict, signed=""), text_report.markdown(verdict)):
        assert looser in text


def judged(candidate: str, outcome: str = "refused") -> Verdict:
    return Verdict(
        model="toy", candidate=Digest(candidate), manifest=Digest("a"), data=Digest("d"), checks=Digest("e"),
        outcome=outcome, passed=1, judged_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def test_every_verdict_on_the_same_rows_counts_and_none_on_others(tmp_path):
    """Complete or not, of this model alone; the rows are the same if their content is, in whichever snapshot."""
    this, other = Digest("c" * 64), Digest("0" * 64)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        for candidate, outcome, model, content in (
            ("1", "refused", "toy", this),
            ("2", "incomplete", "toy", this),
            ("3", "refused", "toy", other),
            ("4", "refused", "another", this),
            ("2", "approved", "toy", this),
        ):
            use = holdout_use.counted((), Digest(candidate), content, [], at_most=0.1)
            verdict = replace(judged(candidate * 64, outcome), model=model, data=Digest(candidate), holdout_use=use)
            ledger.append("verdict", verdict.candidate, verdict, actor="ci", reason="-", at=verdict.judged_at)
        found = holdout_use.earlier(ledger, "toy", this)

    assert [(one.candidate[0], one.outcome) for one in found] == [
        ("1", "refused"), ("2", "incomplete"), ("2", "approved"),
    ]  # fmt: skip
    assert holdout_use.counted(found, Digest("5" * 64), this, [], at_most=0.1).candidates == 3


def test_a_candidate_judged_again_counts_once_and_is_told():
    """The same answers on the same rows are not a new chance to pass, but the repetition is reported."""
    before = [judged("f" * 64), judged("f" * 64, "incomplete")]

    use = holdout_use.counted(before, Digest("f" * 64), Digest("c" * 64), [], at_most=0.1)

    assert (use.candidates, use.again) == (1, ("refused", "incomplete"))
    assert holdout_use.in_words(use) == "1 candidate was judged on these held-out rows, this one 3 times"
    assert holdout_use.warning(use) == ""


AUC = Evidence(name="auc", value=0.8, at_least=0.7, surely=True, level=0.9)


@pytest.mark.parametrize(
    ("evidence", "rate", "holds_for"),
    [
        (AUC, 0.05, 2),
        (replace(AUC, level=0.95), 0.025, 4),
        (replace(AUC, level=0.98), 0.01, 10),
        (replace(AUC, at_most=0.9), 0.1, 1),  # either end may let it pass
        (replace(AUC, level=0.98, surely=False), 0.05, 2),  # the interval decides nothing, so nothing is stated
        (replace(AUC, level=None), 0.05, 2),
    ],
)
def test_the_number_from_which_on_it_warns_follows_from_what_the_checks_state(evidence, rate, holds_for):
    """A 90 % interval has an error of 5 % at the end that is compared; errors of candidates add up (Bonferroni)."""
    before = [judged(f"{place:064x}") for place in range(1, holds_for + 1)]
    last, first_too_many = (
        holdout_use.counted(some, Digest("f" * 64), Digest("c" * 64), [evidence], at_most=0.1)
        for some in (before[:-1], before)
    )

    assert (last.candidates, last.exceeded, holdout_use.warning(last)) == (holds_for, False, "")
    assert first_too_many.exceeded
    assert last.error_rate == pytest.approx(rate)
    assert first_too_many.together == pytest.approx(rate * (holds_for + 1))


def test_a_refusal_that_was_followed_by_an_approval_is_told_as_that():
    """Refused on one bound and approved on another, it is the case a reader wants to see."""
    before = [judged("1" * 64), replace(judged("1" * 64), outcome="approved"), judged("2" * 64, "incomplete")]

    use = holdout_use.counted(before, Digest("f" * 64), Digest("c" * 64), [], at_most=0.1)

    said = "3 candidates were judged on these held-out rows; refused: 111111111111 (approved later)"
    assert holdout_use.in_words(use) == said
