"""The guard: validates a batch. Refused rows go to quarantine with the reason. They are never used and never lost.

Input: raw rows and a pandera schema. Output: accepted rows, refused rows with a `refused_by` column, and how many rows
each check refused. Only importer of pandera.

A cell that its column's type cannot hold unchanged (`coercion`) is found before pandera runs. Otherwise one such cell
would make every check of its column raise, and the whole batch would be refused for one row.
"""

import copy
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.errors import DataRefused
from proveout.records.snapshot import Refusal
from proveout.schema import coercion

if TYPE_CHECKING:
    import pandas as pd

REASON = "refused_by"
_LONGEST_CHECK = 60  # pandera puts the whole reference set into the name of an `isin` check
_MOST_ROUNDS = 8  # of removing refused rows: a check that compares rows can refuse new ones each time
_MOST_CALLS = 2_000  # of a check that raises, to find its rows

Reasons = dict[int, list[str]]
"""The checks that each bad row failed, by row number."""


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A validated batch. `refused` has all columns of the batch and `refused_by`, the checks in words."""

    accepted: "pd.DataFrame"
    refused: "pd.DataFrame"
    refusals: tuple[Refusal, ...]
    left_out: tuple[Refusal, ...] = ()  # rows that the source left out, by reason
    places: tuple[int, ...] = ()  # positions of the refused rows in the batch, from 0

    @property
    def refused_share(self) -> float:
        """Share of the rows that were refused, 0 to 1."""
        rows = len(self.accepted) + len(self.refused)
        return len(self.refused) / rows if rows else 0.0


def check(frame: "pd.DataFrame", schema: Any, *, name: str) -> Guarded:
    """Validate the rows of `frame` with `schema`, a pandera DataFrameModel or DataFrameSchema. All of them may be bad.

    Accepted rows have the schema's types and column order. Raises: DataRefused for faults that are not in single rows:
    a missing or unknown column, two columns of one name, no rows.
    """
    if frame.empty:
        raise DataRefused(name, "it has no rows", "none")
    _refuse_names(frame, name)
    schema = _lossless(schema.to_schema() if hasattr(schema, "to_schema") else schema)
    frame = frame.reset_index(drop=True)  # so that the index of a failure is a row number
    good, reasons = _typed(frame, schema)
    good, more = _parted(good, schema, name)
    for row, found in more.items():
        reasons.setdefault(row, []).extend(found)
    bad = sorted(reasons)
    refused = _as_delivered(frame.loc[bad]).assign(**{REASON: ["; ".join(reasons[row]) for row in bad]})
    counted = Counter(reason for found in reasons.values() for reason in found)
    return Guarded(
        accepted=good.reset_index(drop=True),
        refused=refused.reset_index(drop=True),
        refusals=tuple(Refusal(check=reason, rows=rows) for reason, rows in counted.most_common()),
        places=tuple(bad),
    )


def _refuse_names(frame: "pd.DataFrame", name: str) -> None:
    twice = sorted({str(column) for column in frame.columns[frame.columns.duplicated()]})
    not_text = [repr(column) for column in frame.columns if not isinstance(column, str)]
    if twice:
        raise DataRefused(name, f"it has more than one column called {', '.join(twice)}", "none")
    if not_text:
        raise DataRefused(name, f"the column names {', '.join(not_text[:5])} are not text", "none")


def _lossless(schema: Any) -> Any:
    """The schema without pandera's option to drop invalid rows, which would lose them silently."""
    parts = [schema, *schema.columns.values()]
    if not any(getattr(part, "drop_invalid_rows", False) for part in parts):
        return schema
    schema = copy.deepcopy(schema)
    for part in [schema, *schema.columns.values()]:
        part.drop_invalid_rows = False
    return schema


# --- types ------------------------------------------------------------------------------------------------------------


def _typed(frame: "pd.DataFrame", schema: Any) -> "tuple[pd.DataFrame, Reasons]":
    """The rows whose cells fit the schema's types, converted; and the reason for each other row."""
    reasons: Reasons = {}
    typed = frame.copy(deep=False)
    for column, name in _columns(frame, schema):
        coerces = bool(schema.coerce or column.coerce)
        dtype = schema.dtype if coerces and schema.dtype is not None else column.dtype
        if dtype is None or column.parsers or schema.parsers:  # a parser changes values first
            continue
        # In a column of objects, each value must have the right type if the schema does not coerce.
        if not coerces and frame[name].dtype != object:
            continue
        typed[name], unheld = _held(frame[name], dtype, coerces=coerces)
        if column.default is not None:
            unheld &= frame[name].notna()  # pandera replaces these by the default
        if not coerces and unheld.all():
            typed[name] = frame[name]
            continue
        word = "coerce_dtype" if coerces else "dtype"
        for row in frame.index[unheld]:
            reasons.setdefault(int(row), []).append(f"{name} {word}('{dtype}')")
    if not reasons:
        return typed, reasons
    good = typed.drop(index=list(reasons))
    # A column that was of objects only because of a removed cell now gets the schema's type.
    return good.assign(**{name: _retyped(good[name], column.dtype) for column, name in _columns(good, schema)}), reasons


def _columns(frame: "pd.DataFrame", schema: Any) -> Iterator[tuple[Any, str]]:
    """Each schema column with a matching column of the frame; a name pattern can match several."""
    for name, column in schema.columns.items():
        if column.regex:
            yield from ((column, found) for found in frame.columns if re.match(name, found))
        elif name in frame.columns:
            yield column, name


def _held(values: "pd.Series[Any]", dtype: Any, *, coerces: bool) -> "tuple[pd.Series[Any], pd.Series[bool]]":
    wanted = getattr(dtype, "type", None)
    if coercion.has_rule(wanted):
        return coercion.column(values, wanted, strictly=not coerces)
    return values, coercion.altered_by(values, dtype.coerce) if coerces else values.isna() & False


