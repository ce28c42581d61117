"""PA207 deprecated-api."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

# What was removed, deprecated or changed, from the release notes of pandas 1.0 to 3.1, NumPy 1.20 to 2.4, scikit-learn 0.18 to
# 1.9, SciPy 1.2 to 1.17, seaborn 0.11 to 0.13, Keras 3, Python 3.13. Names are dotted, with their imports resolved.
_GONE = {
    "sklearn.cross_validation": "removed in scikit-learn 0.20",
    "sklearn.grid_search": "removed in scikit-learn 0.20",
    "sklearn.learning_curve": "removed in scikit-learn 0.20",
    "sklearn.externals.joblib": "removed in scikit-learn 0.23",
    "sklearn.externals.six": "removed in scikit-learn 0.23",
    "sklearn.preprocessing.Imputer": "removed in scikit-learn 0.22",
    "sklearn.preprocessing.imputation": "removed in scikit-learn 0.22",
    "sklearn.datasets.load_boston": "removed in scikit-learn 1.2",
    "sklearn.datasets.fetch_mldata": "removed in scikit-learn 0.22",
    "sklearn.metrics.plot_confusion_matrix": "removed in scikit-learn 1.2",
    "sklearn.metrics.plot_roc_curve": "removed in scikit-learn 1.2",
    "sklearn.metrics.plot_precision_recall_curve": "removed in scikit-learn 1.2",
    "sklearn.metrics.jaccard_similarity_score": "removed in scikit-learn 0.23",
    "sklearn.utils.testing": "removed in scikit-learn 0.24",
    "sklearn.metrics.calinski_harabaz_score": "removed in scikit-learn 0.23",
    "sklearn.metrics.scorer": "removed in scikit-learn 0.24",
    "sklearn.linear_model.RandomizedLasso": "removed in scikit-learn 0.21",
    "sklearn.lda.LDA": "removed in scikit-learn 0.19",
    "sklearn.ensemble.forest": "removed in scikit-learn 0.24",
    "sklearn.tree.tree": "removed in scikit-learn 0.24",
    "sklearn.neighbors.classification": "removed in scikit-learn 0.24",
    "sklearn.feature_selection.univariate_selection": "removed in scikit-learn 0.24",
    "sklearn.gaussian_process.GaussianProcess": "removed in scikit-learn 0.20",
    "sklearn.mixture.GMM": "removed in scikit-learn 0.20",
    "sklearn.datasets.samples_generator": "removed in scikit-learn 0.24",
    "sklearn.experimental.enable_hist_gradient_boosting": "not needed since scikit-learn 1.0",
    "sklearn.inspection.plot_partial_dependence": "removed in scikit-learn 1.2",
    "sklearn.inspection.partial_dependence.plot_partial_dependence": "removed in scikit-learn 1.2",
    "pandas.tools.plotting": "removed in pandas 1.0",
    "pandas.scatter_matrix": "removed in pandas 1.0",
    "pandas.rolling_mean": "removed in pandas 0.23",
    "pandas.rolling_std": "removed in pandas 0.23",
    "pandas.ewma": "removed in pandas 0.23",
    "pandas.io.json.json_normalize": "moved to pandas.json_normalize",
    "pandas.Panel": "removed in pandas 1.0",
    "pandas.TimeGrouper": "removed in pandas 1.0",
    "pandas.datetime": "removed in pandas 2.0",
    "pandas.np": "removed in pandas 2.0",
    "pandas.Int64Index": "removed in pandas 2.0",
    "pandas.Float64Index": "removed in pandas 2.0",
    "pandas.util.testing": "removed in pandas 2.0",
    "pandas.core.common": "private in pandas",
    "pandas.io.data": "removed in pandas 0.19",
    "numpy.int": "removed in NumPy 1.24",
    "numpy.float": "removed in NumPy 1.24",
    "numpy.bool": "changed in NumPy 2.0: its own type now",
    "numpy.object": "removed in NumPy 1.24",
    "numpy.str": "removed in NumPy 1.24",
    "numpy.complex": "removed in NumPy 1.24",
    "numpy.float_": "removed in NumPy 2.0",
    "numpy.NaN": "removed in NumPy 2.0",
    "numpy.NAN": "removed in NumPy 2.0",
    "numpy.Inf": "removed in NumPy 2.0",
    "numpy.infty": "removed in NumPy 2.0",
    "numpy.product": "removed in NumPy 2.0",
    "numpy.cumproduct": "removed in NumPy 2.0",
    "numpy.alltrue": "removed in NumPy 2.0",
    "numpy.sometrue": "removed in NumPy 2.0",
    "numpy.in1d": "deprecated in NumPy 2.0",
    "numpy.trapz": "deprecated in NumPy 2.0",
    "numpy.row_stack": "deprecated in NumPy 2.0",
    "numpy.unicode_": "removed in NumPy 2.0",
    "numpy.string_": "removed in NumPy 2.0",
    "numpy.random.random_integers": "deprecated since NumPy 1.11",
    "numpy.matrix": "pending deprecation",
    "numpy.asscalar": "removed in NumPy 1.23",
    "scipy.misc.imread": "removed in SciPy 1.2",
    "scipy.misc.imresize": "removed in SciPy 1.3",
    "scipy.misc.imsave": "removed in SciPy 1.2",
    "scipy.misc.face": "removed in SciPy 1.12",
    "scipy.misc.comb": "removed in SciPy 1.0",
    "scipy.misc.derivative": "removed in SciPy 1.12",
    "scipy.interp": "removed in SciPy 1.4",
    "scipy.integrate.simps": "removed in SciPy 1.14",
    "scipy.integrate.trapz": "removed in SciPy 1.14",
    "scipy.integrate.cumtrapz": "removed in SciPy 1.14",
    "scipy.ndimage.filters": "removed namespace",
    "scipy.interpolate.interp2d": "removed in SciPy 1.14",
    "scipy.stats.binom_test": "removed in SciPy 1.12",
    "scipy.stats.median_absolute_deviation": "removed in SciPy 1.5",
    "scipy.sqrt": "removed in SciPy 1.12",
    "scipy.array": "removed in SciPy 1.12",
    "scipy.randn": "removed in SciPy 1.12",
    "seaborn.distplot": "removed soon: deprecated since seaborn 0.11",
    "seaborn.factorplot": "removed: renamed to catplot in seaborn 0.9",
    "seaborn.tsplot": "removed in seaborn 0.9",
    "statsmodels.tsa.arima_model": "removed in statsmodels 0.13",
    "statsmodels.tsa.arima_model.ARIMA": "removed in statsmodels 0.13",
    "keras.utils.np_utils": "removed in Keras 2.13",
    "keras.layers.normalization.BatchNormalization": "moved to keras.layers",
    "keras.wrappers.scikit_learn": "removed in Keras 2.12",
    "tensorflow.keras.wrappers.scikit_learn": "removed in TensorFlow 2.12",
    "keras.preprocessing.text": "removed in Keras 3",
    "keras.preprocessing.sequence": "moved to keras.utils",
    "keras.preprocessing.image.ImageDataGenerator": "removed in Keras 3",
    "tensorflow.keras.preprocessing.image.ImageDataGenerator": "deprecated in Keras 3",
    "tensorflow.keras.preprocessing.text.Tokenizer": "removed in Keras 3",
    "keras.backend.tensorflow_backend": "removed",
    "keras.layers.CuDNNLSTM": "removed",
    "tensorflow.Session": "removed in TensorFlow 2",
    "tensorflow.placeholder": "removed in TensorFlow 2",
    "tensorflow.contrib": "removed in TensorFlow 2",
    "tensorflow.app.flags": "removed in TensorFlow 2",
    "tensorflow.set_random_seed": "removed in TensorFlow 2",
    "tensorflow.ConfigProto": "removed in TensorFlow 2",
    "tensorflow.global_variables_initializer": "removed in TensorFlow 2",
    "tensorflow.get_default_graph": "removed in TensorFlow 2",
    "tensorflow.logging": "removed in TensorFlow 2",
    "tensorflow.reset_default_graph": "removed in TensorFlow 2",
    "fbprophet": "renamed to prophet",
    "pandas_profiling": "renamed to ydata-profiling",
    "plotly.plotly": "moved to chart_studio",
    "urllib2": "Python 2",
    "urllib.urlopen": "Python 2",
    "urllib.urlretrieve": "moved to urllib.request",
    "StringIO.StringIO": "Python 2",
    "cPickle": "Python 2",
    "ConfigParser": "Python 2",
    "raw_input": "Python 2",
    "unicode": "Python 2",
    "xrange": "Python 2",
    "imp": "removed in Python 3.12",
    "distutils": "removed in Python 3.12",
    "asyncore": "removed in Python 3.12",
    "collections.Mapping": "removed in Python 3.10",
    "collections.Iterable": "removed in Python 3.10",
    "collections.Callable": "removed in Python 3.10",
    "pipes": "removed in Python 3.13",
    "cgi": "removed in Python 3.13",
    "imghdr": "removed in Python 3.13",
    "telnetlib": "removed in Python 3.13",
    "time.clock": "removed in Python 3.8",
    "pkg_resources": "deprecated by setuptools",
    "gensim.summarization": "removed in gensim 4",
    "gensim.models.wrappers": "removed in gensim 4",
    "IPython.html": "moved to ipywidgets",
    "IPython.core.display.display": "moved to IPython.display",
    "IPython.core.display.HTML": "moved to IPython.display",
    "matplotlib.mlab.normpdf": "removed in Matplotlib 3.1",
    "mpl_finance": "renamed to mplfinance",
    "PIL.Image.ANTIALIAS": "removed in Pillow 10",
    "sagemaker.predictor.csv_serializer": "removed in SageMaker SDK 2",
    "sagemaker.predictor.json_deserializer": "removed in SageMaker SDK 2",
    "sagemaker.s3_input": "removed in SageMaker SDK 2",
    "sagemaker.session.s3_input": "removed in SageMaker SDK 2",
    "sagemaker.amazon.amazon_estimator.get_image_uri": "removed in SageMaker SDK 2",
    "watson_developer_cloud": "renamed to ibm-watson",
    "watson_machine_learning_client": "renamed to ibm-watson-machine-learning",
    "pyspark.sql.SQLContext": "deprecated since Spark 3.0",
    "pyspark.sql.HiveContext": "removed in Spark 3",
    "pandas_datareader.data.get_data_yahoo": "no longer works",
    "tensorflow.keras.layers.experimental": "moved to keras.layers",
}
# Methods by name, where the receiver is hardly anything but a frame or series.
_METHODS = {
    "ix": "DataFrame.ix was removed in pandas 1.0",
    "as_matrix": "removed in pandas 1.0",
    "get_value": "removed in pandas 1.0",
    "set_value": "removed in pandas 1.0",
    "iteritems": "removed in pandas 2.0",
    "get_dtype_counts": "removed in pandas 1.0",
    "convert_objects": "removed in pandas 1.0",
    "from_items": "removed in pandas 1.0",
    "mad": "removed in pandas 2.0",
    "applymap": "deprecated since pandas 2.1: use map",
    "pad": "deprecated since pandas 2.0",
    "get_feature_names": "removed in scikit-learn 1.2: get_feature_names_out",
    "predict_classes": "removed in TensorFlow 2.6",
    "fit_generator": "removed in Keras 3",
    "predict_generator": "removed in Keras 3",
    "evaluate_generator": "removed in Keras 3",
    "fit_sample": "removed in imbalanced-learn 0.8",
    "has_key": "Python 2",
    "weekofyear": "removed in pandas 2.0",
    "itervalues": "Python 2",
    "is_copy": "removed in pandas 1.0",
    "reindex_axis": "removed in pandas 1.0",
    "to_dense": "removed in pandas 1.0",
    "as_blocks": "removed in pandas 1.0",
    "ftypes": "removed in pandas 1.0",
    "grid_scores_": "removed in scikit-learn 0.20",
    "n_features_": "removed in scikit-learn 1.2",
    "set_axis_bgcolor": "removed in Matplotlib 2.2",
    "createExternalTable": "removed in Spark 3",
    "registerTempTable": "deprecated since Spark 2.0",
    "wv.vocab": "removed in gensim 4",
}
# (call, keyword, value or None for any) and what happened.
_KEYWORDS: tuple[tuple[str, str, object, str], ...] = (
    ("fillna", "method", None, "removed in pandas 3.0: use ffill or bfill"),
    ("read_csv", "error_bad_lines", None, "removed in pandas 2.0"),
    ("read_csv", "warn_bad_lines", None, "removed in pandas 2.0"),
    ("read_csv", "squeeze", None, "removed in pandas 2.0"),
    ("read_csv", "infer_datetime_format", None, "deprecated since pandas 2.0"),
    ("read_csv", "date_parser", None, "removed in pandas 3.0"),
    ("read_csv", "delim_whitespace", None, "removed in pandas 3.0"),
    ("read_csv", "tupleize_cols", None, "removed in pandas 1.0"),
    ("read_excel", "sheetname", None, "removed in pandas 1.0"),
    ("to_csv", "line_terminator", None, "removed in pandas 2.0"),
    ("to_datetime", "infer_datetime_format", None, "deprecated since pandas 2.0"),
    ("to_datetime", "errors", "ignore", "removed in pandas 3.0"),
    ("to_numeric", "errors", "ignore", "removed in pandas 3.0"),
    ("groupby", "axis", None, "removed in pandas 3.0"),
    ("sort", "columns", None, "removed in pandas 1.0"),
    ("replace", "method", None, "removed in pandas 3.0"),
    ("concat", "join_axes", None, "removed in pandas 1.0"),
    ("KFold", "n_folds", None, "removed in scikit-learn 0.20"),
    ("StratifiedKFold", "n_folds", None, "removed in scikit-learn 0.20"),
    ("GridSearchCV", "iid", None, "removed in scikit-learn 0.24"),
    ("RandomizedSearchCV", "iid", None, "removed in scikit-learn 0.24"),
    ("LinearRegression", "normalize", None, "removed in scikit-learn 1.2"),
    ("Ridge", "normalize", None, "removed in scikit-learn 1.2"),
    ("RidgeCV", "normalize", None, "removed in scikit-learn 1.2"),
    ("Lasso", "normalize", None, "removed in scikit-learn 1.2"),
    ("LassoCV", "normalize", None, "removed in scikit-learn 1.2"),
    ("ElasticNet", "normalize", None, "removed in scikit-learn 1.2"),
    ("LogisticRegression", "multi_class", None, "removed in scikit-learn 1.8"),
    ("LogisticRegression", "penalty", None, "deprecated since scikit-learn 1.8"),
    ("AdaBoostClassifier", "base_estimator", None, "removed in scikit-learn 1.4"),
    ("AdaBoostClassifier", "algorithm", None, "removed in scikit-learn 1.8"),
    ("AdaBoostRegressor", "base_estimator", None, "removed in scikit-learn 1.4"),
    ("BaggingClassifier", "base_estimator", None, "removed in scikit-learn 1.4"),
    ("BaggingRegressor", "base_estimator", None, "removed in scikit-learn 1.4"),
    ("CalibratedClassifierCV", "base_estimator", None, "removed in scikit-learn 1.4"),
    ("OneHotEncoder", "sparse", None, "removed in scikit-learn 1.4: sparse_output"),
    ("OneHotEncoder", "categorical_features", None, "removed in scikit-learn 0.22"),
    ("OneHotEncoder", "n_values", None, "removed in scikit-learn 0.22"),
    ("RandomForestClassifier", "max_features", "auto", "removed in scikit-learn 1.3"),
    ("RandomForestRegressor", "max_features", "auto", "removed in scikit-learn 1.3"),
    ("ExtraTreesClassifier", "max_features", "auto", "removed in scikit-learn 1.3"),
    ("DecisionTreeClassifier", "max_features", "auto", "removed in scikit-learn 1.3"),
    ("RandomForestRegressor", "criterion", "mse", "removed in scikit-learn 1.2"),
    ("RandomForestRegressor", "criterion", "mae", "removed in scikit-learn 1.2"),
    ("DecisionTreeRegressor", "criterion", "mse", "removed in scikit-learn 1.2"),
    ("GradientBoostingClassifier", "loss", "deviance", "removed in scikit-learn 1.3"),
    ("GradientBoostingRegressor", "loss", "ls", "removed in scikit-learn 1.2"),
    ("GradientBoostingRegressor", "loss", "lad", "removed in scikit-learn 1.2"),
    ("SGDClassifier", "loss", "log", "removed in scikit-learn 1.3: log_loss"),
    ("SGDClassifier", "n_iter", None, "removed in scikit-learn 0.21"),
    ("SGDRegressor", "loss", "squared_loss", "removed in scikit-learn 1.2"),
    ("KMeans", "precompute_distances", None, "removed in scikit-learn 1.0"),
    ("KMeans", "n_jobs", None, "removed in scikit-learn 1.0"),
    ("AgglomerativeClustering", "affinity", None, "removed in scikit-learn 1.4: metric"),
    ("TSNE", "n_iter", None, "removed in scikit-learn 1.7: max_iter"),
    ("mean_squared_error", "squared", None, "removed in scikit-learn 1.6"),
    ("SMOTE", "ratio", None, "removed in imbalanced-learn 0.6"),
    ("SMOTE", "kind", None, "removed in imbalanced-learn 0.6"),
    ("XGBClassifier", "use_label_encoder", None, "removed in XGBoost 2"),
    ("XGBClassifier", "silent", None, "removed in XGBoost 2"),
    ("XGBRegressor", "silent", None, "removed in XGBoost 2"),
    ("kdeplot", "shade", None, "deprecated since seaborn 0.12: fill"),
    ("pairplot", "size", None, "removed in seaborn 0.12: height"),
    ("lmplot", "size", None, "removed in seaborn 0.12: height"),
    ("FacetGrid", "size", None, "removed in seaborn 0.12: height"),
    ("jointplot", "size", None, "removed in seaborn 0.12: height"),
    ("catplot", "size", None, "removed: height"),
    ("barplot", "ci", None, "deprecated since seaborn 0.12: errorbar"),
    ("lineplot", "ci", None, "deprecated since seaborn 0.12: errorbar"),
    ("violinplot", "scale", None, "deprecated since seaborn 0.13"),
    ("Adam", "lr", None, "removed in Keras 3: learning_rate"),
    ("SGD", "lr", None, "removed in Keras 3: learning_rate"),
    ("RMSprop", "lr", None, "removed in Keras 3: learning_rate"),
    ("Word2Vec", "size", None, "removed in gensim 4: vector_size"),
    ("Word2Vec", "iter", None, "removed in gensim 4: epochs"),
    ("CountVectorizer", "charset", None, "removed"),
    ("hist", "normed", None, "removed in Matplotlib 3.1: density"),
    ("Dense", "output_dim", None, "Keras 1"),
    ("Dense", "init", None, "Keras 1"),
    ("fit", "nb_epoch", None, "Keras 1: epochs"),
    ("resample", "how", None, "removed in pandas 0.25"),
)
# Seaborn took data positionally until 0.12: `sns.countplot(df['x'])`, `sns.scatterplot(x, y)`.
_SEABORN_BY_KEYWORD = {
    "countplot",
    "boxplot",
    "barplot",
    "scatterplot",
    "lineplot",
    "violinplot",
    "stripplot",
    "swarmplot",
    "pointplot",
    "catplot",
    "regplot",
    "lmplot",
    "jointplot",
}
_FRAME_APPEND = re.compile(r"^(?:df\w*|data\w*|\w*_df|\w*[Ff]rame|train\w*|test\w*|results?_df|X\w*)$")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements that use what current releases have removed, deprecated or given another meaning."""
    places: dict[tuple[int, int], str] = {}

    def note(cell: int, line: int, evidence: str) -> None:
        places.setdefault((cell, line), evidence)

    for cell, node in analysis.nodes(ast.Import, ast.ImportFrom):
        for module in _imported(node):
            if found := _gone(module):
                note(cell.index, node.lineno, f"{module}: {found}")
                break
    for cell, node in analysis.nodes(ast.Attribute):
        if isinstance(node.ctx, ast.Load):
            name = analysis.name_of(node)
            if name in _GONE and (not name.startswith("numpy.") or _is_numpy(node, analysis)):
                note(cell.index, node.lineno, f"{name}: {_GONE[name]}")
            elif node.attr in _METHODS:
                note(cell.index, node.lineno, f"{node.attr}: {_METHODS[node.attr]}")
    for call in analysis.calls:
        if evidence := _of_call(call, analysis):
            note(call.cell, _line_of(call), evidence)
    for cell in analysis.cells:
        for fault in cell.code.faults:
            if cell.code.text(fault.line).startswith(("print ", "exec ")):
                note(cell.index, fault.line, "the print statement is Python 2")
    for cell, statement in analysis.statements():
        if isinstance(statement, ast.Expr | ast.Assign) and (evidence := _chained(statement)):
            note(cell.index, statement.lineno, evidence)
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if node.module and not node.level else []


