"""Hooks around one check while it runs: detects replaced fixtures and checks that pass without proving anything.

Input: pytest's hooks around one check, in the process that runs it. Output: findings for the gate's session, and user
properties of reports.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from proveout.gate.collector import UNPROVEN
from proveout.gate.evidence import EVIDENCE, proves
from proveout.gate.guards import fixture_guard, vacuous

if TYPE_CHECKING:
    from proveout.gate.session import GateSession


UNJUDGED = "nothing could be judged: give it more rows, or remove the check"
UNBOUNDED = "it states numbers without a bound: add one, evidence(…, at_least=…), or assert something"


class Watch:
    """Observes checks while they run."""

    def __init__(self, gate: "GateSession") -> None:
        self._gate = gate
        self._running = ""  # the running check

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Where a sample of the held-out rows judges: see whether the check reads any of them."""
        check = self._gate.check_id(item.nodeid)
        if self._gate.sample is None or check is None:
            return (yield)
        with self._gate.sample.reads.by_check(check, fixtures=getattr(item, "fixturenames", ())):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember the check whose fixtures are set up next."""
        self._running = self._gate.check_id(item.nodeid) or ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """See a fixture of the gate that is somebody else's; and one that reads some of the held-out rows."""
        if self._running:
            self._gate.gathered.found(fixture_guard.overridden(fixturedef, self._gate.settings))
        if self._gate.sample is None:
            return (yield)
        with self._gate.sample.reads.by(fixturedef.argname):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark a check that passed without stating a bounded number or asserting anything."""
        report = yield
        if call.when == "call" and self._running and report.passed and isinstance(item, pytest.Function):
            stated = [proves(str(text)) for key, text in item.user_properties if key == EVIDENCE]
            known = {**item.funcargs, "self": item.instance}
            why = ""
            if False in stated and True not in stated:
                why = UNJUDGED  # whatever else it asserts, its question was not answered
            elif True not in stated and not vacuous.asserts(item.obj, root=self._gate.settings.root, names=known):
                why = UNBOUNDED if stated else vacuous.EMPTY
            if why:
                item.user_properties.append((UNPROVEN, why))
                report.user_properties.append((UNPROVEN, why))
        return report
