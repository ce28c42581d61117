"""Checks for tests of what lies around the gate: a few, in seconds. tests/line/test_reference_checks.py asks all."""

from proveout import edge_cases
from proveout.evaluation import metrics


def test_the_guard_passed_every_batch(snapshot, project, evidence):
    """Data is asked about."""
    for batch in snapshot.batches:
        rows = batch.rows + batch.refused
        evidence("refused share", batch.refused / rows, at_most=project.max_rejected_share, slice=batch.name, rows=rows)


def test_auc(scores, holdout, criteria, evidence):
    """So is the model, with a bound from train.toml."""
    evidence(metrics.auc(holdout.labels, scores), at_least=criteria["auc_at_least"])


def test_edge_case(edge_case, edge_answers, evidence):
    """And every edge case."""
    evidence(edge_cases.demands(edge_case, edge_answers))
