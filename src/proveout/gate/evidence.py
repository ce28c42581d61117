"""The fixture `evidence`: records what a check measured, and compares it with its bounds.

Input: numbers, or `Evidence` from the functions in `evaluation/`. Output: user properties of the check's report, and an
AssertionError if a bound is broken.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, overload

from proveout.errors import UsageError
from proveout.gate.verdict import claim
from proveout.records.json_form import from_json, to_json
from proveout.records.verdict import Evidence

EVIDENCE = "proveout.evidence"  # user property of a report: one Evidence as JSON
BROKEN = "proveout.broken"  # user property of a report: a broken bound, in words


@dataclass(frozen=True)
class EvidenceRecorder:
    """The fixture `evidence`. A call records what is stated, then asserts that it holds."""

    check: str
    write: Callable[[str, str], None]
    interval_scale: float = 1.0  # below 1, intervals are narrowed to those of more rows

    @overload
    def __call__(self, what: str, value: "float | Evidence", **bounds: Any) -> Evidence: ...

    @overload
    def __call__(self, what: Evidence, **bounds: Any) -> Evidence: ...

    @overload
    def __call__(self, what: Iterable[Evidence], **bounds: Any) -> tuple[Evidence, ...]: ...

    def __call__(
        self, what: "str | Evidence | Iterable[Evidence]", value: "float | Evidence | None" = None, **bounds: Any
    ) -> "Evidence | tuple[Evidence, ...]":
        """State a number with its name, or one or several `Evidence` records.

        evidence("auc", 0.774, at_least=0.70, slice="EWR", rows=9_000)
        evidence(metrics.auc(holdout.labels, scores), at_least=0.70, surely=True)
        evidence(slices.judge(...))

        Args:
            bounds: fields of `Evidence`: at_least, at_most, slice, rows, champion, low, high, level, surely, covers;
                they replace the values in `Evidence`.
        Returns: what was stated. Everything is recorded before the first broken bound raises.
        Raises: AssertionError with a sentence for each number out of its bounds; UsageError for invalid arguments.
        """
        __tracebackhide__ = True
        found = [self._complete(one, bounds) for one in _stated(what, value)]
        broken = []
        for one in found:
            numbers = (one.value, one.at_least, one.at_most, one.champion, one.low, one.high)
            finite = all(number is None or math.isfinite(number) for number in numbers)
            if finite:
                self.write(EVIDENCE, to_json(one))
            if one.breaks or not finite:
                # Reported twice: recorded here, in case the check swallows the exception, and raised for the test's
                # output.
                self.write(BROKEN, claim(one))
                broken.append(claim(one))
        if broken:
            raise AssertionError("\n".join(broken))
        return found[0] if isinstance(what, str | Evidence) else tuple(found)

    def _complete(self, one: Evidence, bounds: dict[str, Any]) -> Evidence:
        unknown = sorted(set(bounds) - _MAY_BE_SET)
        if unknown:
            raise UsageError(
                f"evidence() does not know {', '.join(unknown)}. It knows {', '.join(sorted(_MAY_BE_SET))}."
            )
        empty = sorted(name for name in ("at_least", "at_most") if bounds.get(name, 0) is None)
        if empty:
            raise UsageError(
                f"evidence() was given {empty[0]}=None, which is not a bound: give a number, or leave it out."
            )
        plain = {name: _plain(name, value) for name, value in bounds.items()}
        value = None if one.value is None else float(one.value)
        return self._of_all_rows(replace(one, check=self.check, value=value, **plain))

    def _of_all_rows(self, one: Evidence) -> Evidence:
        if self.interval_scale == 1.0 or one.value is None or one.low is None or one.high is None:
            return one
        low, high = (one.value + self.interval_scale * (end - one.value) for end in (one.low, one.high))
        return replace(one, low=low, high=high)


def proves(text: str) -> bool | None:
    """Whether a statement in JSON proves something.

    True if a bound or a comparison was judged, or the statement says that there is nothing to judge. False if a bound
    could not be judged. None for a number without a bound.
    """
    one = from_json(Evidence, text)
    bounded = one.at_least is not None or one.at_most is not None
    if one.unjudged and bounded:
        return False
    return True if bounded or one.decision else None


_NUMBERS = frozenset({"at_least", "at_most", "champion", "low", "high", "level"})
_MAY_BE_SET = _NUMBERS | {"name", "slice", "rows", "surely", "covers"}


def _plain(name: str, value: Any) -> Any:
    """A value as a plain Python value, because JSON cannot represent NumPy's numbers."""
    if value is None:
        return None
    if name in _NUMBERS:
        return float(value)
    if name == "rows":
        return int(value)
    if name == "covers":
        return (value,) if isinstance(value, str) else tuple(value)
    return bool(value) if name == "surely" else str(value)


def _stated(what: "str | Evidence | Iterable[Evidence]", value: "float | Evidence | None") -> list[Evidence]:
    if isinstance(what, Evidence):
        return [what]
    if not isinstance(what, str):
        several = list(what)
        if not several:
            raise UsageError("evidence() got an empty list: the function that made it found no rows or no slices.")
        return several
    if isinstance(value, Evidence):
        return [replace(value, name=what)]
    if value is None:
        raise UsageError(f'evidence("{what}", …) lacks its number: evidence("{what}", 0.77, at_least=0.70)')
    return [Evidence(name=what, value=float(value))]
