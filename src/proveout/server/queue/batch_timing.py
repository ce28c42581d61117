"""Batch timing: how long a batch of so many rows takes, and how many rows a batch should have.

Input: the measured time of each batch. Output: the expected time of the next one. Pure.
"""

import math

_WEIGHT = 0.25  # of the newest batch in the moving mean: a single slow one has little effect
_BINS = 9  # 1, 2 to 3, 4 to 7, … 256 rows and more
_UNTRIED = 6  # bin of the largest size that may be tried before smaller ones were measured: 64 rows


class BatchTiming:
    """Batch times by rows: a moving mean for each power of two."""

    def __init__(self) -> None:
        self._measured: list[float | None] = [None] * _BINS
        self._expected: list[float] = [0.0] * _BINS
        self._smallest, self._largest = _BINS, 0  # bins of the sizes that were measured
        self.slowest_s = 0.0  # expected, of any size

    def took(self, rows: int, seconds: float) -> None:
        """Record the time of a batch."""
        place = _place(rows)
        before = self._measured[place]
        seconds = max(seconds, 1e-9)
        self._measured[place] = seconds if before is None else before + _WEIGHT * (seconds - before)
        self._smallest, self._largest = min(self._smallest, place), max(self._largest, place)
        self._estimate()

    def seconds(self, rows: int) -> float:
        """The expected time of a batch; 0 before the first measurement, so that the first batch is tried."""
        return self._expected[_place(rows)]

    @property
    def alone_s(self) -> float:
        """The expected time of a single row; 0 before one was measured."""
        return 0.0 if self._measured[0] is None else self._expected[0]

    def most_rows(self, within_s: float) -> int:
        """The largest batch expected to take at most `within_s`: at least one row, at most 64 or twice the largest
        size that was measured."""
        place = min(max(self._largest + 1, _UNTRIED), _BINS - 1)
        while place and self._expected[place] > within_s:
            place -= 1
        return 1 << place

    def _estimate(self) -> None:
        """Update the expected times: half the rows never take longer, twice the rows at most twice as long. Without
        these bounds, a size that was slow once and not tried since would be expected to be slow forever."""
        least: list[float] = []  # the shortest time measured for this size or a larger one
        above = math.inf
        for seconds in reversed(self._measured):
            above = above if seconds is None else min(above, seconds)
            least.insert(0, above)
        expected: list[float] = []
        bound = math.inf
        for place, most in enumerate(least):
            if place <= self._largest:
                bound = min(most, 2 * bound)
                expected.append(bound)
            elif self._smallest == self._largest:  # only one size was measured: between constant and proportional time
                expected.append(1.5 * expected[-1])
            else:  # linear extrapolation from the two sizes below: sizes double, so the increment doubles
                expected.append(expected[-1] + 2 * max(0.0, expected[-1] - expected[-2]))
        self._expected = expected
        self.slowest_s = max(expected[: self._largest + 2])


def _place(rows: int) -> int:
    return min(max(rows, 1).bit_length(), _BINS) - 1
