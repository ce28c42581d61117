"""PA303 non-idempotent-cell."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from proveout.pilot.audit import estimators, function_effects, outside_effects, remote
from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.function_effects import GROWS, FunctionEffect
from proveout.pilot.audit.idempotence import changes_again
from proveout.pilot.audit.names import headed_names, names_made_anew, names_read
from proveout.pilot.audit.remote import Remote
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import children, root_of, walk

_SHRINKS = {"pop", "popitem", "remove", "popleft"}
_IN_PLACE = {"drop", "set_index", "reset_index", "insert"}
_STATISTICS = {"quantile", "percentile", "nanpercentile", "mean", "std", "median", "describe", "zscore"}
_LEAVES_HOLES = {"shift", "rolling", "diff", "pct_change"}
_STEPS = {"step", "partial_fit", "train_on_batch", "backward", "fit_one_cycle"}

_Found = Iterator[tuple[int, str]]


@dataclass(kw_only=True)
class _Cell:
    """What is known while a cell is read: names it made anew, names that hold statistics of others, holes it left."""

    analysis: Analysis
    known: Remote
    effects: dict[str, FunctionEffect]  # functions of the notebook that change what is outside them
    fresh: set[str] = field(default_factory=set)
    statistics_of: dict[str, set[str]] = field(default_factory=dict)  # variable: what its numbers were learned from
    holes: dict[str, int] = field(default_factory=dict)  # frame: the line that left holes at its end
    texts: dict[str, int] = field(default_factory=dict)  # column: the line that read it as text
    lists: set[str] = field(default_factory=set)  # lists of frames that were there before
    made_of: dict[str, set[str]] = field(default_factory=dict)  # variable of this cell: what it was computed from
    guarded: bool = False


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells in which a second run would find other state than the first: the first line that does it."""
    known = remote.variables(analysis)
    effects = function_effects.of_functions(analysis, known)
    for cell in analysis.cells:
        state = _Cell(analysis=analysis, known=known[cell.index], effects=effects)
        found = sorted([*_shell(cell), *_statements(cell.code.tree.body, state)])
        if found:
            line, evidence = found[0]
            yield Hit(cell=cell.index, line=line, evidence=evidence)


def _shell(cell: CodeCell) -> _Found:
    for magic in cell.code.magics:
        if magic.magic_type == "shell" and (said := outside_effects.of_shell(magic.text)):
            yield magic.line, said
        if magic.magic_type == "line_magic" and magic.name == "cd" and magic.text.split()[1:2] == [".."]:
            yield magic.line, f"`{magic.text[:80]}` goes on from where the first run ended"


def _statements(body: list[ast.stmt], state: _Cell) -> _Found:
    for statement in body:
        yield from _of_statement(statement, state)
        state.fresh |= names_made_anew(statement)


def _of_statement(statement: ast.stmt, state: _Cell) -> _Found:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return
        case ast.For() | ast.AsyncFor() | ast.While() | ast.If() | ast.With() | ast.AsyncWith() | ast.Try():
            yield from _of_compound(statement, state)
            return
        case ast.AugAssign(target=target, op=op):
            base = root_of(target)
            if base and base not in state.fresh and not isinstance(op, ast.BitOr | ast.BitAnd):
                yield statement.lineno, f"`{ast.unparse(statement)[:80]}` adds up each time the cell runs"
        case ast.Assign():
            yield from _of_assignment(statement, state)
        case ast.Delete(targets=targets):
            if any(root_of(target) not in state.fresh for target in targets):
                yield statement.lineno, f"`{ast.unparse(statement)[:80]}` raises the second time"
    for call in walk(statement):
        if isinstance(call, ast.Call):
            yield from _of_call(call, state, alone=isinstance(statement, ast.Expr) and statement.value is call)