def _retyped(values: "pd.Series[Any]", dtype: Any) -> "pd.Series[Any]":
    wanted = getattr(dtype, "type", None)
    return coercion.column(values, wanted)[0] if values.dtype == object and coercion.has_rule(wanted) else values


def _as_delivered(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Refused rows in a form that a file can store: columns with values of several types as text."""
    return rows.assign(**{name: _as_text(rows[name]) for name in rows.columns if not _is_kept(rows[name])})


def _is_kept(values: "pd.Series[Any]") -> bool:
    """Whether a file can store such a column: numbers, flags, times, and encodable text."""
    import pandas as pd

    if values.dtype == object:
        return pd.api.types.infer_dtype(values) in ("empty", "boolean")
    if isinstance(values.dtype, pd.SparseDtype):
        return False
    return values.dtype.kind in "biufMm" or isinstance(values.dtype, pd.StringDtype | pd.CategoricalDtype)


def _as_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    def text(value: Any) -> str:
        return str(value).encode(errors="backslashreplace").decode()

    return values.astype(object).map(text, na_action="ignore")


# --- checks -----------------------------------------------------------------------------------------------------------


def _parted(rows: "pd.DataFrame", schema: Any, name: str) -> "tuple[pd.DataFrame, Reasons]":
    """The rows that the schema accepts, and the reasons for each other row."""
    import pandera.errors

    reasons: Reasons = {}
    # The remaining rows are validated again, because a check may give another result for them.
    for _ in range(_MOST_ROUNDS):
        if rows.empty:
            return rows, reasons
        try:
            return schema.validate(rows, lazy=True), reasons
        except pandera.errors.SchemaErrors as errors:
            found = _blamed(errors, rows, name)
        reasons |= found
        rows = rows.drop(index=list(found))
    words = sorted({reason for found in reasons.values() for reason in found})
    raise DataRefused(name, f"whenever rows are removed, others fail: {'; '.join(words[:3])}", "none")


def _blamed(errors: Any, rows: "pd.DataFrame", name: str) -> Reasons:
    """The failed checks of each bad row. Raises: DataRefused for a fault that is not in single rows."""
    reasons: Reasons = {}
    problems: list[str] = []
    for error in errors.schema_errors:
        column = str(error.schema.name) if type(error.schema).__name__ == "Column" else None
        bad = _rows(error, rows, column)
        words = _words(error.check, column)
        if not bad:
            problems.append(f"{words}: {_told(error)}")
        for row in bad:
            found = reasons.setdefault(row, [])
            if words not in found:
                found.append(words)
    if problems:
        raise DataRefused(name, "; ".join(sorted(set(problems))), "none")
    return reasons


def _rows(error: Any, rows: "pd.DataFrame", column: str | None) -> list[int]:
    """The rows that a pandera error is about; none if it is about the whole table."""
    from pandera.errors import SchemaErrorReason

    data = rows if column is None or column not in rows else rows[column]
    if error.reason_code is SchemaErrorReason.CHECK_ERROR:
        return [int(row) for row in _raising(error.check, data, [_MOST_CALLS])]
    if error.reason_code in (SchemaErrorReason.DUPLICATES, SchemaErrorReason.SERIES_CONTAINS_DUPLICATES):
        return _repeated(rows, error.schema, column)
    said, cases = error.check_output, error.failure_cases
    if hasattr(said, "index"):
        # A grouped check reports groups: their labels are not rows, even if they are numbers.
        of_rows = said.index.equals(rows.index) or said.index.equals(data.dropna().index)
        return _labels(~(said.all(axis=1) if said.ndim > 1 else said).astype(bool)) if of_rows else []
    listed = cases["index"].dropna() if hasattr(cases, "columns") and "index" in cases else ()
    return [int(row) for row in listed if row in rows.index]


def _repeated(rows: "pd.DataFrame", schema: Any, column: str | None) -> list[int]:
    """The rows that share a key with another one. pandera's own list misses keys with a null."""
    keep: Any = {"exclude_first": "first", "exclude_last": "last"}.get(schema.report_duplicates, False)
    if column is not None:
        return _labels(rows[column].duplicated(keep=keep))
    sets = [schema.unique] if isinstance(schema.unique[0], str) else schema.unique
    found = [_labels(rows.duplicated(subset=[name for name in names if name in rows], keep=keep)) for names in sets]
    return sorted({row for some in found for row in some})


def _labels(flags: "pd.Series[bool]") -> list[int]:
    return [int(row) for row in flags.index[flags]]


def _raising(check: Any, data: Any, calls: list[int]) -> list[Any]:
    """The rows that `check` raises on individually. None if it raises only on several together, or on too many."""
    calls[0] -= 1
    if calls[0] < 0:
        return []
    try:
        check(data)
        return []
    except Exception:  # a project's own check may raise anything
        if len(data) == 1:
            return list(data.index)
    middle = len(data) // 2
    found = _raising(check, data.iloc[:middle], calls) + _raising(check, data.iloc[middle:], calls)
    return found if calls[0] >= 0 else []


def _words(check: Any, column: str | None) -> str:
    check_name = check if isinstance(check, str) else str(check.error if check.error is not None else check.name)
    if len(check_name) > _LONGEST_CHECK:
        check_name = check_name.partition("(")[0]
    return check_name if column is None else f"{column} {check_name}"


def _told(error: Any) -> str:
    """pandera's message for a fault that is not in single rows, in one line."""
    cases = error.failure_cases
    values = cases["failure_case"].tolist() if hasattr(cases, "columns") and "failure_case" in cases else [cases]
    return ", ".join(sorted({str(value).partition("\n")[0] for value in values}))[:300]
