"""What is refused before and after a run, and what is not."""

import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import refusals
from proveout.pilot.adopt.pilot_run import PilotRun, RaisedCell
from proveout.pilot.adopt.refusals import PilotRefused
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis
from proveout.recovery.recovery_report import RecoveredNotebook


@pytest.fixture
def analysed(tmp_path):
    """The analysis of a notebook of the given cells."""

    def of(*cells: str, metadata=None) -> Analysis:
        return Analysis(notebook_text.read(write_notebook(tmp_path / "pilot.ipynb", cells, metadata=metadata)))

    return of


@pytest.mark.parametrize(
    ("cells", "cell", "found"),
    [
        (("from tensorflow.keras.models import Sequential", "m = Sequential()\nm.fit(X, y)"), 1, "Keras"),
        (("import tensorflow as tf", "x = 1", "m = tf.keras.Sequential([])"), 2, "Keras"),
        (("from keras.layers import *\nfrom keras.models import Model", "m = Model(a, b)"), 1, "Keras"),
        (
            (
                "from scikeras.wrappers import KerasClassifier\nfrom sklearn.model_selection import GridSearchCV",
                "g = GridSearchCV(KerasClassifier(f), {}).fit(X, y)",
            ),
            1,
            "Keras",
        ),
        (("import torch\nfrom torch import nn", "class Net(nn.Module):\n    pass"), 1, "PyTorch"),
        (
            ("from pyspark.ml.classification import LogisticRegression", "m = LogisticRegression().fit(rows)"),
            1,
            "Spark",
        ),
        (("import statsmodels.formula.api as smf", "m = smf.ols('y ~ x', data=df).fit()"), 1, "formula"),
        (("from statsmodels.tsa.arima.model import ARIMA\nm = ARIMA(s).fit()",), 0, "series"),
        (("import statsmodels.api as sm\nm = sm.tsa.statespace.SARIMAX(s).fit()",), 0, "series"),
        (("from catboost import CatBoostClassifier\nm = CatBoostClassifier().fit(X, y)",), 0, "CatBoost"),
        (("x = 1", "%%R\nm <- lm(y ~ x)"), 1, "run R"),
    ],
)
def test_a_notebook_whose_only_model_cannot_be_served_is_refused_with_the_cell(analysed, cells, cell, found):
    """Said in a second, and not after an hour of training."""
    with pytest.raises(PilotRefused, match=found) as refused:
        refusals.before_run(analysed(*cells))

    assert refused.value.cell == cell
    assert f"(cell {cell})" in str(refused.value)


@pytest.mark.parametrize(("kernel", "language"), [("ir", "R"), ("julia-1.9", "julia")])
def test_another_language_is_refused(analysed, kernel, language):
    metadata = {"kernelspec": {"name": kernel, "language": language}, "language_info": {"name": language}}

    with pytest.raises(PilotRefused, match=f"written in {language.lower()}"):
        refusals.before_run(analysed("x <- 1", metadata=metadata))


@pytest.mark.parametrize(
    "cells",
    [
        ("import keras\nfrom sklearn.linear_model import LogisticRegression", "m = LogisticRegression().fit(X, y)"),
        (
            "from keras.models import Sequential\nfrom sklearn.svm import SVC",
            "m = Sequential()",
            "for kind in [SVC]:\n    kind().fit(X, y)",
        ),
        ("import torch\nimport statsmodels.formula.api as smf\nfrom xgboost import XGBRegressor", "m = XGBRegressor()"),
        ("from statsmodels.tsa.seasonal import seasonal_decompose", "seasonal_decompose(s).plot()"),
        ("import tensorflow as tf", "w = w - 0.1 * gradient"),
        ("from sklearn.ensemble import *", "m = RandomForestClassifier().fit(X, y)", "n = Sequential()"),
    ],
)
def test_an_import_alone_or_a_second_kind_of_model_refuses_nothing(analysed, cells):
    """The model that can be served is the one that is adopted."""
    refusals.before_run(analysed(*cells))