def _of_compound(statement: ast.stmt, state: _Cell) -> _Found:
    guarded, before = state.guarded, set(state.fresh)
    state.guarded = guarded or isinstance(statement, ast.If | ast.Try)
    for header in children(statement):
        if isinstance(header, ast.expr | ast.withitem):
            for call in walk(header):
                if isinstance(call, ast.Call):
                    yield from _of_call(call, state, alone=False)
    if isinstance(statement, ast.For | ast.AsyncFor):
        _note_targets(statement, state)
    elif not isinstance(statement, ast.If):
        state.fresh |= headed_names(statement)
    for name in ("body", "handlers", "orelse", "finalbody"):
        for inner in getattr(statement, name, ()):
            yield from _statements(inner.body if isinstance(inner, ast.ExceptHandler) else [inner], state)
    state.guarded = guarded
    if isinstance(statement, ast.If):
        state.fresh = before


def _note_targets(loop: ast.For | ast.AsyncFor, state: _Cell) -> None:
    """A loop's variable is new, unless it stands for frames that were there before: `for d in [train, test]`."""
    names = {one.id for one in walk(loop.target) if isinstance(one, ast.Name)}
    over = loop.iter.elts if isinstance(loop.iter, ast.List | ast.Tuple) else [loop.iter]
    there = [isinstance(one, ast.Name) and (one.id not in state.fresh or one.id in state.lists) for one in over]
    old = all(there) and bool(over)
    state.fresh = state.fresh - names if old and isinstance(loop.target, ast.Name) else state.fresh | names


# --- assignments


def _of_assignment(statement: ast.Assign, state: _Cell) -> _Found:
    text = ast.unparse(statement)[:80]
    for target in statement.targets:
        if isinstance(target, ast.Name):
            yield from _of_name(target.id, statement, text, state)
        elif isinstance(target, ast.Tuple | ast.List):
            again = {one.id for one in target.elts if isinstance(one, ast.Name)} & names_read(
                statement.value
            ) - state.fresh
            called = state.analysis.name_of(getattr(statement.value, "func", statement.value))
            if again and called.rpartition(".")[2] in ("train_test_split", "shuffle"):
                yield statement.lineno, f"`{text}` makes {min(again)!r} from itself: a second run changes it again"
        elif isinstance(target, ast.Subscript):
            yield from _of_column(target, statement, text, state)


def _of_name(name: str, statement: ast.Assign, text: str, state: _Cell) -> _Found:
    value, read = statement.value, names_read(statement.value)
    learned = _statistics_in(value, state)
    if name in read and name not in state.fresh:
        if name in state.holes and _drops_holes(value):
            yield state.holes[name], f"leaves holes, and `{text}` cuts their rows off each time the cell runs"
        if name in learned and isinstance(value, ast.Subscript):
            yield statement.lineno, f"`{text}` cuts by bounds of its own rows, which move with each run"
        if changes_again(value, name, state.analysis) and not _drops_what_it_found(value, name, state):
            yield statement.lineno, f"`{text}` makes {name!r} from itself: a second run changes it again"
    if learned:
        state.statistics_of[name] = learned
    state.made_of[name] = read | {one for other in read for one in state.made_of.get(other, set())}
    elements = value.elts if isinstance(value, ast.List | ast.Tuple) else []
    if elements and all(isinstance(one, ast.Name) and one.id not in state.fresh for one in elements):
        state.lists.add(name)


def _drops_what_it_found(value: ast.expr, name: str, state: _Cell) -> bool:
    """`df = df.drop(columns=empty)`, where the cell looks in df for what is empty: the next time there is nothing."""
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "drop"):
        return False
    given = [*value.args, *(one.value for one in value.keywords)]
    return any(isinstance(one, ast.Name) and name in state.made_of.get(one.id, set()) for one in given)


def _statistics_in(value: ast.expr, state: _Cell) -> set[str]:
    """The variables whose rows the numbers in an expression were learned from."""
    found: set[str] = set()
    for node in walk(value):
        if isinstance(node, ast.Name) and node.id in state.statistics_of:
            found |= state.statistics_of[node.id]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STATISTICS:
            found |= {root_of(node.func.value), *(root_of(one) for one in node.args)}
    return found - {""} - set(state.analysis.imports)


