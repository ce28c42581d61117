"""Features and target: the same function computes the model's columns for training and for serving.

Input: rows with the request's columns. Output: the model's columns. The project's function gets only the request
columns, so it cannot use an outcome or anything else that is known only later.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from proveout.errors import ConfigError, UsageError
from proveout.schema import request_schema
from proveout.settings import Settings, is_object, load_object
from proveout.task import task as tasks
from proveout.task.task import Task

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 5  # names of columns in an error
_SOME = 1_000  # rows that suffice to see whether columns depend on the rows
Features = Callable[["pd.DataFrame"], "pd.DataFrame"]


def identity(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The features of a project that has no function: the request's columns unchanged."""
    return rows


def load(settings: Settings) -> Features:
    """The project's features; `identity` if it has none."""
    if settings.features is None:
        return identity
    found: Features = load_object(settings.features, settings.root)
    return found


def name(settings: Settings) -> str:
    """The name of the features in errors."""
    return settings.features or "the request's columns"


def event_key(settings: Settings) -> tuple[str, ...]:
    """The request fields that name one event: those in the setting, else all."""
    return settings.event_key or request_columns(settings)


def request_columns(settings: Settings) -> tuple[str, ...]:
    """The fields of a request, in the order of the request schema. Raises: ConfigError for an invalid schema."""
    return request_schema.load(settings).names


def compute(function: Features, rows: "pd.DataFrame", columns: Sequence[str], *, name: str) -> "pd.DataFrame":
    """The model's columns for `rows`, one row each.

    Args:
        columns: the request columns, the only ones that `function` gets.
        name: names the function in errors.
    Raises: ConfigError if the function returns another number of rows, or no table.
    """
    import pandas as pd

    asked = rows[list(columns)]
    model = function(asked)
    if not isinstance(model, pd.DataFrame) or len(model) != len(asked) or not model.index.equals(asked.index):
        got = f"{len(model)} rows" if isinstance(model, pd.DataFrame) else type(model).__name__
        raise ConfigError(
            name, f"gave {got} for {len(asked)} rows", "Return a DataFrame with one row per row, in order"
        )
    twice = sorted({str(column) for column in model.columns[model.columns.duplicated()]})
    if twice:
        raise ConfigError(name, f"gave more than one column called {', '.join(twice)}", "Give each column its own name")
    return model


def check_columns(function: Features, rows: "pd.DataFrame", columns: Sequence[str], *, name: str) -> None:
    """Return if a single row gets the same columns as many rows together. Tests `rows`, or a sample of them.

    Raises: ConfigError, naming columns that depend on the rows; as `compute`.
    """
    if rows.empty:
        return
    some = rows.iloc[:: len(rows) // _SOME + 1]
    together = list(compute(function, some, columns, name=name))
    alone = list(compute(function, some.head(1), columns, name=name))
    if alone != together:
        strange = sorted(map(str, {*together} ^ {*alone})) or list(map(str, together))
        shown = ", ".join(strange[:_SHOWN]) + (", ..." if len(strange) > _SHOWN else "")
        raise ConfigError(
            name,
            f"gives {len(together)} columns for {len(some):,} rows, and {len(alone)} for the first of them by itself "
            f"({shown}): a column for each value in the rows, as get_dummies makes them",
            'Give the model the column as it is, and encode it in the notebook: OneHotEncoder(handle_unknown="ignore") '
            "as a step of the pipeline",
        )


def labels(settings: Settings, rows: "pd.DataFrame") -> "pd.Series[Any]":
    """The outcome of each row: true or false, a class, or a number; null while unknown.

    Raises: ConfigError as in `target`, or if the outcomes are invalid for the project's task.
    """
    return typed_outcomes(target(settings, rows), tasks.named(settings.task), name=f"target {settings.target}")


def target(settings: Settings, rows: "pd.DataFrame") -> "pd.Series[Any]":
    """The outcome of each row from the project's target, a raw column or a function; null while unknown.

    Raises: ConfigError if the rows have no such column, or the function returns another number of rows.
    """
    if not is_object(settings.target):
        if settings.target not in rows:
            there = ", ".join(map(str, rows.columns))
            raise ConfigError(
                "target in [tool.proveout]",
                f"the rows have no column {settings.target}; they have {there}",
                "Name one of them, or a function of the rows: path/from/root.py:function",
            )
        return rows[settings.target]
    function: Callable[[pd.DataFrame], pd.Series[Any]] = load_object(settings.target, settings.root)
    known = function(rows)
    if len(known) != len(rows):
        raise ConfigError(settings.target, f"gave {len(known)} labels for {len(rows)} rows", "Return one label per row")
    return known


def check_target(settings: Settings) -> None:
    """Return if the target is not a field of the request. Raises: ConfigError if it is."""
    if settings.target in request_columns(settings):
        raise ConfigError(
            "target in [tool.proveout]",
            f"{settings.target} is also a field of the request, but a caller does not know it",
            f"Remove it from {settings.request_schema}",
        )


def typed_outcomes(known: "pd.Series[Any]", task: Task, *, name: str) -> "pd.Series[Any]":
    """Outcomes in the task's type; nulls stay null. Raises: ConfigError, naming `name`."""
    import pandas as pd

    there = known.notna()
    try:
        found = task.outcomes(known[there].to_numpy())
    except UsageError as error:
        raise ConfigError(name, f"gives no outcomes of a {task.name} task", str(error)) from error
    dtypes = {"binary": "boolean", "regression": "float64"}
    made = pd.Series(None, index=known.index, dtype=dtypes.get(task.name, "object"))
    made[there] = found
    return made
