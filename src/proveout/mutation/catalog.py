"""Every mutant there is, in the order they are reported; and for each task, the question that should catch it.

Input: nothing. Output: `MUTANTS`, `of_task`; and `UNCHANGED`, `RENAMED` and `REFITTED`, which are none: were the gate
to refuse those, what it says of the others would say nothing.
"""

from collections.abc import Callable, Mapping
from functools import partial

from proveout.model.repack import Change
from proveout.mutation import operational, serving_skew, target_bugs, training_bugs
from proveout.mutation.context import MutationContext
from proveout.mutation.mutant import Mutant, Question, Shows
from proveout.records.answer import TaskName

Asked = Mapping[TaskName, Question]


def _unchanged(ground: MutationContext) -> Change:
    return Change(what="packed again, nothing changed")


UNCHANGED = Mutant(name="unchanged", slip="", asked={}, make=_unchanged)
RENAMED = Mutant(name="renamed", slip="", asked={}, make=training_bugs.renamed)
REFITTED = Mutant(name="refitted", slip="", asked={}, make=training_bugs.refitted, refits=True)


def of_task(task: TaskName) -> tuple[Mutant, ...]:
    """The mutants that a candidate of this task can be broken by.

    >>> [one.name for one in of_task("multiclass") if one.name not in {two.name for two in of_task("regression")}]
    ['classes-swapped', 'rare-class-lost', 'miscalibrated']
    """
    return tuple(mutant for mutant in MUTANTS if task in mutant.asked)


# --- questions --------------------------------------------------------------------------------------------------------


def _any_task(words: str, remedy: str) -> Asked:
    question = Question(words=words, remedy=remedy)
    return {"binary": question, "regression": question, "multiclass": question}


_AUC = Question(words="the AUC", remedy="evidence(metrics.auc(holdout.labels, scores), at_least=0.70)")
_SAVED = Question(
    words="the share of a naive answer's error that it saves",
    remedy="evidence(regression.skill(holdout.labels, scores, naive=np.median(training.labels)), at_least=0.30)",
)
_BALANCED = Question(
    words="the balanced accuracy",
    remedy="evidence(multiclass.balanced_accuracy(holdout.labels, candidate.task.labels(scores)), at_least=0.70)",
)
_EACH_CLASS = Question(
    words="the recall of each class",
    remedy="evidence(multiclass.each_class(holdout.labels, candidate.task.labels(scores), at_least=0.50))",
)
_BIAS = Question(words="the bias", remedy="evidence(regression.bias(holdout.labels, scores, within=0.5))")
_BIAS_BY_VALUE = Question(
    words="the bias, by the predicted value",
    remedy="evidence(slices.judge(regression.bias, holdout.labels, scores, by=slices.quantile_bands(scores), "
    "at_least=-1.0, at_most=1.0))",
)
_CALIBRATION = Question(words="calibration", remedy="evidence(calibration.error(holdout.labels, scores, at_most=0.08))")
_CALIBRATION_OF_CLASSES = Question(
    words="calibration of each class",
    remedy="evidence(calibration.of_classes(holdout.labels, scores, "
    "classes=candidate.task.facts.classes, at_most=0.08))",
)

QUALITY: Asked = {"binary": _AUC, "regression": _SAVED, "multiclass": _BALANCED}
_NOT_WORSE = "not worse than the champion; better than a simpler model"
BESIDE_OTHERS: Asked = {
    **_any_task(
        _NOT_WORSE, "evidence(task_metric.gain(candidate.task, holdout.labels, scores, champion_scores, margin=0.05))"
    ),
    "binary": Question(
        words=_NOT_WORSE, remedy="evidence(compare.auc(holdout.labels, scores, champion_scores, margin=0.01))"
    ),
}
CALIBRATION: Asked = {"binary": _CALIBRATION, "multiclass": _CALIBRATION_OF_CLASSES}
PROMISED: Asked = {**CALIBRATION, "regression": _BIAS_BY_VALUE}
SLICES: Asked = {
    "binary": Question(
        words="slices",
        remedy='evidence(slices.judge(metrics.auc, holdout.labels, scores, by=holdout.records["…"], at_least=0.65))',
    ),
    "regression": Question(
        words="the bias of slices",
        remedy='evidence(slices.judge(regression.bias, holdout.labels, scores, by=holdout.records["…"], '
        "at_least=-1.0, at_most=1.0))",
    ),
    "multiclass": Question(
        words="slices",
        remedy="evidence(slices.judge(multiclass.accuracy, holdout.labels, candidate.task.labels(scores), "
        'by=holdout.records["…"], at_least=0.80))',
    ),
}
LEAKAGE = _any_task("leakage: no column gives the outcome away", "evidence(leakage.columns(candidate, training))")
NEIGHBOURS = _any_task("the same answer alone and in a batch", "evidence(generated.same_alone_and_in_a_batch())")
DICE = _any_task("the same answer when asked again", "evidence(generated.same_when_asked_again())")
CRASHES = _any_task("every generated request is answered", "evidence(generated.never_crashes())")
SERVED = _any_task(
    "what is served is what was judged",
    "evidence(serving_parity.same_by_columns(candidate, holdout.records))",
)
LATENCY = _any_task(
    "latency, as it is served", "evidence(serving_parity.performance(candidate, holdout, p99_ms_at_most=100))"
)
SIZE = _any_task(
    "the size of the bundle", "evidence(serving_parity.performance(candidate, holdout, bundle_mb_at_most=20))"
)
COVERAGE: Asked = {
    "regression": Question(
        words="the coverage of the intervals",
        remedy="evidence(regression.coverage(holdout.labels, "
        "scores[:, None] + candidate.task.facts.half_width * np.array([-1, 1])), at_least=0.85)",
    )
}

