"""Every mutant there is, in the order they are reported.

Input: nothing. Output: `MUTANTS`; and `UNCHANGED`, `RENAMED` and `REFITTED`, which are none: were the gate to
refuse those, what it says of the others would say nothing.
"""

from proveout.model.repack import Change
from proveout.mutation import operational, serving_skew, training_bugs
from proveout.mutation.context import MutationContext
from proveout.mutation.mutant import Mutant


def _unchanged(ground: MutationContext) -> Change:
    return Change(what="packed again, nothing changed")


UNCHANGED = Mutant(name="unchanged", slip="", question="", remedy="", make=_unchanged)
RENAMED = Mutant(name="renamed", slip="", question="", remedy="", make=training_bugs.renamed)
REFITTED = Mutant(name="refitted", slip="", question="", remedy="", make=training_bugs.refitted, refits=True)

MUTANTS = (
    Mutant(
        name="labels-shuffled",
        slip="The outcomes were joined by position after one of the tables had been sorted.",
        question="the AUC",
        remedy="evidence(metrics.auc(holdout.labels, scores), at_least=0.70)",
        make=training_bugs.labels_shuffled,
        refits=True,
    ),
    Mutant(
        name="constant",
        slip="The search settled on a model so tame that everybody gets the base rate.",
        question="the AUC",
        remedy="evidence(metrics.auc(holdout.labels, scores), at_least=0.70)",
        make=training_bugs.constant,
    ),
    Mutant(
        name="feature-dropped",
        slip="A join brought nothing, so the column that matters most was empty from the start.",
        question="the AUC, also beside the champion's",
        remedy="evidence(metrics.auc(holdout.labels, scores), at_least=0.70)",
        make=training_bugs.feature_dropped,
        refits=True,
    ),
    Mutant(
        name="feature-frozen",
        slip="In serving, a field is filled with its default, because nobody connected it.",
        question="the AUC, also beside the champion's",
        remedy="evidence(metrics.auc(holdout.labels, scores), at_least=0.70)",
        make=training_bugs.feature_frozen,
    ),
    Mutant(
        name="feature-shuffled",
        slip="Two tables are put side by side in serving, one of them sorted: rows get each other's values.",
        question="the same answer alone and in a batch",
        remedy="evidence(generated.same_alone_and_in_a_batch())",
        make=serving_skew.feature_shuffled,
    ),
    Mutant(
        name="unit-changed",
        slip="A supplier switched to metric units, and the caller passes its numbers on.",
        question="not worse than the champion; better than a simpler model",
        remedy="evidence(compare.auc(holdout.labels, scores, champion_scores, margin=0.01))",
        make=serving_skew.unit_changed,
    ),
    Mutant(
        name="timezone-shifted",
        slip="The caller sends UTC, and the model learned local time.",
        question="not worse than the champion; better than a simpler model",
        remedy="evidence(compare.auc(holdout.labels, scores, champion_scores, margin=0.01))",
        make=serving_skew.timezone_shifted,
    ),
    Mutant(
        name="target-leaked",
        slip="A column that is filled in afterwards was among the inputs.",
        question="leakage: no column gives the outcome away",
        remedy="evidence(leakage.columns(candidate, training))",
        make=training_bugs.target_leaked,
        refits=True,
    ),
    Mutant(
        name="old-window",
        slip="A cached file was read: the model learned from the oldest data only, and says otherwise.",
        question="not worse than the champion; better than a simpler model",
        remedy="evidence(compare.auc(holdout.labels, scores, champion_scores, margin=0.01))",
        make=training_bugs.old_window,
        refits=True,
    ),
    Mutant(
        name="miscalibrated",
        slip="The rare outcome was drawn more often for training, and the probabilities never put back.",
        question="calibration",
        remedy="evidence(calibration.error(holdout.labels, scores, at_most=0.08))",
        make=training_bugs.miscalibrated,
        refits=True,
    ),
    Mutant(
        name="slice-flipped",
        slip="One part of the data codes the outcome the other way round.",
        question="slices",
        remedy='evidence(slices.judge(metrics.auc, holdout.labels, scores, by=holdout.records["…"], at_least=0.65))',
        make=training_bugs.slice_flipped,
        refits=True,
    ),
    Mutant(
        name="slow",
        slip="The features ask a service over the network, once for each call.",
        question="latency, as it is served",
        remedy="evidence(serving_parity.performance(candidate, holdout, p99_ms_at_most=100))",
        make=operational.slow,
        shows="elsewhere",
        first="monitor-6",
    ),
    Mutant(
        name="oversized",
        slip="The training table was kept on the model, to look at later.",
        question="the size of the bundle",
        remedy="evidence(serving_parity.performance(candidate, holdout, bundle_mb_at_most=20))",
        make=operational.oversized,
        shows="elsewhere",
    ),
    Mutant(
        name="non-deterministic",
        slip="The noise that was added for training is still in the features.",
        question="the same answer when asked again",
        remedy="evidence(generated.same_when_asked_again())",
        make=serving_skew.non_deterministic,
    ),
    Mutant(
        name="unseen-category",
        slip="Categories are looked up in a dict made from the training data, and a new one is not in it.",
        question="every generated request is answered",
        remedy="evidence(generated.never_crashes())",
        make=operational.unseen_category,
        shows="elsewhere",
    ),
    Mutant(
        name="direct-disagrees",
        slip="The fast branch of the features, which serves, does not do what the slow one does, which was judged.",
        question="what is served is what was judged",
        remedy="evidence(serving_parity.same_by_columns(candidate, holdout.records))",
        make=operational.direct_disagrees,
        shows="elsewhere",
    ),
)
