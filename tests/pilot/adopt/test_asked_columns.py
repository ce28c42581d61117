"""What a request may hold is tried out on the model: what has no answer is not let in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from proveout.pilot import schema_proposal, table_profile
from proveout.pilot.adopt import asked_columns
from proveout.pilot.adopt.asked_columns import OutcomeAsked
from proveout.pilot.adopt.recovered_model import OpenModel
from proveout.pilot.table_profile import Column

ROWS = 60


class _Sum:
    """A model that refuses what scikit-learn's do: holes and infinities."""

    def predict(self, inputs: pd.DataFrame) -> Any:
        values = inputs.to_numpy(dtype=float)
        if not np.isfinite(values).all():
            raise ValueError("Input contains NaN or infinity")
        return values.sum(axis=1)


def _read(
    features: Callable[[pd.DataFrame], pd.DataFrame],
    outcome: tuple[str, ...] = ("price",),
    *,
    broken: dict[int, str] | None = None,
) -> dict[str, Column]:
    rng = np.random.default_rng(4)
    raw = pd.DataFrame({
        "rooms": rng.integers(1, 9, ROWS),
        "area": rng.normal(90, 20, ROWS).round(1),
        "engine": [f"{size} CC" for size in rng.choice([998, 1248, 1498], ROWS)],
        "note": [f"{word} it" for word in rng.choice(["sell", "keep"], ROWS)],
        "cut": pd.Categorical(rng.choice(["fair", "good"], ROWS), ["good", "fair"]),
        "price": rng.normal(100, 9, ROWS),
        "number": range(100, 100 + ROWS),
    })  # fmt: skip
    for place, text in (broken or {}).items():
        raw.loc[place, "engine"] = text
    side = pd.Series(["train"] * 40 + ["holdout"] * 20, dtype=object)
    held = pd.DataFrame({"row": range(40, ROWS), "answer": 0.0, "truth": 0.0})
    opened = OpenModel(folder=Path(), raw=raw, side=side, held_out=held, features=features, model=_Sum())
    return {one.name: one for one in asked_columns.read(opened, outcome)}


def test_what_is_tried_says_nothing(recwarn: pytest.WarningsRecorder) -> None:
    """The logarithm of a value that no row of the pilot has is a warning that nobody can act on."""
    _read(lambda rows: pd.DataFrame({"log": np.log(rows["rooms"])}))

    assert not recwarn.list


def test_a_number_that_it_divides_by_keeps_the_range_that_was_seen() -> None:
    """Others may be a little outside of it, as a request of tomorrow will be."""
    found = _read(lambda rows: pd.DataFrame({"each": rows["area"] / rows["rooms"]}))

    rooms, area = found["rooms"], found["area"]
    assert table_profile.bounds(rooms) == (rooms.low, rooms.high) == (1, 8)
    assert area.low is not None
    assert table_profile.bounds(area)[0] < area.low
    assert (found["engine"].use, found["note"].use) == ("left out", "left out")


def test_labels_that_the_statements_join_by_are_not_asked_for() -> None:
    """As an id that became the index: tried with a label twice, each of its rows would be joined with both."""

    def joined(rows: pd.DataFrame) -> pd.DataFrame:
        labelled = rows.assign(number=rows.get("number", pd.Series(range(len(rows))))).set_index("number")
        return labelled[["area"]].join(labelled[["rooms"]]).reset_index(drop=True)

    found = _read(joined)

    assert {name for name, one in found.items() if one.use == "feature"} == {"area", "rooms"}


def test_numbers_that_have_no_answer_together_keep_the_range_that_was_seen() -> None:
    """The area alone may be a little smaller, and the rooms a few more."""
    usual = {name: table_profile.bounds(one) for name, one in _read(lambda rows: rows[["area", "rooms"]]).items()
             if one.use == "feature"}  # fmt: skip
    least, most = usual["area"][0], usual["rooms"][1]
    rest = 10 * (8 + most) / 2 - least  # enough for a small area of eight rooms

    found = _read(lambda rows: pd.DataFrame({"left": np.log((rows["area"] + rest - 10 * rows["rooms"]).clip(lower=0))}))

    now = (table_profile.bounds(found["area"])[0], table_profile.bounds(found["rooms"])[1])
    assert (least, most) != now
    assert now in {(least, found["rooms"].high), (found["area"].low, most)}


@pytest.mark.parametrize(
    ("features", "kind", "texts"),
    [
        (lambda rows: pd.DataFrame({"cc": rows["engine"].str.split().str[0].astype(float)}), "category", 3),
        (lambda rows: pd.DataFrame({"length": rows["engine"].str.len().astype(float)}), "prose", 0),
    ],
    ids=["cut into words", "of any form"],
)
def test_a_text_of_a_form_that_has_no_answer_is_not_let_in(features: Any, kind: str, texts: int) -> None:
    """An empty text in the place of `1248 CC` raises in the author's own line."""
    found = _read(features)["engine"]

    assert (found.use, found.kind, len(found.kinds)) == ("feature", kind, texts)


def test_a_text_of_a_row_that_was_mended_by_hand_is_not_let_in() -> None:
    """The notebook overwrote it in its row; in a row of tomorrow it cannot be read."""

    def numbers(rows: pd.DataFrame) -> pd.DataFrame:
        mended = rows["engine"].mask(rows.index == 7, "998 CC") if len(rows) == ROWS else rows["engine"]
        return pd.DataFrame({"cc": mended.str.removesuffix(" CC").astype(float)})

    found = _read(numbers, broken={7: "no"})["engine"]

    assert {*found.kinds} == {"998 CC", "1248 CC", "1498 CC"}
    assert "no answer to 'no', seen in rows of the pilot" in found.decided


def test_categories_that_are_texts_are_asked_for_as_texts() -> None:
    """Data sets of seaborn have them."""
    found = _read(lambda rows: pd.DataFrame({"good": (rows["cut"] == "good").astype(float)}))["cut"]

    assert (found.use, found.kind, {*found.kinds}, found.longest) == ("feature", "category", {"fair", "good"}, 4)


def test_no_column_of_the_outcome_is_asked_for() -> None:
    """A caller knows none of them, so the model may be given none, nor what is made of one."""
    assert "area" not in _read(lambda rows: rows[["rooms"]], outcome=("price", "area"))
    with pytest.raises(OutcomeAsked, match="the inputs contain area, of which the outcome is made"):
        _read(
            lambda rows: pd.DataFrame(
                {"half": rows.get("area", pd.Series(0.0, rows.index)) / 2, "rooms": rows["rooms"]}
            ),
            outcome=("price", "area"),
        )


@pytest.mark.parametrize(
    ("features", "holds"),
    [
        (lambda rows: rows["note"].map(len), ""),
        (lambda rows: rows["note"].map(lambda text: len(text) / len(text.split())), r"\S"),
        (lambda rows: rows["note"].map(lambda text: 1 / sum(one.isalpha() for one in text)), r"[^\W\d_]"),
    ],
    ids=["any text", "a text with words", "a text with letters"],
)
def test_a_text_that_has_no_answer_without_words_has_to_hold_some(features: Any, holds: str) -> None:
    """It divides by their number. Each text with words is let in."""
    note = _read(lambda rows: pd.DataFrame({"note": features(rows).astype(float)}))["note"]

    assert (note.kind, note.holds) == ("prose", holds)
    [line] = [one for one in schema_proposal._field(note, "note") if not one.lstrip().startswith("#")]
    assert (f"str_contains={holds!r}" in line) is bool(holds)
