"""`evaluation/context.py`: what lies on the table in a gate run."""

from dataclasses import replace
from pathlib import Path

import breakable
import pytest

from proveout.errors import BundleError
from proveout.evaluation.context import EvaluationContext
from proveout.model.repack import Change, repack
from proveout.records.train_config import RandomSplit


def test_a_bundle_that_no_request_can_be_put_to_has_held_out_rows_all_the_same(tmp_path):
    """The verdict that refuses it names them: without, a random split left such a candidate with no verdict at all."""
    settings, bundle = breakable.make(tmp_path, "")
    given = EvaluationContext(settings, Path(settings.store) / "bundles" / bundle.digest)
    asks_for_more = Change(request={**breakable.REQUEST, "delay": "float64"})
    training, holdout = ((rows.raw, rows.labels) for rows in (given.training, given.holdout))
    (tmp_path / "changed").mkdir()
    repack(given.candidate, tmp_path / "changed", asks_for_more, training=training, heldout=holdout)

    context = EvaluationContext(settings, tmp_path / "changed")
    context.bundle = replace(context.bundle, split=RandomSplit(holdout_share=0.3))

    assert context.held_out
    with pytest.raises(BundleError, match="asks for delay, which no request has"):
        _ = context.candidate
