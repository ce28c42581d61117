"""Generated requests and what the model says of them: made once, asked in one batch, halved where that crashes.

Input: the request schema, the model, and what is known of its values. Output: the examples, the answers, and the
smallest record that something is still true of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from proveout.fuzz import field_spec, strategies
from proveout.fuzz.field_spec import Record
from proveout.fuzz.sampling import Enough, drawn, search
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.fastpath.tolerance import Tolerance

COMPANY = 30  # examples that stand beside a record whose answer shall not depend on them
MOST_ASKED = 250  # smaller and smaller records, of one property
MOST_PARTS = 100  # calls to find who crashes

Breaks = Callable[[Sequence[Record]], "NDArray[np.bool_]"]
"""Which of the records break a property."""


class Model(Protocol):
    """What is asked: an opened bundle, or something like it."""

    @property
    def task(self) -> Task: ...

    @property
    def direct(self) -> str: ...

    @property
    def tolerance(self) -> "Tolerance": ...

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]": ...

    def columns(self, records: Sequence[Mapping[str, Any]]) -> "dict[str, NDArray[Any]]": ...

    def predict_columns(self, columns: "dict[str, NDArray[Any]]") -> "NDArray[np.float64]": ...


@dataclass(frozen=True, kw_only=True)
class Example:
    """A record that is asked, and how it came to be: `valid`, `boundary`, or the id of an edge case."""

    record: Record
    origin: str


@dataclass
class Answers:
    """Of each record the scores; or that it crashes; or that nobody found out, as too many do."""

    scores: "NDArray[np.float64]"
    crashed: set[int] = field(default_factory=set)
    unasked: set[int] = field(default_factory=set)
    together: int = 0  # groups that crash although each of them is answered alone
    calls: int = 0


class Asked:
    """The examples of one schema, and the model they are put to."""

    def __init__(
        self,
        schema: Any,
        model: Model,
        *,
        cases: Mapping[str, Mapping[str, Any]],
        seen: strategies.Seen | None,
        overrides: strategies.Overrides | None,
        examples: int,
    ) -> None:
        self.request, self.model = field_spec.read(schema), model
        self.cases = cases
        self._each = examples // 2
        self._strategies = {
            "valid": strategies.valid(schema, seen=seen, overrides=overrides),
            "boundary": strategies.boundary(schema, seen=seen, overrides=overrides),
        }

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """What is asked: edge cases first, then usual records, then ones at an edge. The same every time."""
        there = [Example(record=self.whole(record), origin=id_) for id_, record in self.cases.items()]
        made = [
            Example(record=self.whole(record), origin=origin)
            for origin, strategy in self._strategies.items()
            for record in drawn(strategy, self._each)
        ]
        return (*there, *made)

    @cached_property
    def answers(self) -> Answers:
        """What the model says of all examples."""
        return self.ask([example.record for example in self.examples])

    @cached_property
    def answered(self) -> tuple[Example, ...]:
        """The examples that it says something of."""
        out = self.answers.crashed | self.answers.unasked
        return tuple(example for place, example in enumerate(self.examples) if place not in out)

    @cached_property
    def company(self) -> list[Record]:
        """Some that are answered."""
        return [example.record for example in spread(self.answered, COMPANY)]

    def whole(self, record: Mapping[str, Any]) -> Record:
        """A record with every field: a request that leaves one out has null there."""
        return {one.name: record.get(one.name) for one in self.request.fields}

    def scores(self, records: Sequence[Record]) -> "NDArray[np.float64]":
        """What the model says. Raises: whatever it raises, and ValueError for anything but scores of each record."""
        import numpy as np

        said = np.asarray(self.model.predict(self.request.frame(records)), dtype=np.float64)
        if said.shape != self.model.task.shape(len(records)):
            raise ValueError(f"{said.shape} scores for {len(records)} records")
        return said

    def ask(self, records: Sequence[Record]) -> Answers:
        """What the model says of the records together; where it raises, of each half, and so on."""
        import numpy as np

        found = Answers(scores=np.full(self.model.task.shape(len(records)), np.nan))
        self._ask_part(records, range(len(records)), found)
        return found

    def _ask_part(self, records: Sequence[Record], part: range, found: Answers) -> None:
        if found.calls >= MOST_PARTS:
            found.unasked.update(part)
            return
        found.calls += 1
        try:
            found.scores[part.start : part.stop] = self.scores([records[place] for place in part])
        except Exception:
            if len(part) == 1:
                found.crashed.add(part.start)
                return
            before = _faults(found)
            middle = part.start + len(part) // 2
            self._ask_part(records, range(part.start, middle), found)
            self._ask_part(records, range(middle, part.stop), found)
            found.together += before == _faults(found)

    def smallest(self, bad: Sequence[Example], breaks: Breaks) -> Record:
        """The smallest record that hypothesis finds from the first of `bad` on, which break a property in company.

        The examples are made again, in the same order: up to that one nothing is asked of the model.
        """
        origin, smallest = bad[0].origin, bad[0].record
        known = {_key(example.record) for example in bad if example.origin == origin}
        fates: dict[str, bool] = {}

        def broken(made: Record) -> bool:
            nonlocal smallest
            record = self.whole(made)
            key = _key(record)
            if key not in fates:
                if not fates and key not in known:
                    return False
                if len(fates) >= MOST_ASKED:
                    raise Enough
                fates[key] = key in known or _is_broken(breaks, record)
            if fates[key]:
                smallest = record
            return fates[key]

        search(self._strategies[origin], broken, examples=self._each)
        return smallest


def _faults(found: Answers) -> int:
    return len(found.crashed) + len(found.unasked) + found.together


def _is_broken(breaks: Breaks, record: Record) -> bool:
    try:
        return bool(breaks([record])[0])
    except Exception:  # it breaks another property, which finds its own records
        return False


def _key(record: Record) -> str:
    return repr(list(record.items()))


def spread(examples: Sequence[Example], most: int) -> list[Example]:
    """At most so many of the examples, from all over the list."""
    return list(examples[:: max(1, len(examples) // most)][:most])


def texts_of(rows: "pd.DataFrame", columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The texts in each of the columns that has some: the 50 that come most often."""
    found = {name: rows[name].dropna() for name in columns if rows[name].dtype.kind not in "iufbM"}
    return {
        name: tuple(value for value in texts.value_counts().index[:50].tolist() if isinstance(value, str))
        for name, texts in found.items()
    }
