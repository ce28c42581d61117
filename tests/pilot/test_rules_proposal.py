"""The rules of a proposed project are Python, whatever the classes are called."""

from typing import Any

from small_proposals import proposal

from proveout.pilot import rules_proposal
from proveout.pilot.best_split import BestSplit


def test_many_classes_with_long_names_are_wrapped_between_names() -> None:
    """A line that ends within a name is no Python."""
    shares = {f"Penguin of the kind {place} (Pygoscelis {place})": 1 / 8 for place in range(8)}
    best = BestSplit(rows=80, otherwise=shares, column="beak", at_least=3.5, here=shares, here_rows=40)
    text = rules_proposal.rules(proposal(task="multiclass"), best, quality='On "held-out" rows: accuracy 0.7.')
    space: dict[str, Any] = {}

    exec(compile(text, "fallback", "exec"), space)

    assert space["rules"]({"beak": 4.0}) == space["rules"]({"beak": None}) == shares
    assert max(map(len, text.splitlines())) <= 120
    assert "accuracy 0.7" in space["__doc__"]
