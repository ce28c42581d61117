"""What becomes of rows and models is followed through the cells of a notebook."""

import ast
import itertools

import pytest

from proveout.pilot.audit import flow_reader
from proveout.pilot.audit.data_flow import Flow, is_model
from proveout.pilot.audit.names import imported


def flow_of(*cells: str) -> Flow:
    """The flow of a notebook with these cells."""
    trees = [ast.parse(cell) for cell in cells]
    known = dict(itertools.chain.from_iterable(imported(tree).items() for tree in trees))
    return flow_reader.read(list(enumerate(trees)), known)


def test_a_split_names_its_sides() -> None:
    """All of leakage rests on which rows were held out."""
    flow = flow_of("a, b, c, d = train_test_split(X, y, test_size=0.2)")

    assert flow.splits[0].outputs == ("a", "b", "c", "d")
    assert [flow.variables[name].part for name in "abcd"] == ["train", "test", "train", "test"]


@pytest.mark.parametrize("call", ["df.randomSplit([0.8, 0.2])", "frame.split_frame(ratios=[0.8])"])
def test_spark_and_h2o_split_the_frame_itself(call: str) -> None:
    """They give one frame for each side, not two for each argument."""
    flow = flow_of(f"first, second = {call}")

    assert [flow.variables[name].part for name in ("first", "second")] == ["train", "test"]
    assert flow.splits[0].given[0].held in ("df", "frame")


@pytest.mark.parametrize(
    "cell",
    [
        "train, test = rows[:n], rows[n:]",
        "train = rows[:n]\ntest = rows[n:]",
        "train = rows.iloc[:n].copy()\ntest = rows.iloc[n:]",
        "train = rows[rows['year'] < 2015]\ntest = rows[rows['year'] >= 2015]",
        "X_train = rows[~held]\nX_test = rows[held == 1]",
    ],
)
def test_rows_that_are_cut_by_hand_are_split(cell: str) -> None:
    """Series are cut at a day, and no function is called for it."""
    flow = flow_of(cell)

    assert len(flow.splits) == 1
    assert {flow.variables[name].split for name in flow.variables} == {0}


@pytest.mark.parametrize(
    "cell", ["X_train = train[columns]", "test = frame['test']", "train = rows[:]", "first = rows[:5]"]
)
def test_columns_and_copies_are_no_split(cell: str) -> None:
    """Choosing inputs holds nothing out."""
    assert flow_of(cell).splits == []


def test_folds_give_the_sides_of_a_split() -> None:
    """`for train, test in folds.split(X)` holds rows out as well."""
    flow = flow_of(
        "for train_index, test_index in folds.split(X):\n    m.fit(X[train_index])\n    m.predict(X[test_index])"
    )

    assert flow.fits[0].on.part == "train"
    assert flow.applied[0].on.part == "test"


def test_what_was_fitted_before_the_split_is_in_the_rows() -> None:
    """A scaler that saw all rows before they were cut."""
    flow = flow_of("s = StandardScaler()\nX = s.fit_transform(X)", "a, b = train_test_split(X)")

    assert 0 in flow.splits[0].given[0].fits


def test_a_column_that_is_written_changes_its_frame() -> None:
    """`df[c] = encoder.fit_transform(df[c])` is how most notebooks encode."""
    flow = flow_of(
        "df['a'] = LabelEncoder().fit_transform(df['a'])\nX = df.drop('y', axis=1)\na, b = train_test_split(X)"
    )

    assert 0 in flow.splits[0].given[0].fits


def test_an_encoder_handed_to_apply_is_fitted() -> None:
    """`df.apply(encoder.fit_transform)` names no argument."""
    flow = flow_of("e = LabelEncoder()\nX = df.apply(e.fit_transform)")

    assert [(fit.method, fit.receiver) for fit in flow.fits] == [("fit_transform", "e")]
    assert 0 in flow.variables["X"].fits


def test_a_statistic_that_only_is_shown_is_in_no_rows() -> None:
    """Looking at a mean is no leak."""
    flow = flow_of("m = df['a'].mean()\nprint(m)\na, b = train_test_split(df)")

    assert len(flow.statistics) == 1
    assert not flow.splits[0].given[0].learned


@pytest.mark.parametrize(
    "cell",
    [
        "df['a'] = df['a'].fillna(df['a'].mean())",
        "df['a'].fillna(df['a'].median(), inplace=True)",
        "m = df['a'].mode()[0]\ndf.loc[df['a'].isnull(), 'a'] = m",
        "low, high = np.percentile(df['a'], [5, 95])\ndf = df[(df['a'] > low) & (df['a'] < high)]",
        "df['a'] = (df['a'] - df['a'].mean()) / df['a'].std()",
        "t = df.groupby('b')['a'].mean()\ndf['c'] = df['b'].map(t)",
        "t = pd.pivot_table(df, index='b')\ndf = df.merge(t, on='b')",
        "df['c'] = df.groupby('b')['a'].transform('mean')",
        "m = df['a'].mean()\ndf['c'] = df['a'].apply(lambda v: v - m)",
    ],
)
def test_a_statistic_that_goes_into_the_rows_is_found_there(cell: str) -> None:
    """What all rows say of themselves is learned from those that are held out later, too."""
    flow = flow_of("import numpy as np\nimport pandas as pd", cell, "a, b = train_test_split(df)")

    assert flow.splits[0].given[0].learned


