"""The strict loader of edge cases from YAML: a misspelled, duplicate or incomplete case is an error, because otherwise
nobody would notice that it tests nothing.

Input: a file, or its text. Output: `Case` records. The guard checks every record in them, like the rows of a batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proveout import strict_yaml
from proveout.data import guard, request_columns
from proveout.edge_cases import task_fit
from proveout.edge_cases.case import Case, Expectation, Retired, change_text
from proveout.errors import ConfigError, DataRefused
from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.task.task import Task

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "Correct it there. The format is at the top of proveout/edge_cases/__init__.py"

C = TypeVar("C", bound=Case)


def load(file: Path, schema: Any, *, task: Task | None = None) -> tuple[Case, ...]:
    """The cases in `file`, in order.

    Args:
        task: the project's task, which the expectations must fit.
        schema: the pandera DataFrameModel of a request. Every record must be valid, including the changed ones.
    Raises: ConfigError naming the case, for unknown or missing keys, an empty expectation, a duplicate id or record, a
        reference to an unknown id, or a record that the schema refuses.
    """
    if not file.is_file():
        raise ConfigError(str(file), "is not there", "Write it, or correct `edge_cases` in [tool.proveout]")
    found = strict_yaml.entries(file, what="cases", remedy=REMEDY, may_be_empty=True)  # a new project has no cases yet
    known = _whole(_cases(Case, found, str(file)), str(file), schema)
    if task is not None:
        for case in known:
            task_fit.check(case, task)
    return known


def offered(file: Path) -> tuple[Case, ...]:
    """The cases in a file that are to be added to others, each checked by itself. Raises: ConfigError, as `load`."""
    return _cases(Case, strict_yaml.entries(file, what="cases", remedy=REMEDY), str(file))


def parse(text: str, name: str, schema: Any) -> tuple[Case, ...]:
    """The cases in the text of a file called `name`. Raises: as `load`."""
    found = strict_yaml.parse(text, where=name, what="cases", remedy=REMEDY)
    return _whole(_cases(Case, found, name), name, schema)


def retired(file: Path) -> tuple[Retired, ...]:
    """The retired cases in `file`; none if there is no such file. Their records may fit only an older schema.

    Raises: ConfigError for a case without who retired it, when and why.
    """
    found = strict_yaml.entries(file, what="retired cases", remedy=REMEDY) if file.is_file() else []
    return _cases(Retired, found, str(file))


def parse_retired(text: str, name: str) -> tuple[Retired, ...]:
    """The retired cases in the text of a file called `name`. Raises: as `retired`."""
    return _cases(Retired, strict_yaml.parse(text, where=name, what="retired cases", remedy=REMEDY), name)


def frame(records: "Iterable[Case | Mapping[str, Scalar]]", *, columns: Sequence[str]) -> "pd.DataFrame":
    """The records, or the records of cases, as a table of the request `columns`, shape (records, columns)."""
    return request_columns.untyped([one.record if isinstance(one, Case) else one for one in records], columns)


def _cases(kind: type[C], entries: Sequence[Any], file: str) -> tuple[C, ...]:
    cases: list[C] = []
    for place, entry in enumerate(entries, start=1):
        name = str(entry.get("id", f"case {place}")) if isinstance(entry, dict) else f"case {place}"
        case = strict_yaml.record(kind, entry, where=f"{file}, {name}", remedy=REMEDY)
        if case.expect == Expectation():
            raise ConfigError(f"{file}, {name}", "expects nothing, so it cannot fail", REMEDY)
        if case.id in {one.id for one in cases}:
            raise ConfigError(file, f"the id {case.id} is there twice", REMEDY)
        cases.append(case)
    return tuple(cases)


def _whole(cases: tuple[Case, ...], file: str, schema: Any) -> tuple[Case, ...]:
    """Check that `cases` are consistent with each other and valid as requests. Returns them."""
    ids = {case.id for case in cases}
    for case in cases:
        for other in case.expect.others:
            if other not in ids or other == case.id:
                raise ConfigError(file, f"{case.id} is compared with {other}, which is no other case", REMEDY)
    _refuse_unknown_fields(file, cases, tuple(schema.to_schema().columns))
    _refuse_idle(file, cases)
    if cases:
        _refuse_invalid(file, cases, schema)
    return cases


def _refuse_unknown_fields(file: str, cases: Sequence[Case], columns: Sequence[str]) -> None:
    for case in cases:
        different = sorted({*case.record} ^ {*columns})
        if different:
            problem = f"its record and the request schema differ in {', '.join(different)}"
            raise ConfigError(f"{file}, {case.id}", problem, REMEDY)
        unknown = sorted({field for change in case.expect.changes() for field in change} - {*columns})
        if unknown:
            problem = f"it changes {', '.join(unknown)}, which a request does not have"
            raise ConfigError(f"{file}, {case.id}", problem, REMEDY)


def _refuse_idle(file: str, cases: Sequence[Case]) -> None:
    """Refuse a change that does not change the record: the model always gives the same answer to the same record."""
    for case in cases:
        for change in case.expect.same_under:
            if all(case.record[field] == value for field, value in change.items()):
                raise ConfigError(f"{file}, {case.id}", f"same_under {change_text(change)} changes nothing", REMEDY)


def _refuse_invalid(file: str, cases: Sequence[Case], schema: Any) -> None:
    asked = [(case.id, name, record) for case in cases for name, record in case.asked().items()]
    valid = _valid(file, asked, schema)
    for column, dtype in zip(map(str, valid.columns), valid.dtypes, strict=True):
        for _, name, record in asked:
            # A coercing schema accepts "905" for 905 and 905 for "905". In a file written by hand it is a mistake.
            if problem := _slip(record[column], dtype.kind):
                raise ConfigError(f"{file}, {name}", f"{column} = {record[column]!r} is no {problem}", REMEDY)
    own = [place for place, (case, name, _) in enumerate(asked) if case == name]
    twins = [asked[place][0] for place in own if valid.iloc[own].duplicated(keep=False).loc[valid.index[place]]]
    if twins:
        raise ConfigError(file, f"{' and '.join(twins)} have the same record", REMEDY)


def _valid(file: str, asked: Sequence[tuple[str, str, Mapping[str, Scalar]]], schema: Any) -> "pd.DataFrame":
    """The records as accepted by the guard, one row each, in order. Raises: ConfigError for one that it refuses."""
    try:
        guarded = guard.check(_typed([record for _, _, record in asked], schema), schema, name=file)
    except DataRefused as error:
        raise ConfigError(f"{file}, one of the cases", f"the request schema says {error.problem}", REMEDY) from error
    if guarded.places:
        _, name, record = asked[guarded.places[0]]
        column, _, check = guarded.refused[guard.REASON].iloc[0].partition("; ")[0].partition(" ")
        what = f"{column} = {record[column]!r} is" if column in record else "its record is"
        why = check if column in record else f"{column} {check}".strip()
        raise ConfigError(f"{file}, {name}", f"{what} refused by the request schema ({why})", REMEDY)
    return guarded.accepted


def _typed(records: Sequence[Mapping[str, Scalar]], schema: Any) -> "pd.DataFrame":
    """The records as a server passes them on: each column has the schema's type if its values fit. Types that pandas
    infers would differ, for example for a column of integers or nulls.
    """
    import pandas as pd

    columns = schema.to_schema().columns
    table = frame(records, columns=tuple(columns))
    for name, column in columns.items():
        dtype = getattr(column.dtype, "type", None)
        if coercion.has_rule(dtype):
            values = pd.Series([one[str(name)] for one in records], dtype=object)
            held, unheld = coercion.column(values, dtype, strictly=True)
            table = table if unheld.any() else table.assign(**{str(name): held})
    return table


def _slip(value: Scalar, kind: str) -> str:
    """What the value should have been, for a column with a dtype of this kind; empty if it is right."""
    if value is None:
        return ""
    if kind in "iuf":
        return "number" if isinstance(value, str | bool) else ""
    if kind == "b":
        return "" if isinstance(value, bool) else "true or false"
    return "" if isinstance(value, str) else "text: put it in quotes"
