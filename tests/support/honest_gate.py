"""An honest project for the gate, its checks as texts to be changed, and how files are put into it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gate_toy import PLUGINS

from proveout import settings

HONEST = """
import pytest
from sklearn.metrics import roc_auc_score

AUC_AT_LEAST = 0.6

def test_auc(candidate, holdout, evidence):
    evidence("auc", roc_auc_score(holdout.labels, candidate.predict(holdout.records)), at_least=AUC_AT_LEAST)

def test_bound():
    assert AUC_AT_LEAST > 0.5

def test_range(candidate, holdout):
    assert (candidate.predict(holdout.records) <= 1).all()
"""
EDGE = """
from proveout import edge_cases as cases

def test_edge_case(edge_case, edge_answers, evidence):
    evidence(cases.demands(edge_case, edge_answers))
"""
LOW = """
- id: low
  reason: Far below everything that was seen.
  author: ada
  date: 2026-01-01
  incident: The answers of the first of January 2026.
  record: {n: 1, x: -5.0}
  expect: {probability: {at_most: 0.2}}
"""
HIGH = (
    LOW.replace("id: low", "id: high").replace("n: 1, x: -5.0", "n: 2, x: 5.0").replace("at_most: 0.2", "at_least: 0.8")
)
WAIVER = """
- check: checks/test_toy.py::test_auc
  by: Ada Lovelace
  reason: The new rows come next week, and until then it is known.
  until: {until}
"""
TOO_MUCH = HONEST.replace("AUC_AT_LEAST = 0.6", "AUC_AT_LEAST = 0.99")


def check(old: str, new: str, *, text: str = HONEST) -> dict[str, str | None]:
    """The honest checks with one thing changed."""
    assert old in text
    return {"checks/test_toy.py": text.replace(old, new)}


def lay(root: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        if text is None:
            (root / name).unlink()
        else:
            (root / name).write_text(text)
    settings._load.cache_clear()


def approve(template: Path, root: Path) -> Path:
    """The honest project in `root`, with its approval."""
    shutil.copytree(template, root)
    lay(root, {"checks/test_toy.py": HONEST})
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PROVEOUT_", "GITHUB_", "PYTEST_"))}
    subprocess.run([sys.executable, "-m", "pytest", "checks"], cwd=root, env={**environment, **PLUGINS}, check=True)
    return root
