"""What is known of the estimators that notebooks use: what a class does, and whether it draws at random.

Input: a dotted name. Output: its role. By name alone: no library is imported.
"""

import re
from typing import Literal

Role = Literal["model", "transformer", "resampler", "search", "pipeline", "clustering", "network", "evaluator"]

_NAMES: dict[Role, frozenset[str]] = {
    "search": frozenset(
        {
            "GridSearchCV",
            "RandomizedSearchCV",
            "HalvingGridSearchCV",
            "HalvingRandomSearchCV",
            "BayesSearchCV",
            "TPOTClassifier",
        }
    ),
    "pipeline": frozenset({"Pipeline", "make_pipeline", "TransformedTargetRegressor"}),
    "resampler": frozenset(
        {
            "SMOTE",
            "SMOTENC",
            "SMOTEN",
            "BorderlineSMOTE",
            "SVMSMOTE",
            "KMeansSMOTE",
            "ADASYN",
            "RandomOverSampler",
            "RandomUnderSampler",
            "NearMiss",
            "TomekLinks",
            "SMOTETomek",
            "SMOTEENN",
            "EditedNearestNeighbours",
        }
    ),
    "transformer": frozenset(
        {
            "PCA",
            "IncrementalPCA",
            "KernelPCA",
            "TruncatedSVD",
            "FastICA",
            "NMF",
            "FactorAnalysis",
            "SelectKBest",
            "SelectPercentile",
            "SelectFromModel",
            "VarianceThreshold",
            "RFE",
            "RFECV",
            "PolynomialFeatures",
            "Normalizer",
            "Binarizer",
            "LabelBinarizer",
            "MultiLabelBinarizer",
            "KBinsDiscretizer",
            "PowerTransformer",
            "QuantileTransformer",
            "FunctionTransformer",
            "ColumnTransformer",
            "make_column_transformer",
            "FeatureUnion",
            "TfidfTransformer",
            "SplineTransformer",
            "Tokenizer",
            "TextVectorization",
            "LatentDirichletAllocation",
            "DictVectorizer",
            "FeatureHasher",
            "UMAP",
            "TSNE",
            "SequentialFeatureSelector",
            "MissingIndicator",
            "Word2Vec",
        }
    ),
    "clustering": frozenset(
        {
            "KMeans",
            "MiniBatchKMeans",
            "DBSCAN",
            "AgglomerativeClustering",
            "GaussianMixture",
            "MeanShift",
            "Birch",
            "SpectralClustering",
            "KModes",
            "KPrototypes",
            "OPTICS",
            "AffinityPropagation",
            "IsolationForest",
            "OneClassSVM",
            "LocalOutlierFactor",
            "EllipticEnvelope",
        }
    ),
    "network": frozenset({"Sequential", "KerasClassifier", "KerasRegressor", "TabNetClassifier", "TabNetRegressor"}),
    "model": frozenset(
        {
            "LinearRegression",
            "Ridge",
            "RidgeCV",
            "Lasso",
            "LassoCV",
            "ElasticNet",
            "ElasticNetCV",
            "Lars",
            "LassoLars",
            "BayesianRidge",
            "LogisticRegression",
            "LogisticRegressionCV",
            "Perceptron",
            "SVC",
            "NuSVC",
            "LinearSVC",
            "SVR",
            "NuSVR",
            "LinearSVR",
            "GaussianNB",
            "MultinomialNB",
            "BernoulliNB",
            "ComplementNB",
            "CategoricalNB",
            "LinearDiscriminantAnalysis",
            "QuadraticDiscriminantAnalysis",
            "CatBoost",
            "Prophet",
            "ARIMA",
            "SARIMAX",
            "ExponentialSmoothing",
            "OLS",
            "Logit",
            "GLM",
            "LabelPropagation",
            "LabelSpreading",
            "IsotonicRegression",
            "HuberRegressor",
            "LGBMRanker",
            "XGBRanker",
            "EasyEnsembleClassifier",
            "CalibratedClassifierCV",
            "AutoML",
            "H2OAutoML",
            "Booster",
            "NearestCentroid",
            "RidgeClassifierCV",
            "GaussianProcessClassifier",
            "OrthogonalMatchingPursuit",
            "TheilSenRegressor",
            "KernelRidge",
            "PoissonRegressor",
            "VAR",
            "AutoReg",
            "SimpleExpSmoothing",
            "Holt",
            "GLS",
            "WLS",
            "Probit",
            "MNLogit",
            "NaiveBayes",
            "ALS",
            "SVD",
            "LinearGAM",
            "LogisticGAM",
        }
    ),
}
_PATTERNS: tuple[tuple[Role, re.Pattern[str]], ...] = (
    ("transformer", re.compile(r"(Scaler|Encoder|Imputer|Vectorizer|Transformer|Embedding)$")),
    ("model", re.compile(r"^(?!Keras)\w*(Classifier|Regressor|RegressorCV|ClassifierCV)$")),
    ("model", re.compile(r"^H2O\w+Estimator$")),
    ("transformer", re.compile(r"^(StringIndexer|VectorAssembler|IDF|CountVectorizerModel)$")),
    (
        "evaluator",
        re.compile(
            r"^(Binary|Multiclass|Multilabel)?(Classification|Regression|Clustering|Ranking)?(Evaluator|Metrics)$"
        ),
    ),
)
# Names that mean an estimator in their own package only.
_IN_PACKAGE: tuple[tuple[Role, re.Pattern[str]], ...] = (
    ("network", re.compile(r"^(?:tensorflow\.)?keras\.(?:models\.|engine\.\w+\.)?(?:Model|Functional)$")),
    ("network", re.compile(r"^(?:torch\.nn\.(?:Module|Sequential)|pytorch_lightning\.LightningModule)$")),
    ("model", re.compile(r"^statsmodels\.formula\.api\.\w+$")),
)
# Functions that fit a model and return it.
_TRAINERS = re.compile(
    r"^(?:xgboost\.train|lightgbm\.train|catboost\.train|pmdarima\.(?:arima\.)?auto_arima|auto_arima|fasttext\.train_\w+)$"
)
# They learn nothing from rows, or what they learn is no statistic of them.
STATELESS = frozenset(
    {
        "Normalizer",
        "Binarizer",
        "FunctionTransformer",
        "HashingVectorizer",
        "FeatureHasher",
        "PolynomialFeatures",
        "SentenceTransformer",
    }
)
_DRAWS = re.compile(
    r"^(RandomForest\w+|ExtraTree\w*|GradientBoosting\w+|HistGradientBoosting\w+|DecisionTree\w+|MLP\w+|Bagging\w+|AdaBoost\w+|"
    r"SGD\w+|PassiveAggressive\w+|KMeans|MiniBatchKMeans|GaussianMixture|IsolationForest|TSNE|UMAP|SMOTE\w*|ADASYN|"
    r"BorderlineSMOTE|RandomOverSampler|RandomUnderSampler|RandomizedSearchCV|HalvingRandomSearchCV|TruncatedSVD|NMF|FastICA|"
    r"LatentDirichletAllocation|Perceptron|CatBoost\w*|LinearSVC|LinearSVR|EasyEnsemble\w+|BalancedRandomForest\w+|TPOT\w+|"
    r"Word2Vec|Doc2Vec)$"
)


