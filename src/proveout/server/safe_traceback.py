"""What the server's own log says of an exception: where it was raised, and of which kind. Not what it says itself.

A model's words are often a value: «could not convert string to float: 'N12345'», «unknown category 'Ada Lovelace'».
The log of a server is read, copied and kept by more people than may see what requests say.
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
