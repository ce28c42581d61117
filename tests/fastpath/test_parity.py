"""fastpath/: NumPy in place of pandas, where it says the same, only there."""

import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_project import ROOT
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from proveout import settings as project
from proveout.data import request_columns
from proveout.data.features import compute
from proveout.fastpath import fused_trees, parity, tolerance, transformers
from proveout.fastpath.frame import Block, block_of
from proveout.fastpath.series import Column, NotDirect
from proveout.task.question import Question

DTYPES = {"hour": "int64", "wind": "float64", "gust": "float64", "port": "str", "plane": "str"}
NUMBERS, TEXT = ["hour", "wind", "gust"], ["port", "plane"]
PORTS = ["EWR", "JFK", "LGA"]


def rows_of(hour, wind, gust, port, plane):
    columns = dict(zip(DTYPES, (hour, wind, gust, port, plane), strict=True))
    return pd.DataFrame({name: pd.Series(values, dtype=DTYPES[name]) for name, values in columns.items()})


def sample(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    gust = np.where(rng.random(rows) < 0.5, np.nan, rng.normal(20, 5, rows))
    plane = [None if number > 8 else f"N{number}" for number in rng.integers(11, size=rows)]
    return rows_of(rng.integers(0, 24, rows), rng.normal(10, 4, rows), gust, rng.choice(PORTS, rows), plane)


ROWS = sample()
LABELS = ROWS["hour"].to_numpy() + np.random.default_rng(1).normal(scale=6, size=len(ROWS)) > 12


def as_they_are(rows):
    return rows[NUMBERS + TEXT].copy()


def codes(**options):
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **options)


def filled():
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


MISSING = "extra trees on what may be missing"
NO_NAN_IN_EXTRA_TREES = sklearn.__version__.startswith("1.5.")

MODELS = {
    "boosted trees": lambda: make_pipeline(
        make_column_transformer((codes(), TEXT), ("passthrough", NUMBERS)),
        HistGradientBoostingClassifier(max_iter=70, min_samples_leaf=10),
    ),
    "one boosted tree": lambda: make_pipeline(
        make_column_transformer((codes(encoded_missing_value=-2), TEXT), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=1),
    ),
    "logistic regression, sparse": lambda: make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), TEXT), (filled(), NUMBERS), sparse_threshold=1
        ),
        LogisticRegression(),
    ),
    "logistic regression, dense": lambda: make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["port"]),
            (filled(), NUMBERS),
            ("drop", ["plane"]),
        ),
        LogisticRegression(),
    ),
    "a forest": lambda: make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXT), (SimpleImputer(), NUMBERS)),
        RandomForestClassifier(n_estimators=12, random_state=0),
    ),
    MISSING: lambda: make_pipeline(
        make_column_transformer((codes(), ["port"]), ("passthrough", NUMBERS)),
        ExtraTreesClassifier(n_estimators=7, random_state=0),
    ),
    "steps that are called as they are": lambda: make_pipeline(
        make_column_transformer((make_pipeline(SimpleImputer(), KBinsDiscretizer(5, encode="ordinal")), NUMBERS)),
        MinMaxScaler(),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
    ),
}  # fmt: skip


if NO_NAN_IN_EXTRA_TREES:
    del MODELS[MISSING]
EVENT = Question(method="predict_proba", column=1)


@pytest.fixture(scope="module", params=MODELS)
def found(request):
    """A fitted model of each kind, and its direct path."""
    model = MODELS[request.param]().fit(as_they_are(ROWS), LABELS)
    return plain(model), hunt(model)


def plain(model, function=as_they_are):
    def predict(rows):
        columns = compute(function, request_columns.typed(rows, DTYPES), tuple(DTYPES), name="features")
        return model.predict_proba(columns)[:, 1]

    return predict


def hunt(model, function=as_they_are):
    return parity.find(model, function, DTYPES, asked=EVENT, plain=plain(model, function), reference=ROWS)


def test_every_usual_model_has_a_direct_path(found):
    """A model that is quietly served the slow way is a promise not kept."""
    predict, path = found

    assert path.why == parity.ON
    assert path.rows > len(ROWS) + 256
    assert path.tolerance in (0.0, tolerance.SUMMED)
    for size in (1, 2, 7, 33, 64, 400):
        asked = sample(size, seed=size)
        said = path.direct.predict(request_columns.arrays(asked, DTYPES))
        assert not tolerance.apart(said, predict(asked), path.tolerance).any()