def _drops_holes(value: ast.expr) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == "dropna" for one in walk(value))


def _of_column(target: ast.Subscript, statement: ast.Assign, text: str, state: _Cell) -> _Found:
    base, value = root_of(target), statement.value
    if not base or base in state.fresh:
        return
    calls = {one.func.attr for one in walk(value) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)}
    if calls & _LEAVES_HOLES and base in names_read(value):
        state.holes.setdefault(base, statement.lineno)
    reads = {ast.unparse(one) for one in walk(value) if isinstance(one, ast.Subscript | ast.Attribute)}
    written = ast.unparse(target)
    spellings = {written, *_spellings(target)}
    if calls & {"astype", "to_numeric"} and written in state.texts:
        yield state.texts[written], f"reads text, and `{text}` makes it numbers: a second run finds no text"
    if spellings & reads and "str" in {one.attr for one in walk(value) if isinstance(one, ast.Attribute)}:
        state.texts.setdefault(written, statement.lineno)
    if spellings & reads and changes_again(value, base, state.analysis, column=True):
        yield statement.lineno, f"`{text}` makes a column from itself: a second run changes it again"


def _spellings(target: ast.Subscript) -> set[str]:
    """The ways to read what is written: `df["a"]`, `df.a`, and for `df.loc[rows, "a"]` the column too."""
    frame, index = target.value, target.slice
    if isinstance(frame, ast.Attribute) and frame.attr in ("loc", "iloc") and isinstance(index, ast.Tuple):
        frame, index = frame.value, index.elts[-1]
    if not (isinstance(index, ast.Constant) and isinstance(index.value, str)):
        return set()
    text = ast.unparse(frame)
    return {f"{text}[{index.value!r}]", f"{text}.{index.value}"}


# --- calls


def _of_call(call: ast.Call, state: _Cell, *, alone: bool) -> _Found:
    if said := outside_effects.of_call(call, state.known, state.analysis, guarded=state.guarded):
        yield call.lineno, said
    if isinstance(call.func, ast.Name) and call.func.id in state.effects:
        effect = state.effects[call.func.id]
        given = {one.id for one in call.args if isinstance(one, ast.Name)}
        if effect.parameter >= 0:
            changed = root_of(call.args[effect.parameter]) if effect.parameter < len(call.args) else ""
            made_here: object = not changed or changed in state.fresh
        else:
            made_here = effect.variable in state.fresh
        if effect.said == "goes on training":
            made_here = given & state.fresh
        if not made_here:
            yield call.lineno, f"{call.func.id}() {effect.said} each time the cell runs"
    if not isinstance(call.func, ast.Attribute):
        return
    method, base = call.func.attr, root_of(call.func.value)
    if not base or base in state.fresh or base in state.analysis.imports:
        return
    if said := _on_variable(call, method, base, state, alone=alone):
        yield (
            (state.holes[base] if said.startswith("leaves") else call.lineno),
            said.replace("{}", ast.unparse(call)[:80]),
        )


def _on_variable(call: ast.Call, method: str, base: str, state: _Cell, *, alone: bool) -> str:
    """What a method does to a variable that the cell did not make."""
    keywords = {one.arg: one.value for one in call.keywords}
    if _is_true(keywords.get("inplace")):
        if method == "dropna" and base in state.holes:
            return "leaves holes, and `{}` cuts their rows off each time the cell runs"
        again = method in _IN_PLACE and not _is_true(keywords.get("drop")) and "errors" not in keywords
        again = again and not (method == "drop" and _is_by_condition(call))
        return "`{}` changes the frame in place: a second run raises or changes it again" if again else ""
    return _on_collection(call, method, base, state, alone=alone) or _on_model(call, method, base, state, alone=alone)


def _is_by_condition(call: ast.Call) -> bool:
    """`df.drop(df[df.a > 3].index)`: the second time no such row is there."""
    rows = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "index"), None)
    return isinstance(rows, ast.Attribute) and rows.attr == "index" and not any(k.arg == "axis" for k in call.keywords)


