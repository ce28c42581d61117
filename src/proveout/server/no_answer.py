"""The exception of an answer source that has no answer."""


class NoAnswer(Exception):
    """This source has no answer. The text is the reason, which the caller gets as `fallback_reason`."""
