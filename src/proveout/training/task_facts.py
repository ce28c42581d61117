"""The facts about the project's task in `[decision]` of train.toml.

Input: the settings and the section. Output: `TaskFacts`, or a ConfigError for a key of another task.
"""

from proveout.errors import ConfigError
from proveout.records.answer import TaskFacts
from proveout.records.train_config import Decision
from proveout.settings import Settings
from proveout.task.binary import THRESHOLD


def task_facts(settings: Settings, decision: Decision) -> TaskFacts:
    """The task facts from `[decision]` of train.toml. Raises: ConfigError for a key of another task."""
    from proveout.task import task as tasks

    threshold, coverage = decision.threshold, decision.coverage
    if settings.task != "binary" and threshold is not None:
        problem = f"has a threshold, but the task is {settings.task}: only binary answers have one"
        raise ConfigError("[decision] in train.toml", problem, "Remove it, or correct `task` in [tool.proveout]")
    if settings.task != "regression" and coverage is not None:
        problem = f"has a coverage, but the task is {settings.task}: only regression answers have an interval"
        raise ConfigError("[decision] in train.toml", problem, "Remove it, or correct `task` in [tool.proveout]")
    task = tasks.named(settings.task)
    known = [name for name in task.metric_names if task.metric(name).better != "neither"]
    if decision.metric is not None and decision.metric not in known:
        problem = f"promises {decision.metric}, which is not a metric of a {settings.task} task"
        if decision.metric in task.metric_names:
            problem = f"promises {decision.metric}, which has no better direction"
        raise ConfigError("[decision] in train.toml", problem, f"Name one of {', '.join(known)}")
    if settings.task == "binary":
        return TaskFacts(threshold=THRESHOLD if threshold is None else float(threshold))
    return TaskFacts(task=settings.task, coverage=None if coverage is None else float(coverage))
