"""What is raised where one of the fallback chain has no answer: its text is the reason that the caller is told."""


class NoAnswer(Exception):
    """No answer from this source. Its text is the reason, as the answer tells it."""
