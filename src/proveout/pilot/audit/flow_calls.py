"""What calls do to rows and models: which fit, which measure, which learn a statistic, which save.

Input: a call whose receiver and arguments were read. Output: its value; what happened is added to the `Flow`.
"""

import ast
from dataclasses import replace
from typing import Protocol

from proveout.pilot.audit import estimators, function_flow, metric_formula, row_statistics
from proveout.pilot.audit.data_flow import Applied, Called, Fit, Flow, Measured, Saved, Statistic, Value, joined
from proveout.pilot.audit.function_flow import FunctionFlow

_SPLITS = ("train_test_split", "randomSplit", "split_frame", "random_split")
_FITS = {
    "fit",
    "fit_transform",
    "fit_predict",
    "fit_resample",
    "partial_fit",
    "fit_sample",
    "fit_generator",
}
_ANSWERS = {
    "predict",
    "predict_proba",
    "decision_function",
    "predict_log_proba",
    "predict_classes",
    "forecast",
    "get_forecast",
}
_SAVES = {
    "joblib.dump",
    "pickle.dump",
    "cloudpickle.dump",
    "dill.dump",
    "pickle.dumps",
    "skops.io.dump",
    "torch.save",
    "sklearn.externals.joblib.dump",
    "tensorflow.keras.models.save_model",
    "keras.models.save_model",
    "bentoml.sklearn.save_model",
    "h2o.save_model",
    "h2o.download_model",
    "tensorflow.saved_model.save",
    "onnx.save",
}
_SAVE_METHODS = {
    "save",
    "save_model",
    "save_weights",
    "to_json",
    "save_pretrained",
    "export",
    "export_model",
    "save_mojo",
    "download_mojo",
}
# `models.items()` and `clone(model)` hand their models on; `df.drop(...)` its rows.
_HANDS_MODELS_ON = {"items", "values", "copy", "append"}
_SAME_ESTIMATOR = {
    "compile",
    "add",
    "set_params",
    "write",
    "overwrite",
    "to",
    "cuda",
    "eval",
    "build",
    "option",
    "state_dict",
    "get_booster",
}


class Reader(Protocol):
    """What reads the notebook, and knows its variables."""

    flow: Flow
    values: dict[str, Value]
    returned: dict[str, Value]
    functions: dict[str, FunctionFlow]

    def mutate(self, target: ast.expr, found: Value) -> None:
        """Note that something went into a variable."""


def is_split(name: str) -> bool:
    """Whether a call cuts rows in two.

    >>> is_split("sklearn.model_selection.train_test_split"), is_split("text.split")
    (True, False)
    """
    return name.rpartition(".")[2] in _SPLITS


