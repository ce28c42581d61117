"""What a person should do, in one sentence for each kind of answer."""


def action(probability: float | None, confidence: float | None) -> str:
    """What to do about a flight that is late with this `probability`.

    Args:
        probability: 0 to 1, or None where nobody could say.
        confidence: the share of held-out flights with such a score that were called right, or None if a rule answered.
    """
    if probability is None:
        return "No prediction: ask the airline."
    if probability >= 0.5:
        return "Rebook connections shorter than 90 minutes and tell whoever picks you up."
    if probability >= 0.3:
        return "Rebook connections shorter than 60 minutes."
    if confidence is not None and confidence < 0.65:
        return "Keep your plans, and look again an hour before departure."
    return "Keep your plans."
