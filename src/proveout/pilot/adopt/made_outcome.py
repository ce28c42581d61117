"""The outcome that a pilot makes by statements of its own, of several raw columns or by a formula that no table has.

Input: what recovery handed over of these statements. Output: `Outcome`, whose function is them, frozen as in the run.
"""

import ast
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from proveout.pilot import source_text, table_target
from proveout.pilot.adopt.outcome import Outcome, OutcomeUnknown, event_class, literal, plain_class, tells
from proveout.records.adopted_notebook import RenamedClass
from proveout.records.answer import TaskName
from proveout.recovery.handed_outcome import TARGET, HandedOutcome

_MOST_NAMED = 6  # columns in a sentence


def read(
    folder: Path,
    handed: HandedOutcome,
    truth: Sequence[Any],
    *,
    task: TaskName,
    learned: Sequence[Any] = (),
    taken: Collection[str] = (),
    can_rename: bool = True,
) -> Outcome:
    """How the outcome is made.

    Args:
        folder: with what was handed over.
        truth, learned, taken, can_rename: as in `outcome.read`; `taken` are names of raw columns.
    Raises: OutcomeUnknown.
    """
    text = (folder / TARGET).read_text(encoding="utf-8")
    columns, called = listed(handed.columns), handed.name or "the outcome"
    classes, names = [plain_class(one) for one in learned], {one.code: one.name for one in handed.names}
    name = table_target.answer_name(_called(handed, taken), taken={*taken, *_names(text)}, is_function=True)
    made = Outcome(
        column=columns, made_of=handed.columns, name=name, task=task, kind="made", folder=folder, files=handed.state
    )
    call, unknown = handed.call, f"null while {'it' if len(handed.columns) == 1 else 'one of them'} is unknown"
    if task == "regression":
        itself = f", and not {called} itself" if called in handed.columns else f", and called {called}"
        made = replace(made, unit=f"An answer is what the pilot made of {columns}{itself if handed.name else ''}.")
        return _with(made, text, f"What the pilot made of {columns}; {unknown}.", f'return {call}.astype("float64")')
    if task == "binary":
        if len(classes) != 2:
            raise OutcomeUnknown(f"the model has {len(classes)} classes, and the task is yes or no")
        event = event_class(classes, truth, handed.name)
        renamed = () if tells(classes) else tuple(RenamedClass(was=one, now=one == event) for one in classes)
        said = f"{called} is {names.get(event, event)}, as the pilot made it of {columns}"
        test = f'return (outcome == {literal(event)}).astype("boolean").mask(outcome.isna())'
        made = replace(made, event=said, renamed=renamed)
        return _with(made, text, f"Whether {said}; {unknown}.", f"outcome = {call}", test)
    what = f"The class that the pilot made of {columns}; {unknown}."
    if names and can_rename and {*classes} <= {*names}:
        inside = ", ".join(f"{literal(one)}: {literal(names[one])}" for one in classes)
        renamed = tuple(RenamedClass(was=one, now=names[one]) for one in classes)
        made = replace(made, classes=tuple(one.now for one in renamed), renamed=renamed)
        return _with(made, text, what, f"return {call}.map({{{inside}}})")
    unit = "Classes are the codes of the pilot: " + ", ".join(f"{one} is {names[one]}" for one in names) + "."
    return _with(replace(made, classes=tuple(classes), unit=unit if names else ""), text, what, f"return {call}")


def _called(handed: HandedOutcome, taken: Collection[str]) -> str:
    """What the notebook calls the outcome, if no raw column is called so: `made_price` for a price in another unit."""
    own = handed.name or (handed.columns[0] if len(handed.columns) == 1 else "outcome")
    return f"made_{own}" if own in taken else own


def _with(made: Outcome, text: str, what: str, *body: str) -> Outcome:
    lines = "\n".join(f"    {line}" for line in body)
    function = f'''\
"""The outcome of each row, as the pilot made it: its own statements, with what they learned in its run.

The model learns from it, and the monitor compares answers with it.
"""

{text}

def {made.name}(rows: pd.DataFrame) -> pd.Series:
    """{source_text.line(what)}"""
{lines}
'''
    return replace(made, function=function)


def _names(text: str) -> set[str]:
    """The names that a module binds."""
    found = set[str]()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {one.id for one in node.targets if isinstance(one, ast.Name)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def listed(columns: Sequence[str]) -> str:
    """Columns in words.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    shown = [*columns[:_MOST_NAMED], f"{len(columns) - _MOST_NAMED} more"] if len(columns) > _MOST_NAMED else columns
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
