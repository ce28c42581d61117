"""Edge cases: a file that people write, read strictly."""

import math
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from reference_project import ROOT

from proveout import edge_cases
from proveout.edge_cases import expectation_syntax
from proveout.errors import ConfigError, UsageError
from proveout.settings import load, load_object
from proveout.task.binary import Binary


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


WRITTEN = "author: ada\n      date: 2026-11-21\n      incident: It was late on that day, says the log of the tower."
GOOD = f"""
    - id: calm
      reason: Nothing has gone wrong yet in the morning.
      {WRITTEN}
      record: {{hour: 6, wind: null}}
      expect: {{probability: {{at_most: 0.3}}}}
    - id: storm
      reason: A storm in the evening is worse than that.
      {WRITTEN}
      record: {{hour: 20, wind: 40}}
      expect: {{higher_than: [calm]}}
"""


def test_a_file_without_cases_is_a_project_in_which_nothing_has_gone_wrong_yet(file):
    """An empty `edge_cases.yaml` broke each check that asks for generated requests, which need no case."""
    assert edge_cases.load(file("# none so far\n"), Request) == ()
    with pytest.raises(ConfigError, match="holds no list of cases"):
        edge_cases.load(file("calm: {hour: 6}\n"), Request)


class Straight:
    """A model whose answer is what `answer` makes of a record; it counts how often it was asked."""

    request_columns = ("hour", "wind")
    task = Binary(0.5)

    def __init__(self, answer):
        self.answer, self.batches = answer, 0

    def predict(self, records):
        self.batches += 1
        return np.array([self.answer(record) for record in records.to_dict("records")])


def demanded(file, text, answer):
    """What each case of a file demands of a model, and whether it holds, by id and name."""
    known = edge_cases.load(file(text), Request)
    answers = edge_cases.ask(known, Straight(answer))
    return {(case.id, one.name): one for case in known for one in edge_cases.demands(case, answers)}


def storm(expect):
    """The good file, its second case expecting something else."""
    return GOOD.replace("{higher_than: [calm]}", expect)


def test_a_good_file_becomes_cases_and_a_frame(file):
    """One row per case, in order, with the columns of a request."""
    known = edge_cases.load(file(GOOD), Request)

    assert [case.id for case in known] == ["calm", "storm"]
    asked = edge_cases.frame(known, columns=("wind", "hour"))
    assert list(asked.columns) == ["wind", "hour"]
    assert pd.isna(asked.loc[0, "wind"])
    assert asked.loc[1, "hour"] == 20


def test_a_case_asks_for_bounds_and_for_a_lead(file):
    """A tie is no lead: a model that does not see the storm is not to pass."""
    found = demanded(file, GOOD, lambda record: 0.4)

    bounds, lead = found["calm", "probability"], found["storm", "lead over calm"]
    assert (bounds.value, bounds.at_least, bounds.at_most, bounds.slice) == (0.4, 0.0, 0.3, "calm")
    assert lead.breaks


def test_same_as_allows_no_difference(file):
    """What the model cannot know must not change its answer."""
    distance = demanded(file, storm("{same_as: [calm]}"), lambda record: record["hour"] / 100)[
        "storm", "distance to calm"
    ]

    assert distance.value == pytest.approx(0.14)
    assert distance.breaks


@pytest.mark.parametrize(
    ("label", "answer", "holds"),
    [("true", 0.5, True), ("true", 0.499, False), ("false", 0.499, True), ("false", 0.5, False)],
)
def test_a_label_is_asked_at_the_models_own_threshold(file, label, answer, holds):
    """At the threshold itself the label is true, as it is in the server."""
    found = demanded(file, storm(f"{{label: {label}}}"), lambda record: answer)

    assert found["storm", f"probability, to be called {label}"].holds is holds


def test_a_change_that_must_not_matter_changes_nothing(file):
    """The record is asked again with the change in it, null too."""
    text = storm("{same_under: [{wind: null}, {hour: 21, wind: 41}]}")

    blind = demanded(file, text, lambda record: 0.2)
    seeing = demanded(file, text, lambda record: 0.2 if math.isnan(record["wind"]) else 0.9)

    assert all(one.holds for one in blind.values())
    assert [name for (_, name), one in seeing.items() if one.breaks] == ["distance under wind=null"]


