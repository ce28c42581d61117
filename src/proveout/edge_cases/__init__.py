"""Edge cases: records that a model has to get right whatever its average says, each with the reason why.

Input: `edge_cases.yaml`. Output: `Case` records, and what they demand of a model's answers, as evidence. Every
key is needed unless it says otherwise, none may be added, and a slip is an error that names the case.

    - id: storm-evening                    # letters, digits and dashes; once
      reason: Why this record matters and why the expectation is true, in a sentence.
      author: ada                          # who answers for it
      date: 2026-11-21                     # when it was written
      incident: What happened, and where that is written down. Or, in its place,
      request: 0199f3c2-…                  # the id of the logged request that was answered badly
      record: {year: 2013, month: 5, ...}  # every field of the request schema; null where it is not known
      expect:                              # one of these or more
        label: true                        # what is answered at the model's threshold; or a class
        value: {at_least: 10, at_most: 20} # of a regression
        probabilities: {red: {at_least: 0.2}}  # of one class of several
        probability: {at_least: 0.0, at_most: 1.0}
        higher_than: [calm-morning]        # other cases: what the model says here is above what it says there
        same_as: [other-plane]             # other cases: the difference must not matter
        same_under: [{tailnum: null}, {tailnum: N1, flight: 7}]  # changes of this record that must not matter
        not_lower_when: {precip: [0, 0.1, 0.5]}  # raising the field through these values must not lower the answer
        not_higher_when: {visib: {through: [1, 3, 10], tolerance: 0.01}}  # nor raise it, by more than 0.01

A changed record is a request like any other: the schema must accept it. Files: `case` is what a case is, `loader`
reads the file, `yaml_editor` changes it, `evaluate` asks a model, `case_store` keeps the suite, `expectation_syntax` is
how expectations are written on the command line.
"""

from proveout.edge_cases.case import Case, Expectation, Retired, digest, suite
from proveout.edge_cases.evaluate import Answers, ask, demands
from proveout.edge_cases.loader import frame, load, offered, parse, parse_retired, retired

__all__ = (
    "Answers",
    "Case",
    "Expectation",
    "Retired",
    "ask",
    "demands",
    "digest",
    "frame",
    "load",
    "offered",
    "parse",
    "parse_retired",
    "retired",
    "suite",
)
