"""A traceback without the exception's text: where it was raised, and its type.

The text often holds a value: "could not convert string to float: 'N12345'", "unknown category 'Ada Lovelace'". A
server's log is read, copied and kept by more people than may see the content of requests.
"""

import sys
import traceback


def report(error: BaseException) -> None:
    """Print the traceback of `error`, and of what led to it, to stderr; in place of each text only its kind."""
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and before not in chain:
        chain.append(before)
    for one in reversed(chain):
        place = "".join(traceback.format_tb(one.__traceback__))
        kind = type(one).__name__
        print(f"Traceback (most recent call last):\n{place}{kind}: (its words may be a value)", file=sys.stderr)
    sys.stderr.flush()
