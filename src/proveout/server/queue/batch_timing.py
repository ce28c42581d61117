"""Batch timing: how long a batch of so many rows takes, and how many rows a batch should have.

Input: the measured time of each batch. Output: the expected time of the next one. Pure.
"""

import math

_WEIGHT = 0.25  # of the newest batch; a single slow one is soon forgotten
_BINS = 9  # 1, 2 to 3, 4 to 7, … 256 rows and more
_UNTRIED = 6  # place of the largest size that is tried before the sizes below it: 64 rows


class BatchTiming:
    """Batch times by rows: a moving mean for each power of two."""

    def __init__(self) -> None:
        self._measured: list[float | None] = [None] * _BINS
        self._believed: list[float] = [0.0] * _BINS
        self._smallest, self._largest = _BINS, 0  # places of the sizes that were measured
        self.slowest_s = 0.0  # of any batch

    def took(self, rows: int, seconds: float) -> None:
        """A batch was answered."""
        place = _place(rows)
        before = self._measured[place]
        seconds = max(seconds, 1e-9)
        self._measured[place] = seconds if before is None else before + _WEIGHT * (seconds - before)
        self._smallest, self._largest = min(self._smallest, place), max(self._largest, place)
        self._believe()

    def seconds(self, rows: int) -> float:
        """How long a batch takes; 0 while nothing was measured, so that the first is tried."""
        return self._believed[_place(rows)]

    @property
    def alone_s(self) -> float:
        """How long a single row takes; 0 while none was measured: it may be quick."""
        return 0.0 if self._measured[0] is None else self._believed[0]

    def most_rows(self, within_s: float) -> int:
        """The largest batch that takes no longer: at least one row, at most twice as many as were measured, or 64."""
        place = min(max(self._largest + 1, _UNTRIED), _BINS - 1)
        while place and self._believed[place] > within_s:
            place -= 1
        return 1 << place

    def _believe(self) -> None:
        """Half the rows never take longer, and twice as many never more than twice as long: otherwise a size that was
        slow once, and is not tried since, would be believed slow for ever."""
        least: list[float] = []  # what this size or a larger one was measured to take
        above = math.inf
        for seconds in reversed(self._measured):
            above = above if seconds is None else min(above, seconds)
            least.insert(0, above)
        believed: list[float] = []
        bound = math.inf
        for place, most in enumerate(least):
            if place <= self._largest:
                bound = min(most, 2 * bound)
                believed.append(bound)
            elif self._smallest == self._largest:  # one size alone says nothing of the next: half of both extremes
                believed.append(1.5 * believed[-1])
            else:  # on the line through the two sizes below it: twice as many rows more, twice as much time more
                believed.append(believed[-1] + 2 * max(0.0, believed[-1] - believed[-2]))
        self._believed = believed
        self.slowest_s = max(believed[: self._largest + 2])


def _place(rows: int) -> int:
    return min(max(rows, 1).bit_length(), _BINS) - 1
