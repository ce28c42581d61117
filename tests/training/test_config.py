"""training/config.py: train.toml as people write it, and each wrong value named before anything runs."""

import json

import pytest
from reference_project import ROOT

from proveout import settings
from proveout.errors import ConfigError
from proveout.records.train_config import ColumnSplit, GroupSplit, RandomSplit, TimeSplit, TrainConfig
from proveout.training.config import EXPECTED, SPLITS, parse_config, read_config

TEXT = (ROOT / "flows" / "train.toml").read_text()


def with_line(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


def test_train_toml_is_read_as_toml_and_as_json():
    """Metaflow's Runner hands the configuration on as JSON."""
    parsed = parse_config(TEXT)

    assert parse_config(json.dumps(parsed)) == parsed
    with pytest.raises(ConfigError, match="is not TOML"):
        parse_config("[data\n")


@pytest.mark.parametrize("edit", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_fault(edit):
    """Editors on Windows write both; TOML knows no byte order mark: "Invalid statement (at line 1, column 1)"."""
    assert parse_config(edit(TEXT)) == parse_config(TEXT)


def test_a_byte_order_mark_in_pyproject_is_no_fault(tmp_path):
    """The same editors write pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text("\ufeff[tool.proveout]\n", encoding="utf-8")

    assert settings.find_root(tmp_path) == tmp_path


def test_a_toml_date_becomes_the_text_that_names_the_batch():
    """Dates are real TOML, and Metaflow keeps a configuration as JSON, which has none: it was a bare TypeError."""
    parsed = parse_config(
        with_line('train_through = "2013-04"', "train_through = 2013-04-30").replace(
            "seed = 0", "seed = 0\nsince = [2013-01-01, 2013-01-01T06:30:00Z, 06:30:00]"
        )
    )

    assert parsed["split"]["train_through"] == "2013-04-30"
    assert parsed["parameters"]["since"] == ["2013-01-01", "2013-01-01T06:30:00+00:00", "06:30:00"]
    assert json.loads(json.dumps(parsed)) == parsed


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[evaluation]", "[evaluations]", r"\[evaluations\] is unknown"),
        ("threads = 2", "thread = 2", r"\[infrastructure\] takes no thread: it takes cpu, memory_mb, threads"),
        ("seed = 0", 'features_path = "x"', r"\[parameters\] sets features_path"),
        ("[split]", "[splits]", r"there is no table \[split\], which says which rows are held out"),
        ('version = "latest"', 'holdout = "2013-05"', r"\[data\] takes no holdout: it takes version"),
        ('kind = "time"', "", r'\[split\] lacks kind: "time", "random", "group", "column" or "notebook"'),
        ('kind = "time"', "kind = [1]", r'\[split\] kind is \[1\]: "time", .*"column" or "notebook" is expected'),
        (
            'kind = "time"',
            'kind = "random"',
            r'\[split\] of kind "random" takes no train_through: it takes holdout_share',
        ),
        ('train_through = "2013-04"', "", r'\[split\] of kind "time" lacks train_through'),
        ('holdout = "2013-05"', "holdout = 201305", r"\[split\] holdout is 201305: a text in quotes is expected"),
        ('version = "latest"', 'version = ""', r'\[data\] version is "": a text in quotes'),
        ("timeout_s = 600", 'timeout_s = "600"', r'\[infrastructure\] timeout_s is "600": a number above 0'),
        ("cell_timeout_s = 300", "cell_timeout_s = inf", r"cell_timeout_s holds a number that is not finite"),
        ("cpu = 2", "cpu = 0", r"\[infrastructure\] cpu is 0: a number above 0"),
        ("memory_mb = 4096", "memory_mb = 4096.5", r"memory_mb is 4096.5: a whole number, 1 or more"),
        ("threads = 2", "threads = true", r"threads is true: a whole number, 1 or more"),
        ("retries = 1", "retries = 9", r"retries is 9: a whole number from 0 to 4"),
        ("threshold = 0.5", "threshold = 50", r"\[decision\] threshold is 50: a number from 0 to 1"),
        ("auc_at_least = 0.70", "auc_at_least = 2013-04-30", r'auc_at_least is "2013-04-30": a number, a text'),
        ("auc_at_least = 0.70", "auc_at_least = nan", r"\[evaluation\] auc_at_least holds a number"),
        ("seed = 0", "seed = [[1, nan]]", r"\[parameters\] seed holds a number that is not finite"),
        ("[parameters]", "[[parameters]]", r"\[parameters\] is not a table"),
    ],
)
def test_what_is_wrong_in_train_toml_is_named(old, new, problem):
    """Before anything runs, not as a KeyError in the fourth step, nor as a ValueError of Metaflow's."""
    with pytest.raises(ConfigError, match=problem):
        parse_config(with_line(old, new))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("holdout_share = 1", "holdout_share is 1: a number above 0 and below 1"),
        ("holdout_share = 0.0", "holdout_share is 0.0: a number above 0 and below 1"),
        ("seed = -1", "seed is -1: a whole number, 0 or more"),
        ("stratify = 1", "stratify is 1: true or false"),
        ('column = "customer"', 'of kind "random" takes no column'),
    ],
)
def test_what_is_wrong_in_a_random_split_is_named(line, problem):
    """A share of 1 would leave nothing to learn from."""
    with pytest.raises(ConfigError, match=problem):
        parse_config(f'[split]\nkind = "random"\n{line}\n')


def test_a_split_is_all_that_has_to_be_said():
    """Which rows are held out is a choice that nobody can make for the author; all else has a usual value."""
    config = read_config(parse_config('[split]\nkind = "random"\n'))

    assert config == TrainConfig(split=RandomSplit(holdout_share=0.2, seed=0, stratify=False))
    assert read_config(parse_config('[split]\nkind = "group"\ncolumn = "customer"\nseed = 7\n')).split == GroupSplit(
        column="customer", seed=7
    )
    assert read_config(parse_config('[split]\nkind = "column"\ncolumn = "fold"\n')).split == ColumnSplit(column="fold")


def test_the_record_says_what_the_file_says():
    """The steps of a run are handed the record."""
    config = read_config(parse_config(TEXT))

    assert config.split == TimeSplit(train_through="2013-04", holdout="2013-05")
    assert (config.infrastructure.threads, config.decision.threshold, config.parameters["max_iter"]) == (2, 0.5, 150)
    assert config.evaluation["auc_at_least"] == 0.70


@pytest.mark.parametrize("text", ["", "5", "[]", "data = 5", '"train.toml"'])
def test_a_file_without_tables_lacks_them(text):
    """JSON and TOML both know files that hold no table at all."""
    with pytest.raises(ConfigError, match=r"no table"):
        parse_config(text)


def test_every_key_of_train_toml_is_in_the_docs():
    """docs/training.md is where one looks for what a key may hold."""
    page = (ROOT / "docs" / "training.md").read_text()

    tables = {f"`[{table}]`": keys for table, keys in EXPECTED.items()}
    tables |= {f'`[split]` `kind = "{kind}"`': keys for kind, keys in SPLITS.items()}
    for table, keys in tables.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {table} "))
        assert all(f"`{key}`" in line for key in keys), line
