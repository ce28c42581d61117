"""The one-line syntax of expectations: `probability at_most 0.3`, `not_lower_when precip=0,0.1,0.5`.

Input: such lines. Output: an `Expectation`; and back. The keywords are those of the YAML file.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from proveout.edge_cases.case import Expectation, Rising, change_text, written
from proveout.errors import UsageError

FORMS = (
    "label true",
    "label CLASS",
    "probability of CLASS at_least 0.2",
    "value at_least 10",
    "value at_most 20",
    "probability at_least 0.2",
    "probability at_most 0.3",
    "higher_than CASE",
    "same_as CASE",
    "same_under FIELD=VALUE,FIELD=VALUE",
    "not_lower_when FIELD=1,2,3",
    "not_higher_when FIELD=1,2,3 tolerance 0.05",
)


def expectation(lines: Sequence[str]) -> Expectation:
    """The expectation of all `lines`. Raises: UsageError for an invalid line, or one that contradicts another.

    >>> expectation(["label false", "not_lower_when wind=10,30 tolerance 0.05"]).not_lower_when["wind"].through
    (10, 30)
    """
    found: dict[str, Any] = {}
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        try:
            _take(found, word, rest.split())
        except (KeyError, ValueError) as error:
            raise UsageError(f"{line!r} is no expectation. There are: {'; '.join(FORMS)}.") from error
    try:
        return Expectation.model_validate(found)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(f"This cannot be expected: {problems}. There are: {'; '.join(FORMS)}.") from error


def lines(expect: Expectation) -> tuple[str, ...]:
    """The lines of an expectation; `expectation` parses them back.

    >>> lines(expectation(["probability at_most 0.3", "same_under tailnum=null"]))
    ('probability at_most 0.3', 'same_under tailnum=null')
    """
    return tuple(_lines(expect))


def _take(found: dict[str, Any], word: str, rest: Sequence[str]) -> None:
    match word, rest:
        case "label", [label]:
            _once(found, "label", _label(label))
        case "probability", ["of", name, ("at_least" | "at_most") as end, bound]:
            _once(found.setdefault("probabilities", {}).setdefault(name, {}), end, _value(bound))
        case (("probability" | "value"), [("at_least" | "at_most") as end, bound]):
            _once(found.setdefault(word, {}), end, _value(bound))
        case (("higher_than" | "same_as"), [*others]) if others:
            found.setdefault(word, []).extend(other.strip(",") for other in others)
        case "same_under", [_]:
            found.setdefault("same_under", []).append(change(rest[0]))
        case (("not_lower_when" | "not_higher_when"), [rising]):
            field, through = _rising(rising)
            _once(found.setdefault(word, {}), field, through)
        case (("not_lower_when" | "not_higher_when"), [rising, "tolerance", tolerance]):
            field, through = _rising(rising)
            _once(found.setdefault(word, {}), field, {"through": through, "tolerance": _value(tolerance)})
        case _:
            raise ValueError(word)


def _once(found: dict[str, Any], name: str, value: Any) -> None:
    if found.setdefault(name, value) != value:
        raise UsageError(f"{name} is expected to be {written(found[name])} and {written(value)}.")


def change(text: str) -> dict[str, Any]:
    """Fields with their values. Raises: ValueError.

    >>> change("tailnum=null,flight=12")
    {'tailnum': None, 'flight': 12}
    """
    fields = [part.partition("=") for part in text.split(",")]
    if any(not sign for _, sign, _ in fields):
        raise ValueError(text)
    return {field: _value(value) for field, _, value in fields}


def _label(text: str) -> bool | int | str:
    """A label: `true`, `false`, an integer, or the text of a class. `no` and `on` are text, unlike in YAML."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() else text


def _rising(text: str) -> tuple[str, list[Any]]:
    field, sign, through = text.partition("=")
    if not sign:
        raise ValueError(text)
    return field, [_value(value) for value in through.split(",")]


def _value(text: str) -> Any:
    """A value as in the file: `null`, `12`, `0.5`, `true`; anything else is text."""
    import yaml

    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # ValueError: an invalid date such as 30 February
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def _lines(expect: Expectation) -> Iterator[str]:
    if expect.label is not None:
        yield f"label {written(expect.label)}"
    if expect.probability is not None:
        for end in ("at_least", "at_most"):
            if end in expect.probability.model_fields_set:
                yield f"probability {end} {written(getattr(expect.probability, end))}"
    for name, between in expect.probabilities.items():
        for end in ("at_least", "at_most"):
            if end in between.model_fields_set:
                yield f"probability of {name} {end} {written(getattr(between, end))}"
    if expect.value is not None:
        for end in ("at_least", "at_most"):
            if (bound := getattr(expect.value, end)) is not None:
                yield f"value {end} {written(bound)}"
    yield from (f"higher_than {other}" for other in expect.higher_than)
    yield from (f"same_as {other}" for other in expect.same_as)
    yield from (f"same_under {change_text(one, between=',')}" for one in expect.same_under)
    whens: tuple[tuple[str, Mapping[str, Rising]], ...] = (
        ("not_lower_when", expect.not_lower_when),
        ("not_higher_when", expect.not_higher_when),
    )
    for word, when in whens:
        for field, rising in when.items():
            tolerance = f" tolerance {written(rising.tolerance)}" if rising.tolerance else ""
            yield f"{word} {field}={','.join(map(written, rising.through))}{tolerance}"
