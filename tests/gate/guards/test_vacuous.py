"""Whether a check that passed has proven anything: read from its source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from reference_project import ROOT

from proveout.gate.guards import vacuous


def helper(x):
    assert x > 0


def idle_helper(x):
    return x > 0


def through_another(x):
    return idle_helper(x) or helper(x)


def ring(x):
    return idle_ring(x)


def idle_ring(x):
    return ring(x)


class Sound:
    def test_itself(self):
        self.check(1)

    def test_nothing(self):
        self.look(1)

    def check(self, x):
        assert x

    def look(self, x):
        return x


class Thing:
    def __init__(self, x):
        assert x

    def __call__(self, x):
        return x


class Judge:
    def __call__(self, x):
        assert x

    def verify(self):
        assert self

    @staticmethod
    def idle():
        return None


judge = Judge()


def plain(x):
    assert x > 1


def compared(x):
    assert 0 <= x <= 1, "a probability"


def raised(x):
    if x < 0:
        raise ValueError(x)


def expects(x):
    with pytest.raises(ValueError, match="no"):
        float(x)


def fails(x):
    if x < 0:
        pytest.fail("below 0")


def of_numpy(x):
    np.testing.assert_allclose(x, 1)


def of_unittest(self):
    self.assertEqual(1, self.x)


def by_helper(x):
    helper(x)


def by_helpers_helper(x):
    through_another(x)


def by_object(x):
    judge(x)


def by_method(x):
    judge.verify()


def by_method_of_a_new_one(x):
    Judge().verify()


def by_making(x):
    Thing(x)


def by_function_within(x):
    def inner():
        assert x

    inner()


def by_fixture(check):
    check(1)


@given(some.integers())
def by_hypothesis(x):
    assert x == x + 0


@pytest.mark.parametrize("x", [1, 2])
def by_parameters(x):
    assert x


PROVES = [
    plain, compared, raised, expects, fails, of_numpy, of_unittest, by_helper, by_helpers_helper, by_object, by_method,
    by_method_of_a_new_one, by_making, by_function_within, by_hypothesis, by_parameters, Sound().test_itself,
]  # fmt: skip


def nothing(x):
    print(x)


def constant(x):
    assert True
    assert 1, x
    assert "the auc is high enough"
    assert 1 == 1


def or_true(x):
    assert x > 1 or True  # noqa: SIM222  # that is the point


def swallowed_by_name(x):
    """It speaks of assert and raises, in words only."""
    return "assert x"


def by_idle_helper(x):
    idle_helper(x)


def by_ring(x):
    ring(x)


def by_idle_method(x):
    judge.idle()


@given(some.integers())
def idle_hypothesis(x):
    idle_helper(x)


PROVES_NOTHING = [
    nothing, constant, or_true, swallowed_by_name, by_idle_helper, by_ring, by_idle_method,
    idle_hypothesis, Sound().test_nothing,
]  # fmt: skip


@pytest.mark.parametrize("function", PROVES, ids=lambda function: function.__name__)
def test_a_check_that_can_say_no_is_proof(function):
    """Its own assertion, a helper's, a library's, an exception."""
    assert vacuous.asserts(function, root=ROOT, names={"self": getattr(function, "__self__", None)})


@pytest.mark.parametrize("function", PROVES_NOTHING, ids=lambda function: function.__name__)
def test_a_check_that_cannot_say_no_is_none(function):
    """It passes whatever the model does."""
    assert not vacuous.asserts(function, root=ROOT, names={"self": getattr(function, "__self__", None)})


def test_a_fixture_may_do_the_asserting():
    """A function handed in by a fixture is known by its value alone."""
    assert vacuous.asserts(by_fixture, root=ROOT, names={"check": helper})
    assert not vacuous.asserts(by_fixture, root=ROOT, names={"check": idle_helper})


def test_what_lies_outside_of_the_project_is_believed():
    """The content of a check in a library is unknown; only the project's own code is read."""
    assert vacuous.asserts(np.testing.assert_allclose, root=ROOT)
    assert vacuous.asserts(len, root=ROOT)
