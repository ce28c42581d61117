"""train.toml, the configuration of one run: each value held against what is expected of it, before anything runs.

Comes in: its text. Goes out: the same tables with plain JSON values alone, which is what Metaflow can keep with a run.
"""

import datetime
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from proveout.errors import ConfigError

_TEXT = (Annotated[str, Field(min_length=1)], "a text in quotes")
_ABOVE_0 = (Annotated[float, Field(gt=0)], "a number above 0")
_FROM_1 = (Annotated[int, Field(ge=1)], "a whole number, 1 or more")
_RETRIES = (Annotated[int, Field(ge=0, le=4)], "a whole number from 0 to 4")  # Metaflow's own bound
_SHARE = (Annotated[float, Field(ge=0, le=1)], "a number from 0 to 1")
_BOUND = (str | int | float | bool, "a number, a text, true or false")

# What train.toml has to say. More may stand in [parameters] (the notebook's) and [evaluation] (the checks' bounds).
EXPECTED: Mapping[str, Mapping[str, tuple[Any, str]]] = {
    "data": {"version": _TEXT, "train_through": _TEXT, "holdout": _TEXT},
    "parameters": {},
    "infrastructure": {
        "cpu": _ABOVE_0,
        "memory_mb": _FROM_1,
        "threads": _FROM_1,
        "retries": _RETRIES,
        "timeout_s": _ABOVE_0,
        "cell_timeout_s": _ABOVE_0,
    },
    "decision": {"threshold": _SHARE},
    "evaluation": {},
}
# Parameters of the notebook that the flow gives; the others stand in train.toml.
FROM_THE_FLOW = ("features_path", "train_through", "holdout")


def parse_config(text: str) -> dict[str, Any]:
    """train.toml as a dict. Metaflow hands the same text on as JSON when a Runner starts the flow: both are read.

    A TOML date becomes text as ISO 8601 writes it, "2013-04-30". Raises: ConfigError naming each key that is wrong.
    """
    text = text.removeprefix("\ufeff")  # some editors begin a file with it
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        try:
            parsed = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError("train.toml", f"is not TOML: {error}", "Mend the line it names") from error
    tables = parsed if isinstance(parsed, dict) else {}
    # A bound is compared with what a check measures: a date is none, and the gate would refuse it.
    tables = {name: table if name == "evaluation" else _dates_as_text(table) for name, table in tables.items()}
    problems = list(_problems(tables))
    if problems:
        raise ConfigError("train.toml", "; ".join(problems), "flows/train.toml in a new project shows a whole one")
    return tables


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"table [{table}] is unknown" for table in tables if table not in EXPECTED)
    for table, keys in EXPECTED.items():
        if not isinstance(tables.get(table), dict):
            yield f"[{table}] is no table" if table in tables else f"there is no table [{table}]"
            continue
        given = tables[table]
        yield from (f"[{table}] lacks {key}" for key in keys if key not in given)
        for key, value in given.items():
            kind, words = _BOUND if table == "evaluation" else keys.get(key, (Any, ""))
            if not _is_finite(value):
                yield f"[{table}] {key} holds a number that is not finite"
            elif not _fits(value, kind):
                yield f"[{table}] {key} is {_written(value)}: {words} is expected"
            elif table == "parameters" and key in FROM_THE_FLOW:
                yield f"[parameters] sets {key}, and the flow does"


def _written(value: Any) -> str:
    return json.dumps(_dates_as_text(value), ensure_ascii=False)


def _fits(value: Any, kind: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _is_finite(value: Any) -> bool:
    if isinstance(value, list | dict):
        return all(map(_is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _dates_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dates_as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value
