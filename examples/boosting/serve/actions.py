"""What the ramp should do, in one sentence for each kind of answer."""

from proveout.records.answer import Answer

FREEZING_COMES = -4.0  # degrees that it may cool by, before somebody looks at the thermometer


def action(answer: Answer) -> str:
    """Whether to look after the de-icing.

    Args:
        answer: `value` in degrees Fahrenheit, None where nobody could say; from `low` to `high` lie nine of ten
            outcomes, None if a rule answered.
    """
    if answer.value is None:
        return "No prediction: look at the thermometer each hour."
    if answer.low is None:
        return f"About {answer.value:+.0f} degrees in three hours, as on most days: look again in one."
    if answer.low <= FREEZING_COMES:
        return (
            f"It may be {-answer.low:.0f} degrees colder in three hours: warm up the de-icing where it is below 40 now."
        )
    return f"{answer.low:+.0f} to {answer.high:+.0f} degrees in three hours: nothing to do."
