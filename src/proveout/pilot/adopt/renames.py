"""Names that libraries gave up, each with the one that does exactly the same today.

Only data. What has no exact successor is not in it: `DataFrame.ix`, `load_boston`, `KFold(len(rows), n_folds=5)`. Every
successor is in each release that proveout works with. From the release notes of pandas 0.25 to 3.0, NumPy 1.20 to 2.4,
scikit-learn 0.18 to 1.9, imbalanced-learn 0.6 to 0.14 and Python 3.10.
"""

from collections.abc import Mapping

from proveout.records.values import Scalar

DROP = "drop"
"""For a keyword that says what is done anyway."""

ANY = "*"
"""For a keyword of any call."""

MODULES: Mapping[str, str] = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.learning_curve": "sklearn.model_selection",
    "sklearn.datasets.samples_generator": "sklearn.datasets",
    "sklearn.decomposition.pca": "sklearn.decomposition",
    "sklearn.ensemble.bagging": "sklearn.ensemble",
    "sklearn.ensemble.forest": "sklearn.ensemble",
    "sklearn.ensemble.gradient_boosting": "sklearn.ensemble",
    "sklearn.ensemble.voting_classifier": "sklearn.ensemble",
    "sklearn.ensemble.weight_boosting": "sklearn.ensemble",
    "sklearn.feature_extraction.stop_words": "sklearn.feature_extraction.text",
    "sklearn.feature_selection.rfe": "sklearn.feature_selection",
    "sklearn.feature_selection.univariate_selection": "sklearn.feature_selection",
    "sklearn.feature_selection.variance_threshold": "sklearn.feature_selection",
    "sklearn.linear_model.base": "sklearn.linear_model",
    "sklearn.linear_model.coordinate_descent": "sklearn.linear_model",
    "sklearn.linear_model.logistic": "sklearn.linear_model",
    "sklearn.linear_model.ridge": "sklearn.linear_model",
    "sklearn.linear_model.stochastic_gradient": "sklearn.linear_model",
    "sklearn.metrics.classification": "sklearn.metrics",
    "sklearn.metrics.ranking": "sklearn.metrics",
    "sklearn.metrics.regression": "sklearn.metrics",
    "sklearn.metrics.scorer": "sklearn.metrics",
    "sklearn.neighbors.classification": "sklearn.neighbors",
    "sklearn.neighbors.regression": "sklearn.neighbors",
    "sklearn.neural_network.multilayer_perceptron": "sklearn.neural_network",
    "sklearn.preprocessing.data": "sklearn.preprocessing",
    "sklearn.preprocessing.label": "sklearn.preprocessing",
    "sklearn.svm.classes": "sklearn.svm",
    "sklearn.tree.tree": "sklearn.tree",
    "pandas.tools.plotting": "pandas.plotting",
}
"""A module, and where all that it held is today."""

IMPORTED: Mapping[tuple[str, str], tuple[str, str]] = {
    ("sklearn.externals", "joblib"): ("", "joblib"),
    ("sklearn.externals", "six"): ("", "six"),
    ("sklearn.preprocessing", "Imputer"): ("sklearn.impute", "SimpleImputer"),
    ("sklearn.lda", "LDA"): ("sklearn.discriminant_analysis", "LinearDiscriminantAnalysis"),
    ("sklearn.qda", "QDA"): ("sklearn.discriminant_analysis", "QuadraticDiscriminantAnalysis"),
    ("sklearn.metrics", "plot_confusion_matrix"): ("sklearn.metrics", "ConfusionMatrixDisplay"),
    ("sklearn.metrics", "plot_roc_curve"): ("sklearn.metrics", "RocCurveDisplay"),
    ("sklearn.metrics", "plot_precision_recall_curve"): ("sklearn.metrics", "PrecisionRecallDisplay"),
    ("pandas.io.json", "json_normalize"): ("pandas", "json_normalize"),
    ("scipy.misc", "comb"): ("scipy.special", "comb"),
    ("scipy.misc", "factorial"): ("scipy.special", "factorial"),
    ("scipy.misc", "logsumexp"): ("scipy.special", "logsumexp"),
    ("collections", "Callable"): ("collections.abc", "Callable"),
    ("collections", "Hashable"): ("collections.abc", "Hashable"),
    ("collections", "Iterable"): ("collections.abc", "Iterable"),
    ("collections", "Mapping"): ("collections.abc", "Mapping"),
    ("collections", "MutableMapping"): ("collections.abc", "MutableMapping"),
    ("collections", "Sequence"): ("collections.abc", "Sequence"),
    ("IPython.core.display", "HTML"): ("IPython.display", "HTML"),
    ("IPython.core.display", "display"): ("IPython.display", "display"),
}
"""A name of a module, and the module and name of today; no module: it is a module itself."""

