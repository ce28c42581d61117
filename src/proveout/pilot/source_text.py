"""Values as Python, TOML and JSON all write them: the words that proposals are put together of.

Input: texts, numbers, names. Output: source text of at most 120 characters a line.
"""

import json
from collections.abc import Iterator, Sequence

WIDTH = 120


def text(value: object) -> str:
    """A text as Python and JSON write it, in double quotes."""
    return json.dumps(str(value), ensure_ascii=False)


def number(value: float) -> str:
    """A number, whole where it is."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def listed(names: Sequence[str]) -> str:
    """A list of texts, on as many lines as it needs."""
    line = f"[{', '.join(map(text, names))}]"
    if len(line) <= WIDTH - 20:
        return line
    return "[\n" + "\n".join(packed([text(name) for name in names], indent=4)) + "\n]"


def packed(words: Sequence[str], *, indent: int) -> Iterator[str]:
    """Words with commas, as many on a line as fit."""
    line = ""
    for word in words:
        if line and len(line) + len(word) + 2 > WIDTH - indent:
            yield " " * indent + line.rstrip()
            line = ""
        line += f"{word}, "
    if line:
        yield " " * indent + line.rstrip()
