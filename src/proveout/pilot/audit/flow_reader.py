"""Reads what becomes of rows and models in a notebook.

Input: trees of cells, in order. Output: `Flow`.

Read from top to bottom, once; loops and branches as if they ran once; a function's body where it is defined, where its
parameters mean what they are called. So it is an estimate: a rule that rests on it says what it saw.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from proveout.pilot.audit.data_flow import FOLDS, Called, Flow, Part, Place, Split, Value, hinted, joined
from proveout.pilot.audit.flow_calls import CallReader, is_split
from proveout.pilot.audit.function_flow import FunctionFlow
from proveout.pilot.audit.names import dotted
from proveout.pilot.audit.syntax import children, walk

_NETWORK_BASES = re.compile(r"(?:^|\.)(?:nn\.Module|LightningModule|(?:keras|models)\.Model|keras\.Sequential)$")
_FILE = re.compile(r"(?:^|/|\\)([\w .-]*)\.(?:csv|xlsx?|parquet|json|tsv|txt|pkl|feather)$", re.IGNORECASE)
_SAME_ROWS = {"copy", "reset_index", "to_numpy", "astype", "dropna"}
_DEEPEST = 120


def read(cells: Sequence[tuple[int, ast.Module]], known: Mapping[str, str]) -> Flow:
    """The flow of a notebook's cells. `known` is what names were imported as."""
    reader = _Reader(known, parted_files=_names_parts([tree for _, tree in cells]))
    for index, tree in cells:
        reader.cell = index
        reader.statements(tree.body)
    reader.flow.variables = dict(reader.values)
    return reader.flow


def _names_parts(trees: Sequence[ast.Module]) -> bool:
    """Whether files are named by what they are for: one to train on, one to test on."""
    stems = {
        hinted(found[1])
        for tree in trees
        for node in walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := _FILE.search(node.value))
    }
    return {"train", "test"} <= stems


def _is_of_names(loop: ast.For | ast.AsyncFor) -> bool:
    """`for d in [train, test]`, and not over pairs of names and values."""
    over = loop.iter.elts if isinstance(loop.iter, ast.List | ast.Tuple) else [loop.iter]
    return isinstance(loop.target, ast.Name) and all(isinstance(one, ast.Name) for one in over)


