"""Tests whether a function of rows depends on anything else, by running it in an isolated process.

Input: rows, and the file of the function. Output: `Told`, the results there and where they differ. The process runs
this file as `python -m proveout.evaluation.purity ASKED TOLD`, in an empty working directory, with only the environment
variables that Python needs. There the function is loaded again with other clocks, and called for the same rows in
another order, in halves, and one by one. It may read only its own files and Python's, may not open a connection, and
may not start a program: each attempt is recorded and fails.

The clock that NumPy and pandas read in C cannot be replaced; `reads_clock` finds such calls in the source. Files that a
library opens in C are detected only if pandas opens them (parquet, feather, orc).
"""

import ast
import datetime
import math
import os
import subprocess
import sys
import tempfile
import time
import types
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout import interpreter_exit
from proveout.evaluation.code_origin import is_foreign
from proveout.evaluation.isolated_probe import ONE_THREAD
from proveout.records.json_form import from_json, to_json
from proveout.records.values import Scalar

if TYPE_CHECKING:
    import pandas as pd

Cells = Mapping[str, tuple[Scalar, ...]]
"""The cells of each column; None for null."""
Compute = Callable[["pd.DataFrame"], "pd.DataFrame"]

CLOCK, ORDER, FEWER, ALONE = "another clock", "another order of rows", "half of the rows", "one row at a time"
_TROUBLE_CHARACTERS = 300
_CLOCKS = tuple(k * datetime.timedelta(days=53, hours=3, minutes=25, seconds=11) for k in range(1, 8))
# Multiples of 53 days: other weekdays, other months, and at least one other year.


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The task of the process."""

    file: str  # the function's source
    function: str
    columns: Mapping[str, str]  # dtype of each column to pass; empty: all columns unchanged
    root: str  # of the project
    readable: tuple[str, ...]  # folders that the function may read, besides Python's
    path: tuple[str, ...] = ()  # folders to import from besides Python's
    alone: int = 20  # this many rows are computed one by one
    apart_at_most: float = 1e-9  # relative tolerance for numbers


@dataclass(frozen=True, kw_only=True)
class Told:
    """The result. `raised` has the errors, by the change that caused each: "" for the first run."""

    cells: Cells = field(default_factory=dict)
    differing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # differing columns, by cause
    raised: Mapping[str, str] = field(default_factory=dict)
    read: tuple[str, ...] = ()  # what it tried to read without permission


def ask(asked: Asked, rows: "pd.DataFrame", *, environment: Mapping[str, str] | None = None) -> Told:
    """Run the task on `rows` in a fresh process. Nothing that `asked` names is changed.

    Args:
        environment: environment variables of the process; default: only those that Python needs.
    """
    with tempfile.TemporaryDirectory(prefix="proveout-purity-") as temporary:
        here = Path(temporary)
        (here / "empty").mkdir()
        given, got = here / "asked.json", here / "told.json"
        rows.to_parquet(here / "rows.parquet", index=False)
        given.write_text(to_json(asked), encoding="utf-8")
        needed = {name: value for name, value in os.environ.items() if name.endswith("LD_LIBRARY_PATH")}
        ran = subprocess.run(
            # -I: no variable, no folder of the user's and no working directory to import from.
            [sys.executable, "-I", "-B", "-m", __name__, str(given), str(got)],
            cwd=here / "empty",
            env={
                **(needed if environment is None else environment),
                **ONE_THREAD,
                "HOME": str(here),
                "TMPDIR": str(here / "empty"),
                "LANG": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if not got.is_file():
            last = ran.stderr.strip().splitlines()[-1:] or [f"it ended with exit code {ran.returncode}"]
            return Told(raised={"": last[0][:_TROUBLE_CHARACTERS]})
        return from_json(Told, got.read_bytes())


def cells(table: "pd.DataFrame") -> Cells:
    """A table as plain values, independent of dtypes: 1 equals 1.0, and all kinds of null are the same.

    >>> import pandas as pd
    >>> cells(pd.DataFrame({"hour": [1.0, None], "tail": ["N1", None]}))
    {'hour': (1.0, None), 'tail': ('N1', None)}
    """
    return {
        str(name): tuple(
            None if gone else _plain(cell)
            for cell, gone in zip(table[name].tolist(), table[name].isna().tolist(), strict=True)
        )
        for name in table
    }


def _plain(cell: Any) -> Scalar:
    if isinstance(cell, bool | int | float) and math.isfinite(cell):
        return cell
    return str(cell)


def differing(one: Cells, other: Cells, *, apart_at_most: float) -> tuple[str, ...]:
    """The columns that only one of two tables has, or that differ in at least one cell.

    >>> differing({"a": (1.0,), "b": (1.0,)}, {"a": (1,), "b": (1.1,)}, apart_at_most=1e-9)
    ('b',)
    """

    def same(a: Scalar, b: Scalar) -> bool:
        if isinstance(a, int | float) and isinstance(b, int | float):
            return math.isclose(a, b, rel_tol=apart_at_most)
        return a == b

    names = dict.fromkeys([*one, *other])
    return tuple(
        name
        for name in names
        if name not in one
        or name not in other
        or len(one[name]) != len(other[name])
        or not all(map(same, one[name], other[name]))
    )


def reads_clock(source: bytes) -> tuple[str, ...]:
    """Calls in a source that get the current time from NumPy or pandas by a word, such as `to_datetime("now")`.

    >>> reads_clock(b'age = np.datetime64("today") - rows["made"]')
    ("datetime64('today')",)
    """
    made = {"datetime64", "Timestamp", "to_datetime", "DatetimeIndex", "Period"}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in made and node.args[0].value in ("now", "today"):
                found.append(f"{name}({node.args[0].value!r})")
    return tuple(found)


# --- in that process --------------------------------------------------------------------------------------------------


def main(given: str, got: str) -> None:
    """Do the task in the file `given`, and write the result to the file `got`."""
    interpreter_exit.without_collection()
    import pandas as pd

    asked = from_json(Asked, Path(given).read_bytes())
    here = Path(given).parent
    rows = pd.read_parquet(here / "rows.parquet")
    sys.path += asked.path
    read: list[str] = []
    _watch(read, root=asked.root, readable=(str(here), *asked.readable))
    told = _told(asked, rows, read)
    Path(got).write_text(to_json(told), encoding="utf-8")


def _told(asked: Asked, rows: "pd.DataFrame", read: list[str]) -> Told:
    expected: Cells = {}
    found: dict[str, tuple[str, ...]] = {}
    raised: dict[str, str] = {}

    def compare(what: str, places: Sequence[int], compute: Compute) -> None:
        got = cells(compute(rows.iloc[list(places)].reset_index(drop=True)))
        wanted = {name: tuple(column[place] for place in places) for name, column in expected.items()}
        new = differing(wanted, got, apart_at_most=asked.apart_at_most)
        found[what] = tuple(dict.fromkeys([*found.get(what, ()), *new]))

    everything = range(len(rows))
    half, alone = len(rows) // 2, min(asked.alone, len(rows))
    try:
        compute = _loaded(asked)
        expected = cells(compute(rows))
    except Exception as error:  # a server would get the same error
        return Told(raised={"": _said(error)}, read=tuple(dict.fromkeys(read)))
    shuffled = sorted(everything, key=lambda place: (place * 7919) % max(len(rows), 1))
    for what, chosen in (
        (ORDER, [everything[::-1], shuffled]),
        (FEWER, [everything[:half], everything[half:]]),
        (ALONE, [[place] for place in range(alone)]),
    ):
        with _noting(raised, what):
            for places in chosen:
                compare(what, places, compute)
    with _noting(raised, CLOCK):
        for shift in _CLOCKS:
            with _clock(shift):
                compare(CLOCK, everything, _loaded(asked))
    return Told(cells=expected, differing=found, raised=raised, read=tuple(dict.fromkeys(read)))


@contextmanager
def _noting(raised: dict[str, str], what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raised[what] = _said(error)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_TROUBLE_CHARACTERS]


def _loaded(asked: Asked) -> Compute:
    """The function, loaded again, so that files read at import are read again."""
    import pandas as pd

    from proveout.data import features, request_columns

    for name, imported in list(sys.modules.items()):
        place = getattr(imported, "__file__", None) or ""
        if any(_inside(place, folder) for folder in asked.path) and is_foreign(Path(place), Path(asked.root)):
            del sys.modules[name]  # modules that it imports from the project are loaded again too
    file = Path(asked.file)
    module = types.ModuleType("proveout_asked")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)  # noqa: S102  # the gate runs it anyway
    function = getattr(module, asked.function)

    def compute(rows: "pd.DataFrame") -> "pd.DataFrame":
        if asked.columns:
            typed = request_columns.typed(rows, asked.columns)
            return features.compute(function, typed, tuple(asked.columns), name=asked.function)
        return pd.DataFrame({asked.function: pd.Series(function(rows)).astype("boolean").to_numpy(dtype=object)})

    return compute


def _watch(read: list[str], *, root: str, readable: Collection[str]) -> None:
    """From now on, only Python's files and `readable` can be opened. Other attempts are added to `read`."""
    import pandas as pd

    own = tuple(os.path.realpath(place) for place in readable)
    pythons = tuple(
        os.path.realpath(place) for place in (*sys.path, *zoneinfo.TZPATH, "/dev", "/proc", "/sys") if place
    )
    project = os.path.realpath(root)
    # An editable install may put the project's folder on Python's path; its data files still do not count as Python's.
    pythons = tuple(place for place in pythons if not _inside(project, place))

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("open", "sqlite3.connect"):
            if not isinstance(args[0], str | bytes) or args[0] == ":memory:":
                return
            path = os.path.realpath(os.fsdecode(args[0]))
            if any(_inside(path, place) for place in (*own, *pythons)):
                return
            read.append(path)
            raise PermissionError(f"{path} is read, and belongs neither to the rows nor to the code")
        if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec"):
            read.append(event)
            raise PermissionError(f"{event}: it belongs neither to the rows nor to the code")

    for name in ("read_parquet", "read_feather", "read_orc"):
        setattr(pd, name, _opened_by_python(getattr(pd, name)))
    sys.addaudithook(hook)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _opened_by_python(reader: Callable[..., Any]) -> Callable[..., Any]:
    # Arrow opens files itself, without an audit event.
    def read(path: Any, *args: Any, **options: Any) -> Any:
        if isinstance(path, str | os.PathLike):
            Path(path).open("rb").close()
        return reader(path, *args, **options)

    return read


