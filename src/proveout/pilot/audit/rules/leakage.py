"""PA501 leakage."""

from collections.abc import Iterator

from proveout.pilot.audit import estimators, row_statistics
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.data_flow import Fit, Flow, Value, is_model
from proveout.pilot.audit.rule import Example, Hit, Rule

_OF_TARGETS = ("LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer")


def find(analysis: Analysis) -> Iterator[Hit]:
    """What was learned from rows that a split holds out later, and from rows of the test side."""
    flow = analysis.flow
    places: dict[tuple[int, int], str] = {}
    for fit, evidence in (*_on_held_out(flow), *_before_split(flow), *_on_all_rows(flow)):
        places.setdefault((fit.at.cell, fit.at.line), evidence)
    for cell, line, evidence in _statistics(flow):
        places.setdefault((cell, line), evidence)
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _on_held_out(flow: Flow) -> Iterator[tuple[Fit, str]]:
    """Models and resamplers that are fitted on the test side."""
    for fit in flow.fits:
        role = estimators.role(fit.estimator.estimator)
        if fit.on.part != "test":
            continue
        if role in ("model", "search", "network"):
            yield fit, f"{_name(fit)} is fitted on held-out rows ({fit.on_text[:40]})"
        elif role == "resampler":
            yield fit, f"{_name(fit)} draws new rows for the held-out side"


def _before_split(flow: Flow) -> Iterator[tuple[Fit, str]]:
    """Transformers whose output is split afterwards, or that saw all rows although a split was made."""
    targets = _targets(flow)
    for place, fit in enumerate(flow.fits):
        if not _learns(fit, targets):
            continue
        into = [value for split in flow.splits for value in _inputs(split.given) if place in value.fits]
        if any(_same_rows(fit.on, value) for value in into):
            yield fit, f"{_name(fit)} learns from all rows ({fit.on_text[:40]}) before the split holds some out"
        elif _reaches_training(flow, place) and fit.on.part in ("", "whole"):
            yield fit, f"{_name(fit)} learns from all rows ({fit.on_text[:40]}), those held out among them"


def _reaches_training(flow: Flow, place: int) -> bool:
    """Whether a model is trained on one side of a split with what the fit at `place` learned."""
    return any(
        place in model.on.fits and model.on.part == "train" and model.on.split >= 0 and is_model(model.estimator)
        for model in flow.fits
    )


def _on_all_rows(flow: Flow) -> Iterator[tuple[Fit, str]]:
    """A model that is fitted on rows that were split, and then measured on the held-out side."""
    given = {value.held for split in flow.splits for value in split.given if value.held}
    models = [(place, fit) for place, fit in enumerate(flow.fits) if is_model(fit.estimator) and fit.receiver]
    for place, fit in models:
        if fit.on.held not in given or fit.on.part in ("train", "test") or not fit.on_text.isidentifier():
            continue
        if not any((split.cell, split.line) < (fit.at.cell, fit.at.line) for split in flow.splits):
            continue
        again = [other for number, other in models if number > place and other.receiver == fit.receiver]
        until = min(((other.at.cell, other.at.line) for other in again), default=(10**9, 0))
        if any(
            one.model == fit.receiver
            and one.on.part == "test"
            and not one.folds
            and (fit.at.cell, fit.at.line) <= (one.at.cell, one.at.line) < until
            for one in flow.measured
        ):
            yield fit, f"{_name(fit)} is fitted on all rows ({fit.on_text[:40]}), and measured on some of them"


def _statistics(flow: Flow) -> Iterator[tuple[int, int, str]]:
    """Means, quantiles and tables by group of all rows that went into what is split afterwards."""
    for place, statistic in enumerate(flow.statistics):
        at = statistic.at
        before = any((at.cell, at.line) < (split.cell, split.line) for split in flow.splits)
        selects = before and statistic.on.split < 0 and row_statistics.selects_features(statistic.name)
        into = [value for split in flow.splits for value in _inputs(split.given) if place in value.learned]
        if selects or any(_same_rows(statistic.on, value) for value in into):
            what = statistic.name.rpartition(".")[2]
            yield at.cell, at.line, f"{what} of all rows goes into the data before the split holds some out"


def _inputs(given: tuple[Value, ...]) -> tuple[Value, ...]:
    """What a split cuts, without the target and without indices: its first argument."""
    return given[:1]


def _same_rows(learned_on: Value, split: Value) -> bool:
    """Whether something was learned from the rows that a split cuts, and not from another side of an earlier split."""
    return learned_on.part in ("", "whole") or learned_on.part == split.part


def _targets(flow: Flow) -> set[str]:
    """Columns and variables that a model learns to answer."""
    values = [value for split in flow.splits for value in split.given[1:2]]
    found = {name for value in values for name in (value.column, value.held) if name}
    return found | {fit.target_text for fit in flow.fits if fit.target_text.isidentifier()}


def _name(fit: Fit) -> str:
    return fit.estimator.estimator.rpartition(".")[2] or fit.receiver or fit.method


def _learns(fit: Fit, targets: set[str]) -> bool:
    name = fit.estimator.estimator
    role = estimators.role(name)
    if name.endswith(_OF_TARGETS):
        return (fit.on.column or fit.on.held) not in targets
    if role == "pipeline":
        return not is_model(fit.estimator) or not fit.estimator.parts_of
    return role == "resampler" or (role in ("transformer", "clustering") and estimators.learns_from_rows(name))


