"""The notebook of a project for one table, as a data scientist would start it. It does not import proveout.

Input: a `Proposal` and the model family. Output: a notebook as nbformat represents it, or its code.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proveout.pilot import source_text
from proveout.pilot.project_proposal import Family, Proposal, model_columns, parameters

if TYPE_CHECKING:
    from nbformat import NotebookNode

_MOST_ONE_HOT = 30  # distinct texts that get a column each; with more, each gets a number, which trees split as well


_TREES = {
    "binary": "HistGradientBoostingClassifier",
    "multiclass": "HistGradientBoostingClassifier",
    "regression": "HistGradientBoostingRegressor",
}


def notebook(proposal: Proposal, family: Family) -> "NotebookNode":
    """The pilot as its author would write it."""
    from nbformat import v4

    cells: list[NotebookNode] = []
    for place, (kind, text) in enumerate(_cells(proposal, family)):
        make = v4.new_markdown_cell if kind == "markdown" else v4.new_code_cell
        cell = make(text.strip("\n"), id=f"cell-{place}")  # type: ignore[no-untyped-call]  # nbformat is typed in part
        if kind == "parameters":
            cell.metadata["tags"] = ["parameters"]
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made: NotebookNode = v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return made


def code_cells(made: "NotebookNode") -> str:
    """The notebook's code cells as one text, to run in this process."""
    return "\n\n".join(cell.source for cell in made.cells if cell.cell_type == "code")


def _cells(proposal: Proposal, family: Family) -> Iterator[tuple[str, str]]:
    asked = proposal.target
    name, task = source_text.text(asked.name), asked.task
    lists = _lists(proposal)
    yield "markdown", _title(proposal)
    values = parameters(proposal, family)
    yield (
        "parameters",
        '# where the data is, and the hyperparameters\nfeatures_path = "features.parquet"\n'
        + "\n".join(f"{one} = {value}" for one, value in values.items()),
    )
    yield "code", "\n".join(_imports(proposal, family))
    yield "code", 'rows = pd.read_parquet(features_path)\nprint(f"{len(rows):,} rows")\nrows.head()'
    yield "markdown", "## A look at the data"
    yield "code", _outcome_cell(task, name)
    yield "code", _columns_cell(proposal)
    if "numbers" in lists:
        yield "code", _numbers_cell(task, name)
    if "categories" in lists:
        yield "code", _categories_cell(task, name)
    yield (
        "markdown",
        f"""
## Train and holdout

The column `split` says which rows are for training. The others are used only to evaluate the model:
{proposal.split.split.words}.
""",
    )
    yield (
        "code",
        f"""
columns = {" + ".join(lists)}
train, test = rows[rows["split"] == "train"], rows[rows["split"] == "holdout"]
print(f"training on {{len(train):,}} rows, evaluating on {{len(test):,}}")
""",
    )
    yield "markdown", _model_words(family, lists)
    yield "code", _model_cell(proposal, family)
    yield "markdown", "## How good is it on held-out rows?"
    yield "code", _metrics_cell(task, name)
    yield "code", _naive_cell(task, name)
    yield "markdown", _LOOK_WORDS[task]
    yield "code", _look_cell(task, name)


def _title(proposal: Proposal) -> str:
    asked = proposal.target
    questions = {
        "binary": f"# Is {asked.name} true?" if not asked.is_function else f"# Is {asked.column} {asked.event}?",
        "multiclass": f"# Which {asked.name} is it?",
        "regression": f"# How much is {asked.name}?",
    }
    return f"""{questions[asked.task]}

A first model of {Path(proposal.table).name}. If you know what the columns mean, you can improve it."""