@contextmanager
def _clock(shift: datetime.timedelta) -> Iterator[None]:
    """Shift the time that Python code reads."""
    import pandas as pd

    real_date, real_datetime, stamp = datetime.date, datetime.datetime, pd.Timestamp
    real_time, local, greenwich, ctime, strftime = time.time, time.localtime, time.gmtime, time.ctime, time.strftime

    class _Alike(type):
        # Objects made by the real class count as instances too.
        def __instancecheck__(cls, one: object) -> bool:
            return isinstance(one, cls.__mro__[1])

    class _Date(real_date, metaclass=_Alike):  # type: ignore[valid-type,misc]  # the class of a moment ago
        @classmethod
        def today(cls) -> Any:
            return (real_datetime.now() + shift).date()  # like date.today()

    class _Datetime(real_datetime, metaclass=_Alike):  # type: ignore[valid-type,misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real_datetime.now(tz) + shift

        @classmethod
        def today(cls) -> Any:
            return cls.now()

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(datetime.UTC).replace(tzinfo=None)

    def now_s() -> float:
        return real_time() + shift.total_seconds()

    replaced: list[tuple[Any, str, Any]] = [
        (datetime, "date", _Date),
        (datetime, "datetime", _Datetime),
        (time, "time", now_s),
        (time, "time_ns", lambda: int(now_s() * 1e9)),
        (time, "localtime", lambda seconds=None: local(now_s() if seconds is None else seconds)),
        (time, "ctime", lambda seconds=None: ctime(now_s() if seconds is None else seconds)),
        (time, "strftime", lambda text, when=None: strftime(text, local(now_s()) if when is None else when)),
        (time, "gmtime", lambda seconds=None: greenwich(now_s() if seconds is None else seconds)),
        (stamp, "now", classmethod(lambda cls, tz=None: cls(real_datetime.now(datetime.UTC) + shift).tz_convert(tz))),
    ]
    before = [(owner, name, owner.__dict__[name]) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


if __name__ == "__main__":
    main(*sys.argv[1:])