def test_raising_a_field_must_not_lower_the_answer(file):
    """The farthest fall counts, from any value to any later one: three small steps down are a long way."""
    text = storm("{not_lower_when: {wind: [10, 20, 30, 50]}}")

    rises = demanded(file, text, lambda record: record["wind"] / 100)
    falls = demanded(file, text, lambda record: {10: 0.30, 20: 0.32, 30: 0.31, 50: 0.29}.get(record["wind"], 0.5))

    name = "fall while wind rises from 10 to 50"
    assert rises["storm", name].holds
    assert falls["storm", name].breaks
    assert falls["storm", name].value == pytest.approx(0.03)
    assert falls["storm", name].decision == "0.32 at 20, 0.29 at 50"


def test_raising_a_field_must_not_raise_the_answer(file):
    """The other direction; and a tolerance that the file states lets a small step pass."""
    text = storm("{not_higher_when: {wind: {through: [10, 20], tolerance: 0.02}, hour: [1, 2]}}")

    found = demanded(file, text, lambda record: 0.1 if math.isnan(record["wind"]) else record["wind"] / 1000)
    steep = demanded(file, text, lambda record: record["wind"] / 100)

    assert all(one.holds for one in found.values())
    assert found["storm", "rise while wind rises from 10 to 20"].at_most == 0.02
    assert steep["storm", "rise while wind rises from 10 to 20"].breaks