RULE = Rule(
    code="PA501",
    kind="leakage",
    severity="high",
    title="Held-out rows leak into training",
    why="The model was helped by rows it is then measured on, so in production it is worse than the notebook says.",
    fix="Split first. Fit every transformer on the training rows, best inside a Pipeline with the model.",
    adopt="does",
    adopt_note="Keeps what the pilot learned and says that its metric stands on it; refuses where the target leaks.",
    find=find,
    positive=(
        Example(
            cells=(
                "from sklearn.preprocessing import StandardScaler\ns = StandardScaler()\nX = s.fit_transform(X)",
                "X_train, X_test, y_train, y_test = train_test_split(X, y)",
            ),
            found=((0, 3),),
        ),
        Example(cells=("df['a'] = df['a'].fillna(df['a'].mean())\ntr, te = train_test_split(df)",), found=((0, 1),)),
        Example(
            cells=(
                "m = LogisticRegression()\nX_train, X_test, y_train, y_test = train_test_split(X, y)\n"
                "m.fit(X_test, y_test)",
            ),
            found=((0, 3),),
        ),
        Example(
            cells=(
                "from imblearn.over_sampling import SMOTE\nX2, y2 = SMOTE().fit_resample(X, y)\n"
                "a, b, c, d = train_test_split(X2, y2)",
            ),
            found=((0, 2),),
        ),
        # An encoder of an input.
        Example(
            cells=(
                "e = LabelEncoder()\ndf['city'] = e.fit_transform(df['city'])\nX = df.drop('sold', axis=1)\n"
                "y = df['sold']",
                "X_train, X_test, y_train, y_test = train_test_split(X, y)",
            ),
            found=((0, 2),),
        ),
        # Bounds for outliers by quantiles of all rows.
        Example(
            cells=(
                "low = df['price'].quantile(0.05)\nhigh = np.percentile(df['price'], 95)\n"
                "df = df[(df['price'] > low) & (df['price'] < high)]",
                "a, b = train_test_split(df)",
            ),
            found=((0, 1), (0, 2)),
        ),
        # A table by group, merged or mapped back.
        Example(
            cells=(
                "means = df.groupby('shop')['sales'].mean()\ndf['m'] = df['shop'].map(means)\n"
                "a, b = train_test_split(df)",
            ),
            found=((0, 1),),
        ),
        Example(
            cells=("df['m'] = df.groupby('shop')['sales'].transform('mean')\na, b = train_test_split(df)",),
            found=((0, 1),),
        ),
        # Fitted on all rows, used on the training side.
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\ns = StandardScaler()\ns.fit(X)\n"
                "X_train = s.transform(X_train)\nm = SVC()\nm.fit(X_train, y_train)",
            ),
            found=((0, 3),),
        ),
        # Rows in an order are cut by hand.
        Example(
            cells=(
                "s = MinMaxScaler()\nrows = s.fit_transform(rows)",
                "train, test = rows[:n], rows[n:]\nm = Ridge()\nm.fit(train[:, :3], train[:, 3])",
            ),
            found=((0, 2),),
        ),
        # Columns are ranked by what all rows say.
        Example(
            cells=(
                "from sklearn.feature_selection import chi2\nscores, p = chi2(X, y)",
                "a, b, c, d = train_test_split(X[chosen], y)",
            ),
            found=((0, 2),),
        ),
        # The model has seen the held-out rows.
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\nm = SVC()\nm.fit(X, y)\n"
                "m.score(X_test, y_test)",
            ),
            found=((0, 3),),
        ),
        Example(
            cells=(
                "v = StringIndexer(inputCol='a')\nd = v.fit(d).transform(d)\ntrain, test = d.randomSplit([0.8, 0.2])",
            ),
            found=((0, 2),),
        ),
    ),
    negative=(
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\ns = StandardScaler()\n"
                "X_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)\nm = SVC().fit(X_train, y_train)",
            )
        ),
        Example(
            cells=("y = LabelEncoder().fit_transform(df.y)\nX_train, X_test, y_train, y_test = train_test_split(X, y)",)
        ),
        Example(cells=("s = StandardScaler()\nX = s.fit_transform(X)\nm.fit(X, y)",)),
        # Shown only, by row, or learned from the training side.
        Example(
            cells=(
                "print(df['a'].mean())\ndf['b'] = df[['a', 'c']].mean(axis=1)\ntrain, test = train_test_split(df)\n"
                "train['a'] = train['a'].fillna(train['a'].mean())",
            )
        ),
        # Columns of one side are no other side; both files together are what Kaggle gives.
        Example(
            cells=(
                "s = StandardScaler()\nX_train = s.fit_transform(train[columns])\ny_train = train['y']\n"
                "m.fit(X_train, y_train)",
            )
        ),
        # The target's own encoder, and a table whose rows are the groups.
        Example(
            cells=(
                "df['sold'] = LabelEncoder().fit_transform(df['sold'])\nX = df.drop(columns='sold')\ny = df['sold']\n"
                "a, b, c, d = train_test_split(X, y)",
            )
        ),
        Example(cells=("shops = df.groupby('shop').mean().reset_index()\na, b = train_test_split(shops)",)),
        Example(
            cells=(
                "X_train, X_test, y_train, y_test = train_test_split(X, y)\nm = SVC()\nm.fit(X_train, y_train)\n"
                "m.score(X_test, y_test)\nm.fit(X, y)\nm.predict(new)",
            )
        ),
    ),
)
