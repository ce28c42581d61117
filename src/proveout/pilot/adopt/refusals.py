"""Notebooks that cannot be adopted, told with the cell and what would be needed.

Input: an `Analysis` before the run; with it what the run found, after it. Output: nothing, or `PilotRefused`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from proveout.errors import ProveoutError
from proveout.pilot.adopt import era, failed_way
from proveout.pilot.adopt.pilot_run import PilotRun
from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis

_SERVED = "proveout serves models of scikit-learn, XGBoost and LightGBM"
_HELD_OUT = (
    "Split rows off with train_test_split, fit the model on the others and predict the held-out ones in a cell, then "
    "adopt it again"
)
_SHOWN_CHARS = 300
# Packages whose estimators can be adopted. A name without a package comes from `import *`.
_SERVED_PACKAGES = {"sklearn", "xgboost", "lightgbm", "imblearn", ""}


@dataclass(frozen=True, kw_only=True)
class _Unserved:
    """A kind of model that is refused where it is the notebook's only one."""

    made_by: re.Pattern[str]  # the dotted name of what makes it
    found: str
    needed: str


_UNSERVED = (
    _Unserved(
        made_by=re.compile(
            r"^(?:tensorflow\.|tf\.)?(?:python\.)?keras\.(?:\w+\.)*(?:Sequential|Model|Functional|KerasClassifier|"
            r"KerasRegressor|scikit_learn\.\w+)$|^(?:scikeras\.\w+\.)?Keras(?:Classifier|Regressor)$|^Sequential$|"
            r"^tensorflow\.(?:estimator\.\w+|Session|compat\.v1\.Session)$"
        ),
        found="a network of Keras or TensorFlow is its model",
        needed=f"{_SERVED}. Train one of these on the same rows; MLPClassifier and MLPRegressor are networks, too",
    ),
    _Unserved(
        made_by=re.compile(
            r"^torch\.nn\.(?:Module|Sequential)$|^nn\.(?:Module|Sequential)$|^(?:pytorch_lightning|lightning|fastai)\.|"
            r"^transformers\.\w+\.from_pretrained$|^pytorch_tabnet\."
        ),
        found="a network of PyTorch is its model",
        needed=f"{_SERVED}. Train one of these on the same rows; MLPClassifier and MLPRegressor are networks, too",
    ),
    _Unserved(
        made_by=re.compile(r"^pyspark\.ml(?:lib)?\.(?:classification|regression|recommendation|clustering|Pipeline)\b"),
        found="a model of Spark is its model, which needs a Spark session to answer",
        needed=f"{_SERVED}. Collect the rows with toPandas() and train one of these on them",
    ),
    _Unserved(
        made_by=re.compile(r"^(?:statsmodels\.formula\.|smf\.)|^statsmodels\..*\.from_formula$"),
        found="a formula of statsmodels is its model, and no cell hands it rows that were held out",
        needed="Train LinearRegression or LogisticRegression on the columns of the formula, and keep statsmodels for "
        "its tables",
    ),
    _Unserved(
        made_by=re.compile(
            r"^(?:statsmodels\.(?:api\.)?tsa\.(?:\w+\.)*(?:ARIMA|SARIMAX|ARMA|AR|AutoReg|VAR|VARMAX|\w*Holt\w*|\w*ExpSmoothing|"
            r"ExponentialSmoothing)|(?:fb)?prophet\.\w+|pmdarima\.(?:\w+\.)*(?:auto_arima|AutoARIMA|ARIMA))$"
        ),
        found="a forecast of a series is its model, which continues one series and answers no rows",
        needed="Make rows with lags as columns and train a regression on them",
    ),
    _Unserved(
        made_by=re.compile(r"^(?:catboost\.|h2o\.(?:estimators|automl)\.)"),
        found="a model of CatBoost or H2O is its model",
        needed=f"{_SERVED}. Train one of these on the same rows",
    ),
)