def _imports(proposal: Proposal, family: Family) -> Iterator[str]:
    task = proposal.target.task
    lists = _lists(proposal)
    yield "import pandas as pd"
    yield "from sklearn.compose import make_column_transformer"
    if family == "trees":
        yield f"from sklearn.ensemble import {_TREES[task]}"
    if "texts" in lists:
        yield "from sklearn.feature_extraction.text import TfidfVectorizer"
    if family == "linear" and "numbers" in lists and _has_nulls(proposal):
        yield "from sklearn.impute import SimpleImputer"
    if family == "linear":
        yield f"from sklearn.linear_model import {'Ridge' if task == 'regression' else 'LogisticRegression'}"
    names = {
        "binary": "brier_score_loss, log_loss, roc_auc_score",
        "multiclass": "accuracy_score, balanced_accuracy_score, f1_score, log_loss",
        "regression": "mean_absolute_error, r2_score, root_mean_squared_error",
    }
    yield f"from sklearn.metrics import {names[task]}"
    yield "from sklearn.pipeline import make_pipeline"
    steps = []
    if "categories" in lists or ("codes" in lists and family == "linear"):
        steps.append("OneHotEncoder")
    if family == "trees" and "codes" in lists:
        steps.append("OrdinalEncoder")
    if family == "linear" and "numbers" in lists:
        steps.append("StandardScaler")
    if steps:
        yield f"from sklearn.preprocessing import {', '.join(steps)}"


def _has_nulls(proposal: Proposal) -> bool:
    return any(one.nullable and one.kind in {"whole", "number", "flag", "moment"} for one in proposal.features)


def _lists(proposal: Proposal) -> dict[str, list[str]]:
    """Column names by the variable that lists them, no empty lists. `codes` are texts with many distinct values."""
    numbers, categories, texts = model_columns(proposal)
    many = {one.name for one in proposal.features if one.kind == "category" and len(one.kinds) > _MOST_ONE_HOT}
    lists = {
        "numbers": numbers,
        "categories": [name for name in categories if name not in many],
        "codes": [name for name in categories if name in many],
        "texts": texts,
    }
    return {called: names for called, names in lists.items() if names}


def _outcome_cell(task: str, name: str) -> str:
    if task == "regression":
        return f"rows[{name}].describe()"
    return f'rows[{name}].value_counts(normalize=True).rename("share").to_frame()'


def _columns_cell(proposal: Proposal) -> str:
    lists = _lists(proposal)
    parts = [f"{called} = {source_text.listed(names)}" for called, names in lists.items()]
    missing = 'isna().mean().loc[lambda share: share > 0].rename("missing").to_frame()'
    return "\n".join([*parts, "", f"rows[{' + '.join(lists)}].{missing}"])


def _numbers_cell(task: str, name: str) -> str:
    if task == "regression":
        return (
            f'rows[numbers].corrwith(rows[{name}], method="spearman").sort_values(key=abs).rename("rank correlation")'
        )
    return f"rows.groupby({name})[numbers].median().T"


def _categories_cell(task: str, name: str) -> str:
    if task == "multiclass":
        shown = f'pd.crosstab(rows[column], rows[{name}], normalize="index").round(2).head(10)'
    else:
        middle = "median" if task == "regression" else "mean"
        shown = f'rows.groupby(column)[{name}].agg(["{middle}", "size"]).sort_values("size").tail(10).round(3)'
    return f'for column in categories[:5]:\n    print({shown}, "\\n")'


def _model_words(family: Family, lists: Mapping[str, Sequence[str]]) -> str:
    if family == "trees":
        said = "Boosted trees take numbers as they are, including missing values."
        if "categories" in lists or "codes" in lists:
            said += " A category that was not in training is encoded as unknown."
    else:
        said = "A linear model: numbers are standardized"
        said += ", and texts become TF-IDF word weights." if "texts" in lists else "."
    return f"## The model\n\n{said}"


def _model_cell(proposal: Proposal, family: Family) -> str:
    task, name = proposal.target.task, source_text.text(proposal.target.name)
    steps = _tree_steps(proposal) if family == "trees" else _linear_steps(proposal)
    inner = "\n".join(f"        {step}" for step in steps)
    if family == "trees":
        model = f"""\
    {_TREES[task]}(
        learning_rate=learning_rate,
        max_iter=max_iter,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=min_samples_leaf,
        random_state=seed,
    ),"""
    else:
        model = "    Ridge(alpha=alpha)," if task == "regression" else "    LogisticRegression(C=C, max_iter=2_000),"
    return f"""
model = make_pipeline(
    make_column_transformer(
{inner}
    ),
{model}
)
model.fit(train[columns], train[{name}])
"""


