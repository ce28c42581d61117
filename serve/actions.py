"""What a person should do, in one sentence for each kind of answer."""

from proveout.records.answer import Answer


def action(answer: Answer) -> str:
    """What to do about a flight.

    Args:
        answer: `probability` that it is late, 0 to 1, None where nobody could say; `confidence`, the share of held-out
            flights with such a score that were called right, None if a rule answered.
    """
    probability, confidence = answer.probability, answer.confidence
    if probability is None:
        return "No prediction: ask the airline."
    if probability >= 0.5:
        return "Rebook connections shorter than 90 minutes and tell whoever picks you up."
    if probability >= 0.3:
        return "Rebook connections shorter than 60 minutes."
    if confidence is not None and confidence < 0.65:
        return "Keep your plans, and look again an hour before departure."
    return "Keep your plans."
