"""What a reviewer of permissions should do, in one sentence for each kind of answer."""

from proveout.records.answer import Answer


def action(answer: Answer) -> str:
    """Where an operation belongs.

    Args:
        answer: `value`, whether it only reads; `probability` of that, 0 to 1, None where nobody could say;
            `confidence`, None if a rule answered.
    """
    if answer.probability is None:
        return "No prediction: read the description."
    if answer.value and answer.confidence is not None:
        return "Into the role for reading."
    if answer.probability <= 0.1:
        return "Into a role of its own: it changes something."
    return "Read the description before you allow it."
