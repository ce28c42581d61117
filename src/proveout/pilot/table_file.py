"""The table that a new project begins with, read as the project will read it. What is wrong with it is said at once.

Input: a path, glob or URL of CSV or Parquet files. Output: a `TableFile`, the rows of all of them and where they lie.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proveout.data import files
from proveout.data.splits import BATCH
from proveout.errors import ConfigError, NotFound, ProveoutError

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 5  # names in one sentence
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class TableRefused(ProveoutError):
    """No project can be made of a table as it is."""

    exit_code = 2

    def __init__(self, table: str, problem: str, remedy: str) -> None:
        super().__init__(table, problem, remedy)
        self.table, self.problem, self.remedy = table, problem, remedy

    def __str__(self) -> str:
        end = "" if self.remedy.endswith("?") else "."
        return f"{self.table}: {self.problem}. {self.remedy}{end} Nothing was written."


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A table as it came. The column `batch` says which file a row is of, by its name without the ending."""

    named: str  # as the user named it
    addresses: tuple[str, ...]  # of its files, in the order of their names
    rows: "pd.DataFrame"

    @property
    def is_remote(self) -> bool:
        """Whether it lies behind a URL, where the project reads it each time."""
        return "://" in self.named


def read(named: str, *, folder: Path) -> TableFile:
    """The table at `named`, a path seen from `folder`, a glob or a URL.

    Raises: TableRefused, with what to do, if it is not there, cannot be read, is empty, or has columns of one name.
    """
    import pandas as pd

    found = _find(named, folder)
    parts = {batch: _read(address, named=named) for batch, address in found.items()}
    first = next(iter(parts.values()))
    for batch, part in list(parts.items())[1:]:
        if differing := sorted({*map(str, part.columns)} ^ {*map(str, first.columns)}):
            raise TableRefused(
                named,
                f"its files have different columns: {_some(differing)} of {batch} and {next(iter(parts))}",
                "Give all files the same columns, or name one of them",
            )
    rows = pd.concat([part.assign(**{BATCH: batch}) for batch, part in parts.items()], ignore_index=True)
    if rows.empty:
        raise TableRefused(named, "it has column names and no rows", "Give a table with rows")
    return TableFile(named=named, addresses=tuple(found.values()), rows=rows)


def _find(named: str, folder: Path) -> dict[str, str]:
    if named.startswith("~"):
        named = str(Path(named).expanduser())
    try:
        return files.find(named, folder)
    except NotFound as error:
        near = [path.name for path in sorted(folder.glob("*")) if path.suffix in {".csv", ".parquet"}]
        there = f"There: {_some(near)}" if near and "://" not in named else "Look at its path"
        raise TableRefused(named, "there is no such file", there) from error
    except ConfigError as error:
        raise TableRefused(
            named, error.problem, "Name CSV or Parquet files: FILE.csv, FILE.csv.gz, FILE.parquet"
        ) from (error)


def _read(address: str, *, named: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        if not address.lower().endswith(".parquet"):
            _check_header(address, named=named)
        rows = files.read(address)
    except (ProveoutError, MemoryError):
        raise
    except pd.errors.EmptyDataError as error:
        raise TableRefused(named, "it is empty", "Give a table with column names and rows") from error
    except UnicodeDecodeError as error:
        raise TableRefused(
            named, f"it is no UTF-8 text ({error.reason} at byte {error.start})", "Save it as UTF-8"
        ) from error
    except Exception as error:  # pandas and pyarrow have an error of their own for each fault
        raise TableRefused(
            named, f"it cannot be read: {type(error).__name__}: {error}", "Open it with pandas to see where"
        ) from error
    strange = [repr(name) for name in rows.columns if not isinstance(name, str)]
    if strange:
        raise TableRefused(named, f"the names of its columns {_some(strange)} are no text", "Give each a name in text")
    if BATCH in rows:
        raise TableRefused(
            named, f"it has a column called {BATCH}, which proveout gives each row itself", "Give it another name"
        )
    return rows


def _check_header(address: str, *, named: str) -> None:
    """What pandas reads over: of two columns of one name it calls the second `name.1`."""
    import pandas as pd

    header = pd.read_csv(address, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
    if twice := [name for name, count in Counter(header).items() if count > 1 and name.strip()]:
        raise TableRefused(
            named, f"more than one column is called {_some(twice)}", "Give each column a name of its own"
        )
    separators = [words for sign, words in _OTHER_SEPARATORS.items() if len(header) == 1 and sign in header[0]]
    if separators:
        raise TableRefused(
            named, f"its columns are parted by {separators[0]}, and commas are expected", "Write it with commas"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def near(name: str, names: list[str]) -> str:
    """Which of `names` may be meant by `name`, as a sentence; all of them where none is like it.

    >>> near("chrun", ["churn", "calls"]), near("x", ["churn", "calls"])
    ('Do you mean churn?', 'It has churn, calls')
    """
    from difflib import get_close_matches

    lower = {one.lower(): one for one in names}
    alike = [lower[one] for one in get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    return f"Do you mean {' or '.join(alike)}?" if alike else f"It has {', '.join(names)}"


def check_columns(table: TableFile, asked: str, *, what: str) -> None:
    """Return if the table has the column `asked`. Raises: TableRefused, naming those that are like it."""
    names = [str(name) for name in table.rows.columns if name != BATCH]
    if asked not in names:
        raise TableRefused(table.named, f"it has no column {asked}, which {what} names", near(asked, names))
