"""A function that is given a model, fits it and asks it: in this way many notebooks compare models."""

import ast
from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers, handed_over, module
from small_pilots import INPUTS, READ, SPLIT

from proveout.recovery import inlined_call

SPLIT_ROWS = [READ, "df = df.fillna(0)", INPUTS, SPLIT]
FITS = """
def evaluate(model, X_train, X_test, y_train, y_test):
    model.fit(X_train, y_train)
    got = model.predict(X_test)
    print(accuracy_score(y_test, got))
    return got
"""
SCALES = """
def evaluate(model, learned, asked, truth, wanted):
    scaler = StandardScaler()
    learned = scaler.fit_transform(learned)
    asked = scaler.transform(asked)
    model.fit(learned, truth)
    return {"accuracy": accuracy_score(wanted, model.predict(asked))}
"""
SEARCHES = """
from sklearn.model_selection import GridSearchCV
def tuned(model, grid):
    search = GridSearchCV(model, grid, cv=3)
    search.fit(X_train, y_train)
    best = search.best_estimator_
    print(accuracy_score(y_test, best.predict(X_test)))
    return best
"""
COMPARES = """
def compared(models):
    rows = []
    for name, model in models.items():
        model.fit(X_train, y_train)
        rows.append((name, accuracy_score(y_test, model.predict(X_test))))
    return rows
"""
SPLITS = """
def trained(model, X, y):
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)
    model.fit(X_train, y_train)
    print(accuracy_score(y_train, model.predict(X_train)))
    print(accuracy_score(y_test, model.predict(X_test)))
    return model
"""
GIVEN = "X_train, X_test, y_train, y_test"
CALLS = {
    "shown": [*SPLIT_ROWS, FITS, f"evaluate(LogisticRegression(max_iter=500), {GIVEN})"],
    "scaled in the function": [*SPLIT_ROWS, SCALES, f"evaluate(LogisticRegression(), {GIVEN})"],
    "in a loop": [
        *SPLIT_ROWS,
        FITS,
        "models = {'a': LogisticRegression(C=0.1, max_iter=500), 'b': LogisticRegression(max_iter=500)}",
        f"for name, model in models.items():\n    got = evaluate(model, {GIVEN})",
    ],
    "a loop in the function": [
        *SPLIT_ROWS,
        COMPARES,
        "compared({'a': LogisticRegression(C=0.1, max_iter=500), 'b': LogisticRegression(max_iter=500)})",
    ],
    "of names all around": [*SPLIT_ROWS, SEARCHES, "best = tuned(LogisticRegression(max_iter=500), {'C': [0.1, 1]})"],
    "added to a table": [
        *SPLIT_ROWS,
        SCALES,
        f"results = pd.DataFrame([evaluate(LogisticRegression(C=0.1), {GIVEN})])",
        f"results = pd.concat([results, pd.DataFrame([evaluate(LogisticRegression(), {GIVEN})])])",
    ],
    "a model of models from the same function": [
        *SPLIT_ROWS[:3],
        SPLITS,
        "one = trained(LogisticRegression(max_iter=500), X, y)",
        "two = trained(LogisticRegression(C=0.1, max_iter=500), X, y)",
        "from sklearn.ensemble import VotingClassifier\n"
        "both = trained(VotingClassifier([('one', one), ('two', two)], voting='soft'), X, y)",
    ],
    "two functions deep": [
        *SPLIT_ROWS[:3],
        FITS,
        "def run(model, rows, truth):\n    a, b, c, d = train_test_split(rows, truth, random_state=5)\n"
        "    return evaluate(model, a, b, c, d)",
        "run(LogisticRegression(max_iter=500), X, y)",
    ],
}


