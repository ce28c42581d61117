"""Reads the table that a new project starts from, as the project will read it, and reports its faults at once.

Input: a path, glob or URL of CSV or Parquet files. Output: a `TableFile`: the rows of all files, and where the files
are.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from proveout.data import files
from proveout.data.splits import BATCH
from proveout.errors import ConfigError, NotFound, ProveoutError
from proveout.pilot import source_text

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 5  # names in one sentence
_OTHER_SEPARATORS = {
    ";": ("semicolons", 'read_csv({file}, sep=";", decimal=",")'),
    "\t": ("tabs", 'read_csv({file}, sep="\\t")'),
    "|": ("bars", 'read_csv({file}, sep="|")'),
}
"""What else parts columns: in words, and how pandas reads it. Where it is a semicolon, numbers have a decimal comma."""
_NO_UTF_8 = {
    b"PK": "read_excel({file})",
    b"\xff\xfe": 'read_csv({file}, encoding="utf-16")',
    b"\xfe\xff": 'read_csv({file}, encoding="utf-16")',
    b"": 'read_csv({file}, encoding="cp1252")',
}
"""What a file is by its first bytes, if it is no UTF-8: at last the text of Windows in the west."""
_OTHER_FILES = {
    ".tsv": 'read_csv({file}, sep="\\t")', ".json": "read_json({file})", ".feather": "read_feather({file})",
    ".xls": "read_excel({file})", ".xlsx": "read_excel({file})", ".ods": "read_excel({file})",
}  # fmt: skip


class TableRefused(ProveoutError):
    """The table cannot become a project as it is."""

    exit_code = 2

    def __init__(self, table: str, problem: str, remedy: str) -> None:
        super().__init__(table, problem, remedy)
        self.table, self.problem, self.remedy = table, problem, remedy

    def __str__(self) -> str:
        end = "" if self.remedy.endswith("?") else "."
        return f"{self.table}: {self.problem}. {self.remedy}{end} Nothing was written."


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A table as it was read. The column `batch` has the name of each row's file, without its ending."""

    named: str  # as the user wrote it
    addresses: tuple[str, ...]  # of its files, ordered by name
    rows: "pd.DataFrame"

    @property
    def is_remote(self) -> bool:
        """Whether it is at a URL. The project then reads it from there each time."""
        return files.is_remote(self.named)


def read(named: str, *, folder: Path) -> TableFile:
    """The table at `named`: a path relative to `folder`, a glob or a URL.

    Raises: TableRefused, with what to do, if it is missing, unreadable or empty, or if two columns share a name.
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


def column_names(named: str, *, folder: Path) -> tuple[str, ...]:
    """The columns of the table, by the head of its first file; none at a URL, which is asked for once, by `read`.

    Raises: TableRefused, as `read` does.
    """
    import pandas as pd

    address = next(iter(_find(named, folder).values()))
    if files.is_remote(address):
        return ()
    try:
        if files.is_parquet(address):
            from pyarrow.parquet import read_schema

            return tuple(read_schema(address).names)
        _check_header(address, None, named=named)
        return tuple(map(str, pd.read_csv(**files.csv_input(address), nrows=0).columns))
    except (OSError, ValueError):  # what is wrong, `_read` says
        return tuple(map(str, _read(address, named=named).columns))


def _find(named: str, folder: Path) -> dict[str, str]:
    if named.startswith("~"):
        named = str(Path(named).expanduser())
    try:
        return files.find(named, folder)
    except NotFound as error:
        near = [path.name for path in sorted(folder.glob("*")) if path.suffix in {".csv", ".parquet"}]
        there = f"There: {_some(near)}" if near and not files.is_remote(named) else "Look at its path"
        raise TableRefused(named, "there is no such file", there) from error
    except ConfigError as error:
        reader = _OTHER_FILES.get(PurePosixPath(named).suffix.lower())
        if reader:
            raise TableRefused(named, "it is no CSV or Parquet file", _rewritten(named, reader)) from error
        raise TableRefused(
            named, error.problem, "Name CSV or Parquet files: FILE.csv, FILE.csv.gz, FILE.parquet"
        ) from error


def _rewritten(address: str, reader: str) -> str:
    """How to make a CSV file of another one."""
    path = PurePosixPath(address)
    name = path.name.partition(".")[0] + ("-new.csv" if path.suffix == ".csv" else ".csv")
    read = reader.format(file=source_text.text(address))
    return f"Write it as CSV, in Python: import pandas; pandas.{read}.to_csv({source_text.text(name)}, index=False)"


def _read(address: str, *, named: str) -> "pd.DataFrame":
    import pandas as pd

    content: bytes | None = None
    try:
        content = files.fetch(address) if files.is_remote(address) else None
        if not files.is_parquet(address):
            _check_header(address, content, named=named)
        rows = files.parse(address, content)
    except files.Unreachable as error:
        raise TableRefused(
            named, f"it cannot be read: {error.problem}", "Check that the address is right and answers from here"
        ) from error
    except (ProveoutError, MemoryError):
        raise
    except pd.errors.EmptyDataError as error:
        raise TableRefused(named, "it is empty", "Give a table with column names and rows") from error
    except UnicodeDecodeError as error:
        begins = content if content is not None else Path(address).read_bytes()
        reader = next(said for mark, said in _NO_UTF_8.items() if begins.startswith(mark))
        raise TableRefused(named, "it is no UTF-8 text", _rewritten(address, reader)) from error
    except Exception as error:  # pandas and pyarrow raise many kinds of errors
        raise TableRefused(
            named, f"it cannot be read: {type(error).__name__}: {error}", "Open it with pandas to see where"
        ) from error
    not_text = [repr(name) for name in rows.columns if not isinstance(name, str)]
    if not_text:
        raise TableRefused(named, f"the column names {_some(not_text)} are not text", "Give each column a name in text")
    if BATCH in rows:
        raise TableRefused(
            named, f"it has a column called {BATCH}, a name that proveout uses itself", "Rename the column"
        )
    return rows


def _check_header(address: str, content: bytes | None, *, named: str) -> None:
    """Checks the header as written: pandas renames the second of two equal column names to `name.1`."""
    import pandas as pd

    given = files.csv_input(address, content)
    header = pd.read_csv(**given, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
    if twice := [name for name, count in Counter(header).items() if count > 1 and name.strip()]:
        raise TableRefused(named, f"more than one column is called {_some(twice)}", "Give each column its own name")
    found = [said for sign, said in _OTHER_SEPARATORS.items() if len(header) == 1 and sign in header[0]]
    if found:
        words, reader = found[0]
        raise TableRefused(
            named, f"its columns are parted by {words}, and commas are expected", _rewritten(address, reader)
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def near(name: str, names: list[str]) -> str:
    """A sentence that suggests the names most similar to `name`, or lists all of them if none is similar.

    >>> near("chrun", ["churn", "calls"]), near("x", ["churn", "calls"])
    ('Do you mean churn?', 'It has churn, calls')
    """
    from difflib import get_close_matches

    lower = {one.lower(): one for one in names}
    alike = [lower[one] for one in get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    return f"Do you mean {' or '.join(alike)}?" if alike else f"It has {', '.join(names)}"


def check_columns(table: TableFile, asked: str, *, what: str) -> None:
    """Return if the table has the column `asked`. Raises: TableRefused, which suggests similar names."""
    names = [str(name) for name in table.rows.columns if name != BATCH]
    if asked not in names:
        raise TableRefused(table.named, f"it has no column {asked}, which {what} names", near(asked, names))
