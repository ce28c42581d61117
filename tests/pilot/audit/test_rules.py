"""Each rule finds the code that it says it finds, at the line it says, and leaves the other code alone."""

import json
from pathlib import Path

import pytest

from proveout.pilot.audit import audit
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.notebook_text import read
from proveout.pilot.audit.rule import Example, Rule

KINDS = [
    "absolute-path",
    "data-file",
    "url-read",
    "db-query",
    "cloud-resource",
    "platform-specific",
    "secret",
    "manual-edit",
    "user-input",
    "env-var",
    "wall-clock",
    "implicit-parse",
    "runtime-assumption",
    "kernel-version",
    "undeclared-package",
    "install-cell",
    "shell-escape",
    "magic",
    "local-import",
    "chdir",
    "deprecated-api",
    "exec-order",
    "undefined-name",
    "non-idempotent-cell",
    "name-rebound",
    "unseeded-random",
    "manual-fixup",
    "positional-schema",
    "magic-number",
    "copied-literal",
    "leakage",
    "train-serve-skew",
    "eval-on-train",
    "test-set-reuse",
    "model-not-saved",
    "model-local-save",
    "transformer-not-saved",
    "metric-not-captured",
    "output-write",
    "warnings-suppressed",
    "wildcard-import",
    "no-function-boundary",
]


def notebook(folder: Path, example: Example) -> Path:
    """A notebook with the cells of an example, in a folder of its own."""
    given = dict(example.metadata)
    counts = [int(count) for count in given["counts"].split(",")] if "counts" in given else [None] * len(example.cells)
    cells = [
        {
            "cell_type": "code",
            "source": source,
            "execution_count": count,
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": given[f"output:{place}"]}]
            if f"output:{place}" in given
            else [],
        }
        for place, (source, count) in enumerate(zip(example.cells, counts, strict=True))
    ]
    metadata = {}
    if "kernel_name" in given:
        metadata["kernelspec"] = {"name": given["kernel_name"], "display_name": "x", "language": "python"}
    if "language_version" in given:
        metadata["language_info"] = {"name": "python", "version": given["language_version"]}
    file = folder / "example.ipynb"
    file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}))
    return file


CASES = [
    pytest.param(rule, example, id=f"{rule.kind}-{kind}-{place}")
    for rule in audit.all_rules()
    for kind, examples in (("found", rule.positive), ("left-alone", rule.negative))
    for place, example in enumerate(examples)
]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_a_rule_finds_what_its_examples_say(tmp_path: Path, rule: Rule, example: Example) -> None:
    """No more places than these, and no fewer."""
    found = [(hit.cell, hit.line) for hit in rule.find(Analysis(read(notebook(tmp_path, example))))]

    assert sorted(found) == sorted(example.found)


def test_every_kind_has_one_rule_with_a_code_of_its_own() -> None:
    """A kind without a rule would never be found, and a code that means two things could not be looked up."""
    rules = audit.all_rules()

    assert sorted(rule.kind for rule in rules) == sorted(KINDS)
    assert len({rule.code for rule in rules}) == len(rules)
    assert all(rule.positive and rule.negative for rule in rules)
