"""`training/task_facts.py`: what train.toml may say of the answers, by task."""

import pytest
from tiny_project import FILES

from proveout import settings
from proveout.errors import ConfigError
from proveout.records.train_config import Decision
from proveout.training import task_facts


@pytest.mark.parametrize(
    ("task", "decision", "problem"),
    [
        ("regression", Decision(metric="auc"), "promises auc, which is not a metric of a regression task"),
        ("regression", Decision(metric="bias"), "promises bias, which has no better direction"),
        ("multiclass", Decision(threshold=0.3), "a threshold, but the task is multiclass"),
        ("binary", Decision(coverage=0.9), "a coverage, but the task is binary"),
    ],
)
def test_what_is_another_tasks_is_refused_with_a_remedy(tmp_path, task, decision, problem):
    """Before the training, not by a monitor that never alarms."""
    (tmp_path / "pyproject.toml").write_text(FILES["pyproject.toml"])
    project = settings.load(tmp_path).model_copy(update={"task": task})

    with pytest.raises(ConfigError, match=problem):
        task_facts.task_facts(project, decision)
    assert task_facts.task_facts(project, Decision(metric={"regression": "r2"}.get(task, "log_loss"))).task == task
