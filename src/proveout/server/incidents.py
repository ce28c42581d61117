"""Incidents of a server process: reported on stderr once when they begin, and once when they are over."""

import sys


class Incident:
    """Something that may fail repeatedly. Only the beginning and the end of a failure are reported."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.message: str | None = None  # what is wrong now; None if nothing

    def begins(self, message: str) -> None:
        """Report the failure, unless it was the last one reported."""
        if message != self.message:
            print(f"proveout: {self.name} {message}", file=sys.stderr, flush=True)
        self.message = message

    def is_over(self) -> None:
        """Report that the failure is over, if there was one."""
        if self.message is not None:
            print(f"proveout: {self.name} works again", file=sys.stderr, flush=True)
        self.message = None