class CallReader:
    """Reads calls one by one, in the order in which they run."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, called: Called) -> Value:
        """What a call gives."""
        if called.name in self._reader.functions:
            function_flow.run(called, self._reader.functions[called.name], self._reader.flow, self._reader.values)
        for kind in (
            self._split,
            self._made,
            self._trained,
            self._fitted,
            self._answered,
            self._scored,
            self._measured,
            self._saved,
            self._summarised,
        ):
            found = kind(called)
            if found is not None:
                return found
        return self._other(called)

    def _split(self, called: Called) -> Value | None:
        return joined([called.receiver, *called.given]) if is_split(called.name) else None

    def _made(self, called: Called) -> Value | None:
        """A new estimator, or what a function of the notebook makes."""
        own = self._reader.returned.get(called.name)
        if own is not None:
            return own
        if estimators.role(called.name) is None or (called.method and called.receiver.estimator):
            return None
        classes = tuple(
            name
            for value in called.arguments
            for name in ((value.estimator,) if value.estimator else ()) + value.parts_of
        )
        rows = [value for value in called.arguments if value.is_rows]
        about = joined(rows)  # statsmodels takes the rows when the model is made
        return Value(estimator=called.name, parts_of=classes, part=about.part, fits=about.fits, learned=about.learned)

    def _trained(self, called: Called) -> Value | None:
        """`xgb.train(parameters, rows)`, and H2O's `model.train(training_frame=rows)`."""
        role = estimators.role(called.receiver.estimator)
        if called.method == "train" and role == "model":
            place = self._note_fit(called, called.argument(9, "training_frame"), estimator=called.receiver)
            self._learned(called, place)
            return replace(called.receiver, fits=called.receiver.fits | {place})
        if not estimators.trains(called.name):
            return None
        model = Value(estimator="xgboost.Booster" if called.name.startswith("xgboost") else "Booster")
        on = called.argument(1, "dtrain", "train_set") if called.name.endswith(".train") else called.argument(0, "y")
        return replace(model, fits=frozenset({self._note_fit(called, on, estimator=model)}))

    def _fitted(self, called: Called) -> Value | None:
        if called.method not in _FITS or called.receiver.grouped:
            return None
        on = called.argument(0, "X", "x", "data", "dataset")
        if not called.arguments:  # OLS(y, X).fit()
            on = replace(called.receiver, estimator="", parts_of=())
        place = self._note_fit(called, on, estimator=called.receiver)
        self._learned(called, place)
        if called.method in ("fit", "partial_fit", "fit_generator"):
            return replace(called.receiver, held=called.variable, fits=called.receiver.fits | {place})
        return replace(
            on,
            fits=on.fits | {place},
            prediction_of=called.variable if called.method == "fit_predict" else on.prediction_of,
            estimator="",
            parts_of=(),
        )

    def _note_fit(self, called: Called, on: Value, *, estimator: Value) -> int:
        place = len(self._reader.flow.fits)
        self._reader.flow.fits.append(
            Fit(
                at=called.at,
                method=called.method or called.name.rpartition(".")[2],
                receiver=called.variable if called.method else "",
                estimator=estimator,
                on=on,
                on_text=called.text(0, "X", "x", "data", "dataset", "training_frame"),
                target_text=called.text(1, "y"),
            )
        )
        return place

    def _learned(self, called: Called, place: int) -> None:
        held = called.variable
        if held:
            self._reader.values[held] = replace(called.receiver, held=held, fits=called.receiver.fits | {place})
            fitted = self._reader.flow.fitted
            fitted[held] = fitted.get(held, frozenset()) | {place}

    def _answered(self, called: Called) -> Value | None:
        transforms = called.method == "transform" and not called.receiver.grouped
        if not transforms and called.method not in _ANSWERS:
            return None
        on, model = called.argument(0, "X", "x", "dataset"), called.receiver
        self._reader.flow.applied.append(
            Applied(
                at=called.at,
                method=called.method,
                receiver=called.variable,
                estimator=model,
                on=on,
                on_text=called.text(0, "X", "x"),
            )
        )
        # What Spark calls transform is a prediction where the estimator is a model.
        answers = not transforms or estimators.role(model.estimator) in ("model", "search")
        return replace(
            on,
            fits=on.fits | model.fits,
            learned=on.learned | model.learned,
            prediction_of=(called.variable or model.held or "?") if answers else on.prediction_of,
            estimator="",
            parts_of=(),
        )

    def _scored(self, called: Called) -> Value | None:
        model = called.receiver
        by_evaluator = estimators.role(model.estimator) == "evaluator" and not called.method.startswith(("set", "get"))
        scores = called.method in ("score", "evaluate", "model_performance", "evaluate_generator")
        if not by_evaluator and not (scores and (model.estimator or metric_formula.is_given_outcomes(called.node))):
            return None
        on = called.argument(0, "X", "x", "test_data") if called.arguments else model
        self._reader.flow.measured.append(
            Measured(
                at=called.at,
                name=called.method,
                model=on.prediction_of if by_evaluator else called.variable,
                on=on,
                fits=frozenset() if by_evaluator else model.fits,
                truth=called.text(1, "y"),
            )
        )
        return Value()

    def _measured(self, called: Called) -> Value | None:
        last = called.name.rpartition(".")[2]
        if estimators.is_cross_validation(called.name):
            model, on = called.argument(0, "estimator"), called.argument(1, "X")
            self._reader.flow.measured.append(
                Measured(at=called.at, name=last, model=model.held, on=on, folds=True, fits=model.fits)
            )
            return Value(prediction_of=model.held, part=on.part)
        errors = metric_formula.errors(called.node) if last in metric_formula.AVERAGES else None
        if errors is None and not estimators.is_metric(called.name):
            return None
        asked = next((value for value in called.arguments if value.prediction_of), None)
        on = asked or joined([called.receiver, *called.arguments] if errors else called.arguments)
        self._reader.flow.measured.append(
            Measured(
                at=called.at,
                name="mean error" if errors else last,
                model=on.prediction_of,
                on=on,
                fits=self._reader.flow.fitted.get(on.prediction_of, frozenset()),
                truth=called.text(0, "y_true"),
            )
        )
        return Value()

    def _saved(self, called: Called) -> Value | None:
        own = called.method in _SAVE_METHODS and bool(called.receiver.estimator)
        registers = called.name.startswith("mlflow.") and called.method in ("log_model", "save_model")
        if called.name not in _SAVES and not own and not registers:
            return None
        saved = called.receiver if own else called.argument(0, "model", "obj")
        self._reader.flow.saved.append(Saved(at=called.at, name=called.name, variable=saved.held, value=saved))
        return Value()

    def _summarised(self, called: Called) -> Value | None:
        """A statistic of rows. One of a statistic is the same knowledge again."""
        if called.method == "groupby":
            return replace(joined([called.receiver, *called.given]), grouped=True, holds=frozenset())
        if not row_statistics.is_statistic(called.name, called.node, grouped=called.receiver.grouped):
            return None
        if called.receiver.held or called.receiver.columns_of or called.receiver.statistic:
            on = called.receiver
        else:
            on = joined(called.given or list(called.named.values()))
        if on.statistic or on.estimator or on.prediction_of:
            return on if on.statistic else None
        place = len(self._reader.flow.statistics)
        self._reader.flow.statistics.append(Statistic(at=called.at, name=called.name, on=on))
        if row_statistics.keeps_rows(called.name):
            return replace(on, learned=on.learned | {place}, grouped=False, column="")
        return Value(statistic=frozenset({place}), part=on.part, fits=on.fits, learned=on.learned)

    def _other(self, called: Called) -> Value:
        """Any other call: rows that went in come out."""
        method, receiver = called.method, called.receiver
        if method in _SAME_ESTIMATOR and receiver.estimator:
            return receiver
        found = joined([receiver, *called.arguments])
        handed = self._handed_fits(called)
        if handed:
            found = replace(found, fits=found.fits | handed)
        function = called.node.func
        if method in ("append", "update", "insert") and isinstance(function, ast.Attribute):
            self._gather(function.value, found)
        if isinstance(function, ast.Attribute) and _is_in_place(called.node):
            self._reader.mutate(function.value, found)
        keeps = method in _HANDS_MODELS_ON or called.name.endswith(
            (".clone", ".deepcopy", "enumerate", "zip", "list", "dict", "tqdm", "sorted", "tuple", "reversed")
        )
        return replace(
            found,
            parts_of=found.parts_of if keeps else (),
            columns_of=receiver.columns_of or receiver.held or found.columns_of,
            column=receiver.column,
            holds=found.holds if keeps else frozenset(),
            grouped=False,
        )

    def _handed_fits(self, called: Called) -> frozenset[int]:
        """`df.apply(encoder.fit_transform)` fits on what `apply` is called on."""
        places = set()
        for one, node in zip(called.given, called.node.args, strict=True):
            if isinstance(node, ast.Attribute) and node.attr == "fit_transform" and isinstance(node.value, ast.expr):
                inner = node.value
                held = inner.id if isinstance(inner, ast.Name) else ""
                estimator = self._reader.values.get(held, one) if held else self._made_from(inner)
                fit = Fit(
                    at=called.at,
                    method="fit_transform",
                    receiver=held,
                    estimator=estimator,
                    on=called.receiver,
                    on_text=called.receiver.held,
                    target_text="",
                )
                places.add(len(self._reader.flow.fits))
                self._reader.flow.fits.append(fit)
        return frozenset(places)

    def _made_from(self, node: ast.expr) -> Value:
        return Value(estimator=ast.unparse(node.func)) if isinstance(node, ast.Call) else Value()

    def _gather(self, into: ast.expr, found: Value) -> None:
        """`models.append(("LR", LogisticRegression()))` adds to what the list is known to hold."""
        if isinstance(into, ast.Name) and (found.parts_of or found.holds):
            before = self._reader.values.get(into.id, Value(held=into.id))
            self._reader.values[into.id] = replace(
                before, parts_of=(*before.parts_of, *found.parts_of), holds=before.holds | found.holds
            )


def _is_in_place(node: ast.Call) -> bool:
    return any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in node.keywords
    )
