"""What an answer costs a traveller, in dollars: the business function that `proveout replay` adds up.

A calculation to be argued about, not a measurement: put your own prices here. It prices what `actions.py` advises.
"""

from proveout.records.answer import Answer

# Assumed, all four.
MISSED = 300.0  # a missed connection: a new ticket, or a night
MISSED_SHARE = 0.2  # of late flights that nobody was warned of
REBOOKED = 15.0  # a slower connection, where it was worth it
REBOOKED_IN_VAIN = 40.0  # the same, for a flight that was on time after all


def cost(answer: Answer, outcome: bool) -> float:
    """What one answer cost, once it is known whether the flight was late (`outcome`)."""
    if answer.probability is not None and answer.probability >= 0.3:  # advised to rebook
        return REBOOKED if outcome else REBOOKED_IN_VAIN
    return MISSED_SHARE * MISSED if outcome else 0.0