@pytest.mark.parametrize(
    "expect",
    [
        "{probability: {at_most: 1.0}}", "{label: false}", "{label: true}", "{higher_than: [calm]}",
        "{same_as: [calm]}", "{same_under: [{wind: 1}]}", "{not_lower_when: {wind: [1, 2]}}",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_number_keeps_no_demand(file, expect):
    """NaN is below nothing and above nothing: every comparison with it is false, in a model that broke."""
    found = demanded(file, storm(expect), lambda record: math.nan)

    assert all(one.breaks for (case, _), one in found.items() if case == "storm")


def test_all_records_are_asked_in_one_batch(file):
    """Fifty cases with their changes would be hundreds of calls."""
    known = edge_cases.load(
        file(storm("{same_under: [{wind: 1}, {wind: 2}], not_lower_when: {hour: [1, 2, 3]}}")), Request
    )
    model = Straight(lambda record: 0.5)

    answers = edge_cases.ask(known, model)

    assert model.batches == 1
    assert len(answers.scores) == 2 + 2 + 3


def test_a_digest_is_over_what_is_tested_and_not_over_how_it_is_told(file):
    """A better reason is no weaker case; another record or another bound is another case."""
    calm, other = edge_cases.load(file(GOOD), Request)
    told = edge_cases.load(
        file(GOOD.replace("Nothing has", "Little has").replace("ada", "bob").replace("40}", "40.0}")), Request
    )
    weaker = edge_cases.load(
        file(GOOD.replace("at_most: 0.3", "at_most: 0.4").replace("hour: 20", "hour: 21")), Request
    )

    assert (
        edge_cases.suite(told)
        == edge_cases.suite((calm, other))
        == {"calm": edge_cases.digest(calm), "storm": edge_cases.digest(other)}
    )
    assert edge_cases.digest(weaker[0]) != edge_cases.digest(calm)
    assert edge_cases.digest(weaker[1]) != edge_cases.digest(other)


def test_expectations_are_written_in_one_line_and_read_back():
    """What `cases list` shows is what `cases add --expect` takes."""
    lines = (
        "label true", "probability at_least 0.2", "probability at_most 0.9", "higher_than calm", "same_as other",
        "same_under tailnum=null,flight=12", "not_lower_when precip=0,0.1,0.5",
        "not_higher_when visib=1,3 tolerance 0.05",
    )  # fmt: skip

    assert expectation_syntax.lines(expectation_syntax.expectation(lines)) == lines


@pytest.mark.parametrize(
    "line",
    [
        "", "label", "label a b", "probability 0.3", "probability at_most 3", "higher_than", "same_under wind",
        "not_lower_when wind=3,2", "not_lower_when wind=3", "not_lower_when wind=1,2 within 3", "lower_than calm",
        "not_lower_when wind=a,b",
    ],
)  # fmt: skip
def test_a_line_that_means_nothing_is_refused_with_those_that_do(line):
    """A typing error on the command line must not become a case that expects something else."""
    with pytest.raises(UsageError, match="not_lower_when FIELD"):
        expectation_syntax.expectation([line])


def test_two_lines_that_contradict_each_other_are_refused():
    """The later one would quietly win."""
    with pytest.raises(UsageError, match="true and false"):
        expectation_syntax.expectation(["label true", "label false"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("reason: Nothing has gone wrong yet in the morning.", "", "calm: reason"),
        ("reason: Nothing has gone wrong yet in the morning.", "reason: because", "calm: reason"),
        ("at_most", "atmost", "expect.probability.atmost"),
        ("expect: {probability", "expects: {probability", "expects"),
        ("author: ada", "", "calm: author"),
        ("author: ada", "author: ''", "calm: author"),
        ("date: 2026-11-21", "", "calm: date"),
        ("date: 2026-11-21", "date: yesterday", "calm: date"),
        ("date: 2026-11-21", "date: 2026-02-30", "is not YAML"),
        ("incident: It was late on that day, says the log of the tower.", "", "either `incident` or `request`"),
        ("incident: It", "request: 12\n      incident: It", "request"),
        ("incident: It", "request: r-12\n      incident: It", "either `incident` or `request`"),
        ("incident: It was late on that day, says the log of the tower.", "incident: late", "calm: incident"),
        ("{at_most: 0.3}", "{at_least: 0.4, at_most: 0.3}", "nothing lies between"),
        ("{at_most: 0.3}", "{at_most: true}", "at_most"),
        ("{higher_than: [calm]}", "{label: 1.5}", "expect.label"),
        ("{higher_than: [calm]}", "{label: [a]}", "expect.label"),
        ("{higher_than: [calm]}", "{same_under: []}", "expects nothing"),
        ("{higher_than: [calm]}", "{same_under: [{}]}", "same_under"),
        ("{higher_than: [calm]}", "{same_under: [{wind: 40.0}]}", "same_under wind=40.0 changes nothing"),
        ("{higher_than: [calm]}", "{same_under: [{gust: 1}]}", "it changes gust"),
        ("{higher_than: [calm]}", "{same_under: [{hour: 24}]}", "storm with hour=24"),
        ("{higher_than: [calm]}", "{same_under: [{wind: '1'}]}", "storm with wind=1"),
        ("{higher_than: [calm]}", "{not_lower_when: {wind: [1]}}", "not_lower_when.wind"),
        ("{higher_than: [calm]}", "{not_lower_when: {wind: [2, 1]}}", "above the one before"),
        ("{higher_than: [calm]}", "{not_lower_when: {wind: [1, 1]}}", "above the one before"),
        ("{higher_than: [calm]}", "{not_lower_when: {wind: ['1', 2]}}", "not_lower_when.wind"),
        ("{higher_than: [calm]}", "{not_lower_when: {hour: [1, 24]}}", "storm with hour=24"),
        ("{higher_than: [calm]}", "{not_lower_when: {gust: [1, 2]}}", "it changes gust"),
        (
            "{higher_than: [calm]}",
            "{not_higher_when: {wind: {through: [1, 2], within: 3}}}",
            "not_higher_when.wind.within",
        ),
        ("wind: 40", "wind: .inf", "wind is no finite number"),
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
        edge_cases.load(file(GOOD.replace(old, new, 1)), Request)

    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["calm: 1", "- 3"])
def test_a_file_that_is_no_list_of_cases_is_an_error(file, text):
    """It would approve anything. One that a merge has emptied is refused as long as a verdict remembers its cases."""
    with pytest.raises(ConfigError):
        edge_cases.load(file(text), Request)


def test_a_missing_file_says_where_it_is_named(tmp_path):
    """The path stands in pyproject.toml."""
    with pytest.raises(ConfigError, match="edge_cases"):
        edge_cases.load(tmp_path / "none.yaml", Request)


def test_the_reference_project_has_enough_cases_and_each_says_why():
    """At least 25 real ones, as promised; the loader has proven the rest."""
    settings = load(ROOT)

    known = edge_cases.load(settings.root / settings.edge_cases, load_object(settings.request_schema, settings.root))

    assert len(known) >= 25
    assert len({case.reason for case in known}) == len(known)


def test_a_label_that_the_projects_task_does_not_have_is_told_when_the_file_is_read(file):
    """`label: 'true'` is a class called so, and no yes: in a binary project it would never hold."""
    text = GOOD.replace("{higher_than: [calm]}", "{label: 'true'}")

    assert edge_cases.load(file(text), Request)[1].expect.label == "true"
    with pytest.raises(ConfigError, match="storm: expects the label of a class, and the task is binary"):
        edge_cases.load(file(text), Request, task=Binary())
