"""Numbers and dates that a file writes in a form that is read as text: `1.234,50`, `57 %`, `31.12.2024`.

Input: texts. Output: what they are and how to write them instead; None for texts that are texts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

_ROWS = 2_000  # that are looked at
_UNIT = r" ?(?:[$€£%]|EUR|USD|GBP|CHF)? ?"
_DATE = re.compile(r"^\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}( .*)?$")
_NUMBER = re.compile(rf"^(?=.*\D){_UNIT}[+-]?{_UNIT}\d+([.,' ]\d{{3}})*([.,]\d+)?{_UNIT}$")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What texts are: `numbers` or `dates`, one of them, and how to write it so that it is read as one."""

    what: str
    example: str
    instead: str


def find(texts: Iterable[str]) -> Form | None:
    """What these texts would be if they were written otherwise.

    >>> find(["3,50", "1.200,00 €"])
    Form(what='numbers', example='3,50', instead='1234.5')
    >>> find(["31.12.2024"]).what, find(["01067", "10115"]), find(["7 rue", "9 quai"])
    ('dates', None, None)
    """
    some = [text.strip() for text in islice(texts, _ROWS)]
    if not some:
        return None
    for pattern, what, instead in ((_DATE, "dates", "2013-06-07"), (_NUMBER, "numbers", "1234.5")):
        if all(map(pattern.match, some)):
            return Form(what=what, example=some[0], instead=instead)
    return None