def run_of(*, fits=0, predictions=0, raised=()):
    recovered = RecoveredNotebook(models=(), fits=fits, predictions=predictions, redirected=(), seconds=0)
    return PilotRun(recovered=recovered, raised=tuple(RaisedCell(index=n, problem=why) for n, why in raised), seconds=1)


CROSS = ("from sklearn.model_selection import cross_val_score", "print(cross_val_score(m, X, y))")


@pytest.mark.parametrize(
    ("cells", "run", "cell", "found"),
    [
        (CROSS, run_of(), 1, "by cross-validation alone"),
        (CROSS, run_of(raised=[(0, "NameError: z")]), 1, "by cross-validation alone"),
        (("x = 1",), run_of(raised=[(3, "KeyError: 'a'")]), 3, "no model was fitted, .* KeyError: 'a'"),
        (("x = 1",), run_of(raised=[(2, "LookupError:\n" + "*" * 900)]), 2, r"said: LookupError: \*+… \(cell 2\)"),
        (("x = 1",), run_of(fits=1, raised=[(4, "ValueError: b")]), 4, "no model answered held-out rows"),
        (("x = 1",), run_of(), -1, "no cell fits a model"),
        (("x = 1",), run_of(fits=2), -1, "no cell predicts with them"),
        (("x = 1",), run_of(fits=2, predictions=1), -1, "only rows they were fitted on"),
    ],
)
def test_a_run_without_a_model_says_why(analysed, cells, run, cell, found):
    with pytest.raises(PilotRefused, match=found) as refused:
        refusals.after_run(analysed(*cells), run)

    assert refused.value.cell == cell


@pytest.mark.parametrize(
    ("problems", "of_releases"),
    [
        (["TypeError: drop() got an unexpected keyword"], True),
        (["FileNotFoundError: 'rows.csv'", "NameError: name 'df' is not defined"], False),
        (["ModuleNotFoundError: No module named 'secrets_of_mine'", "NameError: name 'x' is not defined"], False),
        (["ModuleNotFoundError: No module named 'pandas.util.testing'"], True),
        (["ImportError: cannot import name 'mode' from 'scipy.stats' (/a/b.py)"], True),
        (["URLError: <urlopen error [Errno -2]>", "ValueError: Input X contains NaN"], True),
        (["it took longer than 600 s"], False),
    ],
)
def test_other_releases_are_tried_only_for_errors_that_may_be_theirs(analysed, problems, of_releases):
    """A file that is missing today is missing in each environment, and so is what its rows would have become."""
    with pytest.raises(PilotRefused) as refused:
        refusals.after_run(analysed("x = 1"), run_of(raised=list(enumerate(problems))))

    assert refused.value.cell_raised is of_releases


WAY = (
    "from sklearn.svm import SVC\nfrom sklearn.model_selection import cross_val_score",
    "df.corr()",
    "df['first'] = df['first'].astype(int)",
    "print(cross_val_score(SVC(), df[['first']], df['y']))",
    "model = SVC().fit(df[['first']], df['y'])\nmodel.predict(new)",
)


def test_the_cell_that_kept_the_notebook_from_its_model_is_named(analysed):
    """Not the drawing that failed before it; and not cross-validation, where a model was to be fitted, too."""
    raised = [(1, "ValueError: 'Apple'"), (2, "ValueError: '128GB'"), (3, "ValueError: x"), (4, "ValueError: x")]

    with pytest.raises(PilotRefused, match=r"no model was fitted, .* on the way said: ValueError: '128GB'") as refused:
        refusals.after_run(analysed(*WAY), run_of(raised=raised))

    assert refused.value.cell == 2


def test_a_lost_import_is_not_told_as_the_reason_where_a_cell_failed(analysed):
    """Beside the reading of the rows, which failed, it lost what only selects features later."""
    lost = "ModuleNotFoundError: No module named 'mlextras' (the rest of the cell ran)"
    raised = [(0, lost), (1, "KeyError: 'month'"), (2, "NameError: df"), (4, "NameError: df")]
    cells = (WAY[0] + "\nimport mlextras", "df = read()", *WAY[2:])

    with pytest.raises(PilotRefused, match="on the way said: KeyError: 'month'"):
        refusals.after_run(analysed(*cells), run_of(raised=raised))
