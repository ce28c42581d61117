"""The command that breaks a candidate on purpose, and what its report looks like."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli import _stability_view
from proveout.cli._common import Json, answer, settings
from proveout.cli._terminal import fact, page, plain, table
from proveout.errors import UsageError

if TYPE_CHECKING:
    from proveout.mutation.results import MutationReport, Trial
    from proveout.settings import Settings

LONGEST = 90  # characters of a check's message in the table
HEAD = ("mutant", "what was broken", "meant to trip", "", "by")


def mutate(
    bundle: Annotated[str | None, typer.Argument(help="The bundle to break; without it, the newest candidate.")] = None,
    *,
    only: Annotated[list[str] | None, typer.Option(help="Only this mutant; may be given several times.")] = None,
    max_survivors: Annotated[int, typer.Option(min=0, help="How many mutants may survive.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Runs of the checks at a time; one for each processor.")
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Break nothing; judge by halves of the held-out rows: which checks flip?")
    ] = False,
    rounds: Annotated[int, typer.Option(min=10, help="Halves of the held-out rows that judge, with --aa.")] = 20,
    slow_rounds: Annotated[
        int | None,
        typer.Option(min=0, help="Of these, the first that ask checks of more than a second, too; without it, all."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Say what mutants there are for the task of this project, and run nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Break a candidate on purpose: do the checks notice?

    Packs variants that careless people make, runs the project's own checks on each, on a state that is thrown away,
    and says which check caught it, or which question is missing. Exit 1 if more survive than may; 3 if the checks do
    not approve the candidate itself.

    With --aa: how often does each check change its mind on other held-out rows? Exit 1 if one does surely more often
    than the error rate that it states; 3 if a round came to no verdict.
    """
    from proveout.evaluation.context import find_candidate
    from proveout.gate.reports import github_summary
    from proveout.mutation import runner

    project = settings()
    mutants = runner.choose(only or (), task=project.task)
    if listed:
        if as_json:
            raise UsageError("--list is for people: --json prints the report of a run.")
        rows = [(mutant.name, mutant.slip, mutant.asked[project.task].words) for mutant in mutants]
        typer.echo("\n".join(table(("mutant", "what somebody did", "question that should catch it"), rows)))
        return
    if aa and (only or max_survivors):
        raise UsageError("--aa breaks nothing: leave --only and --max-survivors away.")
    folder = find_candidate(project, bundle.rpartition("@")[2] if bundle else None)
    # Asked to end, it is to end its runs too: they are in groups of their own.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if aa:
        _stability(project, folder, rounds=rounds, slow_rounds=slow_rounds, workers=workers, as_json=as_json)
        return
    typer.echo(f"the checks judge the candidate itself first; mutants to follow: {len(mutants)}", err=True)
    report = runner.run(
        project,
        folder,
        mutants=mutants,
        tolerated=max_survivors,
        workers=workers,
        say=lambda trial, done, of: typer.echo(_progress(trial, done, of), err=True),
    )
    for problem in github_summary.append(markdown(report)):
        typer.echo(problem, err=True)
    answer(report, as_text(report), as_json=as_json)
    if not report.passed:
        raise typer.Exit(3 if report.untold or not report.counted else 1)


def _stability(
    project: "Settings", folder: Path, *, rounds: int, slow_rounds: int | None, workers: int | None, as_json: bool
) -> None:
    from proveout.mutation import stability

    def say(done: int, of: int, flips: int | None) -> None:
        said = "no verdict" if flips is None else f"{flips} checks flipped"
        typer.echo(f"[{done:>{len(str(of))}}/{of}] {said}", err=True)

    typer.echo(f"the checks judge all held-out rows first; halves to follow: {rounds}", err=True)
    report = stability.run(project, folder, rounds=rounds, slow_rounds=slow_rounds, workers=workers, say=say)
    answer(report, _stability_view.as_text(report), as_json=as_json)
    if not report.passed:
        raise typer.Exit(1 if report.unstable else 3)


def as_text(report: "MutationReport") -> str:
    """How many were caught, mutant by mutant, then what would have caught those that survived."""
    lines = [
        f"{'passed' if report.passed else 'failed'}   {report.model}@{report.candidate[:12]}   {in_short(report)}",
        *table(HEAD, [_row(trial) for trial in report.trials]),
    ]
    for check in report.fail_for_all:
        name = check.rpartition("::")[2]
        lines.append(f"  not counted: {name} fails for every mutant, as for the same answers under another digest")
    if not report.champion:
        lines.append(fact("champion", "none yet: what only shows beside one can survive"))
    for trial in report.survivors:
        lines += [
            f"  {trial.mutant} survived. {trial.slip}",
            f"    missing check:   {trial.question}",
            f"    for example:     {trial.remedy}",
        ]
    if report.counted and not report.noticed:
        lines.append("  The checks caught none: they would approve anything.")
    following = (
        "put a line like that into checks/, and try again: proveout mutate "
        + " ".join(f"--only {trial.mutant}" for trial in report.survivors)
        if report.survivors
        else f"proveout gate {report.candidate[:12]}"
    )
    return page(lines, following)


def in_short(report: "MutationReport") -> str:
    """The count: `15 of 16 mutants caught, 1 survived, by 69 checks, in 118 s`."""
    left_out = len(report.trials) - len(report.counted) - len(report.untold)
    parts = [
        f"{len(report.noticed)} of {len(report.counted)} mutants caught",
        f"{len(report.survivors)} survived",
        *([f"{left_out} not counted"] if left_out else []),
        *([f"{len(report.untold)} without an answer"] if report.untold else []),
    ]
    return f"{', '.join(parts)}, by {report.checks} checks, in {report.seconds:.0f} s"


def markdown(report: "MutationReport") -> str:
    """The report for a job summary."""
    state = "passed" if report.passed else "failed"
    head = f"### mutation tests {state}: `{report.model}@{report.candidate[:12]}`\n\n{in_short(report)}\n\n"
    rows = [HEAD, ("---",) * len(HEAD), *(_row(trial) for trial in report.trials)]
    body = "".join(f"| {' | '.join(_escaped(cell) for cell in row)} |\n" for row in rows)
    missing = "".join(
        f"- **{trial.mutant}** survived. {trial.slip} Missing check: {trial.question}. `{trial.remedy}`\n"
        for trial in report.survivors
    )
    return f"{head}{body}\n{missing}\n"


def _row(trial: "Trial") -> tuple[str, str, str, str, str]:
    fate = "SURVIVED" if trial.fate == "survived" else trial.fate
    said = " ".join(plain(trial.message).split())
    said = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
    check = trial.check.rpartition("::")[2]
    error = "an error in " if trial.by_error else ""
    names = ", ".join(one.rpartition("::")[2] for one in trial.not_counted)
    only = f"only by {names} (not counted: fails for every mutant)" if names and not check else ""
    by = f"{error}{check}: {said}" if check else said or only
    return trial.mutant, plain(trial.what), trial.question, fate, by


def _progress(trial: "Trial", done: int, of: int) -> str:
    check = trial.check.rpartition("::")[2]
    by = f"   {check}" if check else ""
    return f"[{done:>{len(str(of))}}/{of}] {trial.fate:<14} {trial.mutant}{by}   {trial.seconds:.0f} s"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
