"""The checks of a proposed project: each asks for a bound that stands there; what cannot be asked is left out."""

import ast

import pytest
from small_proposals import proposal

from proveout.pilot import project_files
from proveout.pilot.project_proposal import Bound
from proveout.records.answer import TaskName

TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression")


def bounds(*names: str) -> tuple[Bound, ...]:
    return tuple(Bound(name=name, value=1.0, reason="measured") for name in names)


def model_checks(task: TaskName, *names: str) -> str:
    text = project_files.checks(proposal(task=task), bounds(*names))["checks/test_model.py"]
    tree = ast.parse(text)
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    used = {node.value.id for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_name(node.value)}
    assert imported <= used, "nothing is imported for a check that is left out"
    return text


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


@pytest.mark.parametrize("task", TASKS)
def test_rows_without_groups_have_no_check_of_groups(task: TaskName) -> None:
    """A search that looks at no slice proves nothing, and would refuse every model of texts."""
    text = model_checks(task)

    assert "def test_no_slice_is_far_weaker_than_the_rest" not in text
    assert "# test_no_slice_is_far_weaker_than_the_rest is left out: the rows have no column to group them by." in text
    assert "def test_no_slice" in model_checks(task, "weakest_slice_at_most")
    assert project_files.usable(bounds("slice_rows_at_least", "auc_at_least")) == bounds("auc_at_least")


@pytest.mark.parametrize("task", TASKS)
def test_a_model_that_is_not_surely_better_than_the_rules_has_to_be_not_much_worse(task: TaskName) -> None:
    """On few rows nothing else can be shown; the file says what to ask for when there are more."""
    lenient, strict = model_checks(task, "rules_margin"), model_checks(task)

    assert 'margin=criteria["rules_margin"]' in lenient
    assert "def test_better_than_the_rules" not in lenient
    assert "margin=0.0, better=True" in strict.partition("def test_better_than_the_rules")[2]
    assert "rules_margin" not in strict
