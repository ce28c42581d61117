"""What is expected of each notebook of tests/pilots/: how far the way to its models is found, or why it is refused.

A pilot that is refused says so in its first line, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pilot_data

Data = Callable[[Path], None] | None


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """A notebook that is adopted.

    `models` are the classes of those that answered held-out rows, in the order of the run. All are recovered from raw
    rows. `default` is the place of the one with the best held-out metric, of equal ones the last. `metrics` are the
    names of those measured on it, `held_out` its held-out rows, `target` the raw columns with the truth, or those that
    it is made of.
    """

    name: str
    task: Literal["binary", "multiclass", "regression"]
    models: tuple[str, ...]
    target: str | tuple[str, ...]
    metrics: tuple[str, ...]
    held_out: int
    default: int = 0
    raises: tuple[int, ...] = ()  # cells that raise and that no model needs
    data: Data = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A notebook that is refused, with a phrase of the sentence and the cell in it, -1 for no cell.

    `seen` is where: in the code, among the files it reads, in what its run left, or in the recovery of its model.
    """

    name: str
    seen: Literal["code", "files", "run", "recovery"]
    phrase: str
    cell: int = -1
    data: Data = None


PILOTS = (
    Pilot(
        name="admissions_hand_set_index", task="regression", models=("LinearRegression", "DecisionTreeRegressor"),
        target="Chance of Admit ", metrics=("mean_squared_error", "r2_score"), held_out=117, data=pilot_data.admissions,
    ),
    Pilot(
        name="bikes_dates", task="regression", models=("LGBMRegressor",), target="count",
        metrics=("mean_squared_error", "mean_squared_log_error"), held_out=120, data=pilot_data.bikes,
    ),
    Pilot(
        name="cancer_frame", task="binary", models=("LogisticRegression",), target="target", metrics=("score",),
        held_out=114,
    ),
    Pilot(
        name="cars_foreign_path", task="regression", models=("XGBRegressor",), target="selling_price",
        metrics=("r2_score", "mean_absolute_percentage_error"), held_out=86, data=pilot_data.cars,
    ),
    Pilot(
        name="churn_scaled_outside", task="binary", models=("LogisticRegression",), target="Churn",
        metrics=("accuracy_score",), held_out=100, data=pilot_data.churn,
    ),
    Pilot(
        name="diamonds_log_target", task="regression", models=("RandomForestRegressor",), target="price",
        metrics=("r2_score", "mean_squared_error"), held_out=100, data=pilot_data.diamonds,
    ),
    Pilot(
        name="digits_functions", task="multiclass", models=("LogisticRegression", "RandomizedSearchCV"),
        target="target", metrics=("accuracy_score",), held_out=360, raises=(7,),
    ),
    Pilot(
        name="fraud_oversampled", task="binary", models=("LogisticRegression",), target="Class",
        metrics=("recall_score", "precision_score", "f1_score"), held_out=210, data=pilot_data.payments,
    ),
    Pilot(
        name="heart_bake_off", task="binary",
        models=("LogisticRegression", "SVC", "GaussianNB", "DecisionTreeClassifier"),
        target="target", metrics=("accuracy_score", "precision_score", "recall_score"), held_out=60, default=3,
        data=pilot_data.hearts,
    ),
    Pilot(
        name="heart_numpy_only", task="binary", models=("a function of the notebook",), target="target",
        metrics=("accuracy_score",), held_out=62, data=pilot_data.hearts,
    ),
    Pilot(
        name="house_prices_dummies", task="regression", models=("LinearRegression", "Lasso"), target="SalePrice",
        metrics=("mean_absolute_error", "mean_squared_error", "r2_score"), held_out=126, data=pilot_data.houses,
    ),
    Pilot(
        name="insurance_plots", task="regression", models=("LinearRegression",), target="charges",
        metrics=("r2_score", "mean_absolute_error"), held_out=115, data=pilot_data.insurance,
    ),
    Pilot(
        name="iris_by_hand", task="multiclass", models=("DecisionTreeClassifier",), target="target",
        metrics=("accuracy_score",), held_out=45,
    ),
    Pilot(
        name="loan_encoder_per_column", task="binary",
        models=("LogisticRegression", "DecisionTreeClassifier", "RandomForestClassifier", "KNeighborsClassifier"),
        target="Loan_Status", metrics=("accuracy_score", "f1_score"), held_out=120, data=pilot_data.loans,
    ),
    Pilot(
        name="matches_two_goals", task="multiclass", models=("LogisticRegression",), target=("FTHG", "FTAG"),
        metrics=("accuracy_score",), held_out=120, data=pilot_data.matches,
    ),
    Pilot(
        name="penguins_knn", task="multiclass", models=("KNeighborsClassifier",) * 15, target="species",
        metrics=("accuracy_score",), held_out=84, default=14, data=pilot_data.penguins,
    ),
    Pilot(
        name="spam_tfidf_outside", task="binary", models=("MultinomialNB", "LogisticRegression"), target="v1",
        metrics=("accuracy_score", "precision_score"), held_out=57, data=pilot_data.messages,
    ),
    Pilot(
        name="staff_functions_classes", task="binary", models=("RandomForestClassifier",), target="left",
        metrics=("accuracy_score",), held_out=130, data=pilot_data.staff,
    ),
    Pilot(
        name="students_mean_score", task="regression", models=("Ridge", "LinearRegression"),
        target=("math score", "reading score", "writing score"), metrics=("r2_score", "mean_absolute_error"),
        held_out=126, default=1, data=pilot_data.students,
    ),
    Pilot(
        name="titanic_groups", task="binary", models=("LogisticRegression",), target="Survived",
        metrics=("accuracy_score",), held_out=134, data=pilot_data.passengers,
    ),
    Pilot(
        name="titanic_pipeline", task="binary", models=("Pipeline",), target="Survived", metrics=("accuracy_score",),
        held_out=90, data=pilot_data.passengers,
    ),
    Pilot(
        name="wine_grid_search", task="multiclass", models=("SVC", "GridSearchCV"), target="target",
        metrics=("accuracy_score",), held_out=54, default=1,
    ),
)  # fmt: skip

REFUSALS = (
    Refusal(
        name="refused_keras", seen="code", cell=5, phrase="a network of Keras or TensorFlow", data=pilot_data.churn
    ),
    Refusal(
        name="refused_statsmodels_formula", seen="code", cell=3, phrase="a formula of statsmodels",
        data=pilot_data.insurance,
    ),
    Refusal(name="refused_missing_file", seen="files", cell=2, phrase="taxi_trips_2016.csv is missing"),
    Refusal(
        name="refused_cross_validation_only", seen="run", cell=5, phrase="measured by cross-validation alone",
        data=pilot_data.loans,
    ),
    Refusal(
        name="refused_leak_part", seen="recovery", phrase="the inputs contain 'reading score', of which the outcome",
        data=pilot_data.students,
    ),
    Refusal(
        name="refused_leak_renamed", seen="recovery", phrase="the inputs contain the target, 'left'",
        data=pilot_data.staff,
    ),
    Refusal(
        name="refused_leak_ratio", seen="recovery", phrase="the inputs contain the target, 'price'",
        data=pilot_data.diamonds,
    ),
    Refusal(name="refused_raising_cell", seen="recovery", cell=4, phrase="raised", data=pilot_data.messages),
    Refusal(
        name="refused_rank", seen="recovery", phrase="one row alone gives other inputs: km_rank", data=pilot_data.cars
    ),
)  # fmt: skip
