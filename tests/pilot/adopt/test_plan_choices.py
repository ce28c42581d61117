"""The choices on a plan's page are read again as they were written, and what is wrong with them is said."""

import pytest

from proveout.errors import ConfigError
from proveout.pilot.adopt import plan_choices
from proveout.pilot.adopt.plan_choices import ColumnChoice
from proveout.pilot.project_proposal import Bound
from proveout.pilot.table_profile import Column, bounds

COLUMNS = (
    Column(name="Age (years)", kind="number", use="feature", seen="1 to 80", nulls=3, low=1, high=80),
    Column(name="Sex", kind="category", use="feature", seen="2 texts", kinds=("male", "female")),
    Column(name="Id", kind="whole", use="left out", seen="1 to 9", low=1, high=9),
)
BOUNDS = (Bound(name="auc_at_least", value=0.7, reason="measured"),)


def page() -> str:
    made = plan_choices.text(model="model_0", name="titanic", target="Survived", columns=COLUMNS, bounds=BOUNDS)
    return f"# A plan\n\nwords\n\n```toml\n{made}```\n\nmore words\n"


def test_an_unchanged_page_changes_nothing() -> None:
    """Accepting a plan is reading it."""
    found = plan_choices.read(page())

    assert (found.model, found.name, found.target) == ("model_0", "titanic", "Survived")
    assert found.columns["Age (years)"] == ColumnChoice(nullable=True, low=0, high=120)
    assert [bounds(one) for one in found.applied(COLUMNS) if one.low is not None] == [
        bounds(one) for one in COLUMNS if one.low is not None
    ]
    assert [(one.name, one.nullable) for one in found.applied(COLUMNS)] == [(one.name, one.nullable) for one in COLUMNS]
    assert found.bounded(BOUNDS) == BOUNDS


def test_a_person_may_change_ranges_nulls_texts_and_bounds() -> None:
    """What is changed is what the project has."""
    edited = page().replace("high = 120", "high = 99.5").replace("nullable = true", "nullable = false")
    edited = edited.replace('"male", "female",', '"male", "female", "x",').replace("= 0.7", "= 0.8")

    found = plan_choices.read(edited)

    age, sex, _ = found.applied(COLUMNS)
    assert (bounds(age), age.nullable, sex.kinds) == ((0, 99.5), False, ("male", "female", "x"))
    assert found.bounded(BOUNDS)[0].value == 0.8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "no TOML"),
        ("name = 3", "a text is expected"),
        ('[columns."Sex"]\nrange = 3', "takes no range"),
        ('[columns."Sex"]\nnullable = 1', "another type"),
        ('[bounds]\nauc_at_least = "high"', "a number is expected"),
    ],
)
def test_what_is_wrong_with_choices_is_said(text: str, said: str) -> None:
    """An edit that is not understood is no edit that is ignored."""
    with pytest.raises(ConfigError, match=said):
        plan_choices.read(text)


def test_names_that_are_nowhere_are_refused() -> None:
    """A slip in a name would be a choice without effect."""
    with pytest.raises(ConfigError, match="no request column Id"):
        plan_choices.read('[columns."Id"]\nnullable = true').applied(COLUMNS)
    with pytest.raises(ConfigError, match="no check asks for the bound acu"):
        plan_choices.read("[bounds]\nacu = 0.7").bounded(BOUNDS)
