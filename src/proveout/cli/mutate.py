"""The command that runs mutation tests, and its report as text."""

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
HEAD = ("mutant", "what was broken", "should be caught by", "", "caught by")


def mutate(
    bundle: Annotated[str | None, typer.Argument(help="The bundle to break. [the newest candidate]")] = None,
    *,
    only: Annotated[list[str] | None, typer.Option(help="Only this mutant; may be repeated.")] = None,
    max_survivors: Annotated[int, typer.Option(min=0, help="How many mutants may survive.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Parallel runs of the checks. [one per processor]")
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Judge the candidate itself on halves of the held-out rows: which checks flip?")
    ] = False,
    rounds: Annotated[int, typer.Option(min=10, help="With --aa: number of halves of the held-out rows.")] = 20,
    slow_rounds: Annotated[
        int | None,
        typer.Option(min=0, help="Of these, the first that ask checks of more than a second, too; without it, all."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the mutants for this project's task, and run nothing.")
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
            raise UsageError("--list has no JSON form: --json prints the report of a run.")
        rows = [(mutant.name, mutant.slip, mutant.asked[project.task].words) for mutant in mutants]
        typer.echo("\n".join(table(("mutant", "mistake", "what should catch it"), rows)))
        return
    if aa and (only or max_survivors):
        raise UsageError("--aa breaks nothing: do not combine it with --only or --max-survivors.")
    folder = find_candidate(project, bundle.rpartition("@")[2] if bundle else None)
    # On SIGTERM, end the runs too: they are in their own process groups.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if aa:
        _stability(project, folder, rounds=rounds, slow_rounds=slow_rounds, workers=workers, as_json=as_json)
        return
    typer.echo(f"judging the unchanged candidate first, then {len(mutants)} mutants", err=True)
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

    typer.echo(f"judging on all held-out rows first, then on {rounds} halves", err=True)
    report = stability.run(project, folder, rounds=rounds, slow_rounds=slow_rounds, workers=workers, say=say)
    answer(report, _stability_view.as_text(report), as_json=as_json)
    if not report.passed:
        raise typer.Exit(1 if report.unstable else 3)


def as_text(report: "MutationReport") -> str:
    """How many were caught, then each mutant, then the checks that would have caught the survivors."""
    lines = [
        f"{'passed' if report.passed else 'failed'}   {report.model}@{report.candidate[:12]}   {in_short(report)}",
        *table(HEAD, [_row(trial) for trial in report.trials]),
    ]
    for check in report.fail_for_all:
        name = check.rpartition("::")[2]
        lines.append(f"  not counted: {name} fails for every mutant, even if only the digest changes")
    if not report.champion:
        lines.append(fact("champion", "none yet: mutants that only a comparison with it would catch can survive"))
    for trial in report.survivors:
        lines += [
            f"  {trial.mutant} survived. {trial.slip}",
            f"    missing check:   {trial.question}",
            f"    for example:     {trial.remedy}",
        ]
    if report.counted and not report.noticed:
        lines.append("  The checks caught none: they would approve anything.")
    following = (
        "add such a line to checks/, then try again: proveout mutate "
        + " ".join(f"--only {trial.mutant}" for trial in report.survivors)
        if report.survivors
        else f"proveout gate {report.candidate[:12]}"
    )
    return page(lines, following)


def in_short(report: "MutationReport") -> str:
    """A summary: `15 of 16 mutants caught, 1 survived, by 69 checks, in 118 s`."""
    left_out = len(report.trials) - len(report.counted) - len(report.untold)
    parts = [
        f"{len(report.noticed)} of {len(report.counted)} mutants caught",
        f"{len(report.survivors)} survived",
        *([f"{left_out} not counted"] if left_out else []),
        *([f"{len(report.untold)} without a result"] if report.untold else []),
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
