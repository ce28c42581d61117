"""bench/adopt.py: a notebook counts as live only by what the command says at its end."""

import json
import sys
from pathlib import Path

import pytest
from reference_project import ROOT

sys.path.insert(0, str(ROOT / "bench"))

import adopt as bench  # the bench is a folder of scripts

LEAK = "error: n.ipynb cannot be adopted: Ridge (cell 4: predict): the inputs contain the target, 'y'."


@pytest.mark.parametrize(
    ("code", "live", "errors", "outcome"),
    [
        (0, True, "", ("live", "")),
        (0, False, "", ("failed", "it ended without a sentence")),
        (
            1,
            True,
            "error: 3 of 9 held-out rows got another answer",
            ("failed", "3 of 9 held-out rows got another answer"),
        ),
        (1, False, LEAK, ("refused", "Ridge (cell 4: predict): the inputs contain the target, 'y'.")),
        (-1, False, "   cell 3\nerror: it took longer than 9 s", ("failed", "it took longer than 9 s")),
    ],
    ids=["live", "silent", "answers apart", "refused", "too long"],
)
def test_the_end_of_the_command_decides(code: int, live: bool, errors: str, outcome: tuple[str, str]) -> None:
    """A server that runs is no proof of the right answers."""
    assert bench._judged(code, live, errors) == outcome


def test_a_refusal_is_right_only_where_it_is_expected() -> None:
    """A notebook that could be served and is turned away is a miss."""
    made = [
        bench.Outcome(notebook=name, outcome=found, expected=wanted, why="", own_s=3, beyond_s=60)
        for name, found, wanted in (
            ("a", "live", "live"), ("b", "refused", "refused"), ("c", "refused", "live"), ("d", "failed", "refused"),
        )
    ]  # fmt: skip

    assert [one.is_right for one in made] == [True, True, False, False]
    assert "1 of 4 live; live, or refused as expected: 2 (50%)" in bench.table(made)


def test_a_list_names_files_that_are_there(tmp_path: Path) -> None:
    """Relative to the list; with the entry that is wrong."""
    (tmp_path / "a.ipynb").write_text("{}")
    (tmp_path / "list.json").write_text(json.dumps(["a.ipynb", {"path": "a.ipynb", "expected": "refused"}]))

    assert [one.expected for one in bench.read(tmp_path / "list.json")] == ["live", "refused"]
    (tmp_path / "list.json").write_text('[{"repo": "x/y"}]')
    with pytest.raises(SystemExit, match="names no notebook"):
        bench.read(tmp_path / "list.json")
