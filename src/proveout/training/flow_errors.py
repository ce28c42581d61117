"""Error output of flows: a ProveoutError ends a flow with one sentence, without a traceback; `--debug` shows all.

Input: the command line of a flow, before Metaflow is imported. Output: text for people. Each step is a separate
process; it leaves its sentence in a file, and the process that started it prints it last. Other exceptions keep their
traceback. The only module that changes how Metaflow prints exceptions.
"""

import atexit
import os
import secrets
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from proveout.errors import sentence_of

DEBUG = "PROVEOUT_DEBUG"
_SAID = "PROVEOUT_FLOW_SAID"  # the file for a step's sentence


def in_this_process(arguments: list[str]) -> None:
    """From now on, a ProveoutError ends this process with its sentence.

    Args:
        arguments: `sys.argv`; `--debug` is removed, because Metaflow does not know it.
    """
    if "--debug" in arguments:
        arguments.remove("--debug")
        os.environ[DEBUG] = "1"
    if not os.environ.get(DEBUG):
        sys.excepthook = _uncaught


def in_metaflow(arguments: list[str]) -> None:
    """The same in a flow. This imports Metaflow, so its environment variables must be set before."""
    # Do not import its command line here: it must be imported for a flow, or it lacks the flow's --config option.
    if os.environ.get(DEBUG):
        return
    is_step = "step" in arguments and _SAID in os.environ
    if not is_step:
        file = Path(tempfile.gettempdir(), f"proveout-flow-{secrets.token_hex(8)}.txt")
        os.environ[_SAID] = str(file)
        atexit.register(file.unlink, missing_ok=True)
    if "metaflow.cli" in sys.modules:
        _print_sentences(is_step=is_step)
        return
    from metaflow import flowspec
    from metaflow.parameters import flow_context

    spec: Any = flowspec.FlowSpec  # Any: Metaflow has no types
    begin = spec.__init__

    def begin_with_sentences(flow: Any, use_cli: bool = True) -> None:
        if use_cli:
            with flow_context(type(flow)):
                _print_sentences(is_step=is_step)
        begin(flow, use_cli)

    spec.__init__ = begin_with_sentences


def _print_sentences(*, is_step: bool) -> None:
    from metaflow import cli

    unknown: Any = cli.print_unknown_exception  # Any: Metaflow has no types
    known: Any = cli.print_metaflow_exception

    def print_unknown_exception(error: Exception) -> None:
        said = sentence_of(error)
        if said is None:
            unknown(error)
        elif is_step:
            with suppress(OSError):
                Path(os.environ[_SAID]).write_text(said, encoding="utf-8")
            print(said, file=sys.stderr, flush=True)
        else:
            _say(said)

    def print_metaflow_exception(error: Any) -> None:
        said = _left_by_a_step()
        if said is None:
            known(error)
        else:
            _say(said)

    cli.print_unknown_exception, cli.print_metaflow_exception = print_unknown_exception, print_metaflow_exception


def _left_by_a_step() -> str | None:
    with suppress(OSError):
        return Path(os.environ[_SAID]).read_text(encoding="utf-8")
    return None


def _say(said: str) -> None:
    print(f"\n{said}", file=sys.stderr, flush=True)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    said = sentence_of(error)
    if said is None:
        sys.__excepthook__(kind, error, trace)
    else:
        _say(said)