def _on_collection(call: ast.Call, method: str, base: str, state: _Cell, *, alone: bool) -> str:
    direct = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name | ast.Attribute)
    if method in _SHRINKS and direct and base not in state.known.database | state.known.cloud:
        return f"`{{}}` takes something out of {base!r} each time the cell runs"
    if alone and (method in GROWS and direct):
        return f"`{{}}` grows {base!r} each time the cell runs"
    return ""


def _on_model(call: ast.Call, method: str, base: str, state: _Cell, *, alone: bool) -> str:
    if method == "add" and alone and len(call.args) == 1 and _makes_object(call.args[0]):
        return f"`{{}}` adds to {base!r} each time the cell runs"
    goes_on = method in ("fit", "fit_generator") and _is_network(base, state.analysis)
    if goes_on or (method in _STEPS and _trains(method, base)):
        return "`{}` goes on training the model that the first run trained"
    return ""


def _makes_object(node: ast.expr) -> bool:
    """A class's call, such as a layer."""
    name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else name
    return name[:1].isupper()


def _is_network(variable: str, analysis: Analysis) -> bool:
    fits = analysis.flow.fitted.get(variable, frozenset())
    return any(estimators.role(analysis.flow.fits[place].estimator.estimator) == "network" for place in fits)


def _trains(method: str, base: str) -> bool:
    return method != "step" or "optim" in base.lower()


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


