"""The command line: parse, call one room, print. Heavy imports stand inside the commands: `--help` needs none.

Input: arguments. Output: an answer on stdout (`--json`: the same record), or one `error:` line on stderr; and
an exit code: 0 yes, 1 no, 2 misused, 3 could not tell, 4 lost a race. Only importer of typer.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from proveout import interpreter_exit
from proveout.cli import (
    adopt,
    approve,
    audit,
    cases,
    data,
    data_report,
    doctor,
    drift,
    drill,
    erase,
    init,
    inspect,
    keys,
    ledger,
    mutate,
    project,
    release,
    replay,
    score,
)
from proveout.errors import ProveoutError, sentence_of


class _Answering(TyperGroup):
    """Prints an error in one line and exits with its code. Only `--debug` shows the traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn an error into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Abort, EOFError, BrokenPipeError):
            raise
        except Exception as error:
            said = sentence_of(error)
            if said is not None:
                problem, code = said, error.exit_code if isinstance(error, ProveoutError) else 3
            elif hasattr(error, "exit_code"):
                raise  # typer's own: an exit, or a usage error that it reports itself
            else:
                problem, code = f"unexpected {type(error).__name__}: {error}. To see where: proveout --debug …", 3
            if ctx.params["debug"]:
                import traceback

                traceback.print_exc()
            typer.echo(f"error: {problem}", err=True)
            raise typer.Exit(code) from error


def _version(asked: bool) -> None:
    if asked:
        from proveout import __version__

        typer.echo(f"proveout {__version__}")
        raise typer.Exit


# Without rich, which takes longer to import than the rest of `--help`.
main = typer.Typer(
    name="proveout",
    cls=_Answering,
    epilog="Exit codes: 0 yes, 1 no, 2 misused, 3 could not tell, 4 lost a race.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@main.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="PROVEOUT_DEBUG", help="Show where an error was raised.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Takes a pilot notebook to production and proves, with pytest, that it belongs there."""
    interpreter_exit.without_collection()


for command in (
    adopt.adopt,
    audit.audit,
    init.init,
    project.demo,
    project.gate,
    mutate.mutate,
    replay.replay,
    approve.approve,
    release.release,
    release.promote,
    release.rollback,
    project.serve,
    doctor.doctor,
    inspect.status,
    release.compare,
    inspect.history,
    inspect.bundles,
    inspect.verdict,
    inspect.verify,
    score.score,
    drill.drill,
    erase.erase,
):
    main.command()(command)
main.add_typer(approve.approvers, name="approvers")
main.add_typer(cases.cases, name="cases")
data.data.command()(data_report.report)
main.add_typer(data.data, name="data")
main.add_typer(drift.drift, name="drift")
main.add_typer(keys.keys, name="keys")
main.add_typer(ledger.alerts, name="alerts")
main.add_typer(ledger.ledger, name="ledger")
