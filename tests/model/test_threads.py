"""How many threads the numeric libraries compute with."""

import subprocess
import sys

CODE = """
from proveout.model import threads
with threads.limited():
    import sklearn.ensemble
    from threadpoolctl import threadpool_info
    print(sorted({(one["user_api"], one["num_threads"]) for one in threadpool_info()}))
"""


def test_a_limit_holds_for_what_is_used_only_inside_it():
    """A process that had not used scikit-learn yet fitted its first model with a thread for each core, all in each
    other's way: 28 seconds for what one thread does in a third of one."""
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[('blas', 1), ('openmp', 1)]"
