"""Edge cases: a file that people write, read strictly."""

import textwrap
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import pytest

from proveout.errors import ConfigError
from proveout.gate import cases
from proveout.settings import load, load_object

ROOT = Path(__file__).parents[1]
CASE = {"id": "calm", "reason": "A reason that is long enough.", "record": {"hour": 6, "wind": None}}


class Request(pa.DataFrameModel):
    hour: int = pa.Field(ge=0, le=23)
    wind: float = pa.Field(nullable=True, ge=0)

    class Config:
        coerce = True
        strict = True


@pytest.fixture
def file(tmp_path):
    """Write the text of a YAML file."""

    def write(text: str) -> Path:
        path = tmp_path / "edge_cases.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


GOOD = """
    - id: calm
      reason: Nothing has gone wrong yet in the morning.
      record: {hour: 6, wind: null}
      expect: {probability: {at_most: 0.3}}
    - id: storm
      reason: A storm in the evening is worse than that.
      record: {hour: 20, wind: 40}
      expect: {higher_than: [calm]}
"""


def test_a_good_file_becomes_cases_and_a_frame(file):
    """One row per case, in order, with the columns of a request."""
    known = cases.load(file(GOOD), Request)

    assert [case.id for case in known] == ["calm", "storm"]
    asked = cases.frame(known, columns=("wind", "hour"))
    assert list(asked.columns) == ["wind", "hour"]
    assert pd.isna(asked.loc[0, "wind"])
    assert asked.loc[1, "hour"] == 20


def test_a_case_asks_for_bounds_and_for_a_lead(file):
    """A tie is no lead: a model that does not see the storm is not to pass."""
    calm, storm = cases.load(file(GOOD), Request)

    (bounds,) = cases.demands(calm, {"calm": 0.4, "storm": 0.4})
    _, lead = cases.demands(storm, {"calm": 0.4, "storm": 0.4})

    assert (bounds.value, bounds.at_least, bounds.at_most) == (0.4, 0.0, 0.3)
    assert lead.value < lead.at_least


def test_same_as_allows_no_difference(file):
    """What the model cannot know must not change its answer."""
    text = GOOD.replace("higher_than", "same_as")

    _, distance = cases.demands(cases.load(file(text), Request)[1], {"calm": 0.4, "storm": 0.5})

    assert distance.value == pytest.approx(0.1)
    assert distance.value > distance.at_most


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("reason: Nothing has gone wrong yet in the morning.", "", "calm: reason"),
        ("reason: Nothing has gone wrong yet in the morning.", "reason: because", "calm: reason"),
        ("at_most", "atmost", "expect.probability.atmost"),
        ("expect: {probability", "expects: {probability", "expects"),
        ("at_most: 0.3", "at_most: 30", "at_most"),
        ("{probability: {at_most: 0.3}}", "{}", "expects nothing"),
        ("id: storm", "id: calm", "the id calm is there twice"),
        ("id: storm", "id: Storm 1", "id"),
        ("[calm]", "[clam]", "clam, which is no other case"),
        ("[calm]", "[storm]", "storm, which is no other case"),
        ("hour: 20, wind: 40", "hour: 6, wind: null", "calm and storm have the same record"),
        ("hour: 20, wind: 40", "hour: 20", "differ in wind"),
        ("hour: 20, wind: 40", "hour: 20, wind: 40, gust: 3", "differ in gust"),
        ("hour: 20", "hour: 25", "hour = 25"),
        ("hour: 20", "hour: '20'", "hour = '20' is no number"),
        ("hour: 20,", "hour: 20, hour: 21,", "hour given twice"),
        ("hour: 20", "hour: null", "storm"),
        ("- id: calm", "- [id: calm", "is not YAML"),
    ],
)
def test_a_slip_in_the_file_is_an_error_that_names_it(file, old, new, said):
    """A case that is misspelled tests nothing, and nobody notices."""
    assert old in GOOD

    with pytest.raises(ConfigError) as raised:
        cases.load(file(GOOD.replace(old, new, 1)), Request)

    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "calm: 1", "- 3"])
def test_a_file_that_is_no_list_of_cases_is_an_error(file, text):
    """Emptied by a merge, it would approve anything."""
    with pytest.raises(ConfigError):
        cases.load(file(text), Request)


def test_a_missing_file_says_where_it_is_named(tmp_path):
    """The path stands in pyproject.toml."""
    with pytest.raises(ConfigError, match="edge_cases"):
        cases.load(tmp_path / "none.yaml", Request)


def test_the_reference_project_has_enough_cases_and_each_says_why():
    """At least 25 real ones, as promised; the loader has proven the rest."""
    settings = load(ROOT)

    known = cases.load(settings.root / settings.edge_cases, load_object(settings.request_schema, settings.root))

    assert len(known) >= 25
    assert len({case.reason for case in known}) == len(known)
