"""Bounds of the gate that changed since an earlier verdict.

Input: the bounds at two times, by name. Output: the changed bounds, and whether each is looser now. Pure.
"""

from collections.abc import Mapping, Sequence

from proveout.records.values import Scalar
from proveout.records.verdict import MovedBound

STRICTER_ABOVE, STRICTER_BELOW = "_at_least", "_at_most"
"""Suffixes of names that show in which direction a bound is stricter."""


def moved(before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> tuple[MovedBound, ...]:
    """The bounds that differ, looser ones first.

    >>> [in_words(one) for one in moved({"auc_at_least": 0.7, "seed": 1}, {"auc_at_least": 0.6, "seed": 1})]
    ['auc_at_least from 0.7 to 0.6, looser']
    """
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    found = [
        MovedBound(name=name, before=before.get(name), now=now.get(name), looser=_looser(name, before, now))
        for name in names
    ]
    return tuple(sorted(found, key=lambda one: (one.looser is not True, one.looser is not None)))


def _looser(name: str, before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> bool | None:
    if not name.endswith((STRICTER_ABOVE, STRICTER_BELOW)):
        return None
    if name not in now or name not in before:
        return name not in now
    old, new = before[name], now[name]
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return None
    return new < old if name.endswith(STRICTER_ABOVE) else new > old


def in_words(one: MovedBound, *, since: str = "") -> str:
    """The change of a bound in words; `since` names what it is compared with.

    >>> in_words(MovedBound(name="slice_auc_at_least", before=0.65, now=None, looser=True))
    'slice_auc_at_least 0.65 is asked no more, looser'
    """
    way = {True: ", looser", False: ", stricter", None: ""}[one.looser] + (f", since {since}" if since else "")
    if one.now is None:
        return f"{one.name} {one.before} is asked no more{way}"
    if one.before is None:
        return f"{one.name} {one.now} is new{way}"
    return f"{one.name} from {one.before} to {one.now}{way}"


def listed(found: Sequence[MovedBound]) -> str:
    """All changes in one line."""
    return "; ".join(in_words(one) for one in found)