number = st.floats(-1e6, 1e6) | st.none()
record = st.tuples(
    st.integers(-50, 50), number, number, st.sampled_from([*PORTS, "", "ÄÖÜ"]), st.sampled_from(["N1", "N8", None, "?"])
)


@settings(max_examples=20, deadline=None)
@given(st.lists(record, min_size=1, max_size=40))
def test_it_says_what_the_pipeline_says_of_any_rows(found, records):
    """The sample rows are few; what comes is not."""
    same_of_any_rows(*found, records)


@pytest.mark.chaos
@settings(max_examples=1_000, deadline=None)
@given(st.lists(record, min_size=1, max_size=40))
def test_it_says_what_the_pipeline_says_of_very_many_rows(found, records):
    """The same, for longer."""
    same_of_any_rows(*found, records)


def same_of_any_rows(predict, path, records):
    rows = rows_of(*zip(*records, strict=True))
    try:
        said = path.direct.predict(request_columns.arrays(rows, DTYPES))
    except NotDirect:
        return  # the pipeline is asked

    assert not tolerance.apart(said, predict(rows), path.tolerance).any()


def test_trees_are_equal_to_the_last_bit():
    """The sum of 70 leaves depends on the order it is taken in."""
    model = MODELS["boosted trees"]().fit(as_they_are(ROWS), LABELS)
    path, many = hunt(model), sample(3000, seed=9)

    assert path.tolerance == 0.0
    assert np.array_equal(path.direct.predict(request_columns.arrays(many, DTYPES)), plain(model)(many))


# --- what must stay off -----------------------------------------------------------------------------------------------


def bent(function):
    return lambda *given: None if (made := function(*given)) is None else (lambda matrix: made(matrix) + 1e-6)


def test_with_a_scikit_learn_that_it_does_not_know_the_model_answers_itself(monkeypatch):
    """What a later release does in its private parts is not known here; its own `predict` is right."""
    model = MODELS["a forest"]().fit(as_they_are(ROWS), LABELS)
    monkeypatch.setattr(sklearn, "__version__", "1.10.0")

    found = hunt(model)

    assert found.direct is None
    assert found.why == "it is not known with scikit-learn 1.10.0, only with 1.5 to 1.9"


@pytest.mark.parametrize(
    ("place", "name", "model"),
    [
        (transformers, "_standard", "logistic regression, dense"),
        (transformers, "_one_hot", "logistic regression, sparse"),
        pytest.param(
            transformers,
            "_ordinal",
            MISSING,
            marks=pytest.mark.skipif(NO_NAN_IN_EXTRA_TREES, reason="ExtraTrees refuse NaN before scikit-learn 1.6"),
        ),
        (fused_trees, "_forest", "a forest"),
        (fused_trees, "_boosted", "boosted trees"),
    ],
)
def test_a_direct_path_that_differs_is_found_and_stays_off(monkeypatch, place, name, model):
    """Of each step written out by hand: a millionth too much, as another version's arithmetic might have it."""
    fitted = MODELS[model]().fit(as_they_are(ROWS), LABELS)
    monkeypatch.setattr(place, name, (lambda step: None) if name == "_ordinal" else bent(getattr(place, name)))
    if name == "_ordinal":
        monkeypatch.setattr(transformers, "_as_it_is", lambda step: lambda matrix: np.zeros(matrix.shape))

    path = hunt(fitted)

    assert path.direct is None
    assert "of a row of which the pipeline says" in path.why


def test_features_that_differ_on_one_reference_row_are_found():
    """They know where they are run: what they give the server is not what the model learned from."""

    def cunning(rows):
        made = as_they_are(rows)
        if not isinstance(rows, pd.DataFrame):
            made["hour"] = made["hour"] + (made["hour"] == ROWS["hour"].iloc[77]) * 12
        return made

    model = MODELS["boosted trees"]().fit(as_they_are(ROWS), LABELS)

    assert "of a row of which the pipeline says" in hunt(model, cunning).why


def test_features_that_look_at_the_whole_batch_are_found():
    """A row would be scored by who travels with it."""

    def crowded(rows):
        made = as_they_are(rows)
        made["hour"] = made["hour"] + len(rows)
        return made

    model = MODELS["boosted trees"]().fit(as_they_are(ROWS), LABELS)

    assert "of a row of which the pipeline says" in hunt(model, crowded).why


