"""Is the data what the candidate says it is, and is it fit to learn from and to judge by?"""

import pytest

from proveout.evaluation import completeness, leakage
from proveout.settings import load_object


@pytest.mark.covers("data-1", "monitor-2")
def test_the_guard_passed_the_table(snapshot, project, evidence):
    """A table with more bad rows than this is not data, it is an incident."""
    for batch in snapshot.batches:
        rows = batch.rows + batch.refused
        share = batch.refused / rows
        evidence("refused share", share, at_most=project.max_rejected_share, slice=batch.name, rows=rows)


def test_every_operation_is_accounted_for(snapshot, project, evidence):
    """Counted in the models: what flows/source.py leaves out, it has to say."""
    models = load_object("flows/source.py:models", project.root)
    operations = sum(len(model["operations"]) for _, model in models())
    evidence(completeness.accounted(snapshot, {"operations": operations}))


@pytest.mark.covers("data-4")
def test_no_service_is_both_learned_and_judged(training, holdout, evidence):
    """Its other descriptions would tell."""
    both = set(training.raw["service"]) & set(holdout.raw["service"])
    evidence("services on both sides", len(both), at_most=0, rows=holdout.rows)


def test_no_description_is_both_learned_and_judged(training, holdout, project, evidence):
    """A row in both is an answer that was learned by heart. Capitals and full stops do not make it another one."""
    learned, judged = (
        set(rows.records["description"].str.lower().str.replace(r"\W+", " ", regex=True).str.strip())
        for rows in (training, holdout)
    )
    evidence("share of held-out texts that were learned", len(judged & learned) / len(judged), at_most=0.02)


def test_nothing_of_the_future_was_learned(candidate, training, holdout, project, evidence):
    """The name of an operation says it all, DeleteTable, and is no part of a request."""
    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["operation", "reads_only"]))


def test_the_held_out_services_are_no_easier_than_they_should_be(candidate, training, holdout, evidence):
    """Fitted again to the training rows alone, it has to be as good: else it has seen the held-out ones."""
    evidence(leakage.holdout_learned(candidate, training, holdout))


def test_the_share_of_reading_operations_is_believable(training, holdout, evidence):
    """About six of ten; far less or more means a slip in the label, such as POST taken for a change."""
    for name, labelled in (("training", training), ("held out", holdout)):
        share = labelled.labels.mean()
        evidence("share that only reads", share, at_least=0.45, at_most=0.75, slice=name, rows=labelled.rows)
