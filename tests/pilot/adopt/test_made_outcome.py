"""Outcomes that the pilot's own statements make: what a caller is answered, and what the monitor compares it with."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from proveout.pilot.adopt import made_outcome, pilot_quality
from proveout.pilot.adopt.outcome import Outcome, OutcomeUnknown
from proveout.recovery.handed_outcome import TARGET, ClassName, HandedOutcome

TEXT = """\
import pandas as pd
from proveout.recovery.frozen_state import again
COLUMNS = {'home': 'int64', 'away': 'int64'}


def average(row):
    return row['home'] - row['away']


def made_by_pilot(frame):
    return BODY
"""
ROWS = pd.DataFrame({"home": [3, 1, 2, None], "away": [1, 2, 2, 0], "other": [9, 9, None, 9]})


def read(folder: Path, body: str, truth: list[Any], **asked: Any) -> tuple[Outcome, list[Any]]:
    """The outcome, and what it is for four rows, of which the last is not known yet."""
    (folder / TARGET).write_text(TEXT.replace("BODY", body), encoding="utf-8")
    handed = HandedOutcome(
        columns=("home", "away"),
        call="again.outcome(made_by_pilot, rows, COLUMNS)",
        name=asked.pop("name", "gap"),
        names=asked.pop("names", ()),
    )
    found = made_outcome.read(folder, handed, truth, taken={"home", "away", "other"}, **asked)
    return found, [None if pd.isna(one) else one for one in pilot_quality.outcomes(ROWS, found).tolist()]


def test_a_number_of_several_columns(tmp_path: Path) -> None:
    """What is served is in the unit that the pilot made."""
    found, made = read(tmp_path, "frame['home'] - frame['away']", [2, -1, 0], task="regression")

    assert (found.name, found.columns, found.kind) == ("gap", ("home", "away"), "made")
    assert found.unit == "An answer is what the pilot made of home and away, and called gap."
    assert made == [2.0, -1.0, 0.0, None]


def test_a_flag_of_several_columns(tmp_path: Path) -> None:
    """The greater number is the event."""
    body = "(frame['home'] > frame['away']).astype(int)"
    found, made = read(tmp_path, body, [1, 0, 0], task="binary", learned=[0, 1], name="won")

    assert (found.event, found.renamed) == ("won is 1, as the pilot made it of home and away", ())
    assert made == [True, False, False, None]


def test_texts_of_two_classes_get_names_that_tell_the_event(tmp_path: Path) -> None:
    """As where one column holds them."""
    body = "(frame['home'] > frame['away']).map({True: 'yes', False: 'no'})"
    found, made = read(tmp_path, body, ["yes", "no", "no"], task="binary", learned=["no", "yes"], name="won")

    assert [(one.was, one.now) for one in found.renamed] == [("no", False), ("yes", True)]
    assert made == [True, False, False, None]


@pytest.mark.parametrize("can_rename", [True, False])
def test_codes_of_classes_are_answered_by_their_names(tmp_path: Path, can_rename: bool) -> None:
    """A model that cannot rename its classes answers in codes, and what they mean is said."""
    names = tuple(ClassName(code=code, name=name) for code, name in enumerate(["lost", "drawn", "won"]))
    body = "(frame['home'] > frame['away']) + 0 + (frame['home'] >= frame['away'])"
    found, made = read(
        tmp_path, body, [2, 0, 1], task="multiclass", learned=[0, 1, 2], names=names, can_rename=can_rename
    )

    assert found.classes == (("lost", "drawn", "won") if can_rename else (0, 1, 2))
    assert made == [*(["won", "lost", "drawn"] if can_rename else [2, 0, 1]), None]
    assert found.unit == ("" if can_rename else "Classes are the codes of the pilot: 0 is lost, 1 is drawn, 2 is won.")


@pytest.mark.parametrize(("called", "name"), [("home", "made_home"), ("average", "average_2"), ("", "outcome")])
def test_the_outcome_has_a_name_that_nothing_else_has(tmp_path: Path, called: str, name: str) -> None:
    """Neither a raw column nor a function of the notebook, which the outcome's own would take the place of."""
    found, made = read(tmp_path, "frame.apply(average, axis=1)", [2, -1, 0], task="regression", name=called)

    assert (found.name, made) == (name, [2.0, -1.0, 0.0, None])
    assert "def gap_of_goals(rows" in found.called("gap_of_goals").function
    with pytest.raises(OutcomeUnknown, match="own statements have"):
        found.called("average")


def test_a_row_that_the_statements_raise_for_has_no_outcome(tmp_path: Path) -> None:
    """The pilot filtered such rows out: they cost the others nothing. If all raise, the statements are wrong."""
    body = "frame['home'].map({3: 1, 1: 0}).astype(int)"
    _, made = read(tmp_path, body, [1, 0], task="regression")

    assert made == [1.0, 0.0, None, None]
    found, _ = read(tmp_path, "frame['home']", [1, 0], task="regression")
    wrong = found.function.replace("frame['home']\n", "frame['nowhere']\n")
    with pytest.raises(KeyError):
        exec(f"{wrong}\n\ngap(rows)", {"rows": pd.concat([ROWS] * 9, ignore_index=True), "__name__": "target"})
