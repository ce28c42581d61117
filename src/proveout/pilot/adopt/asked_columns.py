"""Which raw columns a request to an adopted model has, and what each may hold, tried out on the model itself.

A column is asked for if the features change with it, or do not work without it. A text that nobody ever saw is often
answered in silence (`get_dummies` makes zeros of it): such a column gets the list of texts that the pilot knew.

Input: a recovered model and its target column. Output: `table_profile.Column` for each other raw column.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from proveout.data import request_columns
from proveout.pilot import table_profile
from proveout.pilot.adopt.recovered_model import OpenModel
from proveout.pilot.table_profile import Column, Kind
from proveout.recovery.tables import equal_rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_ROWS = 500  # held-out rows that columns are tried on
_ALONE = 8  # rows that are asked one by one
_DRAWN = 60  # rows with unusual values in several columns
_MOST_TEXTS = 2_000  # that the schema lists
_FREE_TEXTS = 3  # texts made of two known ones, to see whether words are read
_SHOWN = 6
_EXACT = 2**53  # beyond it a float no longer says which whole number was meant
_NEVER = ("\u00a4 never seen", "nobody \u00a4 saw")


class ColumnRefused(Exception):
    """A column that the model needs and a request cannot carry. The message is a sentence."""


class OutcomeAsked(Exception):
    """The model is given what its outcome is made of. The message is a sentence, with the columns."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trial:
    """The model, and some held-out rows with what they give: without the target, which nobody knows who asks."""

    opened: OpenModel
    rows: "pd.DataFrame"
    inputs: "pd.DataFrame"

    def same(self, rows: "pd.DataFrame") -> bool:
        """Whether these rows, the same ones changed in a column, still give the same inputs."""
        made = self.try_inputs(rows)
        return made is not None and list(made) == list(self.inputs) and bool(equal_rows(made, self.inputs).all())

    def try_inputs(self, rows: "pd.DataFrame") -> "pd.DataFrame | None":
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of values that no row of the pilot has
                return self.opened.inputs(rows)
        except Exception:  # the pilot's own statements may raise anything
            return None

    def answers(self, rows: "pd.DataFrame") -> bool:
        """Whether each of the rows gets an answer."""
        made = self.try_inputs(rows)
        if made is None or len(made) != len(rows):
            return False
        try:
            said = np.asarray(self.opened.model.predict(made))
        except Exception:
            return False
        return len(said) == len(rows) and not bool(np.any(said.ravel() != said.ravel()))

    def some(self) -> "pd.DataFrame":
        """A few of the rows, to be changed in a column."""
        return self.rows.head(_ALONE).reset_index(drop=True)


def read(opened: OpenModel, outcome: Sequence[str]) -> tuple[Column, ...]:
    """Each raw column but those that the outcome is made of, in the order of the raw rows.

    Raises: ColumnRefused; OutcomeAsked if the inputs depend on a column of the outcome.
    """
    rows = opened.raw.drop(columns=list(outcome))
    trial = _trial(opened, rows)
    _check_outcome(trial, outcome)
    names = [str(name) for name in rows]
    needed = {*_needed(trial, names)}
    known = np.concatenate([opened.train_rows, opened.holdout_rows])
    columns = []
    for name in names:
        column = _column(rows[name], rows[name].iloc[known])
        if name not in needed:
            columns.append(replace(column, use="left out", decided="the model's inputs do not depend on it"))
        elif column.use != "feature":
            raise ColumnRefused(f"the model needs the column {name}, and {column.decided} (seen: {column.seen})")
        else:
            columns.append(_tried(trial, column, rows[name].iloc[known]))
    return _tried_together(trial, columns)


def _trial(opened: OpenModel, rows: "pd.DataFrame") -> _Trial:
    some = rows.iloc[_some_of(opened)].reset_index(drop=True)
    return _Trial(opened=opened, rows=some, inputs=opened.inputs(some))


def _some_of(opened: OpenModel) -> "NDArray[np.intp]":
    places = opened.holdout_rows
    chosen: NDArray[np.intp] = places[np.linspace(0, len(places) - 1, min(_ROWS, len(places))).astype(int)]
    return chosen


def _check_outcome(trial: _Trial, outcome: Sequence[str]) -> None:
    """Return if the inputs are the same with the columns of the outcome and without. Raises: OutcomeAsked."""
    known = trial.opened.raw[list(outcome)].iloc[_some_of(trial.opened)].reset_index(drop=True)
    if trial.same(trial.rows.assign(**{name: known[name] for name in outcome})):
        return
    named = [name for name in outcome if not trial.same(trial.rows.assign(**{name: known[name]}))]
    raise OutcomeAsked(
        f"the inputs contain {', '.join(named or outcome)}, of which the outcome is made: nobody knows it who asks"
    )


