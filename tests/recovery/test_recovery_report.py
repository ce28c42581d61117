"""What is told of each model: the metrics that its notebook measured on its own answers."""

from pathlib import Path

import pytest
from recorded_notebook import recorded
from small_pilots import IMPORTS

from proveout.recovery.held_out import held_out
from proveout.recovery.recovery_report import metrics_of, recover

ROWS = """
from sklearn.metrics import f1_score, log_loss, roc_auc_score
rng = np.random.default_rng(3)
df = pd.DataFrame({"age": rng.normal(40, 9, 200), "income": rng.normal(30, 5, 200)})
df["left"] = (df["age"] + rng.normal(0, 9, 200) > 40).astype(int)
X_train, X_test, y_train, y_test = train_test_split(df[["age", "income"]], df["left"], random_state=0)
model = LogisticRegression().fit(X_train, y_train)
"""


@pytest.mark.parametrize(
    ("measured", "names"),
    [
        ("p = model.predict_proba(X_test)[:, 1]\nroc_auc_score(y_test, p)", ["roc_auc_score"]),
        (
            "p = model.predict_proba(X_test)\nroc_auc_score(y_test, p[:, 1]), log_loss(y_test, p)",
            ["roc_auc_score", "log_loss"],
        ),
        ("roc_auc_score(y_test, model.predict_proba(X_test)[:, 0])", []),  # of the other class
        ("roc_auc_score(y_test[:20], model.predict_proba(X_test)[:20, 1])", []),  # of other rows
        (
            "accuracy_score(y_test, model.predict(X_test)), f1_score(y_test, model.predict(X_test))",
            ["accuracy_score", "f1_score"],
        ),
        (  # another model of the same name
            "accuracy_score(y_test, model.predict(X_test))\nmodel.fit(X_train * 2, y_train)\n"
            "f1_score(y_test, model.predict(X_test))",
            ["f1_score"],
        ),
    ],
)
def test_a_metric_is_that_of_the_answers_it_was_given(measured: str, names: list[str]) -> None:
    """However the answers came to it: the probabilities of the event are a column of them."""
    with recorded([IMPORTS, ROWS, measured]) as tape:
        told = metrics_of(tape, held_out(tape)[-1])

    assert [one.name for one in told] == names
    assert {one.cell for one in told} <= {2}


def test_once_three_can_be_served_the_others_wait_until_they_are_named(tmp_path: Path) -> None:
    """Each is asked row by row; those that measured better come first."""
    asks = [
        f"model = LogisticRegression(C={strength}).fit(X_train, y_train)\n"
        "print(accuracy_score(y_test, model.predict(X_test)))"
        for strength in (1e-9, 1e-8, 0.1, 1, 10)
    ]
    read = f"df.to_csv({str(tmp_path / 'rows.csv')!r}, index=False)\ndf = pd.read_csv({str(tmp_path / 'rows.csv')!r})"
    with recorded(
        [IMPORTS, ROWS.partition("X_train")[0] + read, "X_train" + ROWS.partition("X_train")[2], *asks]
    ) as tape:
        short, long = (recover(tape, tmp_path / f"{enough_s}", enough_s=enough_s) for enough_s in (0.0, 600.0))

    served = [one.metrics[0].value for one in short.models if one.folder]
    waiting = [one for one in short.models if not one.folder]
    assert len(served) == 3
    assert max(one.metrics[0].value for one in waiting) <= min(served)
    assert {one.reason.partition(":")[0] for one in waiting} == {
        "others that measured better can be served, and it was not looked at for their sake"
    }
    assert all(one.folder for one in long.models)