def role(name: str) -> Role | None:
    """What a class of this dotted name does, or None if it is no estimator that is known.

    >>> role("sklearn.preprocessing.StandardScaler"), role("sklearn.svm.SVC"), role("pandas.DataFrame")
    ('transformer', 'model', None)
    """
    last = name.rpartition(".")[2]
    if not last:
        return None
    for found, names in _NAMES.items():
        if last in names:
            return found
    if found_in := next((found for found, pattern in _IN_PACKAGE if pattern.match(name)), None):
        return found_in
    return next((found for found, pattern in _PATTERNS if pattern.search(last)), None)


def trains(name: str) -> bool:
    """Whether a function fits a model and returns it.

    >>> trains("xgboost.train"), trains("xgboost.DMatrix")
    (True, False)
    """
    return _TRAINERS.match(name) is not None


def draws_at_random(name: str) -> bool:
    """Whether two fits of a class without a seed may end in different models.

    >>> draws_at_random("sklearn.ensemble.RandomForestClassifier"), draws_at_random("sklearn.svm.SVC")
    (True, False)
    """
    return _DRAWS.match(name.rpartition(".")[2]) is not None


def learns_from_rows(name: str) -> bool:
    """Whether fitting a transformer on held-out rows lets something of them into training."""
    return name.rpartition(".")[2] not in STATELESS


_METRIC = re.compile(
    r"^(\w+_score|\w+_error|\w+_loss|confusion_matrix|multilabel_confusion_matrix|classification_report|roc_curve|"
    r"precision_recall_curve|auc|accuracy|rmse|mae|mse|mape|smape|r2|log_loss|precision_recall_fscore_support|"
    r"plot_confusion_matrix|plot_roc_curve|max_error|d2_\w+|classification_report_imbalanced|calibration_curve|"
    r"from_predictions|eval_measures|root_mean_squared_error|f1|binary_accuracy)$"
)
_METRIC_PACKAGES = {
    "sklearn",
    "tensorflow",
    "keras",
    "torchmetrics",
    "imblearn",
    "statsmodels",
    "torcheval",
    "surprise",
}
_CROSS = frozenset({"cross_val_score", "cross_validate", "cross_val_predict", "learning_curve", "validation_curve"})


def is_metric(name: str) -> bool:
    """Whether a call measures answers against outcomes.

    >>> is_metric("sklearn.metrics.f1_score"), is_metric("rmse"), is_metric("plot_roc_curve"), is_metric("m.get_score")
    (True, True, False, False)
    """
    first, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    if not _METRIC.match(last) or last in _CROSS:
        return False
    if "." not in name:
        return not last.startswith("plot_")  # a function of the author that draws
    return (first in _METRIC_PACKAGES and ".losses" not in name) or ".metrics" in name or first == "metrics"


def is_cross_validation(name: str) -> bool:
    """Whether a call fits and measures a model by folds.

    >>> is_cross_validation("sklearn.model_selection.cross_val_score")
    True
    """
    return name.rpartition(".")[2] in _CROSS