@pytest.mark.parametrize("cell", ["df['c'] = df[['a', 'b']].mean(axis=1)", "df['c'] = df['date'].max() - df['date']"])
def test_a_statistic_by_row_or_of_dates_is_none(cell: str) -> None:
    """The mean of one row's columns says nothing of other rows."""
    assert not flow_of(cell, "a, b = train_test_split(df)").splits[0].given[0].learned


def test_a_table_by_group_is_no_row_of_the_frame() -> None:
    """Who counts customers and splits the customers has learned nothing from held-out customers."""
    flow = flow_of("shops = df.groupby('shop').mean().reset_index()\na, b = train_test_split(shops)")

    assert not flow.splits[0].given[0].learned


def test_a_prediction_belongs_to_its_model_and_its_rows() -> None:
    """A metric is of the model that answered, on the rows that were asked."""
    flow = flow_of(
        "X_train, X_test, y_train, y_test = train_test_split(X, y)\nm = SVC()\nm.fit(X_train, y_train)",
        "p = m.predict(X_test)\nfrom sklearn.metrics import f1_score\nf1_score(y_test, p)",
    )

    measured = flow.measured[0]
    assert (measured.model, measured.on.part, measured.truth) == ("m", "test", "y_test")
    assert measured.fits == frozenset({0})


@pytest.mark.parametrize(
    "source", ["np.mean((y_test - y_pred) ** 2)", "(y_pred == y_test).mean()", "np.mean(np.abs(forecast - actual))"]
)
def test_a_metric_by_formula_is_measured(source: str) -> None:
    """Not everybody calls a library for a mean of errors."""
    assert flow_of(f"import numpy as np\nx = {source}").measured


@pytest.mark.parametrize("source", ["np.mean(x - y)", "df.mean()", "(a == b).mean()", "np.mean(y_pred - 1)"])
def test_other_means_measure_nothing(source: str) -> None:
    """A mean without answers in it is no metric."""
    assert not flow_of(f"import numpy as np\nx = {source}").measured


def test_a_model_that_a_function_returns_is_known() -> None:
    """`build_model()` is how networks are made."""
    flow = flow_of("def build():\n    m = Sequential()\n    return m", "net = build()\nnet.fit(X, y)")

    assert flow.fits[-1].estimator.estimator == "Sequential"


def test_a_class_of_torch_is_a_network() -> None:
    """Its author gave it a name of his own."""
    flow = flow_of("import torch.nn as nn\nclass Net(nn.Module):\n    pass", "net = Net()")

    assert is_model(flow.variables["net"])


def test_models_in_a_list_are_models_in_the_loop() -> None:
    """Comparing five models in a loop is what test-set reuse looks like."""
    flow = flow_of(
        "models = [('a', SVC()), ('b', GaussianNB())]", "for name, m in models:\n    m.fit(X_train, y_train)"
    )

    assert is_model(flow.fits[0].estimator)
    assert flow.fits[0].at.in_loop


def test_estimators_put_into_a_dict_are_saved_with_it() -> None:
    """One encoder for each column, kept in a dict, is the usual way."""
    flow = flow_of("kept = {}\ne = LabelEncoder()\nkept['a'] = e\nimport joblib\njoblib.dump(kept, 'e.pkl')")

    assert "e" in flow.saved[0].value.holds


def test_functions_that_train_fit_a_model() -> None:
    """`xgb.train` has no estimator before it."""
    flow = flow_of("import xgboost as xgb\nbooster = xgb.train(p, dtrain)\nbooster.predict(dtest)")

    assert flow.fits[0].on.part == "train"
    assert flow.applied[0].on.part == "test"


def test_the_rows_of_statsmodels_come_with_the_model() -> None:
    """OLS gets its rows before fit is called."""
    flow = flow_of("import statsmodels.api as sm\nr = sm.OLS(y_train, X_train).fit()")

    assert flow.fits[0].on.part == "train"


def test_files_say_which_rows_they_hold_if_there_are_both() -> None:
    """`test.csv` holds test rows beside `train.csv`; a file of A/B tests alone does not."""
    both = flow_of("a = pd.read_csv('train.csv')\nb = pd.read_csv('test.csv')")
    alone = flow_of("b = pd.read_csv('ab_test.csv')")

    assert both.variables["b"].part == "test"
    assert alone.variables["b"].part == ""


def test_frames_in_a_loop_include_the_test_rows() -> None:
    """`for d in [train, test]` changes the test rows by their own statistics."""
    flow = flow_of("for d in [train, test]:\n    d['a'] = d['a'].fillna(d['a'].mean())")

    assert flow.statistics[0].on.part == "test"


def test_reading_the_same_expression_twice_records_it_once() -> None:
    """A fit that is counted twice would be two findings."""
    flow = flow_of("a, b = SVC().fit(X, y), 3\nc, d = train_test_split(s.fit_transform(X), y)")

    assert len(flow.fits) == 2


def test_deep_nesting_ends_without_an_error() -> None:
    """Generated code nests deeper than people do."""
    deep = "f(" * 90 + "x" + ")" * 90

    assert flow_of(f"y = {deep}").variables["y"] is not None
