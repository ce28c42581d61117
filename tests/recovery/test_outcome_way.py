"""Outcomes that the notebook makes itself: the way from raw rows, as the project computes them later."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from recorded_notebook import recorded
from small_pilots import FIT, IMPORTS, SPLIT

from proveout.recovery import handed_outcome, learned_truth, outcome_way
from proveout.recovery.handed_outcome import TARGET, HandedOutcome
from proveout.recovery.held_out import held_out
from proveout.recovery.verification import Recovery, verify

READ = "df = pd.read_csv('games.csv')"
LINEAR = "model = LinearRegression().fit(X_train, y_train)\nprint(r2_score(y_test, model.predict(X_test)))"


def inputs(outcome: str) -> str:
    return f"X = df[['form']]\ny = {outcome}"


RESULT = (
    "def result(row):\n    if row['home'] > row['away']:\n        return 'won'\n"
    "    return 'lost' if row['home'] < row['away'] else 'drawn'"
)
MADE = {
    "a mean": (
        ["df['average'] = df[['math', 'reading', 'writing']].mean(axis=1)", inputs("df['average']"), SPLIT, LINEAR],
        ("math", "reading", "writing"),
        "average",
    ),
    "a function of a row": (
        [RESULT, "df['result'] = df.apply(result, axis=1)", inputs("df['result']"), SPLIT, FIT],
        ("home", "away"),
        "result",
    ),
    "a difference of moments": (
        [
            "df['late'] = (pd.to_datetime(df['end']) - pd.to_datetime(df['start'])).dt.total_seconds() / 60",
            inputs("df['late'].values"),
            SPLIT,
            LINEAR,
        ],
        ("start", "end"),
        "late",
    ),
    "a flag of two conditions": (
        ["df['good'] = ((df['math'] > 50) & (df['reading'] > 40)).astype(int)", inputs("df['good']"), SPLIT, FIT],
        ("math", "reading"),
        "good",
    ),
    "quantiles of a sum": (
        [
            "df['total'] = df['math'] + df['reading']\n"
            "df['band'] = pd.qcut(df['total'], 3, labels=['low', 'middle', 'high'])",
            inputs("df['band']"),
            SPLIT,
            FIT,
        ],
        ("math", "reading"),
        "band",
    ),
    "boxcox": (
        ["from scipy import stats\ndf['price'], power = stats.boxcox(df['price'])", inputs("df['price']"), SPLIT,
         LINEAR],
        ("price",),
        "price",
    ),
    "a transformer after the split": (
        [
            "from sklearn.preprocessing import PowerTransformer",
            inputs("df[['price']]"),
            SPLIT,
            "power = PowerTransformer()\ny_train, y_test = power.fit_transform(y_train), power.transform(y_test)",
            LINEAR,
        ],
        ("price",),
        "",
    ),
    "a scaler of all columns": (
        ["df[['price', 'form']] = StandardScaler().fit_transform(df[['price', 'form']]) ** 3", inputs("df['price']"),
         SPLIT, LINEAR],
        ("price",),
        "price",
    ),
    "a number in a text": (
        ["df['rooms'] = df['note'].str.extract(r'(\\d+)')[0].astype(int) ** 2", inputs("df['rooms']"), SPLIT, LINEAR],
        ("note",),
        "rooms",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Rows with two or more columns of which an outcome can be made, and one that is known before."""
    monkeypatch.setattr(outcome_way, "_SINGLES", 3)  # a notebook has time for more
    rng, size = np.random.default_rng(11), 160
    frame = pd.DataFrame({name: rng.integers(20, 100, size) for name in ("math", "reading", "writing")})
    frame = frame.assign(home=rng.integers(0, 5, size), away=rng.integers(0, 5, size), form=rng.normal(0, 1, size))
    frame["price"] = rng.lognormal(3, 1, size).round(2)
    frame["start"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, size), unit="s")
    frame["end"] = frame["start"] + pd.to_timedelta(rng.integers(60, 9_000, size), unit="s")
    frame["note"] = [f"{number} rooms" for number in rng.integers(1, 60, size)]
    frame.to_csv(tmp_path / "games.csv", index=False)
    return pd.read_csv(tmp_path / "games.csv")


