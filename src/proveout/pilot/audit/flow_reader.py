"""Reads what becomes of rows and models in a notebook.

Input: trees of cells, in order. Output: `Flow`.

Read from top to bottom, once; loops and branches as if they ran once; a function's body where it is defined, where its
parameters mean what they are called. So it is an estimate: a rule that rests on it says what it saw.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from proveout.pilot.audit import estimators
from proveout.pilot.audit.data_flow import Applied, Fit, Flow, Measured, Part, Place, Saved, Split, Value, hinted
from proveout.pilot.audit.names import dotted

_SPLITS = {"train_test_split"}
_SAVES = {
    "joblib.dump",
    "pickle.dump",
    "cloudpickle.dump",
    "dill.dump",
    "pickle.dumps",
    "skops.io.dump",
    "torch.save",
    "sklearn.externals.joblib.dump",
    "mlflow.sklearn.log_model",
    "mlflow.sklearn.save_model",
    "mlflow.xgboost.log_model",
    "mlflow.pyfunc.log_model",
    "mlflow.log_model",
    "mlflow.keras.log_model",
    "mlflow.lightgbm.log_model",
    "tensorflow.keras.models.save_model",
    "keras.models.save_model",
    "bentoml.sklearn.save_model",
}
_SAVE_METHODS = {"save", "save_model", "save_weights", "to_json", "save_pretrained", "export", "export_model"}
_STATISTICS = {
    "mean",
    "median",
    "mode",
    "std",
    "var",
    "quantile",
    "min",
    "max",
    "describe",
    "corr",
    "value_counts",
    "groupby",
    "sum",
    "percentile",
    "nanmean",
    "nanmedian",
}


def read(cells: Sequence[tuple[int, ast.Module]], known: Mapping[str, str]) -> Flow:
    """The flow of a notebook's cells. `known` is what names were imported as."""
    reader = _Reader(known)
    for index, tree in cells:
        reader.cell = index
        reader.statements(tree.body)
    reader.flow.variables = dict(reader.values)
    return reader.flow


