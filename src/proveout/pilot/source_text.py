"""Source text of values and lists, valid in Python, TOML and JSON alike.

Input: texts, numbers, names. Output: source text of at most 120 characters a line.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

WIDTH = 120
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})


def text(value: object) -> str:
    """The value as a string literal in double quotes, valid in Python and JSON."""
    return json.dumps(str(value), ensure_ascii=False)


def line(value: str) -> str:
    """A text for a comment or a docstring: on one line, with nothing that ends it or that Python reads as an escape.

    >>> print(line('width\\n"cm"'))
    width \\"cm\\"
    """
    return json.dumps(" ".join(value.split()), ensure_ascii=False)[1:-1]


def word(name: str) -> str:
    """A name in lower-case letters, digits and underscores of ASCII, as identifiers are made of; empty if none is left.

    >>> word("Lot Size"), word("Größe (cm)"), word("Café?"), word("年齢")
    ('lot_size', 'groesse_cm', 'cafe', '')
    """
    spelled = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", name).lower().translate(_SPELLED))
    plain = "".join(sign for sign in spelled if not unicodedata.combining(sign))
    return re.sub(r"\W+", "_", plain, flags=re.ASCII).strip("_")


def free(name: str, taken: Collection[str]) -> str:
    """`name`, or with the first number that makes another one of it than those `taken`.

    >>> free("month", {"month", "month_2"})
    'month_3'
    """
    numbered = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
    return next(one for one in numbered if one not in taken)


def number(value: float) -> str:
    """A number literal, without decimals if the number is whole."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def listed(names: Sequence[str]) -> str:
    """A list of string literals, on as many lines as it needs."""
    line = f"[{', '.join(map(text, names))}]"
    if len(line) <= WIDTH - 20:
        return line
    return "[\n" + "\n".join(packed([text(name) for name in names], indent=4)) + "\n]"


def packed(words: Sequence[str], *, indent: int) -> Iterator[str]:
    """Lines of words separated by commas, as many on each line as fit."""
    line = ""
    for word in words:
        if line and len(line) + len(word) + 2 > WIDTH - indent:
            yield " " * indent + line.rstrip()
            line = ""
        line += f"{word}, "
    if line:
        yield " " * indent + line.rstrip()