def made(cells: list[str], folder: Path) -> tuple[Recovery, HandedOutcome | str]:
    """What was recovered of the notebook, and of its outcome."""
    with recorded([IMPORTS, READ, *cells]) as tape:
        one = held_out(tape)[-1]
        found = verify(tape, one, singles=3)
        return found, handed_outcome.hand_over(tape, one, found, folder)


def outcomes(folder: Path, handed: HandedOutcome, rows: pd.DataFrame) -> Any:
    space: dict[str, Any] = {"__file__": str(folder / TARGET), "__name__": "target", "rows": rows}
    exec((folder / TARGET).read_text(encoding="utf-8"), space)
    return eval(handed.call, space)


@pytest.mark.parametrize("form", MADE)
def test_an_outcome_is_computed_as_the_pilot_did(form: str, tmp_path: Path, games: pd.DataFrame) -> None:
    """From its own columns alone: the others may hold anything, and what is not known yet gives none."""
    cells, columns, name = MADE[form]

    found, handed = made(cells, tmp_path)

    assert isinstance(handed, HandedOutcome), handed
    assert (found.level, handed.columns, handed.name) == ("raw", columns, name)
    rows = games.iloc[list(found.rows)]
    known = outcomes(tmp_path, handed, rows[list(columns)])
    assert known.index.equals(rows.index)
    assert found.outcome is None or known.tolist() == found.outcome.truth.tolist()
    strange = rows.assign(**{one: None for one in rows if one not in columns})
    assert outcomes(tmp_path, handed, strange).tolist() == known.tolist()
    assert outcomes(tmp_path, handed, rows.tail(1)).tolist() == known.tolist()[-1:]
    half = rows.assign(**{columns[0]: rows[columns[0]].where(rows["form"] > 0)})
    assert outcomes(tmp_path, handed, half).isna().tolist() == (rows["form"] <= 0).tolist()


def test_statements_of_other_columns_do_not_stand_in_the_module(tmp_path: Path) -> None:
    """A person reads what the outcome is made of."""
    cells = [
        "df['note'] = df['note'].str.len()\ndf = df.drop(columns=['start', 'end'])",
        "df['side'] = np.where(df['form'] > 0, 'up', 'down')\ndf = pd.get_dummies(df, columns=['side'])",
        "names = ['side_up', 'side_down']\nfor one in names:\n"
        "    le = LabelEncoder()\n    df[one + '_code'] = le.fit_transform(df[one])",
        "df['gap'] = df['math'] - df['reading']",
        "train, test = df[:120], df[120:]",
        "model = LinearRegression().fit(train[['form', 'note']], train['gap'])",
        "print(r2_score(test['gap'], model.predict(test[['form', 'note']])))",
    ]

    _, handed = made(cells, tmp_path)

    text = (tmp_path / TARGET).read_text(encoding="utf-8")
    assert isinstance(handed, HandedOutcome)
    assert not any(word in text for word in ("note", "start", "form", "STATE", "model", "side", "for one"))


def test_codes_of_an_encoder_keep_the_names_of_their_classes(tmp_path: Path) -> None:
    """A caller reads `won`, and not 2."""
    cells = [
        RESULT,
        "df['result'] = LabelEncoder().fit_transform(df.apply(result, axis=1))",
        inputs("df['result']"),
        SPLIT,
        FIT,
    ]

    _, handed = made(cells, tmp_path)

    assert isinstance(handed, HandedOutcome)
    assert [(one.code, one.name) for one in handed.names] == [(0, "drawn"), (1, "lost"), (2, "won")]
    assert handed.state == ()