def test_a_path_that_answers_where_the_pipeline_raises_is_found(monkeypatch):
    """The rules answer what the model refuses; a number made of garbage is worse than they are."""
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["hour", "wind"])), RandomForestClassifier(n_estimators=3)
    ).fit(as_they_are(ROWS), LABELS)
    model[-1].estimators_[0].__dict__["_support_missing_values"] = lambda X: False
    with pytest.raises(ValueError, match="NaN"):
        plain(model)(ROWS.assign(wind=np.nan))
    assert hunt(model).why == parity.ON
    monkeypatch.setattr(fused_trees, "_forest", lambda forest, event: lambda matrix: _unguarded(forest, matrix))

    assert "of a row of which the pipeline raises" in hunt(model).why


def test_rows_that_the_direct_path_leaves_to_the_pipeline_are_no_questions():
    """At each opening, a null that the model does not take would be one for each column, through tables."""
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["hour", "wind"])), LogisticRegression(max_iter=20)
    ).fit(as_they_are(ROWS).fillna(0), LABELS)
    calls, answers = [], plain(model)

    def counted(rows):
        calls.append(len(rows))
        return answers(rows)

    reference = ROWS.assign(wind=ROWS["wind"].fillna(0.0))
    found = parity.find(model, as_they_are, DTYPES, asked=EVENT, plain=counted, reference=reference)

    assert found.why == parity.ON
    assert len(calls) == 2, calls
    assert calls[1] < len(parity.edges(reference, DTYPES))  # a null of `wind` is left to the pipeline


def _unguarded(forest, matrix):
    return sum(tree.tree_.predict(matrix.astype(np.float32)) for tree in forest.estimators_)[:, 1] / len(forest)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: rows["port"].str.len(), "Series.str needs pandas"),
        (lambda rows: rows["wind"].rolling(3).mean(), "Series.rolling needs pandas"),
        (lambda rows: rows["wind"].mean(), "Series.mean needs pandas"),
        (lambda rows: np.sum(rows["wind"]), "Series.sum needs pandas"),
        (lambda rows: np.add.reduce(rows["wind"]), "numpy.add with reduce needs pandas"),
        (lambda rows: rows["wind"].map(lambda wind: wind * 2), "Series.map with a function needs pandas"),
        (lambda rows: rows.groupby("port")["wind"].transform("mean"), "DataFrame.groupby needs pandas"),
        (lambda rows: rows.loc[:, "wind"], "DataFrame.loc needs pandas"),
        (lambda rows: pd.Series(rows["wind"].to_numpy()), "a Series as a column needs pandas"),
        (lambda rows: rows["wind"].astype("Float64"), "Series.astype('Float64') needs pandas"),
        (lambda rows: rows["port"].astype("category").cat.codes, "Series.astype('category') needs pandas"),
    ],
)
def test_features_that_need_pandas_say_which_part_of_it(change, why):
    """Who wants the speed reads what to write otherwise."""

    def features(rows):
        made = as_they_are(rows)
        made["wind"] = change(rows)
        return made

    model = MODELS["boosted trees"]().fit(features(ROWS), LABELS)

    assert hunt(model, features).why == why


def test_a_table_that_pandas_made_is_no_block():
    """The path would go on with a table, at the speed of one."""
    model = MODELS["boosted trees"]().fit(as_they_are(ROWS), LABELS)

    why = hunt(model, lambda rows: pd.DataFrame(as_they_are(ROWS).head(len(rows)))).why

    assert why == "features that give a DataFrame needs pandas"


def test_steps_that_are_not_called_on_blocks_have_no_direct_path():
    """A transformer of one column as such gets a Series, and there is none."""
    model = make_pipeline(
        make_column_transformer((CountVectorizer(analyzer="char"), "port"), ("passthrough", ["hour"])),
        LogisticRegression(),
    ).fit(as_they_are(ROWS), LABELS)

    assert hunt(model).why == "a transformer of one column as such, port, needs pandas"


def test_what_was_never_seen_raises_where_the_pipeline_raises():
    """An encoder told to refuse refuses here too."""
    model = make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["port"]), ("passthrough", NUMBERS)),
        HistGradientBoostingClassifier(max_iter=5),
    ).fit(as_they_are(ROWS), LABELS)
    path = hunt(model)

    assert path.why == parity.ON
    with pytest.raises(NotDirect, match="never seen"):
        path.direct.predict(request_columns.arrays(ROWS.head(2).assign(port="XXX"), DTYPES))