@pytest.mark.parametrize("cells", CALLS.values(), ids=CALLS)
def test_a_model_that_a_function_fits_and_asks_is_handed_over(cells: list[str], tmp_path: Path) -> None:
    """What the function does before it asks is a part of the features, and what it searches and shows is none."""
    found, _ = handed_over(cells, tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")
    rows = raw.drop(columns="left").iloc[list(found.rows)]

    assert answers(tmp_path / "model", rows).tolist() == held["answer"].tolist()
    assert answers(tmp_path / "model", rows.head(1)).tolist() == held["answer"].tolist()[:1]
    text = (tmp_path / "model/features.py").read_text()
    assert "again.reached" not in text
    assert "GridSearchCV(" not in text


LEFT_AS_THEY_ARE = {
    "a function in a function": [
        *SPLIT_ROWS,
        "def run():\n    def judged(model):\n"
        "        model.fit(X_train, y_train)\n        return model.predict(X_test)\n"
        "    got = judged(LogisticRegression(max_iter=500))\n    print(accuracy_score(y_test, got))",
        "run()",
    ],
    "handed to map": [*SPLIT_ROWS, COMPARES, "list(map(compared, [{'a': LogisticRegression(max_iter=500)}]))"],
}


@pytest.mark.parametrize("cells", LEFT_AS_THEY_ARE.values(), ids=LEFT_AS_THEY_ARE)
def test_a_call_that_is_not_written_out_ends_where_it_asks(cells: list[str], tmp_path: Path) -> None:
    """The features call the function then, and it ends with what the model would be given."""
    found, _ = handed_over(cells, tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")

    assert answers(tmp_path / "model", raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()
    assert "again.reached" in (tmp_path / "model/features.py").read_text()


WORDS = "from sklearn.feature_extraction.text import TfidfVectorizer"
TEXTS = "X = df['city'] + ' ' + df['plan']\ny = df['left']"
MATRICES = {
    "made outside": [
        "words = TfidfVectorizer()\nA = words.fit_transform(X_train)\nB = words.transform(X_test)",
        FITS,
        "evaluate(LogisticRegression(), A, B, y_train, y_test)",
    ],
    "made in the function": [
        SCALES.replace("StandardScaler", "TfidfVectorizer"),
        f"evaluate(LogisticRegression(), {GIVEN})",
    ],
}


@pytest.mark.parametrize("cells", MATRICES.values(), ids=MATRICES)
def test_a_function_may_ask_about_a_matrix_of_words(cells: list[str], tmp_path: Path) -> None:
    """What makes the matrix becomes a part of the model, also where a function makes it."""
    found, _ = handed_over([WORDS, READ, TEXTS, SPLIT, *cells], tmp_path)
    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")

    assert module(tmp_path).features(raw.head(3)).shape == (3, 1)
    assert answers(tmp_path, raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


def _written_out(function: str, statement: str, turn: int = 0) -> str | None:
    """What runs before the call of `ask`, as text."""
    [made] = ast.parse(function).body
    assert isinstance(made, ast.FunctionDef)
    asked = next(one for one in ast.walk(made) if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "ask")
    parts = inlined_call.written_out(ast.parse(statement).body[0], {made.name: made}, asked, turn)
    return None if parts is None else "; ".join(ast.unparse(one) for one in parts)


@pytest.mark.parametrize(
    ("function", "statement", "wanted"),
    [
        ("def f(a, b=2, *, c=3):\n    d = a + b\n    ask(d)", "f(x, c=1)", "b = 2; c = 1; a = x; d = a + b"),
        ("def f(a, b):\n    ask(a)", "f(b, a)", "a, b = (b, a)"),
        ("def f(a):\n    ask(a)\n    b = 1", "show(f(a))", ""),
        ("def f(a):\n    if a:\n        b = 1\n        ask(b)\n    else:\n        c = 2", "f(x)", "a = x; b = 1"),
        ("def f(a):\n    if a:\n        b = 1\n    else:\n        c = 2\n        ask(c)", "f(x)", "a = x; c = 2"),
        ("def f(a):\n    try:\n        b = 1\n        ask(b)\n    except E:\n        c = 2", "f(x)", "a = x; b = 1"),
        ("def f(a):\n    for m in a:\n        ask(m)", "f(x)", "a = x; m = list(a)[1]"),
        ("def f(a):\n    ask(a)", "for m in x:\n    f(m)", "m = list(x)[1]; a = m"),
    ],
)
def test_a_call_is_what_its_function_does_up_to_the_question(function: str, statement: str, wanted: str) -> None:
    """Parameters first, then the branch that is taken, then what stands before the question in it."""
    said = _written_out(function, statement, turn=1)

    assert said is not None
    assert sorted(said.split("; ")) == sorted(wanted.split("; "))


@pytest.mark.parametrize(
    ("function", "statement"),
    [
        ("def f(*a):\n    ask(a)", "f(x)"),
        ("def f(a):\n    ask(a)", "f(*x)"),
        ("def f(a):\n    ask(a)", "g(f(x), f(y))"),
        ("def f(a):\n    ask(a)", "[f(one) for one in x]"),
        ("def f(a):\n    return [ask(one) for one in a]", "f(x)"),
        ("def f(a):\n    if not a:\n        return 0\n    ask(a)", "f(x)"),
    ],
)
def test_a_call_that_reading_cannot_follow_is_left_as_it_is(function: str, statement: str) -> None:
    """Which of several calls it was, and which turn, only a run would tell."""
    assert _written_out(function, statement) is None
