"""How many threads the numeric libraries compute with.

Input: a number of threads. Output: a context in which they have no more.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits


def limited(threads: int = 1) -> "threadpool_limits":
    """A context in which scikit-learn and NumPy compute with so many threads.

    Threads that wait for each other on a busy machine take many times as long as one. A limit holds for what is loaded
    when it begins. So scikit-learn is imported first: loaded inside, it would have a thread for each core.
    """
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads)
