"""data/profiles.py: what whylogs brings along."""

import subprocess
import sys

PROFILED = """
import sys
{before}
import pandas as pd
from proveout.data import profiles
[found] = profiles.numbers(profiles.profile(pd.DataFrame({{"a": [1.0, 2.0, None]}})))
assert (found.rows, found.nulls) == (3, 1), found
print("sklearn" in sys.modules)
import sklearn.cluster
assert sklearn.cluster.KMeans
"""


def profiled(before: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", PROFILED.format(before=before)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_a_profile_does_without_scikit_learn():
    """whylogs imports it for experiments that nothing here uses: most of the time that its import takes."""
    assert profiled("") == "False"


def test_who_has_it_keeps_it():
    """It is refused to whylogs alone, and only where nobody has imported it."""
    assert profiled("import sklearn.linear_model, sklearn.cluster") == "True"