def test_inputs_that_hold_a_column_of_the_outcome_are_a_leak(tmp_path: Path) -> None:
    """Nobody knows one of three scores who asks for their mean."""
    cells = [
        "df['average'] = df[['math', 'reading', 'writing']].mean(axis=1)",
        "X = df[['form']].assign(half=df['reading'] / 2)\ny = df['average']",
        SPLIT,
        LINEAR,
    ]

    found, _ = made(cells, tmp_path)

    assert found.level == "leak"
    assert found.reason.startswith("the inputs contain 'reading', of which the outcome is made")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [("df['price'].shift(-1) - df['math']", "shift"), ("(df['math'] + df['price']).rolling(3).mean()", "rolling")],
)
def test_an_outcome_of_other_rows_is_refused(outcome: str, word: str, tmp_path: Path) -> None:
    """The row by itself does not say it, and the statement that asks the others is named."""
    cells = [f"df['next'] = {outcome}\ndf = df.dropna()", inputs("df['next']"), SPLIT, LINEAR]

    found, said = made(cells, tmp_path)

    assert found.outcome is None
    assert isinstance(said, str)
    assert f"cell 2 uses `{word}`, which reads other rows" in said


def test_rows_that_look_alike_are_told_apart_by_their_outcome(tmp_path: Path) -> None:
    """Their labels are new after a filter, and many have the same inputs."""
    cells = [
        "df['form'] = df['form'].round()\ndf['own'] = df['math'] - df['reading']",
        "df = df[df['math'] > 30].reset_index(drop=True)",
        inputs("df['own']"),
        SPLIT,
        LINEAR,
    ]

    found, handed = made(cells, tmp_path)

    assert (found.level, found.compared[0]) == ("raw", found.compared[1])
    assert isinstance(handed, HandedOutcome)


def test_a_column_that_holds_the_outcome_needs_no_statements(tmp_path: Path) -> None:
    """The form that a person reads at once stays."""
    _, said = made([inputs("df['home']"), SPLIT, FIT], tmp_path)

    assert said == ""
    assert not (tmp_path / TARGET).exists()


def test_a_column_with_holes_that_the_pilot_fills_may_be_null(tmp_path: Path, games: pd.DataFrame) -> None:
    """One that all rows of the pilot had is needed."""
    games["extra"] = games["away"].where(games["away"] > 1)
    games.to_csv(tmp_path / "games.csv", index=False)
    cells = ["df['sum'] = df['home'] * 7.5 + df['extra'].fillna(0) + 0.25", inputs("df['sum']"), SPLIT, LINEAR]

    _, handed = made(cells, tmp_path)

    assert isinstance(handed, HandedOutcome)
    rows = pd.DataFrame({"home": [1.0, 1.0, None], "extra": [2.0, None, 2.0]})
    assert outcomes(tmp_path, handed, rows).tolist() == [9.75, 7.75, None]


def test_answers_that_are_taken_back_before_they_are_measured_keep_the_unit_of_the_model(tmp_path: Path) -> None:
    """The metric is given prices, and the model answers none: what it answers is what it learned."""
    cells = [
        "from sklearn.preprocessing import PowerTransformer",
        inputs("df['price']"),
        SPLIT,
        "s = PowerTransformer()\ny_learned = s.fit_transform(y_train.to_frame()).ravel()",
        "model = LinearRegression().fit(X_train, y_learned)",
        "print(r2_score(y_test, s.inverse_transform(model.predict(X_test).reshape(-1, 1))))",
    ]
    with recorded([IMPORTS, READ, *cells]) as tape:
        one = held_out(tape)[-1]
        one, found = learned_truth.of(tape, one, verify(tape, one, singles=3))
        handed = handed_outcome.hand_over(tape, one, found, tmp_path)
        wanted = tape.names["s"].transform(tape.names["y_test"].to_frame()).ravel()

    assert (found.level, found.target) == ("raw", "price")
    assert np.allclose(one.truth, wanted)
    assert isinstance(handed, HandedOutcome)
    assert np.allclose(outcomes(tmp_path, handed, found.raw).iloc[list(found.rows)].astype(float), wanted)
