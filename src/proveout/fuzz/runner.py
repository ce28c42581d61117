"""The runner of generated requests: it generates them once, predicts them in one batch, and halves batches that crash.

Input: the request schema, the model, and known values of the fields. Output: the examples, the answers, and the
smallest record that breaks a property.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from proveout.fuzz import field_spec, strategies
from proveout.fuzz.field_spec import Record
from proveout.fuzz.sampling import Enough, drawn, search
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.fastpath.tolerance import Tolerance

COMPANY = 30  # other examples in the batch of a record whose answer must not depend on them
MOST_TRIED = 250  # records tried to find a smaller one, per property
MOST_PARTS = 100  # calls of the model to find the records that crash it

Some = TypeVar("Some")
Breaks = Callable[[Sequence[Record]], "NDArray[np.bool_]"]
"""Tells which of the records break a property."""


class Model(Protocol):
    """The model under test: an opened bundle, or an object with the same methods."""

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
    """A record, and its origin: `valid`, `boundary`, or the id of an edge case."""

    record: Record
    origin: str


@dataclass
class Answers:
    """The scores of each record, and the positions of those without scores."""

    scores: "NDArray[np.float64]"
    crashed: set[int] = field(default_factory=set)  # the model raises on these
    unasked: set[int] = field(default_factory=set)  # not tried any more, because too many crash
    together: int = 0  # groups that crash although each of their records alone does not
    calls: int = 0


class ExampleRunner:
    """The examples of one schema, and the model that predicts them."""

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
        """All examples: edge cases, then usual records, then records at the edge. The same every time."""
        there = [Example(record=self.whole(record), origin=id_) for id_, record in self.cases.items()]
        made = [
            Example(record=self.whole(record), origin=origin)
            for origin, strategy in self._strategies.items()
            for record in drawn(strategy, self._each)
        ]
        return (*there, *made)

    @cached_property
    def answers(self) -> Answers:
        """The model's answers to all examples."""
        return self.ask([example.record for example in self.examples])

    @cached_property
    def answered(self) -> tuple[Example, ...]:
        """The examples that the model answers."""
        out = self.answers.crashed | self.answers.unasked
        return tuple(example for place, example in enumerate(self.examples) if place not in out)

    @cached_property
    def company(self) -> list[Record]:
        """Some of the answered records."""
        return [example.record for example in spread(self.answered, COMPANY)]

    def whole(self, record: Mapping[str, Any]) -> Record:
        """The record with every field; a missing one is null."""
        return {one.name: record.get(one.name) for one in self.request.fields}

    def scores(self, records: Sequence[Record]) -> "NDArray[np.float64]":
        """The model's scores. Raises: whatever the model raises; ValueError if the shape of the scores is wrong."""
        import numpy as np

        scores = np.asarray(self.model.predict(self.request.frame(records)), dtype=np.float64)
        if scores.shape != self.model.task.shape(len(records)):
            raise ValueError(f"{scores.shape} scores for {len(records)} records")
        return scores

    def ask(self, records: Sequence[Record]) -> Answers:
        """The model's answers to the records in one batch; if it raises, to each half, and so on."""
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
        """The smallest record that breaks a property, as hypothesis finds it, starting from the first of `bad`.

        The examples are generated again, in the same order. The model is not called before that first one.
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
                if len(fates) >= MOST_TRIED:
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
    except Exception:  # it breaks another property, which reports its own records
        return False


def _key(record: Record) -> str:
    return repr(list(record.items()))


def spread(examples: Sequence[Some], most: int) -> list[Some]:
    """At most `most` of the examples, evenly spread over the list."""
    if len(examples) <= most:
        return list(examples)
    return [examples[place * len(examples) // most] for place in range(most)]


def texts_of(rows: "pd.DataFrame", columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The 50 most frequent texts of each text column."""
    found = {name: rows[name].dropna() for name in columns if rows[name].dtype.kind not in "iufbM"}
    return {
        name: tuple(value for value in texts.value_counts().index[:50].tolist() if isinstance(value, str))
        for name, texts in found.items()
    }
