"""Does the model answer every request that the schema lets in, not only those that history happens to hold?

Nobody wrote these requests. They are made from checks/schemas.py, half of them usual, half of them at an edge: the
ends of each range, text that no row had, nothing known at all. Every edge case is asked too. Where a check fails, it
names the smallest request that breaks it, and the command that keeps it as an edge case.
"""


def test_never_crashes(generated, evidence):
    """A request that the schema lets in gets an answer, however strange it is."""
    evidence(generated.never_crashes())


def test_never_answers_nan(generated, evidence):
    """Neither NaN nor infinity is an answer."""
    evidence(generated.never_nan())


def test_answers_stay_what_the_task_allows(generated, evidence):
    """A probability of 1.0000001 reaches users as nonsense."""
    evidence(generated.stays_a_probability())


def test_the_same_answer_when_asked_again(generated, evidence):
    """A model that rolls dice cannot be checked, cached or explained."""
    evidence(generated.same_when_asked_again())


def test_the_same_answer_alone_and_in_a_batch(generated, evidence):
    """Judged in a batch, served alone: a feature computed over the rows beside it makes these two models."""
    evidence(generated.same_alone_and_in_a_batch())


def test_the_order_of_rows_does_not_matter(generated, evidence):
    """An answer is no other for standing after another one in a table."""
    evidence(generated.same_in_any_order())


def test_what_is_served_is_what_was_judged(generated, evidence):
    """The server reads JSON and takes a faster path. It has to say what the pipeline says."""
    evidence(generated.served_as_offline())


def test_broken_requests_do_not_get_through(generated, evidence):
    """A request with one thing wrong is refused by the schema, whatever is wrong with it."""
    evidence(generated.refuses_invalid())
