"""Stating evidence: what a check measured, recorded and compared with its bounds.

Input: numbers, or the `Evidence` that the helpers of `evaluation/` measure. Output: user properties of the check's
report, and an AssertionError for the test's output.
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
BROKEN = "proveout.broken"  # user property of a report: a statement that did not hold, in words


@dataclass(frozen=True)
class EvidenceRecorder:
    """The fixture `evidence`. Called, it writes down what is stated, then asserts that it holds."""

    check: str
    write: Callable[[str, str], None]
    interval_scale: float = 1.0  # below 1, intervals are stated as of more rows than they were measured on

    @overload
    def __call__(self, what: str, value: "float | Evidence", **bounds: Any) -> Evidence: ...

    @overload
    def __call__(self, what: Evidence, **bounds: Any) -> Evidence: ...

    @overload
    def __call__(self, what: Iterable[Evidence], **bounds: Any) -> tuple[Evidence, ...]: ...

    def __call__(
        self, what: "str | Evidence | Iterable[Evidence]", value: "float | Evidence | None" = None, **bounds: Any
    ) -> "Evidence | tuple[Evidence, ...]":
        """State a number by its name, or what a helper measured, one or several.

        evidence("auc", 0.774, at_least=0.70, slice="EWR", rows=9_000)
        evidence(metrics.auc(holdout.labels, scores), at_least=0.70, surely=True)
        evidence(slices.judge(...))

        Args:
            bounds: fields of `Evidence`: at_least, at_most, slice, rows, champion, low, high, level, surely, covers;
                they take the place of what a helper set.
        Returns: what was stated. All of it is written down before the first that does not hold is raised.
        Raises: AssertionError with a sentence for each number out of its bounds; UsageError for what is no statement.
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
                # Said twice: here in case the check swallows what is raised, there for who reads the test's output.
                self.write(BROKEN, claim(one))
                broken.append(claim(one))
        if broken:
            raise AssertionError("\n".join(broken))
        return found[0] if isinstance(what, str | Evidence) else tuple(found)

    def _complete(self, one: Evidence, bounds: dict[str, Any]) -> Evidence:
        strange = sorted(set(bounds) - _MAY_BE_SET)
        if strange:
            raise UsageError(
                f"evidence() does not know {', '.join(strange)}. It knows {', '.join(sorted(_MAY_BE_SET))}."
            )
        empty = sorted(name for name in ("at_least", "at_most") if bounds.get(name, 0) is None)
        if empty:
            raise UsageError(
                f"evidence() was given {empty[0]}=None, which is no bound: give a number, or leave it out."
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
    """Whether a statement, as JSON, is an answer: True if a bound or a comparison was judged, or it says that there is
    nothing to ask; False if a bound was asked and could not be judged; None for a number of which nothing is asked."""
    one = from_json(Evidence, text)
    bounded = one.at_least is not None or one.at_most is not None
    if one.unjudged and bounded:
        return False
    return True if bounded or one.decision else None


_NUMBERS = frozenset({"at_least", "at_most", "champion", "low", "high", "level"})
_MAY_BE_SET = _NUMBERS | {"name", "slice", "rows", "surely", "covers"}


def _plain(name: str, value: Any) -> Any:
    """A value as records have it: NumPy's numbers do not survive the way through JSON."""
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
            raise UsageError("evidence() was given nothing to state: what found it looked at no rows or no slices.")
        return several
    if isinstance(value, Evidence):
        return [replace(value, name=what)]
    if value is None:
        raise UsageError(f'evidence("{what}", …) lacks its number: evidence("{what}", 0.77, at_least=0.70)')
    return [Evidence(name=what, value=float(value))]