# --- which are needed -------------------------------------------------------------------------------------------------


def _needed(trial: _Trial, names: Sequence[str]) -> list[str]:
    """The columns that the inputs depend on, or do not work without. Halves are tried first: most tables are wide."""
    if not names or _idle(trial, names):
        return []
    if len(names) == 1:
        return list(names)
    middle = len(names) // 2
    return _needed(trial, names[:middle]) + _needed(trial, names[middle:])


def _idle(trial: _Trial, names: Sequence[str]) -> bool:
    """Whether nothing changes if these columns hold other rows' values, and if they are not there at all."""
    # No row twice: labels that were unique stay so, where the statements join by them.
    others = trial.opened.raw[list(names)].sample(len(trial.rows), random_state=0).reset_index(drop=True)
    changed = trial.rows.assign(**{name: others[name] for name in names})
    gone = trial.rows.drop(columns=list(names))
    return trial.same(changed) and trial.same(gone) and trial.try_inputs(gone.head(1)) is not None


# --- what they hold ---------------------------------------------------------------------------------------------------


def _column(whole: "pd.Series[Any]", known: "pd.Series[Any]") -> Column:
    """A column by its recorded type. `known` are its values in rows of either side of the split."""

    name, values, nulls = str(whole.name), whole.dropna(), int(known.isna().sum())
    tail = f"; null in {100 * whole.isna().mean():.2g} %" if len(values) < len(whole) else ""
    if values.empty:
        return Column(name=name, kind="category", use="left out", seen="null in every row", decided="it is always null")
    made = replace(_of_type(values, known.dropna(), name=name), nulls=nulls)
    return replace(made, seen=made.seen + tail, use="left out" if made.decided else "feature")


def _of_type(values: "pd.Series[Any]", known: "pd.Series[Any]", *, name: str) -> Column:
    """A column without its nulls. What is decided of it is why a request cannot carry it."""

    if values.dtype.kind == "b" or (values.dtype == object and all(isinstance(one, bool) for one in values)):
        return Column(name=name, kind="flag", use="feature", seen=f"true in {100 * values.astype(bool).mean():.3g} %")
    if values.dtype.kind in "iuf":
        return _numbers(values, name=name)
    if values.dtype.kind == "M":
        zoned = getattr(values.dtype, "tz", None) is not None
        return Column(
            name=name, kind="moment", use="feature", seen=f"{values.min().date()} to {values.max().date()}",
            first=values.min().isoformat(), last=values.max().isoformat(), zoned=zoned, has_hours=True,
        )  # fmt: skip
    if all(isinstance(value, str) for value in values):
        counted = known.value_counts()
        shown = ", ".join(map(str, counted.index[:_SHOWN])) + (", …" if len(counted) > _SHOWN else "")
        return Column(
            name=name, kind="category", use="feature", seen=f"{len(counted):,} texts: {_short(shown)}",
            kinds=tuple(map(str, counted.index)), longest=max(map(len, values)),
        )  # fmt: skip
    seen = f"values such as {values.iloc[0]!r}, of type {values.dtype}"
    return Column(name=name, kind="code", use="feature", seen=seen, decided="a request cannot carry this type")


