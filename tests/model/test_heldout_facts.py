"""model/heldout_facts.py: how often an answer is right is counted on held-out rows."""

import numpy as np

from proveout.model import heldout_facts
from proveout.task.binary import Binary


def test_confidence_is_the_share_of_held_out_rows_called_right(order, tmp_path):
    """Counted again from the rows themselves."""
    scores = np.linspace(0.005, 0.995, 1000)
    labels = scores > 0.3  # between 0.3 and 0.5 every call is wrong
    table = heldout_facts.confidence_table(scores, labels, Binary())

    def share(probability):
        return table["right"][int(np.searchsorted(table["edges"], probability, side="right"))]

    assert share(0.1) == 1.0
    assert share(0.42) == 0.0
    assert share(0.9) == 1.0
    assert len(table["right"]) == len(table["edges"]) + 1