def test_two_threads_do_not_mix_their_rows():
    """The worker answers plain requests and explains at once."""
    path = hunt(MODELS["boosted trees"]().fit(as_they_are(ROWS), LABELS))
    asked = [request_columns.arrays(sample(rows, seed=rows), DTYPES) for rows in (1, 5, 64)]
    alone = [path.direct.predict(columns) for columns in asked]
    wrong = []

    def ask(place):
        for _ in range(200):
            if not np.array_equal(path.direct.predict(asked[place]), alone[place]):
                wrong.append(place)

    threads = [threading.Thread(target=ask, args=(place,)) for place in (0, 1, 2) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_one_row_is_many_times_faster_than_through_tables():
    """That is what it is for. Measured: some 50 times."""
    model = MODELS["boosted trees"]().fit(as_they_are(ROWS), LABELS)
    path, one = hunt(model), ROWS.head(1)
    columns = request_columns.arrays(one, DTYPES)

    def fastest(function):
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            function()
            times.append(time.perf_counter() - begun)
        return min(times)

    assert fastest(lambda: plain(model)(one)) > 4 * fastest(lambda: path.direct.predict(columns))


# --- a column means what it means in pandas ---------------------------------------------------------------------------

EXPRESSIONS = [
    lambda r: r["hour"] // 3 * 60 + r["hour"] % 7,
    lambda r: 100 - r["hour"] * -2,
    lambda r: r["hour"] // r["count"],
    lambda r: r["hour"] % r["count"],
    lambda r: 7 // r["count"],
    lambda r: r["wind"] // r["gust"],
    lambda r: r["wind"] % r["gust"],
    lambda r: r["hour"] / r["count"],
    lambda r: r["wind"] / r["gust"],
    lambda r: r["wind"] ** 2 - r["gust"],
    lambda r: -r["wind"] + abs(r["hour"]),
    lambda r: r["hour"] + r["wind"] > 3,
    lambda r: (r["hour"] > 3) & ~(r["wind"] <= r["gust"]) | (r["hour"] == 2),
    lambda r: (r["hour"] > 3) ^ (r["hour"] != r["count"]),
    lambda r: (r["hour"] > 3) & r["hour"],
    lambda r: r["hour"] & r["count"],
    lambda r: (r["hour"] > 3) * 2.5,
    lambda r: (r["hour"] > 3) + (r["wind"] > 3),
    lambda r: r["hour"].to_numpy() - r["wind"],
    lambda r: np.float64(3) * r["hour"],
    lambda r: np.maximum(r["wind"], r["gust"]),
    lambda r: np.hypot(r["wind"], 3),
    lambda r: np.log1p(r["wind"].abs()),
    lambda r: np.sin(r["hour"] / 24 * 2 * np.pi),
    lambda r: np.where(r["wind"] > r["gust"], r["wind"], 0),
    lambda r: np.where(r["port"] == "JFK", 1, 2),
    lambda r: np.isnan(r["wind"]),
    lambda r: np.clip(r["wind"], 1, 3),
    lambda r: np.round(r["wind"], 1),
    lambda r: np.asarray(r["hour"]).astype("float32"),
    lambda r: [hour * 2 for hour in r["hour"]],
    lambda r: r["port"] == "JFK",
    lambda r: r["plane"] != "N1",
    lambda r: r["plane"] == r["port"],
    lambda r: r["plane"] < "N2",
    lambda r: r["port"] + "x",
    lambda r: r["port"].isin(["JFK", "EWR"]),
    lambda r: r["plane"].isin({"N1"}),
    lambda r: r["plane"].isin([None]),
    lambda r: r["hour"].isin([1, 2, 3.0]),
    lambda r: r["wind"].isin([1.0, np.nan]),
    lambda r: r["plane"].isna(),
    lambda r: r["plane"].notna() & r["wind"].notna(),
    lambda r: r["hour"].isna(),
    lambda r: r["wind"].fillna(-1),
    lambda r: r["plane"].fillna("none"),
    lambda r: r["plane"].fillna("none") == "none",
    lambda r: r["hour"].fillna(3),
    lambda r: r["plane"].fillna(3),
    lambda r: r["wind"].clip(0, 2),
    lambda r: r["wind"].clip(lower=0),
    lambda r: r["hour"].clip(upper=5),
    lambda r: r["hour"].clip(0.5, 5),
    lambda r: r["wind"].round(1),
    lambda r: r["hour"].round(),
    lambda r: r["wind"].where(r["wind"] > 0),
    lambda r: r["wind"].where(r["wind"] > 0, r["gust"]),
    lambda r: r["hour"].where(r["wind"] > 0),
    lambda r: r["hour"].mask(r["wind"] > 0, 7),
    lambda r: r["wind"].mask(r["gust"].isna(), 0),
    lambda r: r["plane"].where(r["wind"] > 0, "x"),
    lambda r: r["hour"].between(2, 5),
    lambda r: r["hour"].astype("float64"),
    lambda r: r["hour"].astype(float) / 3,
    lambda r: r["wind"].astype("int64"),
    lambda r: r["wind"].astype("float32"),
    lambda r: (r["wind"] > 0).astype(int),
    lambda r: r["wind"].astype(bool),
    lambda r: r["hour"].astype(str),
    lambda r: r["port"].map({"EWR": 1, "JFK": 2, "LGA": 3}),
    lambda r: r["port"].map({"EWR": 1, "JFK": 2}),
    lambda r: r["port"].map({"EWR": 1.5, "JFK": 2}),
    lambda r: r["plane"].map({"N1": "one", "N2": "two"}),
    lambda r: r["plane"].map({"N1": True}),
    lambda r: r["plane"].map({None: 3, "N1": 1}),
    lambda r: r["hour"].map({1: 10, 2: 20, 3: 30}),
    lambda r: r["wind"].map({1.0: 10}),
    lambda r: r["hour"] > "3",
    lambda r: "x",
    lambda r: 3,
    lambda r: 2.5,
    lambda r: True,
    lambda r: r.hour * 2,
]  # fmt: skip
KINDS = {**DTYPES, "count": "int64"}
whole = st.integers(-9, 9)
real = st.floats(-9, 9) | st.sampled_from([0.0, 1.0, -0.0]) | st.none()
small = st.tuples(
    whole, real, real, st.sampled_from(PORTS), st.sampled_from(["N1", "N2", None]), st.sampled_from([0, 1, 2, 3, -3])
)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
@settings(max_examples=15, deadline=None)
@given(records=st.lists(small, min_size=1, max_size=6))
def test_an_expression_means_what_it_means_in_pandas_or_is_refused(expression, records):
    """Where it only looked alike, the model would see other numbers in the server than in training."""
    frame = pd.DataFrame(
        {n: pd.Series(v, dtype=KINDS[n]) for n, v in zip(KINDS, zip(*records, strict=True), strict=True)}
    )
    block = block_of(request_columns.arrays(frame, KINDS), KINDS)
    try:
        with np.errstate(all="ignore"):
            block["made"] = expression(block)
    except (NotDirect, TypeError):
        return
    with np.errstate(all="ignore"):
        frame["made"] = expression(frame)
    wanted = frame["made"]
    got = block.array("made")

    if got.dtype.kind == "O":
        assert [None if pd.isna(value) else value for value in wanted] == got.tolist()
    else:
        assert got.dtype == wanted.dtype
        assert np.array_equal(got, wanted.to_numpy(), equal_nan=got.dtype.kind == "f")


def test_most_expressions_are_not_refused():
    """A block that refuses all would pass the test above."""
    block = block_of(request_columns.arrays(sample(5).assign(count=[1, 2, 3, 4, 5]), KINDS), KINDS)
    done = 0
    for expression in EXPRESSIONS:
        try:
            block.copy()["made"] = expression(block)
            done += 1
        except (NotDirect, TypeError):
            continue

    assert done >= 60


@pytest.mark.parametrize(
    "doing",
    [
        lambda b: bool(b["hour"] > 3),
        lambda b: 3 in b["hour"],
        lambda b: b["hour"][0],
        lambda b: b[b["hour"] > 3],
        lambda b: bool(b),
        lambda b: np.asarray(b["port"]),
        lambda b: b["hour"] + np.arange(9).reshape(3, 3),
        lambda b: b[["hour"]].assign(hour=b["hour"].to_numpy()[:1])["hour"] + 1,
        lambda b: b["hour"] + [1, 2, 3],
        lambda b: b.assign(made=np.arange(7)),
        lambda b: b.assign(made=np.array([None, 1, 2])),
        lambda b: b.assign(made=[1, 2, 3]),
        lambda b: b["hour"] + np.timedelta64(3, "D"),
        lambda b: b["wind"].dtype.kind + str(b["port"].dtype),
        lambda b: b.rename(columns=str.upper),
        lambda b: b.rename(columns={"hour": "wind"}),
    ],
)
def test_what_a_block_does_not_know_it_refuses(doing):
    """Above all what Python would make something of: truth, membership, length."""
    block = block_of(request_columns.arrays(sample(3), DTYPES), DTYPES)

    with pytest.raises(NotDirect):
        doing(block)


def test_a_block_is_never_changed_through_another():
    """As in pandas: a copy, a part and a column are their own."""
    block = block_of(request_columns.arrays(sample(3), DTYPES), DTYPES)
    before = block.array("hour").tolist()
    part = block[["hour"]]
    part["hour"] = 0
    hour = block["hour"]
    hour += 5
    block["hour"].to_numpy()[:] = 9
    np.asarray(block["hour"])[:] = 9
    block.copy()["new"] = 1

    assert block.array("hour").tolist() == before
    assert block.columns == tuple(DTYPES)
    assert "new" not in block
    assert list(block.assign(new=lambda made: made["hour"] * 2).drop(columns=["hour", "port"])) == [
        "wind", "gust", "plane", "new",
    ]  # fmt: skip
    assert block.rename(columns={"hour": "clock"}).columns[0] == "clock"
    assert isinstance(hour, Column)
    with pytest.raises(KeyError):
        block["nowhere"]
    with pytest.raises(KeyError):
        block.drop(columns="nowhere")


@pytest.mark.parametrize(
    "columns",
    [
        {"hour": np.array([1.0, np.nan])},
        {"hour": np.array(["a", "b"], dtype=object)},
        {"wind": np.array([None, 1.0], dtype=object)},
        {"port": np.array([1, 2])},
        {"hour": np.array([[1], [2]])},
        {"hour": np.array([1, 2, 3])},
    ],
)
def test_columns_of_another_kind_are_refused(columns):
    """An integer that is not known is not an integer: what becomes of it, the pipeline says."""
    right = request_columns.arrays(sample(2), DTYPES)
    with pytest.raises(NotDirect):
        block_of({**right, **columns}, DTYPES)


@pytest.mark.parametrize("dtype", ["Int64", "category", "boolean", "datetime64[ns]"])
def test_a_request_with_columns_of_pandas_own_types_has_no_direct_path(dtype):
    """They have no array that means the same."""
    with pytest.raises(NotDirect):
        block_of({"x": np.array([1, 2])}, {"x": dtype})


# --- the project's own features ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flights():
    """Every flight of January to May, with weather and plane."""
    source = project.load_module(ROOT / "flows" / "source.py")
    months = [f"2013-0{month}" for month in range(1, 6)]
    batches = [
        source.read_batch(m, {name: source.read_table(name, m) for name in ("weather", "planes")}) for m in months
    ]
    return pd.concat(batches, ignore_index=True)


def test_the_weekday_is_that_of_the_calendar(flights):
    """Against pandas' own, on 138,000 real flights, and on days that there are not."""
    features = project.load_module(ROOT / "flows" / "features.py")
    odd = [(2013, 2, 29), (2016, 2, 29), (2100, 2, 29), (2013, 4, 31), (2013, 13, 1), (2013, 0, 1), (1969, 12, 31)]
    days = pd.concat([flights[["year", "month", "day"]], pd.DataFrame(odd, columns=["year", "month", "day"])])

    wanted = pd.to_datetime(days, errors="coerce").dt.day_of_week.astype("float64").to_numpy()

    assert len(days) > 130_000
    assert np.array_equal(features.weekday(days["year"], days["month"], days["day"]), wanted, equal_nan=True)


def test_the_flights_have_the_same_features_on_arrays_as_in_a_table(flights):
    """Value by value and type by type: the one function of training and serving."""
    features = project.load_module(ROOT / "flows" / "features.py").features
    config = project.load(ROOT)
    schema = project.load_object(config.request_schema, ROOT).to_schema()
    asked = flights[list(schema.columns)]
    dtypes = {name: str(dtype) for name, dtype in asked.dtypes.items()}

    table = features(asked)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        block = features(block_of(request_columns.arrays(asked, dtypes), dtypes))

    assert isinstance(block, Block)
    assert block.columns == tuple(table.columns)
    for name in table.columns:
        if table[name].dtype.kind in "iuf":
            assert block.array(name).dtype == table[name].dtype
            assert np.array_equal(block.array(name), table[name].to_numpy(), equal_nan=True)
        else:
            assert block.array(name).tolist() == [None if pd.isna(value) else value for value in table[name]]
