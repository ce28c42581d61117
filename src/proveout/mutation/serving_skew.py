"""Mutants of serving: the model is unchanged, but in serving it gets other inputs than in training.

Input: the context of a mutation. Output: changes to the packed features that run on tables and on arrays.
"""

from typing import Any

from proveout.model.repack import Change
from proveout.mutation.context import SEED, DoesNotApply, MutationContext, clock, numbers, usual

LEAST_MISSING = 0.02  # share of held-out rows without a value from which it matters
HOURS_OFF = 5  # New York and UTC in winter
UNITS = {
    "miles": ("km", 1.609344, 0.0),
    "mph": ("km/h", 1.609344, 0.0),
    "°F": ("°C", 5 / 9, -160 / 9),
    "inches": ("mm", 25.4, 0.0),
    "feet": ("m", 0.3048, 0.0),
    "pounds": ("kg", 0.45359237, 0.0),
    "gallons": ("l", 3.785411784, 0.0),
    "km": ("miles", 1 / 1.609344, 0.0),
    "km/h": ("mph", 1 / 1.609344, 0.0),
    "°C": ("°F", 1.8, 32.0),
    "hours": ("minutes", 60.0, 0.0),
    "minutes": ("seconds", 60.0, 0.0),
}
"""Units that a caller may confuse with the schema's unit: the other unit, a factor, and an offset added after it."""
_LATER = {
    "hours": "({column} + {hours}) % 24",
    "minutes": "({column} + {hours} * 60) % 1440",
    "HHMM": "({column} // 100 + {hours}) % 24 * 100 + {column} % 100",
}


def feature_shuffled(ground: MutationContext) -> Change:
    """In a batch, each row gets another row's value of the heaviest column. A single row keeps its own."""
    name = ground.heaviest()
    lines = [
        "import numpy",
        f"order = numpy.random.default_rng({SEED}).permutation(len(columns))",
        f"columns[{name!r}] = numpy.asarray(columns[{name!r}])[order]",
    ]
    return Change(what=name, features=ground.features_with(after=lines))


def unit_changed(ground: MutationContext) -> Change:
    """One column arrives in another unit."""
    known = {name: UNITS[unit] for name, unit in ground.units.items() if unit in UNITS}
    floats = [name for name in numbers(ground.training.records) if ground.training.records[name].dtype.kind == "f"]
    heavy = [name for name, weight in ground.request_weights.items() if weight > 0]
    described = [name for name in heavy if name in known]
    usual = [name for name in heavy if name in floats and not clock(ground.training.records[name])]
    if not described and not usual:
        raise DoesNotApply("the request has no column of floats that affects the answers")
    name = (described or usual)[0]
    unit, factor, added = known.get(name, ("", *UNITS["miles"][1:]))
    what = f"{name} in {unit} for {ground.units[name]}" if unit else f"{name} times {factor}"
    line = f"rows = rows.assign(**{{{name!r}: rows[{name!r}] * {factor!r} + {added!r}}})"
    return Change(what=what, features=ground.features_with(before=[line]))


def timezone_shifted(ground: MutationContext) -> Change:
    """Every time of day in a request is some hours off."""
    clocks = ground.clocks()
    if clocks:
        lines = [_shifted("rows", name, how) for name, how in clocks.items()]
        return Change(what=f"{', '.join(clocks)}: {HOURS_OFF} h off", features=ground.features_with(before=lines))
    made = {name: how for name in numbers(ground.learned) if (how := clock(ground.learned[name]))}
    if not made:
        raise DoesNotApply("no numeric column looks like a time of day, by its name (such as hour) and its values")
    lines = [_shifted("columns", name, how) for name, how in made.items()]
    return Change(what=f"{', '.join(made)}: {HOURS_OFF} h off", features=ground.features_with(after=lines))


def _shifted(table: str, name: str, how: str) -> str:
    later = _LATER[how].format(column=f"{table}[{name!r}]", hours=HOURS_OFF)
    return f"{table} = {table}.assign(**{{{name!r}: {later}}})"


def nulls_filled(ground: MutationContext) -> Change:
    """Missing values arrive as 0."""
    held = ground.holdout.records
    floats = [name for name in numbers(held) if held[name].dtype.kind == "f"]
    missing = {name: float(held[name].isna().mean()) for name in floats if ground.request_weights[name] > 0}
    known = [name for name, share in missing.items() if share >= LEAST_MISSING]
    if not known:
        raise DoesNotApply(f"no numeric column that affects the answers is missing in {LEAST_MISSING:.0%} of the rows")
    lines = [f"rows = rows.assign(**{{{name!r}: rows[{name!r}].fillna(0.0)}})" for name in known]
    return Change(what=f"{', '.join(known)}: 0 where it is missing", features=ground.features_with(before=lines))


def feature_frozen(ground: MutationContext) -> Change:
    """The heaviest column is constant in serving, but not in training."""
    name = ground.heaviest()
    value = usual(ground.learned[name])
    shown = f"{value[:20]!r}" if isinstance(value, str) else f"{value:g}"
    return Change(what=f"{name} is always {shown}", features=constant_column(ground, name, value))


def constant_column(ground: MutationContext, name: str, value: Any) -> str:
    """The source of the features, with one model column set to a constant."""
    return ground.features_with(after=[f"columns[{name!r}] = {value!r}"])


def non_deterministic(ground: MutationContext) -> Change:
    """Random noise on the heaviest numeric column, new in each call. Without a numeric column, texts are lost."""
    if not numbers(ground.learned):
        name = ground.heaviest()
        lines = [
            "import numpy",
            "kept = numpy.random.default_rng().random(len(columns)) > 0.1",
            f"columns[{name!r}] = columns[{name!r}].where(kept, {usual(ground.learned[name])!r})",
        ]
        return Change(what=f"a tenth of {name} is lost", features=ground.features_with(after=lines))
    name = ground.heaviest_number()
    spread = float(ground.learned[name].std()) / 10
    lines = [
        "import numpy",
        f"noise = numpy.random.default_rng().normal(0, {spread!r}, len(columns))",
        f"columns[{name!r}] = columns[{name!r}] + noise",
    ]
    return Change(what=f"noise of {spread:.3g} on {name}", features=ground.features_with(after=lines))
