"""The reference, made from the code: commands, settings, train.toml, fixtures, helpers of checks, records.

Input: the installed package. Output: pages in Markdown, by their path in the site. Nothing of it is committed.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import FunctionType, ModuleType
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from proveout import evaluation
from proveout.cli import main
from proveout.gate import fixtures
from proveout.gate_settings import JUDGING
from proveout.records import answer, train_config
from proveout.settings import Settings
from proveout.training.config import EXPECTED, SPLITS

_SECTION = re.compile(r"^(Args|Returns|Raises|Source|Yields):\s*(.*)$")


def pages() -> dict[str, str]:
    """Each page by its path."""
    return {
        "reference/commands.md": commands(),
        "reference/train-toml.md": train_toml(),
        "reference/fixtures.md": fixtures_page(),
        "reference/helpers.md": helpers(),
        "reference/records.md": records(),
    }


# --- commands ---------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    lines = [
        "# Commands",
        "Exit codes: 0 yes, 1 no, 2 misused, 3 could not tell, 4 lost a race. `proveout --debug …` shows where an "
        "error was raised.",
    ]
    for name, command, context in _commands(get_command(main), "proveout", None):
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"## {name}", _paragraphs(command.help or ""), f"```text\n{name} {usage}\n```"]
        rows = [_parameter(one, context) for one in command.params if not getattr(one, "hidden", False)]
        if rows:
            lines.append(_table(("argument or option", "what"), rows))
    return "\n\n".join(lines) + "\n"


def _commands(command: Any, name: str, parent: Any) -> Iterator[tuple[str, Any, Any]]:
    context = type(command).context_class(command, info_name=name.rpartition(" ")[2], parent=parent)
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield name, command, context
    for inner, one in below.items():
        yield from _commands(one, f"{name} {inner}", context)


def _parameter(one: Any, context: Any) -> tuple[str, str]:
    shown = one.get_help_record(context)
    name, said = shown if shown is not None else (one.make_metavar(context), getattr(one, "help", "") or "")
    return f"`{name}`", said


# --- settings ---------------------------------------------------------------------------------------------------------


def with_types(page: str) -> str:
    """docs/settings.md, whose table of settings gets what a value can be, and the variable that overrides it."""
    fields_of = Settings.model_fields

    def row(found: re.Match[str]) -> str:
        name = found[1]
        refused = ", refused where it judges" if name in JUDGING else ""
        return f"{found[0]} {kind(fields_of[name])} | `PROVEOUT_{name.upper()}`{refused} |"

    page = re.sub(r"^(\| setting \|.*\|)\n(\| --- .*\|)$", r"\1 a value | variable |\n\2 --- | --- |", page, flags=re.M)
    return re.sub(rf"^\| `({'|'.join(fields_of)})` \|.*\|$", row, page, flags=re.M)


def kind(field: Any) -> str:
    """What a setting takes, in words: its type and bounds."""
    bounds = {
        sign: value
        for one in field.metadata
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if (value := getattr(one, name, None)) is not None
    }
    said = _type(field.annotation)
    return f"{said}, {', '.join(f'{sign} {value:g}' for sign, value in bounds.items())}" if bounds else said


def _type(annotation: Any) -> str:
    arguments = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if get_origin(annotation) is tuple:
        return f"a list: {_type(arguments[0])}"
    if arguments:
        return _type(arguments[0])
    words = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "Path": "a path"}
    return words.get(getattr(annotation, "__name__", ""), "text")


def train_toml() -> str:
    """Each key of flows/train.toml, with its default."""
    lines = [
        "# train.toml",
        "The keys of `flows/train.toml`. What they are for: [training](../training.md). `[parameters]` has the names "
        "of the notebook's cell tagged `parameters`, `[evaluation]` the bounds that the checks ask for.",
    ]
    for table, keys in EXPECTED.items():
        defaults = _defaults(next(one for one in vars(train_config).values() if _has(one, keys)))
        lines += [f"## [{table}]", _table(("key", "takes", "default"), _keys(keys, defaults))]
    for name, keys in SPLITS.items():
        defaults = _defaults(getattr(train_config, f"{name.title()}Split"))
        lines.append(f'## [split] kind = "{name}"')
        lines.append(_table(("key", "takes", "default"), _keys(keys, defaults)) if keys else "It has no other key.")
    return "\n\n".join(lines) + "\n"


def _has(one: object, keys: Mapping[str, Any]) -> bool:
    return isinstance(one, type) and is_dataclass(one) and {field.name for field in fields(one)} == set(keys)


def _defaults(record: Any) -> Mapping[str, str]:
    return {one.name: "required" if one.default is MISSING else f"`{one.default}`" for one in fields(record)}


def _keys(keys: Mapping[str, Any], defaults: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(f"`{key}`", said, defaults[key].replace("`None`", "none")) for key, (_, said) in keys.items()]


# --- what checks use --------------------------------------------------------------------------------------------------


def helpers() -> str:
    """The public functions of `proveout.evaluation`, by module."""
    lines = ["# Helpers of checks", "How they are used: [writing checks](../checks.md)."]
    for name in sorted(one.name for one in pkgutil.walk_packages(evaluation.__path__, "proveout.evaluation.")):
        module = importlib.import_module(name)
        functions = [one for one in vars(module).values() if _gives_evidence(one, module)]
        if functions:
            lines += [f"## {name.removeprefix('proveout.evaluation.')}", _docstring(module)]
            for function in functions:
                lines += _function(f"{name.rpartition('.')[2]}.{function.__name__}", function)
    return "\n\n".join(lines) + "\n"


def _gives_evidence(function: object, module: ModuleType) -> bool:
    return (
        isinstance(function, FunctionType)
        and function.__module__ == module.__name__
        and not function.__name__.startswith("_")
        and "Evidence" in str(function.__annotations__.get("return"))
    )


def fixtures_page() -> str:
    """The fixtures that the gate gives to checks."""
    lines = ["# Fixtures of checks", "How they are used: [writing checks](../checks.md)."]
    found = {name: one for name, one in vars(fixtures).items() if isinstance(one, type(fixtures.candidate))}
    for name, one in found.items():
        if name != "gate_context":
            lines += [f"## {name}", _docstring(one)]
    return "\n\n".join(lines) + "\n"


def records() -> str:
    """The records that a project's own code takes or gives."""
    lines = ["# Records", "What `fallback`, `actions` and `cost_function` take or give: [settings](../settings.md)."]
    for name, one in vars(answer).items():
        if isinstance(one, type) and is_dataclass(one) and one.__module__ == answer.__name__:
            rows = [(f"`{field.name}`", f"`{_annotation(field.type)}`") for field in fields(one)]
            lines += [f"## {name}", f"`proveout.records.answer.{name}`", _docstring(one)]
            lines.append(_table(("field", "type"), rows))
    return "\n\n".join(lines) + "\n"


