"""What a class does is known by its name."""

import pytest

from proveout.pilot.audit import estimators


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("sklearn.preprocessing.StandardScaler", "transformer"),
        ("sklearn.impute.SimpleImputer", "transformer"),
        ("sklearn.decomposition.PCA", "transformer"),
        ("sklearn.ensemble.RandomForestClassifier", "model"),
        ("xgboost.XGBRegressor", "model"),
        ("lightgbm.LGBMClassifier", "model"),
        ("catboost.CatBoostClassifier", "model"),
        ("statsmodels.api.OLS", "model"),
        ("statsmodels.formula.api.logit", "model"),
        ("h2o.estimators.H2OGradientBoostingEstimator", "model"),
        ("pyspark.ml.feature.StringIndexer", "transformer"),
        ("pyspark.ml.evaluation.BinaryClassificationEvaluator", "evaluator"),
        ("imblearn.over_sampling.SMOTE", "resampler"),
        ("sklearn.model_selection.GridSearchCV", "search"),
        ("sklearn.pipeline.make_pipeline", "pipeline"),
        ("sklearn.cluster.KMeans", "clustering"),
        ("tensorflow.keras.Sequential", "network"),
        ("keras.models.Model", "network"),
        ("torch.nn.Sequential", "network"),
        ("django.db.models.Model", None),
        ("pandas.DataFrame", None),
        ("", None),
    ],
)
def test_a_class_has_the_role_that_its_library_gives_it(name: str, role: str | None) -> None:
    """What is fitted on held-out rows is a leak or is none, by what the class does."""
    assert estimators.role(name) == role


@pytest.mark.parametrize(
    "name", ["RandomForestClassifier", "KMeans", "MLPRegressor", "TSNE", "LinearSVC", "DecisionTreeRegressor"]
)
def test_estimators_that_draw_need_a_seed(name: str) -> None:
    """Two fits of these may end in two models."""
    assert estimators.draws_at_random(f"sklearn.x.{name}")


@pytest.mark.parametrize(
    "name", ["LogisticRegression", "KNeighborsClassifier", "SVC", "GaussianNB", "XGBClassifier", "PCA"]
)
def test_estimators_that_do_not_draw_need_none(name: str) -> None:
    """Asking for a seed where nothing is drawn teaches people to ignore the rule."""
    assert not estimators.draws_at_random(f"sklearn.x.{name}")


@pytest.mark.parametrize(
    "name", ["sklearn.metrics.f1_score", "mean_squared_error", "metrics.roc_curve", "tensorflow.math.confusion_matrix"]
)
def test_a_metric_compares_answers_with_outcomes(name: str) -> None:
    """Its number is what the run should record."""
    assert estimators.is_metric(name)


@pytest.mark.parametrize(
    "name",
    [
        "plot_confusion_matrix",
        "sklearn.model_selection.cross_val_score",
        "df.mean",
        "tensorflow.keras.losses.mse",
        "x.score",
    ],
)
def test_other_calls_are_no_metrics(name: str) -> None:
    """A drawing, a fold-wise score and a loss to train with are other things."""
    assert not estimators.is_metric(name)


def test_functions_that_train_are_known() -> None:
    """XGBoost's own interface has no fit."""
    assert estimators.trains("xgboost.train")
    assert not estimators.trains("train")
