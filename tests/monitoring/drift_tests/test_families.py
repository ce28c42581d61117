"""`monitoring/drift_tests/families.py`: many tests, one stated chance."""

import numpy as np

from proveout.monitoring.drift_tests import families


def test_the_list_keeps_its_share_of_chance_finds():
    """Fifty tests of which ten see something: of those listed, few are there by chance."""
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        p_values = [*rng.random(40), *(rng.random(10) * 1e-4)]
        chosen = np.flatnonzero(families.listed(p_values, share=0.1))
        shares.append(float((chosen < 40).mean()) if len(chosen) else 0.0)

    assert np.mean(shares) <= 0.1
    assert families.listed([], share=0.1) == ()
    assert families.listed([0.9, 1.0], share=0.1) == (False, False)