def _tree_steps(proposal: Proposal) -> list[str]:
    steps = {
        "categories": '(OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),',
        "codes": '(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), codes),',
        "numbers": '("passthrough", numbers),',
    }
    lists = _lists(proposal)
    return [step for called, step in steps.items() if called in lists]


def _linear_steps(proposal: Proposal) -> list[str]:
    lists, steps = _lists(proposal), []
    if "numbers" in lists:
        imputed = 'make_pipeline(SimpleImputer(strategy="median"), StandardScaler())'
        steps.append(f"({imputed if _has_nulls(proposal) else 'StandardScaler()'}, numbers),")
    kinds = " + ".join(called for called in ("categories", "codes") if called in lists)
    if kinds:
        steps.append(f'(OneHotEncoder(handle_unknown="ignore"), {kinds}),')
    return [
        *steps,
        *(
            f"(TfidfVectorizer(min_df=2, sublinear_tf=True), {source_text.text(one)}),"
            for one in lists.get("texts", [])
        ),
    ]


def _metrics_cell(task: str, name: str) -> str:
    return {
        "binary": f"""
probability = model.predict_proba(test[columns])[:, 1]
metrics = {{
    "auc": roc_auc_score(test[{name}], probability),
    "brier": brier_score_loss(test[{name}], probability),
    "log_loss": log_loss(test[{name}], probability),
    "base_rate": test[{name}].mean(),
    "mean_probability": probability.mean(),
}}
pd.Series(metrics).round(4)
""",
        "multiclass": f"""
probabilities, predicted = model.predict_proba(test[columns]), model.predict(test[columns])
metrics = {{
    "log_loss": log_loss(test[{name}], probabilities, labels=model.classes_),
    "accuracy": accuracy_score(test[{name}], predicted),
    "balanced_accuracy": balanced_accuracy_score(test[{name}], predicted),
    "macro_f1": f1_score(test[{name}], predicted, average="macro"),
}}
pd.Series(metrics).round(4)
""",
        "regression": f"""
predicted = model.predict(test[columns])
metrics = {{
    "mae": mean_absolute_error(test[{name}], predicted),
    "rmse": root_mean_squared_error(test[{name}], predicted),
    "r2": r2_score(test[{name}], predicted),
}}
pd.Series(metrics).round(4)
""",
    }[task]


def _naive_cell(task: str, name: str) -> str:
    return {
        "binary": f"""
naive = train[{name}].mean()  # the same probability for all rows
brier = ((test[{name}] - naive) ** 2).mean()
print(f"brier {{metrics['brier']:.4f}}; always predicting {{naive:.3f}} gets {{brier:.4f}}")
""",
        "multiclass": f"""
naive = train[{name}].mode()[0]  # the same class for all rows
accuracy = (test[{name}] == naive).mean()
print(f"accuracy {{metrics['accuracy']:.3f}}; always predicting {{naive}} gets {{accuracy:.3f}}")
""",
        "regression": f"""
naive = train[{name}].median()  # the same number for all rows
mae = (test[{name}] - naive).abs().mean()
print(f"mean absolute error {{metrics['mae']:.4g}}; always predicting {{naive:g}} gets {{mae:.4g}}")
""",
    }[task]


_LOOK_WORDS = {
    "binary": "Calibration: of rows with a predicted probability of 30 %, are about 30 % true?",
    "multiclass": "Confusion matrix: rows are actual classes, columns are predicted classes.",
    "regression": "Is the error biased for small or for large predictions?",
}


def _look_cell(task: str, name: str) -> str:
    return {
        "binary": f"""
bins = pd.qcut(probability, 10, duplicates="drop")
table = pd.DataFrame({{"predicted": probability, "observed": test[{name}].to_numpy()}}).groupby(bins, observed=True)
table.agg(predicted=("predicted", "mean"), observed=("observed", "mean"), rows=("observed", "size")).round(3)
""",
        "multiclass": f"""
pd.crosstab(test[{name}], pd.Series(predicted, index=test.index, name="predicted"))
""",
        "regression": f"""
table = pd.DataFrame({{"predicted": predicted, "error": predicted - test[{name}].to_numpy()}})
table.groupby(pd.qcut(table["predicted"], 5, duplicates="drop"), observed=True)["error"].describe().round(3)
""",
    }[task]
