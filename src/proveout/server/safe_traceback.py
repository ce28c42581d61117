"""A traceback without the exception's text: only where it was raised, and its type.

The text often contains a value: "could not convert string to float: 'N12345'", "unknown category 'Ada Lovelace'". More
people read, copy and keep a server's log than may see the content of requests.
"""

import sys
import traceback


def report(error: BaseException) -> None:
    """Print the traceback of `error` and its causes to stderr, with the class in place of each text."""
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and before not in chain:
        chain.append(before)
    for one in reversed(chain):
        place = "".join(traceback.format_tb(one.__traceback__))
        kind = type(one).__name__
        print(
            f"Traceback (most recent call last):\n{place}{kind}: (text omitted: it may hold a value)", file=sys.stderr
        )
    sys.stderr.flush()
