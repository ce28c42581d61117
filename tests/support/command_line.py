"""The command line in this process, and the least that a project has to say for it."""

from typer.testing import CliRunner, Result

from proveout.cli import main

PYPROJECT = """
[tool.proveout]
model = "flight-delay"
source = "flows/source.py:read_batch"
batch_schema = "checks/schemas.py:Flights"
request_schema = "checks/schemas.py:FlightRequest"
features = "flows/features.py:features"
target = "flows/features.py:late"
fallback = "serve/fallback.py:rules"
actions = "serve/actions.py:action"
notebook = "notebooks/flight_delay.ipynb"
event_key = ["flight"]
required_checks = ["checks"]
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def said(code: int, *arguments: str) -> str:
    """What the command says on stdout, if it exits with `code`."""
    result = invoke(*arguments)
    assert result.exit_code == code, result.output
    return result.stdout


def complained(code: int, *arguments: str) -> str:
    """The one line on stderr of a command that exits with `code` and says nothing on stdout."""
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr
