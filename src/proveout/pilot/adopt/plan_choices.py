"""What a person may change on the page of a plan: names, which columns may be null, ranges, bounds of the gate.

Input: the text of a page, or of a TOML file. Output: `Choices`; and the text that shows a plan's choices for editing.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proveout.errors import ConfigError
from proveout.pilot import source_text, table_profile
from proveout.pilot.project_proposal import Bound
from proveout.pilot.table_profile import Column

_BLOCK = re.compile(r"^```toml\n(.*?)^```\s*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class ColumnChoice:
    """A request column as a person wants it."""

    nullable: bool = False
    low: float | None = None
    high: float | None = None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What differs from the proposal. Empty: nothing does. Columns and bounds that are not named stay as proposed."""

    model: str = ""
    name: str = ""
    target: str = ""
    columns: Mapping[str, ColumnChoice] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)

    def applied(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """The columns as chosen. Raises: ConfigError for a name that is no request column."""
        asked = [one.name for one in columns if one.is_asked]
        if strange := sorted({*self.columns} - {*asked}):
            raise ConfigError("the plan", f"there is no request column {strange[0]}", f"There are {', '.join(asked)}")
        return tuple(_chosen(one, self.columns[one.name]) if one.name in self.columns else one for one in columns)

    def bounded(self, bounds: Sequence[Bound]) -> tuple[Bound, ...]:
        """The bounds as chosen. Raises: ConfigError for a name that no check asks for."""
        names = [one.name for one in bounds]
        if strange := sorted({*self.bounds} - {*names}):
            raise ConfigError("the plan", f"no check asks for the bound {strange[0]}", f"There are {', '.join(names)}")
        return tuple(replace(one, value=self.bounds.get(one.name, one.value)) for one in bounds)


def _chosen(column: Column, choice: ColumnChoice) -> Column:
    nulls = max(column.nulls, 1) if choice.nullable else 0
    made = replace(column, nulls=nulls, kinds=choice.texts or column.kinds)
    if choice.low is None or choice.high is None or (choice.low, choice.high) == table_profile.bounds(column):
        return made
    return replace(made, limits=(choice.low, choice.high))


def text(*, model: str, name: str, target: str, columns: Sequence[Column], bounds: Sequence[Bound]) -> str:
    """The choices of a plan as TOML."""
    lines = [
        f"{key} = {source_text.text(value)}" for key, value in (("model", model), ("name", name), ("target", target))
    ]
    for one in columns:
        if not one.is_asked:
            continue
        lines += ["", f"[columns.{source_text.text(one.name)}]", f"nullable = {str(one.nullable).lower()}"]
        if one.kind in ("whole", "number"):
            low, high = table_profile.bounds(one)
            lines += [f"low = {source_text.number(low)}", f"high = {source_text.number(high)}"]
        if one.kinds:
            lines += [
                "texts = [",
                *source_text.packed([source_text.text(kind) for kind in one.kinds], indent=4),
                "]",
            ]
    lines += ["", "[bounds]", *(f"{one.name} = {source_text.number(one.value)}" for one in bounds)]
    return "\n".join(lines) + "\n"


def read(page: str) -> Choices:
    """The choices in the TOML of a plan's page, or in a text that is TOML. Raises: ConfigError."""
    found = _BLOCK.search(page)
    try:
        tables = tomllib.loads(found[1] if found else page)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("the plan", f"its choices are no TOML: {error}", "Correct the line it names") from error
    return Choices(
        model=_text(tables, "model"),
        name=_text(tables, "name"),
        target=_text(tables, "target"),
        columns={name: _column(name, given) for name, given in _table(tables, "columns").items()},
        bounds={name: _number(f"bounds, {name}", value) for name, value in _table(tables, "bounds").items()},
    )


def _text(tables: Mapping[str, Any], key: str) -> str:
    value = tables.get(key, "")
    if not isinstance(value, str):
        raise ConfigError("the plan", f"{key} is {json.dumps(value)}, and a text is expected", "Write it in quotes")
    return value


def _table(tables: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = tables.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError("the plan", f"{key} is no table", f"Write it as [{key}]")
    return value


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError("the plan", f"{what} is {value!r}, and a number is expected", "Correct it")
    return float(value)


def _column(name: str, given: Any) -> ColumnChoice:
    known = {"nullable", "low", "high", "texts"}
    if not isinstance(given, Mapping) or (strange := sorted({*given} - known)):
        what = f"takes no {strange[0]}" if isinstance(given, Mapping) else "is no table"
        raise ConfigError("the plan", f"the column {name} {what}", f"It takes {', '.join(sorted(known))}")
    texts = given.get("texts", [])
    if not isinstance(given.get("nullable", False), bool) or not all(isinstance(one, str) for one in texts):
        raise ConfigError("the plan", f"the column {name} has a value of another type", "nullable is true or false")
    low, high = (_number(f"{name}, {end}", given[end]) if end in given else None for end in ("low", "high"))
    return ColumnChoice(nullable=given.get("nullable", False), low=low, high=high, texts=tuple(texts))