PLOTS: Mapping[str, str] = {
    "plot_confusion_matrix": "ConfusionMatrixDisplay",
    "plot_roc_curve": "RocCurveDisplay",
    "plot_precision_recall_curve": "PrecisionRecallDisplay",
}
"""A function that plots an estimator's answers, and the class whose `from_estimator` does."""

KEYWORDS: Mapping[tuple[str, str], str] = {
    ("OneHotEncoder", "sparse"): "sparse_output",
    ("AdaBoostClassifier", "base_estimator"): "estimator",
    ("AdaBoostRegressor", "base_estimator"): "estimator",
    ("BaggingClassifier", "base_estimator"): "estimator",
    ("BaggingRegressor", "base_estimator"): "estimator",
    ("CalibratedClassifierCV", "base_estimator"): "estimator",
    ("RANSACRegressor", "base_estimator"): "estimator",
    ("AgglomerativeClustering", "affinity"): "metric",
    ("TSNE", "n_iter"): "max_iter",
    ("cross_val_score", "fit_params"): "params",
    ("cross_validate", "fit_params"): "params",
    ("GridSearchCV", "iid"): DROP,
    ("RandomizedSearchCV", "iid"): DROP,
    ("KMeans", "n_jobs"): DROP,
    ("KMeans", "precompute_distances"): DROP,
    (ANY, "presort"): DROP,
    ("read_csv", "infer_datetime_format"): DROP,
    ("read_csv", "warn_bad_lines"): DROP,
    ("to_datetime", "infer_datetime_format"): DROP,
    ("read_excel", "sheetname"): "sheet_name",
    ("to_csv", "line_terminator"): "lineterminator",
    ("RandomOverSampler", "ratio"): "sampling_strategy",
    ("RandomUnderSampler", "ratio"): "sampling_strategy",
    ("SMOTE", "ratio"): "sampling_strategy",
    ("XGBClassifier", "use_label_encoder"): DROP,
}
"""A keyword of a class or function, and its name of today."""

UNSAID: Mapping[tuple[str, str], frozenset[Scalar]] = {
    **{
        (name, "normalize"): frozenset[Scalar]({False})
        for name in ("ElasticNet", "ElasticNetCV", "Lasso", "LassoCV", "LinearRegression", "Ridge", "RidgeCV")
    },
    (ANY, "min_impurity_split"): frozenset({None}),
    (ANY, "multi_class"): frozenset({"auto", "warn"}),
    ("set_axis", "inplace"): frozenset({False}),
    ("read_csv", "squeeze"): frozenset({False}),
    ("mean_squared_error", "squared"): frozenset({True}),
}
"""A keyword that can be left out where it has one of these values, which are what is done without it."""

VALUES: Mapping[tuple[str, str], Scalar] = {
    ("algorithm", "auto"): "lloyd",
    ("algorithm", "full"): "lloyd",
    ("criterion", "mae"): "absolute_error",
    ("criterion", "mse"): "squared_error",
    ("loss", "binary_crossentropy"): "log_loss",
    ("loss", "categorical_crossentropy"): "log_loss",
    ("loss", "deviance"): "log_loss",
    ("loss", "lad"): "absolute_error",
    ("loss", "least_absolute_deviation"): "absolute_error",
    ("loss", "least_squares"): "squared_error",
    ("loss", "log"): "log_loss",
    ("loss", "ls"): "squared_error",
    ("loss", "squared_loss"): "squared_error",
    ("penalty", "none"): None,
}
"""A parameter of an estimator of scikit-learn with a value, and how that value is written today."""