def _gone(module: str) -> str:
    """What happened to a dotted name, or to a package it is in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        found = _GONE.get(".".join(parts[:length]))
        if found:
            return found
    return ""


def _is_numpy(node: ast.Attribute, analysis: Analysis) -> bool:
    return isinstance(node.value, ast.Name) and analysis.name_of(node.value) == "numpy"


def _line_of(call: Call) -> int:
    simple = isinstance(call.statement, ast.Expr | ast.Assign | ast.AugAssign | ast.Return | ast.AnnAssign)
    return call.statement.lineno if simple else call.line


def _of_call(call: Call, analysis: Analysis) -> str:
    for method, keyword, value, what in _KEYWORDS:
        if what and call.method == method:
            given = call.argument(-1, keyword)
            if given is not None and (value is None or (isinstance(given, ast.Constant) and given.value == value)):
                return f"{method}({keyword}={ast.unparse(given)[:30]}): {what}"
    if call.name in ("xrange", "raw_input", "unicode"):
        return f"{call.name}: Python 2"
    if call.name.startswith("seaborn.") and call.method in _SEABORN_BY_KEYWORD and call.node.args:
        first = call.node.args[0]
        frame = isinstance(first, ast.Name) and len(call.node.args) == 1 and call.has("x")
        if (
            not frame
            and not isinstance(first, ast.Constant)
            and (
                len(call.node.args) > 1
                or call.method not in ("boxplot", "violinplot", "catplot", "barplot", "lineplot", "stripplot")
            )
        ):
            return f"seaborn.{call.method} takes its data by keyword since 0.12"
    if call.method == "append" and isinstance(call.node.func, ast.Attribute):
        base = call.node.func.value
        by_keyword = any(one.arg in ("ignore_index", "sort", "verify_integrity") for one in call.node.keywords)
        if by_keyword or (
            isinstance(base, ast.Name) and _FRAME_APPEND.match(base.id) and isinstance(call.statement, ast.Assign)
        ):
            return "DataFrame.append was removed in pandas 2.0: use concat"
    if (
        call.method == "corr"
        and isinstance(call.node.func, ast.Attribute)
        and not call.node.args
        and not call.has("numeric_only")
    ):
        base = call.node.func.value
        if isinstance(base, ast.Name) and _FRAME_APPEND.match(base.id):
            return "DataFrame.corr raises for columns of text since pandas 2.0: numeric_only=True"
    if call.method == "drop" and len(call.node.args) >= 2:
        return "DataFrame.drop takes its axis by keyword since pandas 2.0"
    return ""


def _chained(statement: ast.stmt) -> str:
    """`df['a'].fillna(0, inplace=True)` and `df['a'][mask] = 0` change a copy since pandas 3.0."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        in_place = any(
            one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
            for one in call.keywords
        )
        if (
            in_place
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Subscript | ast.Attribute)
        ):
            base = call.func.value
            column = isinstance(base, ast.Subscript) or (
                isinstance(base, ast.Attribute)
                and isinstance(base.value, ast.Name)
                and base.attr not in ("columns", "index")
            )
            if column and call.func.attr in (
                "fillna",
                "replace",
                "drop_duplicates",
                "dropna",
                "clip",
                "mask",
                "where",
                "interpolate",
                "ffill",
                "bfill",
                "update",
            ):
                return f"`{ast.unparse(call)[:70]}` changes a copy since pandas 3.0, and nothing in the frame"
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if (
                isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Subscript)
                and isinstance(target.value.slice, ast.Constant)
            ):
                if (
                    isinstance(target.value.slice.value, str)
                    and isinstance(target.value.value, ast.Name)
                    and not isinstance(target.slice, ast.Constant)
                ):
                    return (
                        f"`{ast.unparse(target)[:70]} = ...` changes a copy since pandas 3.0, and nothing in the frame"
                    )
    return ""


