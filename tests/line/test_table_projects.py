"""A table, two commands: `proveout init --table`, then the demo, and nothing edited in between."""

import re
import shutil
import subprocess
import sys

import pytest
import small_tables
from reference_project import SAME_IN_EVERY_PROJECT

PROVEOUT = ("-m", "proveout")
TABLES = {
    "churn": (small_tables.churn, "churn"),
    "price": (small_tables.price, "price"),
    "cut": (small_tables.quality, "cut"),
}


def run(folder, *command: str) -> str:
    ended = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    return ended.stdout


@pytest.mark.long
def test_a_table_comes_to_an_approved_model_with_no_file_edited(tmp_path):
    """Of five classes. What was proposed for it holds; the rest of its checks/ is of every project, and in the demos of
    `make chaos`."""
    small_tables.quality().to_csv(tmp_path / "table.csv", index=False)

    laid_out = run(tmp_path, *PROVEOUT, "init", "cut", "--table", "table.csv", "--target", "cut")
    project = tmp_path / "cut"
    same = shutil.ignore_patterns(*SAME_IN_EVERY_PROJECT)
    shutil.copytree(project / "checks", project / "own_checks", ignore=same)
    run(project, "flows/ingest.py", "run")
    told = run(project, "flows/train.py", "run", "--checks", "own_checks")

    assert "next: cd cut && make demo" in laid_out
    assert re.search(r"approved +\S+@\w{12} +(\d+) of \1 checks passed, 0 failed, 0 unproven", told)


@pytest.mark.long
@pytest.mark.chaos
@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_to_a_live_endpoint_with_no_file_edited(name, tmp_path):
    """Approved by its own checks, released, asked while its worker was killed, watched."""
    make, target = TABLES[name]
    make().to_csv(tmp_path / "table.csv", index=False)

    laid_out = run(tmp_path, *PROVEOUT, "init", name, "--table", "table.csv", "--target", target)
    told = run(tmp_path / name, *PROVEOUT, "demo")

    assert f"next: cd {name} && make demo" in laid_out
    assert "0 failed, 0 unproven" in told and "The worker was killed on the way: no request failed." in told


@pytest.mark.long
@pytest.mark.chaos
def test_free_text_in_several_parquet_files_comes_to_a_live_endpoint_with_no_file_edited(tmp_path):
    """Texts of more than 1,000 characters, decimals, names with quotes, and a column that says who is held out."""
    table = small_tables.tickets()
    for place, name in enumerate(("2024-01", "2024-02", "2024-03")):
        table.iloc[place::3].to_parquet(tmp_path / f"{name}.parquet")

    options = ("--table", "*.parquet", "--target", "queue", "--split", "column:sample")
    run(tmp_path, *PROVEOUT, "init", "queue", *options)
    told = run(tmp_path / "queue", *PROVEOUT, "demo")

    assert "0 failed, 0 unproven" in told and "The worker was killed on the way: no request failed." in told