def _numbers(values: "pd.Series[Any]", *, name: str) -> Column:
    numbers = values.astype("float64")
    low, high = float(numbers.min()), float(numbers.max())
    kind: Kind = "whole" if values.dtype.kind in "iu" else "number"
    unfit = not np.isfinite([low, high]).all() or (kind == "whole" and max(abs(low), abs(high)) >= _EXACT)
    return Column(
        name=name, kind=kind, use="feature", seen=f"{low:.6g} to {high:.6g}", low=low, high=high,
        decided="JSON cannot carry such numbers" if unfit else "",
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"


# --- tried out --------------------------------------------------------------------------------------------------------


def _tried(trial: _Trial, column: Column, known: "pd.Series[Any]") -> Column:
    """The column with what the model says of a null and of a text that it never saw."""
    if column.nulls and not _takes_null(trial, column, known):
        column = replace(column, nulls=0, decided="null in some rows of the pilot, but the model has no answer then")
    if column.low is not None and column.high is not None and not _takes_bounds(trial, column):
        # A zero that it divides by: what the pilot never saw is not let in.
        return replace(column, limits=(column.low, column.high))
    if column.kind != "category":
        return column
    column = _answered(trial, column)
    reads = _reads_words(trial, column)
    form = _form(trial, column) if reads or len(column.kinds) > _MOST_TEXTS else None
    if len(column.kinds) > _MOST_TEXTS or form is not None:
        return _prose(column, form)
    reads = None if reads else reads  # it reads words, and a text of another form has no answer
    unseen = "has no answer" if reads is None else "would be answered in silence, as none of these"
    said = [one for one in (column.decided, f"a text never seen {unseen}") if one]
    return replace(column, decided="; ".join(said))


def _answered(trial: _Trial, column: Column) -> Column:
    """The column without the texts that have no answer: of rows that the notebook mended by hand, as a slipped cell."""
    none = set() if len(column.kinds) > _MOST_TEXTS else {*_unanswered(trial, column.name, column.kinds)}
    if not none or len(none) == len(column.kinds):
        return column
    said = f"the model has no answer to {_short(', '.join(map(repr, sorted(none))))}, seen in rows of the pilot"
    return replace(column, kinds=tuple(one for one in column.kinds if one not in none), decided=said)


def _unanswered(trial: _Trial, name: str, texts: Sequence[str]) -> list[str]:
    """Those of the texts that have no answer in a row that has one otherwise. Halves are tried first."""
    rows = trial.rows.head(1).loc[[0] * len(texts)].reset_index(drop=True).assign(**{name: list(texts)})
    if not texts or trial.answers(rows):
        return []
    if len(texts) == 1:
        return list(texts)
    middle = len(texts) // 2
    return _unanswered(trial, name, texts[:middle]) + _unanswered(trial, name, texts[middle:])


def _takes_null(trial: _Trial, column: Column, known: "pd.Series[Any]") -> bool:
    """Whether rows get an answer with a null here: together, and one alone, whose column then holds nothing else."""
    import pandas as pd

    null, rows = known[known.isna()].iloc[:1], trial.some()
    rows[column.name] = pd.Series(null.to_numpy().repeat(len(rows)), dtype=rows[column.name].dtype)
    return trial.answers(rows) and trial.answers(rows.head(1))


def _takes_bounds(trial: _Trial, column: Column) -> bool:
    """Whether rows get an answer with the least and the greatest number that a request may have."""
    for bound in table_profile.bounds(column):
        rows = trial.some().assign(**{column.name: int(bound) if column.kind == "whole" else float(bound)})
        if not trial.answers(rows):
            return False
    return True


def _tried_together(trial: _Trial, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns, narrowed until rows with several unusual values have answers, as the logarithm of a difference."""
    found = {one.name: one for one in columns}
    for _ in columns:
        drawn, flipped = _drawn(trial, list(found.values()))
        place = _without_answer(trial, drawn)
        if place is None:
            break
        row, usual = drawn.iloc[[place]].reset_index(drop=True), trial.rows.head(1)
        changed = [name for name, places in flipped.items() if places[place]]
        cures = [name for name in changed if trial.answers(row.assign(**{name: usual[name]}))]
        if not changed:
            break
        for name in cures[:1] or changed:
            found[name] = _narrowed(found[name], is_null=bool(row[name].isna().all()))
    return tuple(found.values())


def _drawn(trial: _Trial, columns: Sequence[Column]) -> "tuple[pd.DataFrame, dict[str, NDArray[np.bool_]]]":
    """Rows with unusual values, several in one; and for each column which rows have one."""
    rng = np.random.default_rng(0)
    rows = trial.rows.sample(_DRAWN, replace=True, random_state=0).reset_index(drop=True)
    flipped = {}
    for column in columns:
        unusual: list[Any] = [None] if column.nullable else []
        if column.low is not None and column.high is not None:
            unusual += [int(end) if column.kind == "whole" else float(end) for end in table_profile.bounds(column)]
        if column.use != "feature" or not unusual:
            continue
        flags = rng.random(_DRAWN) < 0.4
        chosen = rng.integers(0, len(unusual), _DRAWN)
        values = rows[column.name].astype(object)
        values[flags] = [unusual[one] for one in chosen[flags]]
        rows[column.name] = values.astype(trial.rows[column.name].dtype)
        flipped[column.name] = flags
    return rows, flipped


def _without_answer(trial: _Trial, rows: "pd.DataFrame") -> int | None:
    """The place of one row that has no answer; None if all have one."""
    first, last = 0, len(rows)
    if trial.answers(rows):
        return None
    while last - first > 1:
        middle = (first + last) // 2
        if trial.answers(rows.iloc[first:middle].reset_index(drop=True)):
            first = middle
        else:
            last = middle
    return None if trial.answers(rows.iloc[[first]].reset_index(drop=True)) else first


def _narrowed(column: Column, *, is_null: bool) -> Column:
    """The column without nulls, or with no other numbers than those seen."""
    if is_null:
        said = "null in some rows of the pilot, but the model has no answer then if others are unusual"
        return replace(column, nulls=0, decided="; ".join(one for one in (column.decided, said) if one))
    assert column.low is not None and column.high is not None
    return replace(column, limits=(column.low, column.high))


def _reads_words(trial: _Trial, column: Column) -> bool | None:
    """Whether the model reads what stands in a text: then two known texts in one are not like a text never seen.

    None if a text never seen has no answer; False if all of them are the same to the model.
    """
    row = trial.rows.iloc[[0]].reset_index(drop=True)
    unseen = [row.assign(**{column.name: text}) for text in _NEVER]
    if not all(map(trial.answers, unseen)):
        return None if not _reads_known(trial, column, row) else True
    first, second = (trial.try_inputs(one) for one in unseen)
    assert first is not None and second is not None
    if not equal_rows(first, second).all():
        return True
    made = [trial.try_inputs(one) for one in _in_one(row, column)]
    return any(one is not None and not equal_rows(one, first).all() for one in made)


@dataclass(frozen=True)
class _Form:
    """What each text that has an answer holds somewhere: in words, and as a pattern, "" for nothing."""

    holds: str
    words: str


_FORMS = (_Form("", ""), _Form(r"\S", "only blanks"), _Form(r"[^\W\d_]", "no letter"))
_OF_FORM = (("", " ", "\n"), ("1", "!", "\u00a4"), ("a", "\u00e9", *_NEVER))  # of each, what the next one has not


def _form(trial: _Trial, column: Column) -> _Form | None:
    """The form of texts that each get an answer, whatever is in them: any, else such with letters or signs.

    None if even words that nobody wrote have none.
    """
    row = trial.rows.iloc[[0]].reset_index(drop=True)
    found: _Form | None = None
    for form, texts in zip(reversed(_FORMS), reversed(_OF_FORM), strict=True):
        if not all(trial.answers(row.assign(**{column.name: text})) for text in texts):
            break
        found = form
    return found


def _prose(column: Column, form: _Form | None) -> Column:
    made = replace(column, kind="prose", kinds=())
    if form is None or not form.holds:
        return made
    said = [one for one in (column.decided, f"a text with {form.words} has no answer") if one]
    return replace(made, holds=form.holds, decided="; ".join(said))


def _reads_known(trial: _Trial, column: Column, row: "pd.DataFrame") -> bool:
    """Whether a text made of two known ones has an answer."""
    return any(map(trial.answers, _in_one(row, column)))


def _in_one(row: "pd.DataFrame", column: Column) -> Iterator["pd.DataFrame"]:
    kinds = column.kinds
    for place in range(min(_FREE_TEXTS, len(kinds) // 2)):
        yield row.assign(**{column.name: f"{kinds[2 * place]} {kinds[2 * place + 1]}"})


# --- as a request carries them ----------------------------------------------------------------------------------------


def check_requests(opened: OpenModel, dtypes: "dict[str, str]") -> None:
    """Return if held-out rows give the same inputs when they come as requests. Raises: ColumnRefused.

    Args:
        dtypes: the type of each request column, as the request schema has it.
    """
    places = opened.holdout_rows[:_ROWS]
    rows = opened.raw.iloc[places][list(dtypes)].reset_index(drop=True)
    wanted = opened.inputs(rows)
    records = json.loads(json.dumps(request_columns.plain_records(rows)))
    made = request_columns.table(request_columns.arrays_of_records(records, dtypes), dtypes)
    got = opened.inputs(made)
    apart: list[str] = [] if list(got) == list(wanted) else ["their columns"]
    if not apart:
        apart = [str(name) for name in wanted if not _same_column(got[name], wanted[name])]
    if apart:
        shown = ", ".join(apart[:_SHOWN])
        raise ColumnRefused(f"rows that come as requests give the model other inputs than the pilot did: {shown}")
    for place in range(min(_ALONE, len(rows))):
        alone = opened.inputs(made.iloc[[place]])
        if not equal_rows(alone, wanted.iloc[[place]]).all():
            raise ColumnRefused("a request by itself gives the model other inputs than among other rows")


def _same_column(got: "pd.Series[Any]", wanted: "pd.Series[Any]") -> bool:
    flags: NDArray[np.bool_] = equal_rows(got.to_frame(), wanted.to_frame())
    return bool(flags.all())
