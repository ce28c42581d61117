"""Features: declared once by the project, computed by this one function for training and for serving; and the target.

Input: rows with the request's columns. Output: the model's columns. The project's function is handed the
request columns and nothing else, so it cannot look at an outcome or at anything known only later.
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
_SOME = 1_000  # rows that are enough to see whether columns come and go
Features = Callable[["pd.DataFrame"], "pd.DataFrame"]


def identity(rows: "pd.DataFrame") -> "pd.DataFrame":
    """What the model is given where the project names no features: the request's columns."""
    return rows


def load(settings: Settings) -> Features:
    """The project's features; `identity` where it names none."""
    if settings.features is None:
        return identity
    found: Features = load_object(settings.features, settings.root)
    return found


def name(settings: Settings) -> str:
    """What the features are called in an error."""
    return settings.features or "the request's columns"


def event_key(settings: Settings) -> tuple[str, ...]:
    """The request fields that name one event: those of the setting, else all of them."""
    return settings.event_key or request_columns(settings)


def request_columns(settings: Settings) -> tuple[str, ...]:
    """The fields of a request, in the order of the request schema. Raises: ConfigError if it cannot be served by."""
    return request_schema.load(settings).names


def compute(function: Features, rows: "pd.DataFrame", columns: Sequence[str], *, name: str) -> "pd.DataFrame":
    """The model's columns for `rows`, one row for each.

    Args:
        columns: the request columns, all that `function` is given.
        name: what to call the function in an error.
    Raises: ConfigError if the function gives another number of rows, or no table.
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
    """Return if one row by itself is given the columns that rows together are given: `rows`, or some from all over.

    Raises: ConfigError, naming those that come and go; as `compute`.
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
            f"({shown}): a column for each value that it happens to see, as get_dummies makes them",
            'Give the model the column as it is, and encode it in the notebook: OneHotEncoder(handle_unknown="ignore") '
            "as a step of the pipeline",
        )


def labels(settings: Settings, rows: "pd.DataFrame") -> "pd.Series[Any]":
    """What really happened, per row: true or false, a class, or a number; null while nobody knows.

    Raises: ConfigError as `target`, or if they are no outcomes of the project's task.
    """
    return typed_outcomes(target(settings, rows), tasks.named(settings.task), name=f"target {settings.target}")


def target(settings: Settings, rows: "pd.DataFrame") -> "pd.Series[Any]":
    """The outcome of each row as the project says it, null while nobody knows: a raw column, or its function's answer.

    Raises: ConfigError if the rows have no such column, or the function gives another number of rows.
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
    """Return if no request would say the outcome. Raises: ConfigError if the target is a field of the request."""
    if settings.target in request_columns(settings):
        raise ConfigError(
            "target in [tool.proveout]",
            f"{settings.target} is a field of the request too, and whoever asks does not know it",
            f"Take it out of {settings.request_schema}",
        )


def typed_outcomes(known: "pd.Series[Any]", task: Task, *, name: str) -> "pd.Series[Any]":
    """Outcomes in the type that the task computes with, null where they are. Raises: ConfigError, naming `name`."""
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
