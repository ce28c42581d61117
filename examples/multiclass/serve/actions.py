"""What the planner of the stands should do, in one sentence for each kind of answer."""

from proveout.records.answer import Answer

SURE = 0.8  # from here on four of five are right, and mostly more


def action(answer: Answer) -> str:
    """Which stand to keep free.

    Args:
        answer: `value` names the family, None where nobody could say; `probability` is its own, None if a rule
            answered.
    """
    if answer.value is None:
        return "No prediction: keep a stand free for any of them."
    if answer.probability is None:
        return f"Plan a stand for {answer.value}, as this airline has it mostly, and ask the airline."
    if answer.probability >= SURE:
        return f"Plan a stand for {answer.value}."
    ranked = sorted((answer.probabilities or {}).items(), key=lambda one: -one[1])
    second = ranked[1][0] if len(ranked) > 1 else "another one"
    return f"Plan a stand that takes {answer.value} and {second}."