# --- mutants ----------------------------------------------------------------------------------------------------------


def _mutant(
    make: Callable[[MutationContext], Change],
    asked: Asked,
    slip: str,
    *,
    refits: bool = False,
    shows: Shows = "in its answers",
    first: str = "",
) -> Mutant:
    """The mutant that `make` makes, and is called after."""
    name = make.__name__.replace("_", "-")
    return Mutant(name=name, slip=slip, asked=asked, make=make, refits=refits, shows=shows, first=first)


_refitted = partial(_mutant, refits=True)
_hidden = partial(_mutant, shows="elsewhere")  # its answers to the held-out rows are the candidate's

MUTANTS = (
    _refitted(
        target_bugs.labels_shuffled,
        QUALITY,
        "The outcomes were joined by position after one of the tables had been sorted.",
    ),
    _refitted(
        target_bugs.labels_half_shuffled,
        PROMISED,
        "A join by position was right for the rows of one file and wrong for those of the other.",
    ),
    _refitted(
        target_bugs.classes_swapped,
        {"binary": _AUC, "multiclass": _EACH_CLASS},
        "The codes of the outcome came from another run, which had numbered them the other way round.",
    ),
    _refitted(
        target_bugs.rare_class_lost,
        {"multiclass": _EACH_CLASS},
        "A filter for complete rows dropped nearly all of one kind.",
    ),
    _refitted(
        target_bugs.target_scaled,
        {"regression": _SAVED},
        "The outcome was converted to another unit, and the answer never back.",
    ),
    _refitted(
        target_bugs.target_shifted,
        {"regression": _BIAS},
        "A correction that the outcomes had already was added a second time.",
    ),
    _refitted(
        target_bugs.target_clipped,
        {"regression": _BIAS_BY_VALUE},
        "The largest outcomes were taken for outliers and cut.",
    ),
    _mutant(
        training_bugs.constant, QUALITY, "The search settled on a model so tame that everybody gets the same answer."
    ),
    _refitted(
        training_bugs.feature_dropped,
        QUALITY,
        "A join brought nothing, so the column that matters most was empty from the start.",
    ),
    _mutant(
        serving_skew.feature_frozen,
        QUALITY,
        "In serving, a field is filled with its default, because nobody connected it.",
    ),
    _mutant(
        serving_skew.feature_shuffled,
        NEIGHBOURS,
        "Two tables are put side by side in serving, one of them sorted: rows get each other's values.",
    ),
    _mutant(
        serving_skew.nulls_filled,
        BESIDE_OTHERS,
        "In serving, what is not known arrives as 0, and the model learned it as not known.",
    ),
    _mutant(
        serving_skew.unit_changed,
        BESIDE_OTHERS,
        "A supplier switched to metric units, and the caller passes its numbers on.",
    ),
    _mutant(serving_skew.timezone_shifted, BESIDE_OTHERS, "The caller sends UTC, and the model learned local time."),
    _refitted(training_bugs.target_leaked, LEAKAGE, "A column that is filled in afterwards was among the inputs."),
    _refitted(
        training_bugs.old_window,
        BESIDE_OTHERS,
        "A cached file was read: the model learned from the oldest data only, and says otherwise.",
    ),
    _refitted(
        training_bugs.sample_left_in,
        BESIDE_OTHERS,
        "The line that takes a small sample, to try the notebook out, was still there.",
    ),
    _refitted(
        target_bugs.miscalibrated,
        CALIBRATION,
        "The rare outcome was drawn more often for training, and the probabilities never put back.",
    ),
    _refitted(target_bugs.slice_spoiled, SLICES, "One part of the data codes the outcome another way."),
    _hidden(
        operational.interval_halved, COVERAGE, "The width of the interval was taken for what it reaches to either side."
    ),
    _hidden(
        operational.slow, LATENCY, "The features ask a service over the network, once for each call.", first="monitor-6"
    ),
    _hidden(operational.oversized, SIZE, "The training table was kept on the model, to look at later."),
    _mutant(serving_skew.non_deterministic, DICE, "The noise that was added for training is still in the features."),
    _hidden(
        operational.unseen_category,
        CRASHES,
        "Categories are looked up in a dict made from the training data, and a new one is not in it.",
    ),
    _hidden(
        operational.direct_disagrees,
        SERVED,
        "The fast branch of the features, which serves, does not do what the slow one does, which was judged.",
    ),
)