class _Reader:
    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.flow = Flow()
        self.values: dict[str, Value] = {}
        self.cell = 0
        self._function: list[str] = []
        self._loops = 0
        self._statement: ast.stmt = ast.Pass()

    # --- statements
    def statements(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement = statement
            self._read(statement)

    def _read(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                found = self.value(value)
                for target in targets:
                    self._assign(target, value, found)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value, self.value(value))
            case ast.AugAssign(target=target, value=value):
                self._mutate(target, self.value(value))
            case ast.Expr(value=value):
                self.value(value)
            case ast.For() | ast.AsyncFor():
                self._for(statement)
            case ast.While(test=test, body=body, orelse=orelse):
                self.value(test)
                self._loops += 1
                self.statements([*body, *orelse])
                self._loops -= 1
            case ast.If(test=test, body=body, orelse=orelse):
                self.value(test)
                self.statements([*body, *orelse])
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    found = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, item.context_expr, found)
                self.statements(body)
            case ast.Try() | ast.TryStar():
                handlers = [inner for handler in statement.handlers for inner in handler.body]
                self.statements([*statement.body, *handlers, *statement.orelse, *statement.finalbody])
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._def(statement)
            case ast.ClassDef(name=name, body=body):
                self._function.append(name)
                self.statements([one for one in body if isinstance(one, ast.FunctionDef)])
                self._function.pop()
            case ast.Return(value=ast.expr() as value):
                self.value(value)
            case _:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        self.value(child)

    def _for(self, statement: ast.For | ast.AsyncFor) -> None:
        over = self.value(statement.iter)
        folds = [
            call
            for call in ast.walk(statement.iter)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "split"
        ]
        names = [one.id for one in ast.walk(statement.target) if isinstance(one, ast.Name)]
        for name in names:
            if folds and hinted(name):
                self.values[name] = Value(part=hinted(name), split=len(self.flow.splits), held=name)
            elif over.parts_of or over.estimator:
                first = over.parts_of[0] if over.parts_of else over.estimator
                self.values[name] = Value(estimator=first, parts_of=over.parts_of, held=name)
            else:
                self.values.pop(name, None)
        self._loops += 1
        self.statements([*statement.body, *statement.orelse])
        self._loops -= 1

    def _def(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside = dict(self.values)
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            self.values[argument.arg] = Value(part=hinted(argument.arg), held=argument.arg)
        self._function.append(function.name)
        self.statements(function.body)
        self._function.pop()
        self.values = outside

    # --- assignment
    def _assign(self, target: ast.expr, value: ast.expr, found: Value) -> None:
        if isinstance(target, ast.Name):
            # A copy of an estimator's variable is that estimator; rows belong to the name they got last.
            self.values[target.id] = replace(found, held=target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, found)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, value, found)
        else:
            self._mutate(target, found)

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr, found: Value) -> None:
        names = tuple(one.id if isinstance(one, ast.Name) else "" for one in target.elts)
        if isinstance(value, ast.Call) and self._is_split(value):
            given = tuple(self.value_quietly(one) for one in value.args if not isinstance(one, ast.Starred))
            place = len(self.flow.splits)
            self.flow.splits.append(Split(at=self._place(value), given=given, outputs=names))
            for position, name in enumerate(names):
                if name:
                    source = given[position // 2] if position // 2 < len(given) else found
                    part: Part = "test" if position % 2 else "train"
                    self.values[name] = replace(source, part=part, split=place, held=name)
            return
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) else None
        for position, one in enumerate(target.elts):
            part_value = self.value_quietly(parts[position]) if parts else found
            if not parts and isinstance(one, ast.Name) and hinted(one.id):
                part_value = replace(part_value, part=hinted(one.id))
            self._assign(one, parts[position] if parts else value, part_value)

    def _mutate(self, target: ast.expr, found: Value) -> None:
        """`df[...] = value`: what went into the value is in the frame now."""
        base = target
        while isinstance(base, ast.Subscript | ast.Attribute):
            base = base.value
        if isinstance(base, ast.Name):
            before = self._variable(base.id)
            self.values[base.id] = replace(before, fits=before.fits | found.fits, held=base.id)

    # --- expressions
    def value_quietly(self, node: ast.expr) -> Value:
        """The value of an expression that was read before: nothing is recorded twice."""
        kept, self.flow = self.flow, Flow()
        try:
            return self.value(node)
        finally:
            self.flow = kept

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Name(id=name):
                return self._variable(name)
            case ast.Call():
                return self._call(node)
            case ast.Lambda(body=body):
                self.value(body)
                return Value()
            case ast.Attribute(value=inner):
                found = self.value(inner)
                if node.attr in ("best_estimator_", "estimator"):
                    return found
                return replace(found, estimator="", parts_of=())
            case ast.Subscript(value=inner, slice=index):
                return self._subscript(inner, index)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return self._joined([self.value(one) for one in elements])
            case ast.Dict(values=elements):
                return self._joined([self.value(one) for one in elements])
            case _:
                children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
                for generator in getattr(node, "generators", ()):
                    self.value(generator.iter)
                found = self._joined([self.value(child) for child in children])
                return replace(found, estimator="", parts_of=())

    def _variable(self, name: str) -> Value:
        found = self.values.get(name)
        if found is None:
            return Value(part=hinted(name), held=name)
        return found if found.part or found.estimator else replace(found, part=hinted(name))

    def _subscript(self, inner: ast.expr, index: ast.expr) -> Value:
        base, chosen = self.value(inner), self.value(index)
        if base.estimator or base.parts_of:
            return base
        # Rows chosen by a fold's indices belong to that fold's part.
        if chosen.part in ("train", "test") and chosen.split >= 0:
            return replace(base, part=chosen.part, split=chosen.split, fits=base.fits | chosen.fits)
        return replace(base, fits=base.fits | chosen.fits, columns_of=base.held or base.columns_of)

    def _joined(self, values: Sequence[Value]) -> Value:
        parts = {value.part for value in values} - {""}
        part: Part = next(iter(parts)) if len(parts) == 1 else ("whole" if parts else "")
        classes = tuple(
            name for value in values for name in ((value.estimator,) if value.estimator else value.parts_of) if name
        )
        return Value(
            part=part,
            split=max((value.split for value in values), default=-1),
            fits=frozenset().union(*(value.fits for value in values)),
            parts_of=classes,
            prediction_of=next((value.prediction_of for value in values if value.prediction_of), ""),
            columns_of=next((value.columns_of or value.held for value in values if value.columns_of or value.held), ""),
        )

    # --- calls
    def _call(self, node: ast.Call) -> Value:
        name = dotted(node.func, self.known)
        receiver = self.value(node.func.value) if isinstance(node.func, ast.Attribute) else Value()
        given = [self.value(one.value if isinstance(one, ast.Starred) else one) for one in node.args]
        named = {one.arg or "": self.value(one.value) for one in node.keywords}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if self._is_split(node):
            return self._joined(given)
        if estimators.role(name) and not (method and receiver.estimator):
            inside = [*given, *named.values()]
            classes = tuple(
                found for value in inside for found in ((value.estimator,) if value.estimator else ()) + value.parts_of
            )
            return Value(estimator=name, parts_of=classes)
        if method in (
            "fit",
            "fit_transform",
            "fit_predict",
            "fit_resample",
            "partial_fit",
            "fit_sample",
            "fit_generator",
        ):
            return self._fit(node, method, receiver, given, named)
        if method in (
            "transform",
            "predict",
            "predict_proba",
            "decision_function",
            "predict_log_proba",
            "predict_classes",
        ):
            return self._apply(node, method, receiver, given, named)
        if method in ("score", "evaluate") and (receiver.estimator or _looks_fitted(node)):
            on = given[0] if given else named.get("X", Value())
            self.flow.measured.append(Measured(at=self._place(node), name=method, model=_variable_of(node.func), on=on))
            return Value(prediction_of="")
        if estimators.is_cross_validation(name):
            model = given[0] if given else named.get("estimator", Value())
            on = given[1] if len(given) > 1 else named.get("X", Value())
            self.flow.measured.append(
                Measured(at=self._place(node), name=name.rpartition(".")[2], model=model.held, on=on, folds=True)
            )
            return Value(prediction_of=model.held, part=on.part)
        if estimators.is_metric(name):
            values = [*given, *named.values()]
            asked = next((value for value in values if value.prediction_of), None)
            on = asked or self._joined(values)
            self.flow.measured.append(
                Measured(at=self._place(node), name=name.rpartition(".")[2], model=on.prediction_of, on=on)
            )
            return Value()
        if name in _SAVES or (method in _SAVE_METHODS and (receiver.estimator or name.startswith("mlflow"))):
            saved = receiver if method in _SAVE_METHODS and receiver.estimator else (given[0] if given else Value())
            self.flow.saved.append(Saved(at=self._place(node), name=name, variable=saved.held, value=saved))
            return Value()
        return self._other(node, method, receiver, [*given, *named.values()])

    def _other(self, node: ast.Call, method: str, receiver: Value, given: Sequence[Value]) -> Value:
        """Any other call: rows that went in come out."""
        if method in ("compile", "add", "set_params") and receiver.estimator:
            return receiver
        found = self._joined([receiver, *given])
        if method in _STATISTICS:
            self.flow.statistics.append((self._place(node), method, receiver))
        if method in ("append", "update", "insert") and isinstance(node.func, ast.Attribute):
            self._gather(node.func.value, found)
        keywords = {one.arg: one.value for one in node.keywords}
        in_place = keywords.get("inplace")
        if isinstance(in_place, ast.Constant) and in_place.value is True and isinstance(node.func, ast.Attribute):
            self._mutate(node.func.value, found)
        # `models.items()` and `clone(model)` hand their models on; `df.drop(...)` its rows.
        keeps = method in ("items", "values", "copy", "append") or dotted(node.func, self.known).endswith(
            (".clone", ".deepcopy", "enumerate", "zip", "list", "dict")
        )
        return replace(found, parts_of=found.parts_of if keeps else (), columns_of=receiver.columns_of or receiver.held)

    def _gather(self, into: ast.expr, found: Value) -> None:
        """`models.append(("LR", LogisticRegression()))` adds to what the list is known to hold."""
        if isinstance(into, ast.Name) and found.parts_of:
            before = self.values.get(into.id, Value(held=into.id))
            self.values[into.id] = replace(before, parts_of=(*before.parts_of, *found.parts_of))

    def _fit(
        self, node: ast.Call, method: str, receiver: Value, given: Sequence[Value], named: Mapping[str, Value]
    ) -> Value:
        on = given[0] if given else next((named[name] for name in ("X", "x", "data") if name in named), Value())
        texts = [ast.unparse(one) for one in node.args]
        keywords = {one.arg: ast.unparse(one.value) for one in node.keywords}
        place = len(self.flow.fits)
        self.flow.fits.append(
            Fit(
                at=self._place(node),
                method=method,
                receiver=_variable_of(node.func),
                estimator=receiver,
                on=on,
                on_text=texts[0] if texts else keywords.get("X", ""),
                target_text=texts[1] if len(texts) > 1 else keywords.get("y", ""),
            )
        )
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            held = node.func.value.id
            self.values[held] = replace(receiver, held=held, fits=receiver.fits | {place})
        if method in ("fit", "partial_fit", "fit_generator"):
            return replace(receiver, held=_variable_of(node.func), fits=receiver.fits | {place})
        answers = method == "fit_predict"
        return replace(
            on,
            fits=on.fits | {place},
            prediction_of=_variable_of(node.func) if answers else on.prediction_of,
            estimator="",
            parts_of=(),
        )

    def _apply(
        self, node: ast.Call, method: str, receiver: Value, given: Sequence[Value], named: Mapping[str, Value]
    ) -> Value:
        on = given[0] if given else next((named[name] for name in ("X", "x") if name in named), Value())
        self.flow.applied.append(
            Applied(
                at=self._place(node),
                method=method,
                receiver=_variable_of(node.func),
                estimator=receiver,
                on=on,
                on_text=ast.unparse(node.args[0]) if node.args else "",
            )
        )
        variable = _variable_of(node.func)
        return replace(
            on,
            fits=on.fits | receiver.fits,
            prediction_of=on.prediction_of if method == "transform" else variable or receiver.held or "?",
            estimator="",
            parts_of=(),
        )

    def _is_split(self, node: ast.Call) -> bool:
        return dotted(node.func, self.known).rpartition(".")[2] in _SPLITS

    def _place(self, node: ast.Call) -> Place:
        return Place(
            cell=self.cell,
            line=node.lineno,
            node=node,
            statement=self._statement,
            function=self._function[-1] if self._function else "",
            in_loop=self._loops > 0,
        )


def _variable_of(function: ast.expr) -> str:
    """The variable that a method is called on, or ""."""
    if isinstance(function, ast.Attribute):
        inner = function.value
        return inner.id if isinstance(inner, ast.Name) else ""
    return ""


def _looks_fitted(node: ast.Call) -> bool:
    return len(node.args) >= 2 or any(one.arg in ("X", "x", "y") for one in node.keywords)
