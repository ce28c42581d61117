"""The `parameters` cell of a notebook: the declared names, validation of given values, and the cell that sets them.

Input: the source of the cell and values from TOML or JSON. Output: the declared names, the problems with the values,
and Python source. The cell is not run. It is parsed like in IPython, including magics and `!` lines.
"""

import ast
import datetime
import json
import math
import os
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import TypeAdapter, ValidationError

Value = str | int | float | bool | None | list[Any] | dict[str, Any]
SECRET = "env:"  # noqa: S105  # a parameter `env:NAME` is the environment variable NAME, by reference

# Supported annotations. Values with other annotations are not checked.
_TYPES: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, str, bool, list, dict, tuple, set, Path)},
    **{kind.__name__: kind for kind in (datetime.date, datetime.datetime, datetime.time)},
    **{name: getattr(typing, name) for name in ("Any", "Optional", "Union", "Literal", "List", "Dict", "Tuple", "Set")},
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A name that the cell sets. `kind` is its annotation, or else the type of its value; Any if both are unknown."""

    name: str
    kind: Any
    said: str  # the type in words
    has_default: bool
    nothing: bool  # the default is None, which TOML cannot express


@dataclass(frozen=True, kw_only=True)
class Statement:
    """An assignment of the cell: its parameters, and the names that their defaults depend on."""

    source: str
    sets: tuple[Parameter, ...]
    uses: frozenset[str]


def declared(source: str) -> tuple[Statement, ...]:
    """The assignments of a `parameters` cell, in their order. Raises: SyntaxError with the line of the cell."""
    from IPython.core.inputtransformer2 import TransformerManager

    python = TransformerManager().transform_cell(source)  # type: ignore[no-untyped-call]  # typed in part
    found: list[Statement] = []
    for node in ast.parse(python).body:
        magic = _cell_magic(node)
        if magic is not None:
            found += declared(magic)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found.append(_statement(node, python))
    return tuple(found)


def _cell_magic(node: ast.stmt) -> str | None:
    """The body of a cell with %%time or %%capture, which run it in place; other cell magics run it elsewhere."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="run_cell_magic"),
                args=[ast.Constant(value="time" | "capture"), _, ast.Constant(value=str(body))],
            )
        ):
            return body
    return None


def _statement(node: ast.Assign | ast.AnnAssign, python: str) -> Statement:
    value = node.value
    sets = []
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for name, part in _names(target, value):
            kind, said = _kind(node.annotation if isinstance(node, ast.AnnAssign) else None, part)
            nothing = isinstance(part, ast.Constant) and part.value is None
            sets.append(Parameter(name=name, kind=kind, said=said, has_default=value is not None, nothing=nothing))
    uses = frozenset(inner.id for inner in ast.walk(value) if isinstance(inner, ast.Name)) if value else frozenset()
    return Statement(source=ast.get_source_segment(python, node) or ast.unparse(node), sets=tuple(sets), uses=uses)


def _names(target: ast.expr, value: ast.expr | None) -> list[tuple[str, ast.expr | None]]:
    """Each name in `target`, with its part of `value`: 1 and 2 for `a, b = 1, 2`."""
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    if not isinstance(target, ast.Tuple | ast.List):
        return []  # `table["x"] = 1` declares nothing
    parts: Sequence[ast.expr | None] = [None] * len(target.elts)
    starred = any(isinstance(inner, ast.Starred) for inner in target.elts)
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(parts) and not starred:
        parts = value.elts
    inner = (part.value if isinstance(part, ast.Starred) else part for part in target.elts)
    return [found for one, part in zip(inner, parts, strict=True) for found in _names(one, part)]


def _kind(annotation: ast.expr | None, value: ast.expr | None) -> tuple[Any, str]:
    if annotation is not None:
        try:
            return _annotated(annotation), ast.unparse(annotation)
        except (LookupError, TypeError, ValueError, SyntaxError):
            return Any, ""
    try:
        literal = ast.literal_eval(value) if value is not None else None
    except ValueError:
        return Any, ""  # an expression, such as Path("x") or 2 * 3
    return (Any, "") if literal is None or literal is ... else (_like(literal), type(literal).__name__)


