"""Is the model good enough, on services that it has not seen, and better than what is there without it?

Bounds come from `[evaluation]` in flows/train.toml, as it is when the gate runs. Descriptions of one service are read
wrongly together, so intervals count services and not rows.
"""

from proveout.evaluation import calibration, compare, learnability, metrics, slice_search, slices, tuning

# --- good enough --------------------------------------------------------------------------------------------------


def test_auc(scores, holdout, services, criteria, evidence):
    """Operations that only read are ranked above those that change something."""
    evidence(metrics.auc(holdout.labels, scores, clusters=services), at_least=criteria["auc_at_least"])


def test_brier_score(scores, holdout, services, criteria, evidence):
    """Probabilities are near what is true: the mean squared distance."""
    errors = slice_search.squared_errors(holdout.labels, scores)
    evidence(metrics.mean(errors, name="brier", clusters=services), at_most=criteria["brier_at_most"])


def test_calibration(scores, holdout, services, criteria, evidence):
    """Of operations with 90 %, about 90 % only read."""
    bound = criteria["calibration_error_at_most"]
    evidence(calibration.error(holdout.labels, scores, at_most=bound, clusters=services))


# --- what it is used for ------------------------------------------------------------------------------------------


def test_what_is_called_harmless_is_harmless(harmless, holdout, services, criteria, evidence):
    """These go into a role that anybody may have, unread."""
    wrong = ~holdout.labels[harmless].astype(bool)
    found = metrics.mean(wrong, name="share called harmless that changes something", clusters=services[harmless])
    evidence(found, at_most=criteria["wrongly_harmless_at_most"])


def test_enough_is_called_harmless(harmless, services, criteria, evidence):
    """One who calls nothing harmless is never wrong, and saves nobody any work."""
    found = metrics.mean(harmless, name="share called harmless", clusters=services)
    evidence(found, at_least=criteria["called_harmless_at_least"])


# --- for everybody ------------------------------------------------------------------------------------------------


def test_auc_of_short_and_long_descriptions(scores, champion_scores, holdout, services, criteria, evidence):
    """One sentence, or three in which another operation is spoken of as well."""
    length = slices.bands(holdout.records["description"].str.len(), [0, 60, 100, 200, 301], name="letters")
    bound = criteria["slice_auc_at_least"]
    found = slices.judge(
        metrics.auc, holdout.labels, scores, by=length, champion=champion_scores, clusters=services, at_least=bound
    )
    evidence(found)


def test_auc_where_the_rules_cannot_read(scores, rule_scores, holdout, services, criteria, evidence):
    """A first word such as Lists gives it away. What is the model worth where there is none?"""
    unread = rule_scores < 0.5
    bound = criteria["slice_auc_at_least"]
    evidence(metrics.auc(holdout.labels[unread], scores[unread], clusters=services[unread]), at_least=bound)


# --- better than what is there without it -------------------------------------------------------------------------


def test_better_than_the_rules(scores, rule_scores, holdout, services, evidence):
    """A list of first words answers as well, if the model does not surely beat it."""
    gain = compare.auc(holdout.labels, scores, rule_scores, margin=0.0, better=True, clusters=services)
    evidence("auc, gain on the rules", gain, champion=None)


def test_not_worse_than_the_champion(scores, champion_scores, holdout, services, criteria, evidence):
    """What replaces the champion is surely not worse by the margin. The first one ever has nobody to beat."""
    margin = criteria["champion_margin"]
    evidence(compare.auc(holdout.labels, scores, champion_scores, margin=margin, clusters=services))


# --- made well ----------------------------------------------------------------------------------------------------


def test_its_steps_can_learn(candidate, training, evidence):
    """Fitted to a rule that was planted they find it, fitted to noise they find nothing."""
    evidence(learnability.learns(candidate, training))


def test_no_setting_beside_its_own_is_surely_better(candidate, training, criteria, evidence):
    """Judged on a fifth of the services it learned from: who tunes on the held-out ones has none left."""
    evidence(
        tuning.neighbours(
            candidate,
            training,
            grid={"logisticregression__C": [3.0, 300.0]},
            margin=criteria["tuning_margin"],
            clusters=training.raw["service"],
        )
    )
