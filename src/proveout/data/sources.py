"""Sources: read raw batches by name.

Input: a batch name such as `2013-05`. Output: the raw rows of that batch, read by the project's own `[tool.proveout]
source`, a function `(name, tables) -> DataFrame` or files, and the digests of the code that reads them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from proveout import code_files
from proveout.data import files
from proveout.errors import ConfigError, NotFound, ProveoutError
from proveout.records.snapshot import Refusal
from proveout.settings import Settings, is_object, load_object

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = "left_out"
"""Key in the `attrs` of a source's table for rows that it leaves out: their number by reason."""
_CODE = ("source", "reference_source", "batch_schema", "reference_schemas")


class SourceFailed(ProveoutError):
    """The project's source function raised, or did not return a table."""

    exit_code = 3

    def __init__(self, source: str, batch: str, problem: str) -> None:
        super().__init__(source, batch, problem)
        self.source, self.batch, self.problem = source, batch, problem

    def __str__(self) -> str:
        return f"batch {self.batch} could not be read from {self.source}: {self.problem}"


def names(settings: Settings) -> tuple[str, ...]:
    """The batches of the project: its files, or for a source function the names in `batches`.

    Raises: ConfigError if the source is a function and `batches` is empty; as in `files.find`.
    """
    if not is_object(settings.source):
        return tuple(files.find(settings.source, settings.root))
    if not settings.batches:
        raise ConfigError(
            "[tool.proveout]",
            f"{settings.source} is a function, but no setting names the batches",
            'Name them, batches = ["2013-01", "2013-02"], or ingest one: python flows/ingest.py run --batch NAME',
        )
    return settings.batches


def read(settings: Settings, name: str, tables: "Mapping[str, pd.DataFrame]") -> "pd.DataFrame":
    """The raw rows of batch `name`, joined by the project's source with the guarded reference `tables`.

    Raises: NotFound if the source has no such batch, SourceFailed or Unreachable if it could not be read.
    """
    if is_object(settings.source):
        return _call(settings, settings.source, name, name, tables)
    found = files.find(settings.source, settings.root)
    if name not in found:
        raise NotFound("batch", name, f"The files at {settings.source} are {', '.join(found)}")
    try:
        return files.read(found[name])
    except ProveoutError:
        raise
    except Exception as error:  # pandas raises many kinds of errors
        raise SourceFailed(found[name], name, f"{type(error).__name__}: {error}") from error


def read_table(settings: Settings, table: str, name: str) -> "pd.DataFrame":
    """The part of reference table `table` that batch `name` needs. Raises: NotFound, SourceFailed."""
    if settings.reference_source is None:
        raise ConfigError(
            "[tool.proveout]", f"table {table} has a schema, but no reference_source", "Name its function"
        )
    return _call(settings, settings.reference_source, name, table, name)


def left_out(settings: Settings, name: str, rows: "pd.DataFrame") -> tuple[Refusal, ...]:
    """The rows that the source left out of a batch, by reason. Raises: SourceFailed if the form is invalid."""
    said = rows.attrs.get(LEFT_OUT, {})
    if not isinstance(said, Mapping) or not all(type(count) is int and count >= 0 for count in said.values()):
        raise SourceFailed(
            settings.source, name, f"attrs[{LEFT_OUT!r}] is {said!r}, but must be the number of rows by reason"
        )
    return tuple(Refusal(check=str(reason), rows=count) for reason, count in said.items() if count)


def code(settings: Settings) -> dict[str, str]:
    """The SHA-256 of each file that affects the rows of a batch, by its path from the root.

    These are the source, the schemas of the guard, and what they import.
    """
    named = [getattr(settings, name) for name in _CODE]
    found: dict[str, str] = {}
    for one in named:
        if one is not None and is_object(one) and (settings.root / one.partition(":")[0]).is_file():
            found |= code_files.of_object(one, settings.root)
    return dict(sorted(found.items()))


def _call(settings: Settings, source: str, name: str, *arguments: object) -> "pd.DataFrame":
    import pandas as pd

    function: Callable[..., pd.DataFrame] = load_object(source, settings.root)
    try:
        rows = function(*arguments)
    except KeyError as error:
        raise NotFound("batch", name, f"{source} says: {error.args[0] if error.args else name}") from error
    except ProveoutError:
        raise
    except Exception as error:
        raise SourceFailed(source, name, f"{type(error).__name__}: {error}") from error
    if not isinstance(rows, pd.DataFrame):
        raise SourceFailed(source, name, f"it returned {type(rows).__name__}, not a DataFrame")
    return rows
