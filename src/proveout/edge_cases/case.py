"""An edge case: a record, the expected answer, and who wrote it, when and why.

Input: one entry of the YAML file. Output: a `Case`, its digest, and the records whose answers it needs.
"""

import datetime
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, field_validator, model_validator

from proveout.records.json_form import digest_of
from proveout.records.values import Digest, Scalar

SHORTEST_REASON = 20  # characters; one word is not a reason
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\n]*$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=SHORTEST_REASON)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Number = Annotated[int, Strict()] | Annotated[float, Strict(), Field(allow_inf_nan=False)]
Change = Annotated[Mapping[str, Scalar], Field(min_length=1)]
"""Fields of a record with changed values."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Strict):
    """Bounds of a value, in the unit of the target."""

    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _not_crossed(self) -> "Range":
        if self.at_least is None and self.at_most is None:
            raise ValueError("say `at_least`, `at_most` or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"nothing lies between {self.at_least} and {self.at_most}")
        return self


class Between(_Strict):
    """Bounds of a probability."""

    at_least: Share = 0.0
    at_most: Share = 1.0

    @model_validator(mode="after")
    def _not_crossed(self) -> "Between":
        if self.at_least > self.at_most:
            raise ValueError(f"nothing lies between {self.at_least} and {self.at_most}")
        return self


class Rising(_Strict):
    """The increasing values of a field, and how far the answer may move in the wrong direction."""

    through: Annotated[tuple[Number, ...], Field(min_length=2)]
    tolerance: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = 0.0  # of a probability, or of a value

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, value: Any) -> Any:
        return {"through": value} if isinstance(value, list | tuple) else value

    @field_validator("through")
    @classmethod
    def _rises(cls, through: tuple[Number, ...]) -> tuple[Number, ...]:
        if any(later <= earlier for earlier, later in itertools.pairwise(through)):
            raise ValueError("each value must be above the one before")
        return through


class Expectation(_Strict):
    """What must be true of the answer."""

    label: Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[str, Strict()] | None = None
    probability: Between | None = None  # of true; for several classes, of the answered one
    probabilities: Mapping[str, Between] = Field(default_factory=dict)  # by class
    value: Range | None = None
    higher_than: tuple[Id, ...] = ()
    same_as: tuple[Id, ...] = ()
    same_under: tuple[Change, ...] = ()
    not_lower_when: Mapping[str, Rising] = Field(default_factory=dict)
    not_higher_when: Mapping[str, Rising] = Field(default_factory=dict)

    @property
    def others(self) -> tuple[str, ...]:
        """The ids of the cases it is compared with."""
        return (*self.higher_than, *self.same_as)

    def changes(self) -> tuple[Mapping[str, Scalar], ...]:
        """Every change of its record that needs an answer."""
        raised = (
            {field: value}
            for when in (self.not_lower_when, self.not_higher_when)
            for field, rising in when.items()
            for value in rising.through
        )
        return (*self.same_under, *raised)


class Case(_Strict):
    """One edge case."""

    id: Id
    reason: Sentence
    author: Line
    date: datetime.date
    incident: Sentence | None = None
    request: Line | None = None
    record: Mapping[str, Scalar]
    expect: Expectation

    @field_validator("record")
    @classmethod
    def _finite(cls, record: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        endless = [name for name, value in record.items() if isinstance(value, float) and not math.isfinite(value)]
        if endless:
            raise ValueError(f"{', '.join(endless)} is no finite number; what is not known is null")
        return record

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> "Case":
        if (self.incident is None) == (self.request is None):
            raise ValueError("say where it comes from: either `incident` or `request`")
        return self

    @property
    def source(self) -> str:
        """The origin of the case, as text."""
        return f"request {self.request}" if self.request is not None else str(self.incident)

    def asked(self) -> dict[str, Mapping[str, Scalar]]:
        """The records that need answers, by name: its own under its id, each changed one under its `changed` name."""
        changes = self.expect.changes()
        return {self.id: self.record} | {changed(self.id, change): {**self.record, **change} for change in changes}


class Retirement(_Strict):
    """Who retired a case, when and why."""

    by: Line
    date: datetime.date
    reason: Sentence


class Retired(Case):
    """A retired case, which is no longer checked."""

    retired: Retirement


def changed(case: str, change: Mapping[str, Scalar]) -> str:
    """The name of a case's record with some fields changed.

    >>> changed("calm-morning", {"tailnum": None, "flight": 12})
    'calm-morning with tailnum=null, flight=12'
    """
    return f"{case} with {change_text(change)}"


def change_text(change: Mapping[str, Scalar], *, between: str = ", ") -> str:
    """A change as text: `tailnum=null, flight=12`."""
    return between.join(f"{field}={written(value)}" for field, value in change.items())


def written(value: Scalar) -> str:
    """A value as YAML text.

    >>> written(None), written(True), written(0.5)
    ('null', 'true', '0.5')
    """
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def digest(case: Case) -> Digest:
    """SHA-256 of what a case tests: its record and its expectation, independent of how they are written. Reason,
    author, date and source are not included, so they can be reworded.
    """
    expect = case.expect.model_dump(mode="json", exclude_defaults=True)
    for name in ("higher_than", "same_as"):
        if name in expect:
            expect[name] = sorted(expect[name])
    return digest_of(_normalized({"record": dict(case.record), "expect": expect}))


def suite(cases: Iterable[Case]) -> dict[str, Digest]:
    """The digest of each case by id, as a verdict records it."""
    return {case.id: digest(case) for case in cases}


def _normalized(value: Any) -> Any:
    """The value with floats such as 50.0 as integers, so that 50 and 50.0 are the same."""
    if isinstance(value, Mapping):
        return {key: _normalized(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normalized(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