RULE = Rule(
    code="PA303",
    kind="non-idempotent-cell",
    severity="medium",
    title="Cell that must not run twice",
    why="Who runs it again, to look or after an error, goes on with other data and is not told.",
    fix="Give what the cell makes a new name, or make it from its origin each time.",
    adopt="does",
    adopt_note="Runs each cell once, in order.",
    find=find,
    positive=(
        Example(cells=("df['a'] = df['a'] * 2",), found=((0, 1),)),
        Example(cells=("x = 1\ndf.drop('id', axis=1, inplace=True)",), found=((0, 2),)),
        Example(cells=("scores.append(1)",), found=((0, 1),)),
        Example(cells=("n += 1",), found=((0, 1),)),
        Example(cells=("df = df.drop(columns=['id'])",), found=((0, 1),)),
        Example(cells=("y = df.pop('sold')",), found=((0, 1),)),
        Example(cells=("df['sex'] = df['sex'].map({'m': 0, 'f': 1})",), found=((0, 1),)),
        Example(cells=("df['a'] = df['a'].apply(lambda x: 1 if x == 'yes' else 0)",), found=((0, 1),)),
        Example(cells=("df['a'] = df['a'].str.replace('+', '')\ndf['a'] = df['a'].astype(int)",), found=((0, 1),)),
        Example(cells=("df = pd.get_dummies(df, columns=['city'])",), found=((0, 1),)),
        Example(cells=("X = X.values.reshape(-1, 28, 28)",), found=((0, 1),)),
        Example(cells=("df['size'] = df['size'].str.replace('cm', '').astype(float)",), found=((0, 1),)),
        Example(cells=("X_train, X_val = train_test_split(X_train)",), found=((0, 1),)),
        Example(cells=("import numpy as np\ndf.loc[df.b == 1, 'a'] = np.log(df['a'])",), found=((0, 2),)),
        # Frames in a loop.
        Example(cells=("for d in [train, test]:\n    d.drop('id', axis=1, inplace=True)",), found=((0, 2),)),
        # Each run loses the last row once more.
        Example(cells=("df['next'] = df['price'].shift(-1)\ndf = df.dropna()",), found=((0, 1),)),
        # The bounds move with the rows.
        Example(
            cells=("q = df['a'].quantile(0.99)\nhigh = q * 1.5\ndf = df[df['a'] < high]",),
            found=((0, 3),),
        ),
        # Training goes on.
        Example(
            cells=("from keras.models import Sequential\nm = Sequential()", "m.add(Dense(3))", "m.fit(X, y, epochs=3)"),
            found=((1, 1), (2, 1)),
        ),
        Example(cells=("for x, y in loader:\n    optimizer.zero_grad()\n    optimizer.step()",), found=((0, 3),)),
        Example(
            cells=("both = [train, test]\nfor d in both:\n    d.drop('id', axis=1, inplace=True)",), found=((0, 3),)
        ),
        # What stays outside the notebook.
        Example(cells=("import os\nos.mkdir('out')",), found=((0, 2),)),
        Example(cells=("import mlflow\nwith mlflow.start_run():\n    pass",), found=((0, 2),)),
        Example(cells=("import os\nos.chdir('..')",), found=((0, 2),)),
        Example(cells=("!echo done >> log.txt",), found=((0, 1),)),
        Example(cells=("df.to_sql('t', c)",), found=((0, 1),)),
        Example(cells=("cursor.execute('INSERT INTO t VALUES (1)')",), found=((0, 1),)),
        Example(
            cells=("from pymongo import MongoClient\nrows = MongoClient()['db']['rows']", "rows.insert_one(x)"),
            found=((1, 1),),
        ),
        Example(
            cells=("import boto3\ns3 = boto3.client('s3')", "s3.create_bucket(Bucket='b')", "s3.list_buckets()"),
            found=((1, 1),),
        ),
        # A function that changes the notebook's variables.
        Example(
            cells=("def trim(x, frame):\n    frame.drop(x, inplace=True)", "trim(3, df)", "d = copy()\ntrim(3, d)"),
            found=((1, 1),),
        ),
        Example(
            cells=("df.drop(df[df.a > 3].index, inplace=True)\ndf.drop('b', axis=1, inplace=True)",), found=((0, 2),)
        ),
        Example(cells=("df['a'] = [int(0) if v == 'no' else int(1) for v in df['a']]",), found=((0, 1),)),
        Example(
            cells=("def code(v):\n    if v == 'yes':\n        return 1\n    return 0", "df['a'] = df['a'].apply(code)"),
            found=((1, 1),),
        ),
        Example(cells=("rows = []\ndef read(x):\n    rows.append(x)", "read(3)"), found=((1, 1),)),
    ),
    negative=(
        Example(cells=("scores = []\nfor m in models:\n    scores.append(m)\nn = 0\nn += 1",)),
        Example(cells=("df = df.dropna()\ndf['b'] = df['a'] * 2\ndf['a'] = df['a'].fillna(0)",)),
        Example(cells=("def f(x):\n    x += 1\n    return x",)),
        Example(cells=("df = pd.read_csv('x.csv')\ndf = df.drop(columns=['id'])",)),
        Example(cells=("df = pd.get_dummies(df)\ndf = df.reset_index(drop=True)\ndf = df[:1000]",)),
        Example(cells=("df = df.drop(df[df['age'] > 90].index)\nx.reset_index(drop=True, inplace=True)",)),
        Example(cells=("df['a'] = df['a'].apply(lambda x: 0 if x == 0 else 1)\ndf['b'] = df['b'].str.strip()",)),
        Example(
            cells=("import os\nif not os.path.exists('out'):\n    os.mkdir('out')\nos.makedirs('a', exist_ok=True)",)
        ),
        Example(cells=("from keras.models import Sequential\nm = Sequential()\nm.add(Dense(3))\nm.fit(X, y)",)),
        Example(cells=("m = SVC()", "m.fit(X, y)")),
        Example(cells=("holes = df.isnull().mean()\nmany = holes[holes > 0.9].index\ndf = df.drop(columns=many)",)),
        Example(cells=("df['a'] = (df['a'] - df['a'].mean()) / df['a'].std()",)),
        Example(
            cells=("c = connect()\nc.execute('select * from t')\nc.execute('create table if not exists t (a int)')",)
        ),
        Example(cells=("open('x.txt', 'w')\ndf.to_csv('x.csv')\ndf.to_sql('t', c, if_exists='replace')",)),
    ),
)
