"""hypothesis, as the gate uses it: the same examples every time, no database, no clock, not a word.

Input: a strategy. Output: examples; or, through a condition, the smallest that it is true of.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hypothesis import settings
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def drawn(strategy: "SearchStrategy[T]", examples: int) -> list[T]:
    """The first `examples` that hypothesis makes by `strategy`; fewer, if there are no more.

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
    """Ask `condition` of the examples that `drawn` gives and, once it was true, of ever smaller ones.

    What it was true of is for `condition` to remember: where it wavers, hypothesis has no answer. It may raise
    `Enough`.
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


class Enough(BaseException):  # no error, and to hypothesis an Exception would be an example that fails
    """Raised by a condition: no more examples, please."""


def _quiet(examples: int, *, shrink: bool) -> "settings":
    # All of it said, so that the profile of a machine, such as the one for CI, changes nothing.
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
