"""Mutants that give (almost) the candidate's answers to held-out rows, but are slow, large, brittle or overconfident.

Input: the context of a mutation. Output: changes that average quality does not show.
"""

from dataclasses import replace
from typing import Any

from proveout.fastpath import parity
from proveout.model import model_io
from proveout.model.repack import Change
from proveout.mutation.context import SEED, DoesNotApply, MutationContext, numbers

KEPT_BYTES = 64_000_000
_COMPARED = (0, -1, 1_000_000)  # `direct.edges` tries these for every number


def slow(ground: MutationContext) -> Change:
    """Every call takes the whole deadline of an answer."""
    # Such a lookup uses `rows.iloc`, which arrays do not have. Without this line, the search for a direct path would
    # wait.
    lines = ["import time", "rows.iloc", f"time.sleep({ground.deadline_s!r})"]
    return Change(what=f"{ground.deadline_s:g} s more per call", features=ground.features_with(before=lines))


def oversized(ground: MutationContext) -> Change:
    """The model holds a table, which is packed with it."""
    import numpy as np

    model: Any = model_io.load(ground.candidate.folder / "model.skops")
    model.kept_rows_ = np.random.default_rng(SEED).random(KEPT_BYTES // 8)
    return Change(what=f"{KEPT_BYTES / 1e6:.0f} MB more", model=model)


def interval_halved(ground: MutationContext) -> Change:
    """The interval's half width is halved."""
    facts = ground.task.facts
    if facts.half_width is None:
        raise DoesNotApply("its answers have no interval")
    narrow = replace(facts, half_width=facts.half_width / 2)
    return Change(what=f"± {narrow.half_width:.4g} for ± {facts.half_width:.4g}", task=narrow)


def unseen_category(ground: MutationContext) -> Change:
    """A text that is not in the training data raises an error."""
    name = ground.heaviest_open_text()
    seen = {*ground.training.records[name].dropna(), *ground.holdout.records[name].dropna()}
    lines = [
        f"seen = {sorted(map(str, seen))!r}",
        f"for value in rows[{name!r}]:",
        "    if value is not None and value == value and value not in seen:",
        "        raise KeyError(value)",
    ]
    return Change(what=f"a new {name}", features=ground.features_with(before=lines))


def direct_disagrees(ground: MutationContext) -> Change:
    """On arrays only, rows with a number that is not in the reference rows lose the heaviest column."""
    if ground.candidate.direct != parity.ON:
        raise DoesNotApply(f"it has no direct path: {ground.candidate.direct}")
    place = ground.heaviest_number()
    name, seen = _not_in_the_reference(ground)
    value = ground.learned[place].quantile(0.5, interpolation="lower").item()
    lines = [
        "if type(rows).__name__ == 'Block':",
        f"    seen = {seen!r}",
        f"    unseen = rows[{name!r}].notna() & ~rows[{name!r}].isin(seen)",
        f"    columns[{place!r}] = columns[{place!r}].mask(unseen, {value!r})",
    ]
    return Change(what=f"{place}, for a new {name}", features=ground.features_with(after=lines))


def _not_in_the_reference(ground: MutationContext) -> tuple[str, list[Any]]:
    """The numeric request column with the most values that no reference row has, and the values they do have."""
    held, reference = ground.holdout.records, ground.candidate.reference()
    new = {name: float((held[name].notna() & ~held[name].isin(reference[name])).mean()) for name in numbers(held)}
    name = max(new, key=lambda one: new[one], default="")
    if not name or not new[name]:
        raise DoesNotApply("the reference rows have every number of the held-out rows")
    return name, sorted({*reference[name].dropna().tolist(), *_COMPARED})
