"""Editing the YAML text of edge cases: add or remove a case, and leave the rest of the file unchanged, byte for byte.

Input: a case, and the text of a file. Output: text. Loading and dumping with a YAML library would lose comments and
formatting.
"""

import datetime
import re
from typing import Any

from proveout.edge_cases.case import Case, Expectation
from proveout.errors import ConfigError

WIDTH = 120


def block(case: Case) -> str:
    """A case as a YAML list of one entry, not indented; `edge_cases.parse` reads it back equal."""
    source = ("incident", case.incident) if case.incident is not None else ("request", case.request)
    lines = [
        f"- id: {case.id}",
        *_prose("reason", case.reason),
        *_prose("author", case.author),
        f"  date: {case.date.isoformat()}",
        *_prose(source[0], str(source[1])),
        "  record:",
        *(f"    {line}" for line in _flow(dict(case.record), width=WIDTH - 32)),
        *_entry("expect", _expected(case.expect)),
    ]
    return "\n".join(lines) + "\n"


def added(text: str, new: str) -> str:
    """`text` with the block `new` appended after an empty line, indented like the list in `text`."""
    import yaml

    book = yaml.compose(text, Loader=yaml.SafeLoader)
    margin = " " * (0 if book is None else book.start_mark.column)
    ending = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text else ending if text.endswith("\n") else ending * 2
    return text + gap + "".join(f"{margin}{line}{ending}" for line in new.splitlines())


def cut(text: str, case: str, *, where: str) -> tuple[str, str]:
    """The block of `case` in `text`, unchanged; and `text` without it.

    Comments after the block stay. Raises: ConfigError if the case has no lines of its own, as in a list in brackets.
    """
    entry, lines = _entry_of(text, case), text.splitlines(keepends=True)
    first = 0 if entry is None else entry.start_mark.line
    if entry is None or not re.fullmatch(r"\s*-\s+", lines[first][: entry.start_mark.column]):
        remedy = f"Write it as lines of its own, beginning with `- id: {case}`"
        raise ConfigError(f"{where}, {case}", "cannot be cut out of the text", remedy)
    after = _last_line(entry) + 1
    while not lines[after - 1].strip():
        after -= 1
    taken, left = lines[first:after], lines[:first] + lines[after:]
    if first and not left[first - 1].strip() and (first == len(left) or not left[first].strip()):
        del left[first - 1]  # of the empty lines before and after it, keep one
    return "".join(taken), "".join(left)


def retired_block(taken: str, *, by: str, date: datetime.date, reason: str) -> str:
    """A block from `cut`, not indented, with who retired it, when and why."""
    lines = taken.splitlines()
    dash = re.match(r"(\s*)-\s+", lines[0])
    assert dash is not None  # `cut` has checked it
    kept = [line.removeprefix(dash[1]) for line in lines]
    indent = " " * (len(dash[0]) - len(dash[1]))
    entry = [line[2:] for line in _entry("retired", {"by": by, "date": date, "reason": reason})]
    if not kept[0][len(indent) :].startswith("{"):
        return "".join(f"{line}\n" for line in (*kept, *(indent + line for line in entry)))
    whole, brace, rest = "\n".join(kept).rpartition("}")
    return f"{whole.rstrip().rstrip(',')},\n{indent} {' '.join(line.strip() for line in entry)}{brace}{rest}\n"


def _expected(expect: Expectation) -> dict[str, Any]:
    """The expectation as in the file: without unset keys, and with a list for a rise without tolerance."""
    found = expect.model_dump(exclude_unset=True)
    for when in ("not_lower_when", "not_higher_when"):
        for field, rising in found.get(when, {}).items():
            found[when][field] = rising if rising.get("tolerance") else list(rising["through"])
    return found


def _entry(key: str, value: Any, *, margin: str = "  ") -> list[str]:
    """`key: value` in an entry of the list: on one line if it fits, else on several."""
    flow = _flow(value)
    if len(flow) == 1 and len(margin) + len(key) + len(flow[0]) + 2 <= WIDTH:
        return [f"{margin}{key}: {flow[0]}"]
    if isinstance(value, dict):
        inner = (_entry(name, within, margin=f"{margin}  ") for name, within in value.items())
        return [f"{margin}{key}:", *(line for lines in inner for line in lines)]
    return [f"{margin}{key}:", *(f"{margin}  {line}" for line in flow)]


def _flow(value: Any, *, width: int = 10 * WIDTH) -> list[str]:
    import yaml

    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=width)
    return text.removesuffix("...\n").splitlines()


def _prose(key: str, text: str) -> list[str]:
    """A sentence, folded and without quotes if YAML then reads it back unchanged."""
    import textwrap

    if len(text) < 40 or not text.isprintable() or text != " ".join(text.split()):
        return _entry(key, text)
    wrapped = textwrap.wrap(text, WIDTH - 8, break_long_words=False, break_on_hyphens=False)
    return [f"  {key}: >-", *(f"    {line}" for line in wrapped)]


def _entry_of(text: str, case: str) -> Any:
    """The YAML node of a case; None if there is none with that id."""
    import yaml

    book = yaml.compose(text, Loader=yaml.SafeLoader)
    for entry in getattr(book, "value", ()):
        for key, value in entry.value:
            if (key.value, value.value) == ("id", case):
                return entry
    return None


def _last_line(node: Any) -> int:
    """The last line of a node. YAML's own end of a block is after the comments that follow it."""
    if isinstance(node.value, list) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    ends_before = node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line
    return int(node.end_mark.line - ends_before)
