"""Does the model get the records right that an average does not show? They stand in edge_cases.yaml, with reasons."""

from proveout import edge_cases


def test_edge_case(edge_case, edge_answers, evidence):
    """One case of edge_cases.yaml: everything it expects of the answer."""
    evidence(edge_cases.demands(edge_case, edge_answers))
