"""What a planner should do, in one sentence for each kind of answer."""

from proveout.records.answer import Answer


def action(answer: Answer) -> str:
    """How long a slot to plan.

    Args:
        answer: `value` in minutes, None where nobody could say; `low` and `high`, between which nine of ten flights
            came to lie, None if a rule answered.
    """
    if answer.value is None:
        return "No prediction: plan as last year."
    if answer.high is None:
        return f"Plan {answer.value + 20:.0f} minutes in the air: a rough estimate, and 20 minutes on top."
    return f"Plan {answer.high:.0f} minutes in the air; expect {answer.value:.0f}."
