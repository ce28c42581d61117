"""The file of waivers: every slip in it is a sentence that names the entry."""

import pytest

from proveout.errors import ConfigError
from proveout.gate import waivers
from proveout.records.verdict import Waiver

TODAY = "2026-01-31"
GOOD = {
    "check": "checks/test_model.py::test_latency",
    "by": "Ada Lovelace",
    "reason": "The new machines come in March; until then the old ones are slow.",
    "until": "2026-03-31",
}


@pytest.fixture
def load(tmp_path):
    def written(*entries: dict[str, str], text: str = ""):
        lines = "".join(
            "- " + "\n  ".join(f"{key}: {value}" for key, value in entry.items()) + "\n" for entry in entries
        )
        (tmp_path / "waivers.yaml").write_text(lines + text)
        return waivers.load(tmp_path / "waivers.yaml", today=TODAY)

    return written


def test_a_waiver_is_read_as_it_stands(load):
    """A person, a check, a reason and a last day."""
    assert load(GOOD) == (Waiver(**GOOD),)


def test_no_file_is_no_waiver(tmp_path):
    """Most projects have none."""
    assert waivers.load(tmp_path / "waivers.yaml", today=TODAY) == ()


SLIPS = {
    "no name": ({"by": None}, "by: Field required"),
    "an empty name": ({"by": '" "'}, "by: String should have at least 2 characters"),
    "no reason": ({"reason": None}, "reason: Field required"),
    "a short reason": ({"reason": "it is slow"}, "reason: String should have at least 20 characters"),
    "no end": ({"until": None}, "until: Field required"),
    "no date": ({"until": "next year"}, "until: "),
    "a far end": ({"until": "2026-05-02"}, "until: 2026-05-02 is more than 90 days ahead"),
    "no check": ({"check": None}, "check: Field required"),
    "a wildcard": ({"check": '"checks/test_*.py"'}, "check: a wildcard could waive too many checks"),
    "a folder": ({"check": "checks/"}, "check: a whole folder cannot be waived"),
    "the gate itself": ({"check": '"gate::stale-holdout"'}, "check: the gate's own findings"),
    "an unknown key": ({"untill": "2026-03-01"}, "untill: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_by_name(load, slip):
    """Nobody is responsible for an incomplete waiver."""
    change, said = SLIPS[slip]
    entry = {key: value for key, value in {**GOOD, **change}.items() if value is not None}

    with pytest.raises(ConfigError) as refused:
        load(entry)

    assert said in str(refused.value)
    assert "waiver 1" in str(refused.value)


def test_the_last_day_may_be_90_days_ahead(load):
    """A waiver ends on its last day, so that its owner looks again."""
    assert load({**GOOD, "until": "2026-05-01"})[0].until == "2026-05-01"


def test_a_check_has_one_waiver(load):
    """Two ends for one check: which one holds?"""
    with pytest.raises(ConfigError, match=r"waiver 2, for .*test_latency: the check already has a waiver"):
        load(GOOD, GOOD)


def test_a_text_that_is_no_list_is_refused(load):
    """An empty file too: whoever emptied it can delete it."""
    for text in ("", "waivers: none\n", "- [\n"):
        with pytest.raises(ConfigError, match=r"waivers\.yaml"):
            load(text=text)


def test_a_waiver_that_has_ended_is_read_and_does_nothing(load):
    """It is no slip that a day has passed."""
    assert load({**GOOD, "until": "2026-01-30"})[0].until == "2026-01-30"
