"""evaluation/model_age.py: the age at which a model is stale is known."""

import numpy as np
import pandas as pd
from drawn_rows import drawn, labelled, linear, straight

from proveout.evaluation import model_age


def batches(turned):
    """Four batches; in those of `turned`, a means the opposite."""
    parts = [drawn(place, rows=1_000, batch=str(place)) for place in range(1, 5)]
    labels = [straight(part, place) != (place in turned) for place, part in enumerate(parts, 1)]
    return labelled(pd.concat(parts, ignore_index=True), np.concatenate(labels))


def test_the_age_at_which_a_model_is_stale_is_found(candidate):
    """The relation changed between the second and the third batch: earlier rows are misleading now."""
    known, later = batches(turned={1, 2}), drawn(7, batch="5")
    opened = candidate(linear(), known.raw, known.labels)

    *each, fresh = model_age.staleness(opened, known, labelled(later, straight(later, 8)), window=1, fresh_for=2)

    assert [one.decision for one in each] == ["the newest", "not surely worse", "stale", "stale"]
    assert fresh.value == 1
    assert fresh.breaks
    assert fresh.decision == "stale from 2 on"
    assert each[2].slice == "2 old: 2 to 2, 1,000 of 1,000 rows"
    assert fresh.covers == ("model-4", "monitor-4")


def test_where_nothing_changed_an_old_model_is_as_good(candidate):
    """The evidence says that the oldest batch was tested, instead of an unlimited age."""
    known, later = batches(turned=set()), drawn(7, batch="5")
    opened = candidate(linear(), known.raw, known.labels)

    *each, fresh = model_age.staleness(opened, known, labelled(later, straight(later, 8)), fresh_for=2, rows=400)

    assert len(each) == 3  # windows of two batches
    assert fresh.holds
    assert fresh.value == 2
    assert fresh.decision == "the oldest there is was not stale"
    assert each[0].slice == "0 old: 3 to 4, 400 of 2,000 rows"


def test_one_batch_has_no_age(candidate):
    """Not judged is not passed."""
    rows = drawn(0)
    opened = candidate(linear(), rows, straight(rows))
    known = labelled(rows, straight(rows))

    [fresh] = model_age.staleness(opened, known, known, fresh_for=1)

    assert fresh.unjudged
    assert not fresh.holds
