"""What becomes of an error that the doctor meets."""

from proveout.doctor.finding import Finding, look, well
from proveout.errors import ConfigError


def test_an_error_of_proveout_is_a_fault_with_its_own_remedy():
    """What it says is said once, and what to do has a line of its own."""

    def broken():
        raise ConfigError("train.toml", "is not TOML", "Correct the line it names")

    assert look("train.toml", broken) == Finding(
        name="train.toml", state="fault", said="train.toml: is not TOML", remedy="Correct the line it names"
    )


def test_any_other_error_is_a_fault_with_its_kind():
    """A module that cannot be imported must not end the examination of all others."""

    def broken():
        raise ImportError("No module named 'papermill'")

    assert look("kernel", broken).said == "ImportError: No module named 'papermill'"
    assert look("kernel", lambda: well("kernel", "it starts")).state == "ok"
