"""Names of batches: any text, sorted as text.

Input: names. Output: whether that order differs from the order of the numbers in them. Pure.
"""

import re
from collections.abc import Iterable, Sequence


def order_problem(names: Iterable[str]) -> str:
    """Two names whose text order differs from the order of their numbers, with a remedy; empty if there are none.

    >>> order_problem(["2013-2", "2013-10"])
    'batches are in the order of their names as text, and there 2013-10 comes before 2013-2: write 2013-02'
    >>> order_problem(["2013-02", "2013-10", "north"])
    ''
    """
    alike: dict[str, list[str]] = {}  # names that differ only in their numbers; others have only the text order
    for name in sorted(names):
        alike.setdefault(re.sub(r"\d+", "0", name), []).append(name)
    for as_text in alike.values():
        for text, number in zip(as_text, sorted(as_text, key=_numbers), strict=True):
            if text != number:
                what = f"batches are in the order of their names as text, and there {text} comes before {number}"
                return f"{what}: write {_padded(number, as_text)}"
    return ""


def _numbers(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def _padded(name: str, names: Sequence[str]) -> str:
    """The name with zero-padded numbers, as long as the longest number at each place."""
    width: dict[int, int] = {}
    for one in names:
        for place, part in enumerate(re.split(r"(\d+)", one)):
            if part.isdecimal():
                width[place] = max(width.get(place, 0), len(part))
    parts = enumerate(re.split(r"(\d+)", name))
    return "".join(part.zfill(width[place]) if part.isdecimal() else part for place, part in parts)
