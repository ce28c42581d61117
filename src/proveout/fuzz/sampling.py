"""Sampling with hypothesis: the same examples every time, without database, deadline and output.

Input: a strategy. Output: examples; or, by a condition, the smallest example for which it is true.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hypothesis import settings
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def drawn(strategy: "SearchStrategy[T]", examples: int) -> list[T]:
    """The first `examples` that hypothesis generates from `strategy`; fewer, if there are no more.

    >>> from hypothesis import strategies
    >>> sorted(drawn(strategies.integers(1, 3), 20))
    [1, 2, 3]
    """
    found: list[T] = []
    search(strategy, lambda one: bool(found.append(one)), examples=examples, shrink=False)  # type: ignore[func-returns-value]
    return found


def search(
    strategy: "SearchStrategy[T]", condition: Callable[[T], bool], *, examples: int, shrink: bool = True
) -> None:
    """Call `condition` with the examples of `drawn` and, once it was true, with smaller and smaller ones.

    `condition` must remember the examples for which it was true, because hypothesis returns none if the result is not
    deterministic. It may raise `Enough`.
    """
    from hypothesis import find
    from hypothesis.errors import HypothesisException, NoSuchExample

    try:
        find(strategy, condition, settings=_quiet(examples, shrink=shrink), random=Random(0))  # noqa: S311  # no secret
    except (NoSuchExample, Enough):
        return
    except HypothesisException:
        if not shrink:
            raise


class Enough(BaseException):  # not an Exception: hypothesis would take that for a failing example
    """Raised by a condition to stop the search."""


def _quiet(examples: int, *, shrink: bool) -> "settings":
    # All settings are explicit, so that a hypothesis profile, such as the one for CI, changes nothing.
    from hypothesis import Phase, Verbosity, settings

    return settings(
        max_examples=examples,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        database=None,
        deadline=None,
        derandomize=True,
        print_blob=False,
        verbosity=Verbosity.quiet,
        backend="hypothesis",
    )