RULE = Rule(
    code="PA207",
    kind="deprecated-api",
    severity="high",
    title="API that current libraries do not have, or mean otherwise",
    why="With the libraries of today the cell raises, or gives another result without an error.",
    fix="Use the present form, or pin the environment of the notebook's time.",
    adopt="does",
    adopt_note="Chooses an environment of the notebook's time where today's cannot run it.",
    find=find,
    positive=(
        Example(
            cells=("from sklearn.cross_validation import train_test_split\nimport numpy as np\nx = np.float(3)",),
            found=((0, 1), (0, 3)),
        ),
        Example(
            cells=("df = df.append(row, ignore_index=True)\ndf['a'].fillna(0, inplace=True)",), found=((0, 1), (0, 2))
        ),
        Example(cells=("import seaborn as sns\nsns.distplot(x)\nsns.countplot(df['a'])",), found=((0, 2), (0, 3))),
        Example(cells=("x = df.ix[3]\nfor k, v in d.iteritems():\n    pass",), found=((0, 1), (0, 2))),
        Example(cells=("print 'a'",), found=((0, 1),)),
        Example(
            cells=("m = RandomForestClassifier(max_features='auto')\nOneHotEncoder(sparse=False)",),
            found=((0, 1), (0, 2)),
        ),
    ),
    negative=(
        Example(
            cells=(
                "import numpy as np\nx = np.float64(3)\nl = []\nl.append(3)\ndf = df.fillna(0)\nsns.countplot(x='a', data=df)",
            )
        ),
        Example(cells=("from sklearn.model_selection import train_test_split\nx = df.drop('a', axis=1)",)),
    ),
)