class PilotRefused(ProveoutError):
    """A notebook cannot be adopted. `cell` counts all cells from 0; -1 is the whole notebook.

    `cell_raised` says that a cell's error is why, and that it may run with other releases of its libraries.
    """

    def __init__(self, notebook: str, cell: int, found: str, needed: str, *, cell_raised: bool = False) -> None:
        super().__init__(notebook, cell, found, needed)
        self.notebook, self.cell, self.found, self.needed = notebook, cell, found, needed
        self.cell_raised = cell_raised

    def __str__(self) -> str:
        where = f" (cell {self.cell})" if self.cell >= 0 else ""
        return f"{self.notebook} cannot be adopted: {self.found}{where}. {self.needed}."


def before_run(analysis: Analysis) -> None:
    """Raises: PilotRefused if the notebook's code makes no model that can be served, and one that cannot.

    An import alone refuses nothing, and a notebook with a model of each kind goes on with the one that can be served.
    """
    name = str(analysis.notebook.path)
    language = analysis.notebook.language
    if not language.startswith(("python", "ipython")):
        raise PilotRefused(name, -1, f"it is written in {language}", "proveout runs notebooks in Python")
    if _makes_a_served_model(analysis):
        return
    if (foreign := _foreign_cell(analysis)) is not None:
        cell, said = foreign
        raise PilotRefused(name, cell, f"its cells run {said}", f"{_SERVED}. Train one of these in a cell of Python")
    made = [(cell, one) for cell, used in _names_used(analysis) for one in _UNSERVED if one.made_by.match(used)]
    if made:
        cell, unserved = min(made, key=lambda found: found[0])
        raise PilotRefused(name, cell, unserved.found, unserved.needed)


def after_run(analysis: Analysis, run: PilotRun) -> None:
    """Raises: PilotRefused if the run ended without a model that answered rows it had not been fitted on."""
    name, recovered = str(analysis.notebook.path), run.recovered
    if recovered.models:
        return
    failed = failed_way.cells_that_failed(analysis, run.raised)
    crossed = [call.cell for call in analysis.calls if estimators.is_cross_validation(call.name)]
    if crossed and not recovered.predictions and not (failed and failed_way.asks_a_model(analysis)):
        cross = "models are measured by cross-validation alone, which fits copies and keeps none"
        raise PilotRefused(name, crossed[0], cross, _HELD_OUT)
    if failed:
        reached = "no model was fitted" if not recovered.fits else "no model answered held-out rows"
        found = f"{reached}, and the first cell that failed on the way said: {_short(failed[0].problem)}"
        needed = "Repair that cell, or name an environment that it runs in"
        of_releases = any(era.may_be_of_releases(one.problem) for one in failed)
        raise PilotRefused(name, failed[0].index, found, needed, cell_raised=of_releases)
    if not recovered.fits:
        raise PilotRefused(name, -1, "no cell fits a model", f"{_SERVED}. {_HELD_OUT}")
    why = "no cell predicts with them" if not recovered.predictions else "they answer only rows they were fitted on"
    raise PilotRefused(name, -1, f"models are fitted, and {why}", _HELD_OUT)


def _short(problem: str) -> str:
    words = " ".join(problem.split())
    return words if len(words) <= _SHOWN_CHARS else f"{words[:_SHOWN_CHARS]}…"


def _makes_a_served_model(analysis: Analysis) -> bool:
    return any(_is_served(used) for _, used in _names_used(analysis))


def _is_served(name: str) -> bool:
    package = name.partition(".")[0] if "." in name else ""
    return package in _SERVED_PACKAGES and (estimators.role(name) == "model" or estimators.trains(name))


def _names_used(analysis: Analysis) -> Iterator[tuple[int, str]]:
    """Cells with the dotted names that they read, call or derive a class from, imports resolved."""
    for cell, node in analysis.nodes(ast.Name, ast.Attribute):
        if isinstance(node.ctx, ast.Load) and (name := analysis.name_of(node)):
            yield cell.index, name


def _foreign_cell(analysis: Analysis) -> tuple[int, str] | None:
    """The first cell that a magic gives to another language."""
    said = {"R": "R", "julia": "Julia", "spark": "Spark", "sparksql": "Spark", "scala": "Scala"}
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type == "cell_magic" and magic.name in said:
                return cell.index, said[magic.name]
    return None
