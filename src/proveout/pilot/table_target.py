"""What the target column means: the task, its outcomes, and for a binary task the event.

Input: the column, and the task if the user named one. Output: a `Target`, with the reason for the guessed task.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from proveout.data.splits import SPLIT
from proveout.pilot import source_text, written_otherwise
from proveout.pilot.table_file import TableRefused
from proveout.records.answer import TaskName
from proveout.records.values import TargetValue
from proveout.schema.request_schema import EXPLAIN
from proveout.task import task as tasks
from proveout.task.plain_values import class_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FEWEST_ROWS = 100  # with an outcome; a fifth of them is held out
FEWEST_OF_A_CLASS = 10  # rows, so that two are held out
MOST_CLASSES = 50
_MOST_WHOLE_CLASSES = 10  # distinct whole numbers taken for classes; more mean a quantity
_YES = re.compile(
    r"^(yes|y|true|t|1|1\.0|positive|pos|present|bad|default|fraud|spam|churned|left|died|dead|event)$", re.I
)
_SHOWN = 8  # classes in one sentence


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is predicted."""

    column: str
    name: str  # in answers: the column, or the function that computes outcomes from it
    task: TaskName
    why: str  # why this task, in words
    rows: int  # with an outcome
    unknown: int  # without one
    classes: tuple[TargetValue, ...] = ()  # of a binary or multi-class task, the most frequent first
    event: TargetValue | None = None  # of a binary task: the value that is `true`
    is_function: bool = False  # whether `flows/target.py` computes outcomes from the column
    is_decimal: bool = False  # whether it holds decimals, which outcomes are not


def read(column: "pd.Series[Any]", *, table: str, task: TaskName | None = None, others: Collection[str] = ()) -> Target:
    """What `column` asks for, as `task`, or as its values say.

    Args:
        others: names of the other columns, none of which an outcome is called by.
    Raises: TableRefused for a column that nothing can be learned of, or that `task` does not fit.
    """
    known = column.dropna()
    name, taken = str(column.name), set(others)
    is_decimal = len(known) > 0 and all(isinstance(value, Decimal) for value in known)
    if is_decimal:
        known = known.astype("float64")
    _check_any(column, known, table=table)
    guessed, why = _task(known) if task is None else (task, "as you say")
    kinds = known.map(_plain).value_counts()  # the most frequent first
    if guessed == "regression":
        _check_numbers(known, table=table, name=name)
        called = answer_name(name, taken=taken, is_function=is_decimal)
        return Target(
            column=name, name=called, task="regression", why=why, rows=len(known),
            unknown=len(column) - len(known), is_function=is_decimal or called != name, is_decimal=is_decimal,
        )  # fmt: skip
    _check_classes(known, kinds, guessed, table=table, name=name)
    classes = tuple(kinds.index.tolist())
    event = event_of(classes, name) if guessed == "binary" else None
    made = is_decimal or (guessed == "binary" and not (event in (True, 1) and set(classes) == {0, 1}))
    called = answer_name(name, taken=taken, is_function=made)
    return Target(
        column=name, name=called, task=guessed, why=why, rows=len(known), unknown=len(column) - len(known),
        classes=classes, event=event, is_function=made or called != name, is_decimal=is_decimal,
    )  # fmt: skip


def _check_any(column: "pd.Series[Any]", known: "pd.Series[Any]", *, table: str) -> None:
    name = str(column.name)
    if known.empty:
        raise TableRefused(table, f"{name} is null in all {len(column):,} rows", "Name a column with outcomes")
    if len(known) < FEWEST_ROWS:
        raise TableRefused(
            table,
            f"only {len(known):,} rows have an outcome in {name}, and {FEWEST_ROWS} are needed: a fifth is held out",
            "Give more rows",
        )
    if known.nunique() == 1:
        raise TableRefused(
            table,
            f"{name} is {known.tolist()[0]!r} in every row that has an outcome, so there is nothing to predict",
            "Give rows with other outcomes too, or name another column",
        )
    if known.dtype.kind in "mM":
        raise TableRefused(
            table, f"{name} holds dates, which no task predicts", "Convert it to a number of days, or to true and false"
        )


def _task(known: "pd.Series[Any]") -> tuple[TaskName, str]:
    """The task that these outcomes look like, and why."""
    kinds = int(known.nunique())
    if kinds == 2:
        return "binary", "it has two values"
    if known.dtype.kind not in "iuf":
        return "multiclass", f"it has {kinds:,} texts"
    whole = bool((known % 1 == 0).all())
    if whole and kinds <= _MOST_WHOLE_CLASSES and len(known) >= FEWEST_OF_A_CLASS * kinds:
        return "multiclass", f"it has {kinds} whole numbers; if they count or measure something: --task regression"
    return "regression", f"it has {kinds:,} numbers"


