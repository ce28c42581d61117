"""Edge cases: records that a model has to get right whatever its average says, each with the reason why.

Comes in: `edge_cases.yaml`. Goes out: `Case` records, every one valid as a request. The loader is strict: nobody would
notice that a case which is misspelled, doubled or without a reason tests nothing.

    - id: storm-evening                    # letters, digits and dashes; once
      reason: Why this record matters and why the expectation is true, in a sentence.
      record: {year: 2013, month: 5, ...}  # every field of the request schema; null where it is not known
      expect:                              # one of these or more
        probability: {at_least: 0.0, at_most: 1.0}
        higher_than: [calm-morning]        # ids: what the model says here is above what it says there
        same_as: [other-plane]             # ids: the difference must not matter
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from proveout.errors import ConfigError
from proveout.records import Plain

if TYPE_CHECKING:
    import pandas as pd

SAME_WITHIN = 1e-9
REMEDY = "Mend it there: the format stands at the top of proveout/gate/cases.py"
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Between(_Strict):
    """Bounds of a probability."""

    at_least: Share = 0.0
    at_most: Share = 1.0


class Expectation(_Strict):
    """What has to be true of the answer."""

    probability: Between | None = None
    higher_than: tuple[Id, ...] = ()
    same_as: tuple[Id, ...] = ()


class Case(_Strict):
    """One edge case."""

    id: Id
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=20)]
    record: Mapping[str, Plain]
    expect: Expectation


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One number a case asks for: what it is called, its value, its bounds. The arguments of `evidence`."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None


def load(file: Path, schema: Any) -> tuple[Case, ...]:
    """The cases in `file`, in order.

    Args:
        schema: pandera DataFrameModel of one request; every record must be valid by it.
    Raises: ConfigError naming the case: unknown or missing keys, no reason, nothing expected, an id or a record that
        is there twice, an id referred to that is not there, a record the schema refuses.
    """
    cases = tuple(_case(file, place, entry) for place, entry in enumerate(_entries(file), start=1))
    ids: set[str] = set()
    for case in cases:
        if case.id in ids:
            raise ConfigError(str(file), f"the id {case.id} is there twice", REMEDY)
        ids.add(case.id)
    for case in cases:
        for other in (*case.expect.higher_than, *case.expect.same_as):
            if other not in ids or other == case.id:
                raise ConfigError(str(file), f"{case.id} is compared with {other}, which is no other case", REMEDY)
    _refuse_invalid(file, cases, schema)
    return cases


def demands(case: Case, answers: Mapping[str, float]) -> tuple[Demand, ...]:
    """What `case` asks of the answers, a number each.

    Args:
        answers: what the model says of every case, by id.
    """
    answer = float(answers[case.id])
    bounds = case.expect.probability or Between()
    asked = [Demand(name="probability", value=answer, at_least=bounds.at_least, at_most=bounds.at_most)]
    for other in case.expect.higher_than:
        # Above, not level: a model that does not see the difference is not to pass.
        lead = answer - float(answers[other])
        asked.append(Demand(name=f"lead over {other}", value=lead, at_least=SAME_WITHIN))
    for other in case.expect.same_as:
        distance = abs(answer - float(answers[other]))
        asked.append(Demand(name=f"distance to {other}", value=distance, at_most=SAME_WITHIN))
    return tuple(asked)


def frame(cases: Sequence[Case], *, columns: Sequence[str]) -> "pd.DataFrame":
    """The records of `cases` as request columns, shape (cases, columns), in order."""
    import pandas as pd

    return pd.DataFrame([dict(case.record) for case in cases], columns=list(columns))


def _entries(file: Path) -> list[Any]:
    import yaml

    try:
        entries = yaml.load(file.read_text(encoding="utf-8"), Loader=_loader())  # noqa: S506  # a SafeLoader
    except FileNotFoundError as error:
        raise ConfigError(str(file), "is not there", "Write it, or mend `edge_cases` in [tool.proveout]") from error
    except yaml.YAMLError as error:
        raise ConfigError(str(file), f"is not YAML: {' '.join(str(error).split())}", REMEDY) from error
    if not isinstance(entries, list) or not entries:
        raise ConfigError(str(file), "holds no list of cases", REMEDY)
    return entries


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """SafeLoader that refuses a key given twice: YAML's own takes the last and says nothing."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key) for key, _ in node.value]
            doubled = sorted({str(key) for key in keys if keys.count(key) > 1})
            if doubled:
                problem = f"{', '.join(doubled)} given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            return super().construct_mapping(node, deep)

    return Loader


def _case(file: Path, place: int, entry: Any) -> Case:
    name = str(entry.get("id", f"case {place}")) if isinstance(entry, dict) else f"case {place}"
    try:
        case = Case.model_validate(entry)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{file}, {name}", problems, REMEDY) from error
    if case.expect == Expectation():
        raise ConfigError(f"{file}, {name}", "expects nothing, so it can not fail", REMEDY)
    return case


def _refuse_invalid(file: Path, cases: Sequence[Case], schema: Any) -> None:
    import pandas as pd
    import pandera.errors

    columns = tuple(schema.to_schema().columns)
    for case in cases:
        strange = sorted({*case.record} ^ {*columns})
        if strange:
            problem = f"its record and the request schema differ in {', '.join(strange)}"
            raise ConfigError(f"{file}, {case.id}", problem, REMEDY)
    try:
        valid = schema.validate(frame(cases, columns=columns), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        worst = errors.failure_cases.iloc[0]
        name = cases[int(worst["index"])].id if pd.notna(worst["index"]) else "one of the cases"
        problem = f"{worst['column']} = {worst['failure_case']} is refused by the request schema ({worst['check']})"
        raise ConfigError(f"{file}, {name}", problem, REMEDY) from errors
    for column in valid.columns[[dtype.kind in "iuf" for dtype in valid.dtypes]]:
        for case in cases:
            # A schema that coerces takes "905" for 905. In a file that people write it is a slip.
            if isinstance(case.record[column], str | bool):
                problem = f"{column} = {case.record[column]!r} is no number"
                raise ConfigError(f"{file}, {case.id}", problem, REMEDY)
    twins = [case.id for case, again in zip(cases, valid.duplicated(keep=False), strict=True) if again]
    if twins:
        raise ConfigError(str(file), f"{' and '.join(twins)} have the same record", REMEDY)