def _annotated(node: ast.expr) -> Any:
    """The type that an annotation names, from a fixed list of names. Nothing is evaluated."""
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return _annotated(ast.parse(text, mode="eval").body)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _TYPES[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return typing.Union[_annotated(left), _annotated(right)]  # noqa: UP007  # of types that are values here
        case ast.Subscript(value=outer, slice=inner):
            kind = _annotated(outer)
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            values = kind is typing.Literal
            read = tuple(ast.literal_eval(part) if values or _is_dots(part) else _annotated(part) for part in parts)
            return kind[read if len(read) > 1 else read[0]]
    raise LookupError(ast.unparse(node))


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _like(literal: object) -> Any:
    """The type of a default. A tuple may have any length; nested tuples stay tuples."""
    if isinstance(literal, tuple | list):
        inner = _like(literal[0]) if literal and isinstance(literal[0], tuple | list) else Any
        return tuple[inner, ...] if isinstance(literal, tuple) else list[inner]  # type: ignore[valid-type]  # a value
    return type(literal)


# --- what is given ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Valid values in the form that the notebook gets: a TOML array becomes a tuple if one was declared."""

    values: Mapping[str, Any]
    kept: tuple[str, ...]  # names that keep the notebook's default
    problems: tuple[str, ...]


def fit(statements: Sequence[Statement], given: Mapping[str, Value], *, defaults_allowed: bool = False) -> Fitted:
    """Validate the `given` values against the declared parameters.

    Args:
        defaults_allowed: whether any name may be left out. One whose default is None always may.
    """
    parameters = {parameter.name: parameter for statement in statements for parameter in statement.sets}
    names = ", ".join(sorted(parameters)) or "none"
    problems = [
        f"parameter `{name}` is unknown: the notebook declares {names}" for name in given if name not in parameters
    ]
    left_out = [parameter for name, parameter in parameters.items() if name not in given]
    kept = [one.name for one in left_out if one.nothing or (one.has_default and defaults_allowed)]
    problems += [f"parameter `{one.name}` is missing" for one in left_out if one.name not in kept]
    values = {}
    for name, value in given.items():
        try:
            values[name] = _fitting(value, parameters.get(name))
        except ValueError as error:
            problems.append(f"parameter `{name}` {error}")
    return Fitted(values=values, kept=tuple(kept), problems=tuple(problems))


def _fitting(value: Value, parameter: Parameter | None) -> Any:
    if is_secret(value):
        if value.removeprefix(SECRET) not in os.environ:
            raise ValueError(f"refers to {value}, but that variable is not set")
        return value
    if not _is_plain(value):
        raise ValueError(f"is a {type(value).__name__}: only JSON values can be passed")
    if parameter is None or parameter.kind is Any:
        return value
    try:
        # Validate in JSON mode: an array can become a tuple and a text a date, but 1 is never true.
        return TypeAdapter(parameter.kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise ValueError(f"is {value!r}, a {type(value).__name__}; {parameter.said} was declared") from error


def is_secret(value: object) -> TypeGuard[str]:
    """Whether it is a reference to a secret."""
    return isinstance(value, str) and value.startswith(SECRET)


def _is_plain(value: object) -> bool:
    # By exact type, because JSON cannot represent a NumPy integer.
    if isinstance(value, list | dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or type(value) in {str, int, bool} or (type(value) is float and math.isfinite(value))


# --- the cell that hands them in --------------------------------------------------------------------------------------


def injected(statements: Sequence[Statement], values: Mapping[str, Any]) -> str:
    """The cell that follows the `parameters` cell and sets `values`.

    A default that depends on another parameter, such as `half = base // 2`, is computed again from the given value.
    """
    lines, changed = ["# Parameters"], set[str]()
    for statement in statements:
        names = [parameter.name for parameter in statement.sets]
        if changed & statement.uses and not set(names) <= set(values):
            lines.append(statement.source)
            changed |= set(names)
        for name in names:
            if name in values:
                lines.append(f"{name} = {_source(values[name])}")
                changed.add(name)
    return "\n".join(lines)


def _source(value: Any) -> str:
    """`value` as Python source. It imports nothing, because the notebook may use the module's name."""
    if is_secret(value):
        return f"__import__('os').environ[{value.removeprefix(SECRET)!r}]  # {value}"
    match value:
        case datetime.date() | datetime.time():
            made = f"__import__('datetime').{type(value).__name__}.fromisoformat({value.isoformat()!r})"
        case Path():
            made = f"__import__('pathlib').Path({str(value)!r})"
        case tuple():
            made = f"({', '.join(map(_source, value))}{',' if len(value) == 1 else ''})"
        case list():
            made = f"[{', '.join(map(_source, value))}]"
        case set():
            made = f"set({_source(sorted(value, key=repr))})"
        case dict():
            made = f"{{{', '.join(f'{_source(key)}: {_source(inner)}' for key, inner in value.items())}}}"
        case _:
            made = repr(value)
    return made
