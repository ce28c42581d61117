"""server/safe_traceback.py: where it was raised, and of which kind; not one of its words."""

from proveout.server import safe_traceback


def raised(value: str) -> Exception:
    try:
        try:
            float(value)
        except ValueError as error:
            raise KeyError(value) from error
    except KeyError as error:
        return error
    raise AssertionError


def test_where_and_of_which_kind_is_said_and_the_value_is_not(capsys):
    """Whoever mends the model needs the lines; nobody who reads the log needs the person."""
    safe_traceback.report(raised("Ada Lovelace"))
    told = capsys.readouterr().err

    assert "float(value)" in told
    assert told.index("ValueError: (") < told.index("KeyError: (")  # the cause first, as Python has it
    assert "test_safe_traceback.py" in told
    assert "Ada" not in told


def test_an_error_that_led_to_itself_is_said_once(capsys):
    """Python's own printer knows this trap."""
    one, other = ValueError("Ada"), KeyError("Ada")
    one.__context__, other.__context__ = other, one
    safe_traceback.report(one)

    assert capsys.readouterr().err.count("ValueError") == 1