# --- text -------------------------------------------------------------------------------------------------------------


def _function(name: str, function: FunctionType) -> list[str]:
    given = ", ".join(
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in inspect.signature(function).parameters.values()
    )
    return [f"### {name}", f"```text\n{name}({given})\n```", _docstring(function)]


def _docstring(of: Any) -> str:
    return _paragraphs(inspect.getdoc(of) or "")


def _paragraphs(text: str) -> str:
    """A docstring as Markdown: its sections become lists, its examples and what is indented code."""
    lines: list[str] = []
    code: list[str] = []
    inside = ""
    for line in [*inspect.cleandoc(text).splitlines(), ""]:
        section = _SECTION.match(line)
        begins = line.startswith((">>> ", "evidence(")) or (line.startswith("    ") and inside != "Args")
        if (begins and not inside) or line.startswith(">>> ") or (code and line.strip() and not section):
            code.append(line)
            continue
        if code:
            lines += ["", *_fenced(code), ""]
            code = []
        if section:
            inside = section[1]
            lines += ["", f"**{inside}.** {section[2]}".rstrip(), *([""] if inside == "Args" else [])]
        elif inside == "Args" and (found := re.match(r"^    (\w[\w, *]*): (.*)$", line)):
            lines.append(f"- `{found[1]}`: {found[2]}")
        else:
            lines.append(f"    {line.strip()}" if inside == "Args" and line.strip() else line.strip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _fenced(code: list[str]) -> list[str]:
    margin = min(len(line) - len(line.lstrip()) for line in code)
    language = "python" if re.match(r"\s*(>>>|evidence\()", code[0]) else "text"
    return [f"```{language}", *(line[margin:] for line in code), "```"]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(one) for one in row)} |" for row in cells)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
