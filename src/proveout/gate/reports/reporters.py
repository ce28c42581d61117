"""Reports the verdict at the end of a run: in the terminal, the JUnit file, the job summary.

Input: a verdict, or the reason why there is none. Output: the reports.
"""

from collections.abc import Sequence

import pytest
from _pytest.junitxml import xml_key  # used by pytest's own record_testsuite_property

from proveout.gate.reports import github_summary, text_report
from proveout.records.verdict import Verdict


def in_junit(config: pytest.Config, verdict: Verdict | None) -> None:
    """Write the verdict as suite properties, if there is a JUnit file."""
    junit = config.stash.get(xml_key, None)
    if junit is not None and verdict is not None:
        for name, text in text_report.properties(verdict):
            junit.add_global_property(name, text)


def in_job_summary(verdict: Verdict | None, trouble: str) -> list[str]:
    """The verdict on the page of the job, where there is one. Returns: what to say where that failed."""
    return github_summary.append(text_report.markdown(verdict) if verdict is not None else f"### {trouble}\n")


def in_terminal(
    reporter: pytest.TerminalReporter, verdict: Verdict | None, *, trouble: str, notes: Sequence[str]
) -> None:
    """The verdict: answer first, then evidence, then the next command."""
    if verdict is None and not trouble:
        return
    reporter.section("proveout gate")
    if verdict is not None:
        for line, colour in text_report.lines(verdict):
            reporter.write_line(line, **{colour: True} if colour else {})
    if trouble:
        reporter.write_line(trouble, red=True)
    for note in notes:
        reporter.write_line(note, yellow=True)
