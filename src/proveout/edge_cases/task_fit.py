"""Whether an edge case expects what its task has: a value of a regression, a class of several, or true or false.

Input: a case and a task; before there is a bundle, one whose classes are not known yet. Output: nothing, or a
ConfigError that says what can be expected.
"""

from proveout.edge_cases.case import Case
from proveout.errors import ConfigError
from proveout.task.plain_values import class_text
from proveout.task.task import Task


def check(case: Case, task: Task) -> None:
    """Return if `case` expects what answers of `task` have.

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
    strange = sorted({name for name in named if name not in known}) if several and known else []
    for what, broken in faults.items():
        if broken:
            raise ConfigError(f"the edge case {case.id}", f"expects {what}", "Correct what it expects, or retire it")
    if strange:
        problem = f"expects {', '.join(strange)}, and the model knows {', '.join(sorted(known))}"
        raise ConfigError(f"the edge case {case.id}", problem, "Correct what it expects, or retire it")
