"""The command that injects faults into a running server, and its report as text."""

from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli._common import Json, answer, settings
from proveout.cli._terminal import fact, page, plain, table
from proveout.errors import UsageError

if TYPE_CHECKING:
    from proveout.records.prediction import AnswerSource
    from proveout.server.drill import DrillReport, Phase

SOURCES: "tuple[AnswerSource, ...]" = ("model", "cache", "rules", "none")


def drill(
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="How long each fault lasts.")] = 3.0,
    fault: Annotated[list[str] | None, typer.Option(help="Only this fault; may be repeated.")] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="PROVEOUT_API_KEY", help="An API key with the scopes predict and admin."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Break the worker of a running server on purpose.

    Kills, stops and slows the worker while clients send requests. The report counts the answers of each source and how
    late they were. Run it on the server's machine, as the server's user. The requests are logged with ids that start
    with `drill-`. A shed request (503) is sent again after the time that the server named.
    Exit 1 if a request failed or was answered late.
    """
    from proveout.server import drill as rehearsal

    unknown = sorted(set(fault or ()) - set(rehearsal.FAULTS))
    if unknown:
        raise UsageError(f"There is no fault {', '.join(unknown)}. There are: {', '.join(rehearsal.FAULTS)}.")
    faults = tuple(name for name in rehearsal.FAULTS if not fault or name in fault)
    report = rehearsal.run(
        settings(), key=key, faults=faults, seconds=seconds, say=lambda words: typer.echo(words, err=True)
    )
    answer(report, drilled(report), as_json=as_json)
    if not report.passed:
        raise typer.Exit(1)


def drilled(report: "DrillReport") -> str:
    """Whether all requests were answered in time, then each fault, then the quality of fallback answers."""
    failed = sum(phase.failed for phase in report.phases)
    late = sum(phase.late for phase in report.phases)
    asked = sum(phase.asked for phase in report.phases)
    verdict = "passed" if report.passed else "failed"
    names = list(dict.fromkeys(name for one in report.quality for name in one.metrics))
    quality = [
        (one.source, f"{one.rows:,}", *(f"{one.metrics[name]:.3g}" if name in one.metrics else "-" for name in names))
        for one in report.quality
    ]
    lines = [
        f"{verdict}   {plain(report.release)}   {asked:,} requests, {failed:,} failed, {late:,} later than "
        f"{report.deadline_s * 1000:.0f} ms",
        *table(
            (
                "worker",
                "asked",
                "model",
                "cache",
                "rules",
                "none",
                "shed",
                "failed",
                "p50 ms",
                "p99 ms",
                "slowest",
                "back s",
            ),
            [_row(phase) for phase in report.phases],
            right=range(1, 12),
        ),
        *(
            fact("failed", f"{count} while {phase.fault}: {plain(words)}")
            for phase in report.phases
            for words, count in phase.problems.items()
        ),
        fact("quality", f"on the held-out rows: {plain(report.split)}"),
        *table(
            ("source", "rows", *(name.replace("_", " ") for name in names)), quality, right=range(1, 2 + len(names))
        ),
    ]
    return page(lines, "proveout alerts   # ignore the alerts that the drill raised")


def _row(phase: "Phase") -> tuple[str, ...]:
    sources = [str(phase.sources.get(source, 0)) for source in SOURCES]
    times = [f"{seconds * 1000:.0f}" for seconds in (phase.median_s, phase.p99_s, phase.slowest_s)]
    return (phase.fault, str(phase.asked), *sources, str(phase.shed), str(phase.failed), *times, f"{phase.back_s:.1f}")
