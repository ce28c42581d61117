"""Checks that an edge case fits its task: a value for a regression, a class for multiclass, true or false for binary.

Input: a case and a task (whose classes may be unknown before the first bundle). Output: nothing, or a ConfigError that
says what can be expected.
"""

from proveout.edge_cases.case import Case
from proveout.errors import ConfigError
from proveout.task.plain_values import class_text
from proveout.task.task import Task


def check(case: Case, task: Task) -> None:
    """Return if the expectations of `case` fit the answers of `task`.

    Raises: ConfigError, naming the case, what it expects, and what it can expect of this task.
    """
    expect, regression, several = case.expect, task.name == "regression", task.name == "multiclass"
    known = {class_text(one) for one in task.facts.classes}
    ordered = expect.higher_than or expect.not_lower_when or expect.not_higher_when
    faults = {
        "a value, and the task answers no number": expect.value is not None and not regression,
        "a label, and the task answers a number: expect `value at_least`": expect.label is not None and regression,
        "a probability, and the task answers a number: expect `value at_least`": regression
        and (expect.probability is not None or bool(expect.probabilities)),
        "the label of a class, and the task is binary: expect true or false": not several
        and not regression
        and not isinstance(expect.label, bool | None),
        "the probability of a class, and the task is binary: expect `probability at_least`": not several
        and not regression
        and bool(expect.probabilities),
        "an order, and classes have none: expect `probability of CLASS`": several and bool(ordered),
    }
    named = [*expect.probabilities, *([] if expect.label is None else [class_text(expect.label)])]
    unknown = sorted({name for name in named if name not in known}) if several and known else []
    for what, broken in faults.items():
        if broken:
            raise ConfigError(f"the edge case {case.id}", f"expects {what}", "Correct what it expects, or retire it")
    if unknown:
        problem = f"expects {', '.join(unknown)}, and the model knows {', '.join(sorted(known))}"
        raise ConfigError(f"the edge case {case.id}", problem, "Correct what it expects, or retire it")
