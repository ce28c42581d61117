"""train.toml, the configuration of one run. All values are validated before anything runs.

Input: its text. Output: plain tables with all defaults filled in (`parse_config`), which Metaflow stores with a run;
and the same as a `TrainConfig` record, which the steps of a run use.
"""

import datetime
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from proveout.errors import ConfigError
from proveout.records.json_form import canonical, from_json
from proveout.records.train_config import TrainConfig

_TEXT = (Annotated[str, Field(min_length=1)], "a text in quotes")
_ABOVE_0 = (Annotated[float, Field(gt=0)], "a number above 0")
_FROM_1 = (Annotated[int, Field(ge=1)], "a whole number, 1 or more")
_RETRIES = (Annotated[int, Field(ge=0, le=4)], "a whole number from 0 to 4")  # Metaflow's own bound
_SHARE = (Annotated[float, Field(ge=0, le=1)], "a number from 0 to 1")
_PART = (Annotated[float, Field(gt=0, lt=1)], "a number above 0 and below 1")
_SEED = (Annotated[int, Field(ge=0, lt=2**63)], "a whole number, 0 or more")
_FLAG = (bool, "true or false")
_BOUND = (str | int | float | bool, "a number, a text, true or false")

_Keys = Mapping[str, tuple[Any, str]]
SPLITS: Mapping[str, _Keys] = {
    "time": {"train_through": _TEXT, "holdout": _TEXT},
    "random": {"holdout_share": _PART, "seed": _SEED, "stratify": _FLAG},
    "group": {"column": _TEXT, "holdout_share": _PART, "seed": _SEED},
    "column": {"column": _TEXT},
    "notebook": {},
}
"""The keys of `[split]`, by its kind."""
EXPECTED: Mapping[str, _Keys] = {
    "data": {"version": _TEXT},
    "infrastructure": {
        "cpu": _ABOVE_0,
        "memory_mb": _FROM_1,
        "threads": _FROM_1,
        "retries": _RETRIES,
        "timeout_s": _ABOVE_0,
        "cell_timeout_s": _ABOVE_0,
    },
    "decision": {"threshold": _SHARE, "coverage": _PART, "metric": _TEXT},
}
"""The tables with fixed keys. Each key has a default."""
_OPEN = ("parameters", "evaluation")  # tables whose keys the notebook and the checks define
_NEEDED = ("train_through", "holdout", "column")  # keys without a default
# Notebook parameters that the flow sets; the others are in train.toml.
FROM_THE_FLOW = ("features_path",)
_WHOLE = "flows/train.toml in a new project shows a complete one"


def parse_config(text: str) -> dict[str, Any]:
    """train.toml as plain tables. Also accepts JSON, which Metaflow passes if a Runner starts the flow.

    A TOML date becomes ISO 8601 text, "2013-04-30". Raises: ConfigError naming each key that is wrong.
    """
    text = text.removeprefix("\ufeff")  # byte order mark of some editors
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        try:
            parsed = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError("train.toml", f"is not TOML: {error}", "Correct the line it names") from error
    tables = parsed if isinstance(parsed, dict) else {}
    # A bound must be comparable with a measurement, so the gate would refuse a date.
    tables = {name: table if name == "evaluation" else _dates_as_text(table) for name, table in tables.items()}
    if problems := list(_problems(tables)):
        raise ConfigError("train.toml", "; ".join(problems), _WHOLE)
    plain: dict[str, Any] = json.loads(canonical(from_json(TrainConfig, canonical(tables))))
    # Drop missing values instead of storing null, which the next reader would refuse.
    plain["decision"] = {name: value for name, value in plain["decision"].items() if value is not None}
    return plain


def read_config(tables: Mapping[str, Any]) -> TrainConfig:
    """The result of `parse_config` as a record. Metaflow passes it as its own mapping type."""
    return from_json(TrainConfig, canonical(_plain(tables)))


def _plain(value: Any) -> Any:
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    known = ("split", *EXPECTED, *_OPEN)
    yield from (f"table [{table}] is unknown" for table in tables if table not in known)
    if "split" not in tables:
        yield f"there is no table [split], which says which rows are held out, by kind: {_words(SPLITS)}"
    for table, given in tables.items():
        if table not in known:
            continue
        if not isinstance(given, dict):
            yield f"[{table}] is not a table"
        elif table == "split":
            yield from _split_problems(given)
        elif table in EXPECTED:
            yield from _unknown(f"[{table}]", given, EXPECTED[table])
            yield from _wrong_values(table, given, EXPECTED[table])
        else:
            yield from _wrong_values(table, given, dict.fromkeys(given, _BOUND if table == "evaluation" else (Any, "")))
            named = given if table == "parameters" else ()
            yield from (f"[parameters] sets {key}, but the flow sets it" for key in FROM_THE_FLOW if key in named)


def _split_problems(given: Mapping[str, Any]) -> Iterator[str]:
    kind = given.get("kind")
    if kind is None:
        yield f"[split] lacks kind: {_words(SPLITS)}"
        return
    if not isinstance(kind, str) or kind not in SPLITS:
        yield f"[split] kind is {_written(kind)}: {_words(SPLITS)} is expected"
        return
    keys = SPLITS[kind]
    yield from (f'[split] of kind "{kind}" lacks {key}' for key in keys if key in _NEEDED and key not in given)
    others = {key: value for key, value in given.items() if key != "kind"}
    yield from _unknown(f'[split] of kind "{kind}"', others, keys)
    yield from _wrong_values("split", others, keys)


def _unknown(table: str, given: Mapping[str, Any], keys: _Keys) -> Iterator[str]:
    yield from (f"{table} takes no {key}: it takes {', '.join(keys)}" for key in given if key not in keys)


def _wrong_values(table: str, given: Mapping[str, Any], keys: _Keys) -> Iterator[str]:
    for key, value in given.items():
        if key not in keys:
            continue
        kind, words = keys[key]
        if not _is_finite(value):
            yield f"[{table}] {key} holds a number that is not finite"
        elif not _fits(value, kind):
            yield f"[{table}] {key} is {_written(value)}: {words} is expected"


def _words(names: Mapping[str, Any]) -> str:
    *first, last = (f'"{name}"' for name in names)
    return f"{', '.join(first)} or {last}"


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
