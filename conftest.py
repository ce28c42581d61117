"""What the checks share. `candidate`, `champion`, `holdout`, `evidence` and the others come from proveout's plugin:
`pytest --fixtures checks/` lists them.
"""

import numpy as np
import pytest

from proveout.data import request_columns
from proveout.settings import load_object


@pytest.fixture(scope="session")
def rules(project):
    """The rules in serve/fallback.py, which answer when no model does."""
    return load_object(project.fallback, project.root)


@pytest.fixture(scope="session")
def scores(candidate, holdout):
    """What the candidate says of the held-out rows: a probability each, one for each class, or a number."""
    return candidate.predict(holdout.records)


@pytest.fixture(scope="session")
def champion_scores(champion, holdout):
    """What the champion says of the same rows, from the columns it was made for; None without a champion."""
    return None if champion is None else champion.predict(holdout.raw)


@pytest.fixture(scope="session")
def rule_scores(rules, candidate, holdout):
    """What the rules say of the held-out rows, in the form of `scores`: asked as the server asks them.

    Rules that say true or false, or name a class, are taken at their word: its probability is 1.
    """
    task, records = candidate.task, request_columns.plain_records(holdout.records)
    answers = [task.read_rules(rules(record)) for record in records]
    known = (True,) if task.name == "binary" else task.facts.classes
    said = [task.scores(one) or [float(one.value == name) for name in known] for one in answers]
    return np.array(said, dtype=float).reshape(task.shape(len(said)))