NUMPY: Mapping[str, str] = {
    "bool": "bool",
    "complex": "complex",
    "float": "float",
    "int": "int",
    "long": "int",
    "object": "object",
    "str": "str",
    "unicode": "str",
    "Inf": "{0}.inf",
    "Infinity": "{0}.inf",
    "NAN": "{0}.nan",
    "NINF": "-{0}.inf",
    "NaN": "{0}.nan",
    "PINF": "{0}.inf",
    "alltrue": "{0}.all",
    "cumproduct": "{0}.cumprod",
    "float_": "{0}.float64",
    "in1d": "{0}.isin",
    "infty": "{0}.inf",
    "int0": "{0}.intp",
    "mat": "{0}.asmatrix",
    "product": "{0}.prod",
    "round_": "{0}.round",
    "row_stack": "{0}.vstack",
    "sometrue": "{0}.any",
    "string_": "{0}.bytes_",
    "unicode_": "{0}.str_",
}
"""An attribute of NumPy, and what it is today; {0} is NumPy's own name in the notebook."""

ATTRIBUTES: Mapping[str, str] = {
    "applymap": "map",
    "as_matrix": "to_numpy",
    "fit_sample": "fit_resample",
    "get_feature_names": "get_feature_names_out",
    "is_monotonic": "is_monotonic_increasing",
    "iteritems": "items",
    "n_features_": "n_features_in_",
    "week": "isocalendar().week.astype('int64')",
    "weekofyear": "isocalendar().week.astype('int64')",
}
"""An attribute of an object, and what does the same today."""

PLACES: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "concat": (1, ("objs", "axis", "join", "ignore_index")),
    "drop": (1, ("labels", "axis", "index", "columns", "level", "inplace")),
    "drop_duplicates": (1, ("subset", "keep", "inplace")),
    "dropna": (0, ("axis", "how", "thresh", "subset", "inplace")),
    "fillna": (1, ("value", "method", "axis", "inplace")),
    "pivot": (0, ("index", "columns", "values")),
    "read_csv": (1, ("filepath_or_buffer", "sep")),
    "read_excel": (1, ("io", "sheet_name")),
    "read_table": (1, ("filepath_or_buffer", "sep")),
    "reset_index": (1, ("level", "drop", "inplace")),
    "set_axis": (1, ("labels", "axis")),
    "set_index": (1, ("keys", "drop", "append", "inplace")),
    "sort_index": (0, ("axis", "level", "ascending", "inplace")),
    "sort_values": (1, ("by", "axis", "ascending", "inplace")),
    "DecisionTreeClassifier": (0, ("criterion", "splitter", "max_depth")),
    "DecisionTreeRegressor": (0, ("criterion", "splitter", "max_depth")),
    "ExtraTreesClassifier": (1, ("n_estimators", "criterion", "max_depth")),
    "ExtraTreesRegressor": (1, ("n_estimators", "criterion", "max_depth")),
    "GridSearchCV": (2, ("estimator", "param_grid", "scoring")),
    "KFold": (1, ("n_splits", "shuffle", "random_state")),
    "LogisticRegression": (0, ("penalty",)),
    "MLPClassifier": (0, ("hidden_layer_sizes", "activation", "solver")),
    "MLPRegressor": (0, ("hidden_layer_sizes", "activation", "solver")),
    "RFE": (1, ("estimator", "n_features_to_select")),
    "RandomForestClassifier": (1, ("n_estimators", "criterion", "max_depth")),
    "RandomForestRegressor": (1, ("n_estimators", "criterion", "max_depth")),
    "SVC": (0, ("C", "kernel", "degree")),
    "SVR": (0, ("kernel", "degree", "gamma")),
    "SelectKBest": (1, ("score_func", "k")),
    "SimpleImputer": (0, ("missing_values", "strategy")),
    "StratifiedKFold": (1, ("n_splits", "shuffle", "random_state")),
    "accuracy_score": (2, ("y_true", "y_pred", "normalize")),
    "classification_report": (2, ("y_true", "y_pred", "labels", "target_names")),
    "confusion_matrix": (2, ("y_true", "y_pred", "labels")),
    "f1_score": (2, ("y_true", "y_pred", "labels", "pos_label", "average")),
    "precision_score": (2, ("y_true", "y_pred", "labels", "pos_label", "average")),
    "recall_score": (2, ("y_true", "y_pred", "labels", "pos_label", "average")),
    "roc_auc_score": (2, ("y_true", "y_score", "average")),
}
"""How many arguments a call takes by their places, and the names of those that it took, without `self`."""