def _cut_rows(value: ast.expr) -> ast.expr | None:
    """The rows that a slice or a condition takes some of: of `rows[:n]`, `rows.iloc[n:]`, `rows[rows.a > 3]`, rows."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _SAME_ROWS:
        value = value.func.value
    if not isinstance(value, ast.Subscript):
        return None
    base, index = value.value, value.slice
    if isinstance(base, ast.Attribute) and base.attr in ("iloc", "loc", "values"):
        base = base.value
        index = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
    whole = isinstance(index, ast.Slice) and index.lower is None and index.upper is None
    by_rows = isinstance(index, ast.Slice | ast.Compare | ast.BinOp | ast.UnaryOp) and not whole
    return base if isinstance(base, ast.Name) and by_rows else None


class _Reader:
    def __init__(self, known: Mapping[str, str], *, parted_files: bool) -> None:
        self.known = known
        self.flow = Flow()
        self.values: dict[str, Value] = {}
        self.cell = 0
        self.returned: dict[str, Value] = {}  # what functions of the notebook return
        self.functions: dict[str, FunctionFlow] = {}
        self._calls = CallReader(self)
        self._parted_files = parted_files
        self._function: list[str] = []
        self._loops = 0
        self._depth = 0
        self._statement: ast.stmt = ast.Pass()

    # --- statements
    def statements(self, body: Sequence[ast.stmt]) -> None:
        """Read statements in order."""
        for statement in body:
            self._statement = statement
            if not self._simple(statement):
                self._compound(statement)

    def _simple(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Assign(targets=targets, value=value):
                found = self.value(value)
                for target in targets:
                    self._assign(target, value, found)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value, self.value(value))
            case ast.AugAssign(target=target, value=value):
                self.mutate(target, self.value(value))
            case ast.Expr(value=value):
                self.value(value)
            case ast.Return(value=ast.expr() as value):
                found = self.value(value)
                if self._function and (found.estimator or found.parts_of):
                    self.returned[self._function[-1]] = found
            case _:
                return False
        return True

    def _compound(self, statement: ast.stmt) -> None:
        match statement:
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
            case ast.ClassDef():
                self._class(statement)
            case _:
                for child in children(statement):
                    if isinstance(child, ast.expr):
                        self.value(child)

    def _for(self, statement: ast.For | ast.AsyncFor) -> None:
        over = self.value(statement.iter)
        folds = [
            call
            for call in walk(statement.iter)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "split"
        ]
        names = [one.id for one in walk(statement.target) if isinstance(one, ast.Name)]
        for name in names:
            if folds and hinted(name):
                self.values[name] = Value(part=hinted(name), split=FOLDS, held=name)
            elif over.parts_of or over.estimator:
                first = over.parts_of[0] if over.parts_of else over.estimator
                self.values[name] = Value(estimator=first, parts_of=over.parts_of, held=name)
            elif over.part == "whole" and _is_of_names(statement):
                self.values[name] = Value(part="test", held=name)  # for d in [train, test]: the test rows as well
            else:
                self.values.pop(name, None)
        self._loops += 1
        self.statements([*statement.body, *statement.orelse])
        self._loops -= 1

    def _def(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside = dict(self.values)
        parameters = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        for parameter in parameters:
            self.values[parameter] = Value(part=hinted(parameter), held=parameter)
        fits, measured = len(self.flow.fits), len(self.flow.measured)
        self._function.append(function.name)
        self.statements(function.body)
        self._function.pop()
        self.values = outside
        self.functions[function.name] = FunctionFlow(
            parameters=tuple(parameters),
            fits=tuple(self.flow.fits[fits:]),
            measured=tuple(self.flow.measured[measured:]),
        )

    def _class(self, statement: ast.ClassDef) -> None:
        if any(_NETWORK_BASES.search(dotted(base, self.known)) for base in statement.bases):
            self.returned[statement.name] = Value(estimator="torch.nn.Module")
        self._function.append(statement.name)
        self.statements([one for one in statement.body if isinstance(one, ast.FunctionDef)])
        self._function.pop()

    # --- assignment
    def _assign(self, target: ast.expr, value: ast.expr, found: Value) -> None:
        if isinstance(target, ast.Name):
            # A copy of an estimator's variable is that estimator; rows belong to the name they got last.
            part, split = found.part, found.split
            if found.split < 0 and not found.estimator:
                part = hinted(target.id) or part  # `validation_rows = train_generator.flow(...)` is what its name says
                split = self._cut(target.id, value)
            self.values[target.id] = replace(found, held=target.id, part=part, split=split)
            if found.estimator:
                self.flow.fitted[target.id] = self.flow.fitted.get(target.id, frozenset()) | found.fits
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, found)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, value, found)
        else:
            self.mutate(target, found)

    def _cut(self, name: str, value: ast.expr) -> int:
        """The split that `train = rows[:n]` and `test = rows[n:]` are the sides of; -1 if it is none."""
        base = _cut_rows(value)
        if base is None or not hinted(name):
            return -1
        rows = self.value_quietly(base)
        if not rows.held or rows.part or rows.estimator:
            return -1
        for place, split in enumerate(self.flow.splits):
            if split.given and split.given[0].held == rows.held and split.given[0].fits == rows.fits:
                return place
        self.flow.splits.append(Split(cell=self.cell, line=value.lineno, given=(rows,), outputs=(name,)))
        return len(self.flow.splits) - 1

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr, found: Value) -> None:
        names = tuple(one.id if isinstance(one, ast.Name) else "" for one in target.elts)
        if isinstance(value, ast.Call) and is_split(dotted(value.func, self.known)):
            self._split(names, value, found)
            return
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) else None
        for position, one in enumerate(target.elts):
            part_value = self.value_quietly(parts[position]) if parts else found
            if not parts and isinstance(one, ast.Name) and hinted(one.id):
                part_value = replace(part_value, part=hinted(one.id))
            self._assign(one, parts[position] if parts else value, part_value)

    def _split(self, names: tuple[str, ...], call: ast.Call, found: Value) -> None:
        """The sides of a split: scikit-learn gives two for each argument, Spark and H2O cut the frame itself."""
        cuts_itself = not dotted(call.func, self.known).endswith("train_test_split")
        sources = [call.func.value] if cuts_itself and isinstance(call.func, ast.Attribute) else call.args
        given = tuple(self.value_quietly(one) for one in sources if not isinstance(one, ast.Starred))
        place = len(self.flow.splits)
        self.flow.splits.append(Split(cell=self.cell, line=call.lineno, given=given, outputs=names))
        for position, name in enumerate(names):
            if name:
                source_place = 0 if cuts_itself else position // 2
                source = given[source_place] if source_place < len(given) else found
                part: Part = "train" if position == 0 or (not cuts_itself and position % 2 == 0) else "test"
                self.values[name] = replace(source, part=part, split=place, held=name)

    def mutate(self, target: ast.expr, found: Value) -> None:
        """`df[...] = value`: what went into the value is in the frame now."""
        base, chosen = target, Value()
        while isinstance(base, ast.Subscript | ast.Attribute):
            if isinstance(base, ast.Subscript):
                chosen = joined([chosen, self.value_quietly(base.slice)])
            base = base.value
        if isinstance(base, ast.Name):
            before = self.variable(base.id)
            new = found.learned | found.statistic | chosen.learned | chosen.statistic
            self.values[base.id] = replace(
                before,
                fits=before.fits | found.fits,
                learned=before.learned if before.statistic else before.learned | new,
                holds=before.holds | found.holds | ({found.held} if found.held else set()),
                held=base.id,
            )

    # --- expressions
    def value_quietly(self, node: ast.expr) -> Value:
        """The value of an expression that was read before: nothing is recorded twice."""
        kept, self.flow = self.flow, Flow(fits=list(self.flow.fits), statistics=list(self.flow.statistics))
        try:
            return self.value(node)
        finally:
            self.flow = kept

    def value(self, node: ast.expr) -> Value:
        """What is known of an expression. What happens in it is recorded."""
        if self._depth > _DEEPEST:
            return Value()
        self._depth += 1
        try:
            return self._value(node)
        finally:
            self._depth -= 1

    def _value(self, node: ast.expr) -> Value:  # noqa: PLR0911  # one return for each kind of expression
        match node:
            case ast.Name(id=name):
                return self.variable(name)
            case ast.Call():
                return self._call(node)
            case ast.Lambda(body=body):
                found = self.value(body)
                return Value(fits=found.fits, learned=found.learned | found.statistic)
            case ast.Attribute(value=inner, attr=attribute):
                found = self.value(inner)
                if attribute in ("best_estimator_", "estimator"):
                    return found
                column = attribute if found.is_rows and not found.column else found.column
                return replace(found, estimator="", parts_of=(), column=column)
            case ast.Subscript(value=inner, slice=index):
                return self._subscript(inner, index)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return joined([self.value(one) for one in elements])
            case ast.Dict(values=elements):
                return joined([self.value(one) for one in elements])
            case _:
                parts = [child for child in children(node) if isinstance(child, ast.expr)]
                for generator in getattr(node, "generators", ()):
                    self.value(generator.iter)
                found = joined([self.value(child) for child in parts])
                return replace(found, estimator="", parts_of=())

    def variable(self, name: str) -> Value:
        """What is known of a name: of one that nothing gave a value, what its name promises."""
        found = self.values.get(name)
        if found is None:
            return Value(part=hinted(name), held=name)
        return found if found.part or found.estimator else replace(found, part=hinted(name))

    def _subscript(self, inner: ast.expr, index: ast.expr) -> Value:
        base, chosen = self.value(inner), self.value(index)
        if base.estimator or base.parts_of:
            return base
        column = index.value if isinstance(index, ast.Constant) and isinstance(index.value, str) else ""
        new = base.learned if base.statistic else base.learned | chosen.learned | chosen.statistic
        found = replace(base, fits=base.fits | chosen.fits, learned=new)
        # Rows chosen by a fold's indices belong to that fold's part.
        if chosen.part in ("train", "test") and chosen.split >= 0:
            return replace(found, part=chosen.part, split=chosen.split)
        return replace(found, columns_of=base.held or base.columns_of, column=column)

    # --- calls
    def _call(self, node: ast.Call) -> Value:
        receiver = self.value(node.func.value) if isinstance(node.func, ast.Attribute) else Value()
        called = Called(
            node=node,
            at=self.place(node),
            name=dotted(node.func, self.known),
            method=node.func.attr if isinstance(node.func, ast.Attribute) else "",
            receiver=receiver,
            given=tuple(self.value(one.value if isinstance(one, ast.Starred) else one) for one in node.args),
            named={one.arg or "": self.value(one.value) for one in node.keywords},
        )
        found = self._calls.read(called)
        if self._parted_files and called.name.rpartition(".")[2].startswith("read_"):
            return replace(found, part=self._part_of_file(node))
        return found

    def _part_of_file(self, node: ast.Call) -> Part:
        texts = [one.value for one in walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return next((hinted(found[1]) for text in texts if (found := _FILE.search(text))), "")

    def place(self, node: ast.Call) -> Place:
        """Where a call stands."""
        return Place(
            cell=self.cell,
            line=node.lineno,
            node=node,
            statement=self._statement,
            function=self._function[-1] if self._function else "",
            in_loop=self._loops > 0,
        )
