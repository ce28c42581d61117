"""Incidents of a server process: reported once at the beginning, and once at the end."""

import sys


class Incident:
    """Something that does not work: said once when it begins and once when it is over, however often it is met."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.words: str | None = None

    def begins(self, words: str) -> None:
        """Say it, unless it is the one already said."""
        if words != self.words:
            print(f"proveout: {self.name} {words}", file=sys.stderr, flush=True)
        self.words = words

    def is_over(self) -> None:
        """Say that it is over, if there was one."""
        if self.words is not None:
            print(f"proveout: {self.name} works again", file=sys.stderr, flush=True)
        self.words = None
