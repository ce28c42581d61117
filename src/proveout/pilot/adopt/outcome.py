"""How the outcome that a pilot's model learned is made of a raw column: equal, by names, by values, by a formula.

Input: the raw column and the truth of the held-out rows, as the pilot had it. Output: `Outcome`: the text of
flows/target.py, the names of the classes as a caller reads them, and the unit of the answer in words.
"""

import keyword
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from proveout.pilot import source_text, table_target
from proveout.records.adopted_notebook import RenamedClass
from proveout.records.answer import TaskName
from proveout.records.values import TargetValue
from proveout.task.plain_values import class_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal["equal", "one to one", "determined", "formula", "made"]

_MOST_LISTED = 60  # raw values that a function lists one by one
_NEARLY = 0.8  # share of equal numbers: rows that look alike are told apart by nothing
_ALIKE = 1e-6
_AS_NUMBERS = '.astype("float64")'


class OutcomeUnknown(Exception):
    """No function of the raw column gives the outcome that the model learned. The message says why, as a clause."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is predicted. `function` is the text of flows/target.py, empty where the raw column is the outcome itself.

    `classes` are those of a multi-class task as a caller reads them, in the order of the model's scores. `event` says
    in words which raw values mean true. `renamed` is empty where the classes of the model keep their names. `unit` is
    a sentence, empty where an answer is in the unit of the raw column. Of an outcome that the pilot's own statements
    make, `made_of` are the raw columns, `column` says them in words, and `files` are what the function reads beside
    itself, in `folder`.
    """

    column: str
    name: str
    task: TaskName
    kind: Kind
    function: str = ""
    classes: tuple[TargetValue, ...] = ()
    event: str = ""
    renamed: tuple[RenamedClass, ...] = ()
    unit: str = ""
    made_of: tuple[str, ...] = ()
    folder: Path = Path()
    files: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that the outcome is made of: nobody is asked for one of them."""
        return self.made_of or (self.column,)

    @property
    def threshold(self) -> float:
        """From which probability of true on the answer is true: a tie goes to the model's first class, as in `predict`.

        Half of the trees of a forest say yes more often than one would think.
        """
        is_first = bool(self.renamed) and self.renamed[0].now is True
        return 0.5 if is_first else math.nextafter(0.5, 1)

    def called(self, name: str) -> "Outcome":
        """The same outcome under another name. Raises: OutcomeUnknown if no function can have that name."""
        if name == self.name:
            return self
        if not name.isidentifier() or keyword.iskeyword(name):
            raise OutcomeUnknown(f"{name!r} is no name that a function can have")
        if re.search(rf"^(def|class) {name}\b|^(from|import) .*\b{name}$", self.function, re.MULTILINE):
            raise OutcomeUnknown(f"{name!r} is a name that the pilot's own statements have")
        function = self.function or _function(
            name, f"The column {self.column}.", f"    return rows[{source_text.text(self.column)}]"
        )
        return replace(self, name=name, function=function.replace(f"def {self.name}(", f"def {name}(", 1))


def read(
    values: "pd.Series[Any]",
    truth: Sequence[Any],
    rows: Sequence[int],
    *,
    task: TaskName,
    learned: Sequence[Any] = (),
    answers: Sequence[Any] = (),
    taken: Collection[str] = (),
    can_rename: bool = True,
) -> Outcome:
    """How the outcome is made of the raw column `values`.

    Args:
        truth: what the pilot held the held-out rows to be.
        rows: the place of each of them in `values`.
        learned: the classes of the model, in the order of its scores.
        answers: of the model for these rows; only a regression looks at them.
        taken: names that the outcome may not have.
        can_rename: whether the classes of the model can get other names.
    Raises: OutcomeUnknown.
    """
    here = values.iloc[list(rows)].reset_index(drop=True)
    if task == "regression":
        return _number(values, here, truth, answers, taken=taken)
    pairs = _pairs(here, truth)
    plain = [plain_class(one) for one in learned]
    if task == "binary":
        return _event(values, pairs, plain, truth, taken=taken)
    return _classes(values, pairs, plain, taken=taken, can_rename=can_rename)


def plain_class(value: Any) -> Any:
    """A class as a plain value; what is no class as it is."""
    plain = value.item() if hasattr(value, "item") else value
    found = class_of(plain)
    return plain if found is None else found


def _is_null(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value))


def _pairs(here: "pd.Series[Any]", truth: Sequence[Any]) -> dict[Any, Any]:
    """The truth of each raw value. Raises: OutcomeUnknown if one raw value has two."""
    found: dict[Any, Any] = {}
    for value, known in zip(here.tolist(), map(plain_class, truth), strict=True):
        if _is_null(value):
            continue
        if found.setdefault(plain_class(value), known) != known:
            raise OutcomeUnknown(
                f"{here.name} is {value!r} in rows of two outcomes, {found[plain_class(value)]!r} and {known!r}"
            )
    return found


# --- yes or no --------------------------------------------------------------------------------------------------------


def _event(
    values: "pd.Series[Any]",
    pairs: Mapping[Any, Any],
    learned: Sequence[Any],
    truth: Sequence[Any],
    *,
    taken: Collection[str],
) -> Outcome:
    column = str(values.name)
    if len(learned) != 2:
        raise OutcomeUnknown(f"the model has {len(learned)} classes, and the task is yes or no")
    event = event_class(learned, truth, column)
    renamed = () if tells(learned) else tuple(RenamedClass(was=one, now=one == event) for one in learned)
    yes = [value for value, known in pairs.items() if known == event]
    no = [value for value, known in pairs.items() if known != event]
    if not yes:
        raise OutcomeUnknown(f"no held-out row is {event!r}")
    itself = {*yes} <= {1} and {*no} <= {0} and not any(isinstance(one, str) for one in (*yes, *no))
    name = table_target.answer_name(column, taken=taken, is_function=False)
    if itself and name == column:
        return Outcome(column=column, name=name, task="binary", kind="equal", renamed=renamed, event="it is 1")
    words, test = _test(values, yes, no)
    name = table_target.answer_name(column, taken=taken, is_function=True)
    body = f'    outcome = rows[{source_text.text(column)}]\n    return ({test}).astype("boolean").mask(outcome.isna())'
    kind: Kind = "one to one" if len(pairs) == 2 else "determined"
    what = f"Whether {column} is {words}; null while unknown."
    return Outcome(
        column=column, name=name, task="binary", kind=kind, function=_function(name, what, body),
        event=f"{column} is {words}", renamed=renamed,
    )  # fmt: skip


def event_class(learned: Sequence[Any], truth: Sequence[Any], column: str) -> Any:
    """Which of two learned classes is the event: of numbers the greater one."""
    if not any(isinstance(one, str) for one in learned):
        return max(learned)
    known = [plain_class(one) for one in truth]
    return table_target.event_of(tuple(sorted(learned, key=lambda one: -known.count(one))), column)


def tells(learned: Sequence[Any]) -> bool:
    """Whether the names of two classes tell which one is the event."""
    return not any(isinstance(one, str) for one in learned) and {*learned} in ({0, 1}, {-1, 1})


def _test(values: "pd.Series[Any]", yes: list[Any], no: list[Any]) -> tuple[str, str]:
    """A condition on `outcome` that is true for the raw values `yes` and false for `no`: in words, and in Python."""
    numbers = values.dtype.kind in "iuf"
    if numbers and len(yes) + len(no) > 2 and no:
        if min(yes) > max(no):
            edge = source_text.number(max(no))
            return f"greater than {edge}", f"outcome > {edge}"
        if max(yes) < min(no):
            edge = source_text.number(min(no))
            return f"less than {edge}", f"outcome < {edge}"
    if len(yes) > _MOST_LISTED:
        raise OutcomeUnknown(f"{len(yes)} values of {values.name} mean true, and no condition on it is simple")
    listed = sorted(yes, key=str)
    if len(listed) == 1:
        return str(listed[0]), f"outcome == {literal(listed[0])}"
    return f"one of {', '.join(map(str, listed))}", f"outcome.isin([{', '.join(map(literal, listed))}])"


# --- classes ----------------------------------------------------------------------------------------------------------


def _classes(
    values: "pd.Series[Any]",
    pairs: Mapping[Any, Any],
    learned: Sequence[Any],
    *,
    taken: Collection[str],
    can_rename: bool,
) -> Outcome:
    column = str(values.name)
    plain = table_target.answer_name(column, taken=taken, is_function=False)
    called = table_target.answer_name(column, taken=taken, is_function=True)
    if all(value == known and isinstance(value, str) == isinstance(known, str) for value, known in pairs.items()):
        itself = f"    return rows[{source_text.text(column)}]"
        function = "" if plain == column else _function(called, f"The column {column}.", itself)
        name = plain if plain == column else called
        return Outcome(
            column=column, name=name, task="multiclass", kind="equal", function=function, classes=tuple(learned)
        )
    names = _names(values, pairs, learned)
    if names is not None and can_rename:
        itself = f"    return rows[{source_text.text(column)}]"
        function = "" if plain == column else _function(called, f"The column {column}.", itself)
        return Outcome(
            column=column, name=plain if plain == column else called, task="multiclass", kind="one to one",
            function=function, classes=tuple(one.now for one in names), renamed=names,
        )  # fmt: skip
    kind: Kind = "determined" if names is None else "one to one"
    unit = "" if names is None else "Classes are the codes of the pilot: " + _codes(names) + "."
    body = _mapped(values, pairs)
    function = _function(called, f"The class that {column} stands for; null while unknown.", body)
    return Outcome(
        column=column, name=called, task="multiclass", kind=kind, function=function, classes=tuple(learned), unit=unit
    )


def _codes(names: Sequence[RenamedClass]) -> str:
    return ", ".join(f"{one.was} is {one.now}" for one in names)


def _names(
    values: "pd.Series[Any]", pairs: Mapping[Any, Any], learned: Sequence[Any]
) -> tuple[RenamedClass, ...] | None:
    """The raw value of each class of the model, if there is just one. Classes that no held-out row has go by order."""
    back: dict[Any, Any] = {}
    for value, known in pairs.items():
        if class_of(value) is None or back.setdefault(known, value) != value:
            return None
    if missing := [one for one in learned if one not in back]:
        kinds = sorted({plain_class(one) for one in values.dropna().unique().tolist()}, key=str)
        coded = len(kinds) == len(learned) and all(
            isinstance(known, int) and known < len(kinds) and kinds[known] == value for value, known in pairs.items()
        )
        if not coded:
            return None
        back |= {one: kinds[one] for one in missing}
    return tuple(RenamedClass(was=one, now=back[one]) for one in learned)


def _mapped(values: "pd.Series[Any]", pairs: Mapping[Any, Any]) -> str:
    column = source_text.text(values.name)
    if len(pairs) <= _MOST_LISTED:
        listed = [
            f"{literal(value)}: {literal(known)}" for value, known in sorted(pairs.items(), key=lambda x: str(x[0]))
        ]
        lines = "\n".join(source_text.packed(listed, indent=8))
        return f"    classes = {{\n{lines}\n    }}\n    return rows[{column}].map(classes)"
    ranges: dict[Any, list[Any]] = {}
    for value, known in pairs.items():
        ranges.setdefault(known, []).append(value)
    ordered = sorted(ranges, key=lambda known: min(ranges[known]))
    tops = [max(ranges[known]) for known in ordered]
    if any(top >= min(ranges[after]) for top, after in zip(tops, ordered[1:], strict=False)):
        raise OutcomeUnknown(f"{len(pairs)} values of {values.name} have classes, and no ranges of it do")
    edges = ", ".join(['float("-inf")', *map(source_text.number, tops[:-1]), 'float("inf")'])
    labels = ", ".join(map(literal, ordered))
    return (
        f"    edges = [{edges}]  # as far as rows show them\n"
        f"    return pd.cut(rows[{column}], edges, labels=[{labels}]).astype(object)"
    )


# --- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Formula:
    name: str  # of the outcome; {} is the column
    written: str  # in Python; {} is the column's values
    words: str
    compute: "Callable[[NDArray[np.float64]], NDArray[np.float64]]"


def _formulas() -> tuple[_Formula, ...]:
    import numpy as np

    return (
        _Formula(name="log_{}", written="np.log({})", words="the natural logarithm of {}", compute=np.log),
        _Formula(name="log_{}", written="np.log1p({})", words="the natural logarithm of 1 + {}", compute=np.log1p),
        _Formula(name="log10_{}", written="np.log10({})", words="the decimal logarithm of {}", compute=np.log10),
        _Formula(name="log2_{}", written="np.log2({})", words="the logarithm of {} to base 2", compute=np.log2),
        _Formula(name="sqrt_{}", written="np.sqrt({})", words="the square root of {}", compute=np.sqrt),
    )


def _number(
    values: "pd.Series[Any]",
    here: "pd.Series[Any]",
    truth: Sequence[Any],
    answers: Sequence[Any],
    *,
    taken: Collection[str],
) -> Outcome:
    import numpy as np

    column = str(values.name)
    try:
        raw = here.astype("float64").to_numpy()
        known = np.asarray(truth, dtype=float)
    except (TypeError, ValueError) as error:
        raise OutcomeUnknown(f"{column} holds no numbers") from error
    there = np.isfinite(raw) & np.isfinite(known)
    if not there.any():
        raise OutcomeUnknown(f"{column} is null in all held-out rows")
    found = _formula_of(raw[there], known[there])
    said = np.asarray(answers, dtype=float)[there] if len(answers) == len(there) else None
    if found is None and said is not None and (inner := _formula_of_answers(raw[there], said)) is not None:
        found = inner  # the pilot took its answers back into the raw unit before it measured them
    if found is None:
        plain = table_target.answer_name(column, taken=taken, is_function=False)
        numbers = values.dtype.kind in "iuf"
        if plain == column and numbers:
            return Outcome(column=column, name=column, task="regression", kind="equal")
        called = table_target.answer_name(column, taken=taken, is_function=True)
        body = f"    return rows[{source_text.text(column)}]{'' if numbers else _AS_NUMBERS}"
        return Outcome(
            column=column, name=called, task="regression", kind="equal",
            function=_function(called, f"The column {column}{'' if numbers else ' as numbers'}.", body),
        )  # fmt: skip
    plain = table_target.answer_name(column, taken=(), is_function=True)
    name = source_text.free(found.name.format(plain), {*taken, column})
    cell = f"rows[{source_text.text(column)}]{_AS_NUMBERS}"
    words = found.words.format(column)
    what = f"{words[0].upper()}{words[1:]}; null while unknown."
    return Outcome(
        column=column, name=name, task="regression", kind="formula",
        unit=f"An answer is {words}, as the pilot learned it.",
        function=_function(name, what, f"    return {found.written.format(cell)}"),
    )  # fmt: skip


def _formula_of(raw: "NDArray[np.float64]", known: "NDArray[np.float64]") -> _Formula | None:
    """The formula that gives `known`; None if it is equal. Raises: OutcomeUnknown if nothing gives it."""
    import numpy as np

    if float(np.isclose(raw, known, rtol=_ALIKE, atol=1e-12).mean()) >= _NEARLY:
        return None
    for one in (*_formulas(), *_whole_numbers(), *_line(raw, known)):
        with np.errstate(all="ignore"):
            made = one.compute(raw)
        if np.allclose(made, known, rtol=_ALIKE, atol=1e-9):
            return one
    raise OutcomeUnknown(
        "it is neither equal to what the model learned nor its logarithm, its root, a whole number or a multiple of it"
    )


def _whole_numbers() -> tuple[_Formula, ...]:
    """`astype(int)` of a whole table takes the decimals of the outcome, too."""
    import numpy as np

    return (
        _Formula(name="whole_{}", written="np.trunc({})", words="{} without its decimals", compute=np.trunc),
        _Formula(name="whole_{}", written="np.round({})", words="{} to the nearest whole number", compute=np.round),
    )


def _line(raw: "NDArray[np.float64]", known: "NDArray[np.float64]") -> Iterator[_Formula]:
    """The straight line through the first and the last value: a scaled target."""
    low, high = raw.argmin(), raw.argmax()
    if raw[high] == raw[low]:
        return
    slope = float((known[high] - known[low]) / (raw[high] - raw[low]))
    shift = float(known[low] - slope * raw[low])
    small = abs(shift) <= 1e-9 * max(abs(known).max(), 1e-300)
    tail, words = ("", "") if small else (f" + {shift!r}", f" + {shift:.6g}")
    offset = 0.0 if small else shift
    yield _Formula(
        name="scaled_{}", written=f"{{}} * {slope!r}{tail}", words=f"{{}} * {slope:.6g}{words}",
        compute=lambda numbers: numbers * slope + offset,
    )  # fmt: skip


def _formula_of_answers(raw: "NDArray[np.float64]", said: "NDArray[np.float64]") -> _Formula | None:
    """The formula whose values the answers are near, if they are far from the raw values."""
    import numpy as np

    if not np.isfinite(said).all() or _explained(raw, said) > 0:
        return None
    with np.errstate(all="ignore"):
        fits = [(_explained(one.compute(raw), said), one) for one in _formulas()]
    best = max((fit for fit in fits if np.isfinite(fit[0])), key=lambda fit: fit[0], default=None)
    return best[1] if best is not None and best[0] > 0 else None


def _explained(known: "NDArray[np.float64]", said: "NDArray[np.float64]") -> float:
    spread = float(((known - known.mean()) ** 2).sum())
    return 1 - float(((known - said) ** 2).sum()) / spread if spread > 0 else float("-inf")


# --- text -------------------------------------------------------------------------------------------------------------


def literal(value: Any) -> str:
    """A raw value or a class in Python."""
    return source_text.text(value) if isinstance(value, str) else repr(value)


def _function(name: str, what: str, body: str) -> str:
    imports = "import numpy as np\nimport pandas as pd\n" if "np." in body else "import pandas as pd\n"
    return f'''\
"""The outcome of each row, as the pilot made it. The model learns from it, and the monitor compares answers with it."""

{imports}

def {name}(rows: pd.DataFrame) -> pd.Series:
    """{source_text.line(what)}"""
{body}
'''
