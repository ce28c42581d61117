"""Edge cases: records that a model must answer correctly, whatever its average quality, each with the reason why.

Input: `edge_cases.yaml`. Output: `Case` records, and their expectations of a model's answers, as evidence. Every key is
required unless it says otherwise. An unknown key or another mistake is an error that names the case.

    - id: storm-evening                    # letters, digits and dashes; once
      reason: Why this record matters and why the expectation is true, in a sentence.
      author: ada                          # who is responsible for it
      date: 2026-11-21                     # when it was written
      incident: What happened, and where that is documented. Or, instead of it,
      request: 0199f3c2-…                  # the id of the logged request that was answered wrongly
      record: {year: 2013, month: 5, ...}  # every field of the request schema; null for unknown
      expect:                              # one of these or more
        label: true                        # the answer at the model's threshold; or a class
        value: {at_least: 10, at_most: 20} # for a regression
        probabilities: {red: {at_least: 0.2}}  # for single classes of a multiclass task
        probability: {at_least: 0.0, at_most: 1.0}
        higher_than: [calm-morning]        # other cases: the answer must be higher than theirs
        same_as: [other-plane]             # other cases: the answer must be the same
        same_under: [{tailnum: null}, {tailnum: N1, flight: 7}]  # changes that must not change the answer
        not_lower_when: {precip: [0, 0.1, 0.5]}  # raising the field through these values must not lower the answer
        not_higher_when: {visib: {through: [1, 3, 10], tolerance: 0.01}}  # nor raise it, by more than 0.01

The schema must accept changed records, too. Modules: `case` defines a case, `loader` reads the file, `yaml_editor`
edits it, `evaluate` runs the cases on a model, `case_store` maintains the suite, and `expectation_syntax` parses
expectations from the command line.
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