def _check_numbers(known: "pd.Series[Any]", *, table: str, name: str) -> None:
    import numpy as np

    if known.dtype.kind not in "iuf":
        raise TableRefused(
            table,
            f"a regression needs numbers, but {name} has {known.iloc[0]!r}",
            "Write numbers as 1234.5, without units and thousands separators, or choose --task multiclass",
        )
    if not np.isfinite(known.to_numpy(dtype=float)).all():
        raise TableRefused(table, f"{name} is infinite in some rows", "Leave these outcomes empty")


def _check_classes(known: "pd.Series[Any]", kinds: "pd.Series[int]", task: TaskName, *, table: str, name: str) -> None:
    shown = ", ".join(map(str, kinds.index[:_SHOWN])) + (", …" if len(kinds) > _SHOWN else "")
    if task == "binary" and len(kinds) != 2:
        raise TableRefused(
            table,
            f"a binary task has two outcomes, but {name} has {len(kinds):,} ({shown})",
            "Choose --task multiclass or --task regression, or name a column with two values",
        )
    if any(class_of(one) is None for one in kinds.index) and task == "multiclass":
        raise TableRefused(
            table, f"a class is a text or a whole number, but {name} has {shown}", "Choose --task regression"
        )
    if len(kinds) > MOST_CLASSES:
        form = written_otherwise.find(known) if all(isinstance(one, str) for one in known) else None
        if form is not None:
            raise TableRefused(
                table,
                f"{name} has {form.what} that are read as text, such as {form.example}",
                f"Write {form.what} as {form.instead}",
            )
        raise TableRefused(
            table,
            f"{name} has {len(kinds):,} classes in {len(known):,} rows; the limit is {MOST_CLASSES}",
            "Choose --task regression for a quantity, write numbers as numbers, or merge rare classes",
        )
    rare = kinds[kinds < FEWEST_OF_A_CLASS]
    if len(rare):
        of_each = ", ".join(f"{one} ({count})" for one, count in rare.iloc[:_SHOWN].items())
        raise TableRefused(
            table,
            f"{len(rare)} of {len(kinds)} classes of {name} have fewer than {FEWEST_OF_A_CLASS} rows: {of_each}",
            "Merge them with others, or leave these outcomes empty: training then ignores those rows",
        )


def event_of(classes: tuple[Any, ...], name: str) -> Any:
    """Which of two outcomes is the event: the one that means yes, the one named like the column, or the rarer one."""
    numbers = [one for one in classes if isinstance(one, bool | int | float)]
    if len(numbers) == 2:
        return max(numbers)
    said = [one for one in classes if _YES.match(str(one))]
    named = [one for one in classes if str(one).lower() == name.lower()]
    chosen = said if len(said) == 1 else named if len(named) == 1 else [classes[-1]]
    return chosen[0]


def _plain(value: Any) -> Any:
    found = class_of(value)
    return value if found is None else found


def answer_name(name: str, *, taken: Collection[str], is_function: bool) -> str:
    """What the outcome of a column is called in answers: the column's name, or a function's, that no other one has."""
    return source_text.free(_member_name(_identifier(name) if is_function else name), {SPLIT, EXPLAIN, *taken})


def _identifier(name: str) -> str:
    """`name` as a valid function name.

    >>> _identifier("Default next month?"), _identifier("2nd"), _identifier("class")
    ('default_next_month', 'is_2nd', 'is_class')
    """
    import keyword

    made = source_text.word(name) or "target"
    return made if made.isidentifier() and not keyword.iskeyword(made) else f"is_{made}"


def _member_name(name: str) -> str:
    """`name`, changed if an answer already has a member of that name."""
    taken = {member for task in ("binary", "multiclass", "regression") for member in tasks.named(task).members_of}
    return f"{name}_value" if name in taken else name


def outcomes(column: "pd.Series[Any]", target: Target) -> "NDArray[Any]":
    """Known outcomes in the form that the task uses, shape (rows,)."""
    if target.task == "binary":
        return (column.map(_plain) == target.event).to_numpy(dtype=bool)
    return tasks.named(target.task).outcomes((column.astype("float64") if target.is_decimal else column).to_numpy())
