"""What the recorder remembers of single calls."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from proveout.recovery.recorder import Recorder
from proveout.recovery.tape import CallMade, Key, Tape

TRUTH, ANSWERS = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("args", "named", "plain"),
    [
        ((TRUTH, ANSWERS), {}, True),
        ((TRUTH,), {"y_pred": ANSWERS}, True),
        ((TRUTH, ANSWERS), {"average": "macro"}, False),
    ],
    ids=["by place", "by name", "an option"],
)
def test_a_metric_with_options_is_another_number(
    args: tuple[object, ...], named: dict[str, object], plain: bool
) -> None:
    """Nobody else computes it: it is not compared with the task's metric of that name."""
    tape = Tape()

    Recorder(tape).call(
        CallMade(key=Key(0, "0.0", 0), function=recall_score, name="recall_score", args=args, named=named)
    )

    [found] = tape.metrics
    assert (found.name, found.plain) == ("recall_score", plain)
