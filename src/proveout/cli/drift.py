"""The commands about drift: what a setting would have raised on past days, and batches without their rows."""

from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli._common import Json, answer, settings

if TYPE_CHECKING:
    from proveout.records.drift_report import Backtest
    from proveout.settings import Settings

SHOWN = 20  # days on a terminal; `--json` has all

drift = typer.Typer(help="Drift of what is asked and answered.", rich_markup_mode=None, no_args_is_help=True)


@drift.callback()
def _group() -> None:
    """Drift of what is asked and answered."""


@drift.command()
def backtest(
    *,
    mode: Annotated[str | None, typer.Option(help="stream or batch. [the setting drift_mode]")] = None,
    of: Annotated[str, typer.Option(help="log: the answers that were logged; data: the rows of the newest snapshot.")]
    = "log",
    budget_days: Annotated[
        float | None, typer.Option(min=2, max=1_000, help="One false page in so many days. [drift_budget_days]")
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Show the alarms that a setting of the drift monitor would have raised on the days of the past.

    Nothing is recorded and nobody is told. --mode batch compares each day with the training rows, --mode stream with
    the 28 days before it.
    """
    from proveout.errors import UsageError
    from proveout.monitoring import monitor
    from proveout.records.values import now

    project = settings()
    asked = mode or project.drift_mode
    if asked not in ("batch", "stream") or of not in ("log", "data"):
        raise UsageError("--mode is stream or batch, and --of is log or data.")
    found = monitor.backtest(
        project,
        mode="stream" if asked == "stream" else "batch",
        source="data" if of == "data" else "log",
        budget_days=budget_days or project.drift_budget_days,
        at=now(),
    )
    answer(found, _page(found, project, budget_days or project.drift_budget_days), as_json=as_json)


@drift.command()
def profiles(
    batch: Annotated[str | None, typer.Argument(help="The batch. [the newest of the newest snapshot]")] = None,
    as_json: Json = False,
) -> None:
    """Test a batch against the batches before it by their profiles, without any row.

    The error of the profiles is taken from each distance before it is tested, and is stated.
    """
    from proveout.cli._terminal import fact, number, page, table
    from proveout.monitoring.profile_drift import of

    found = of(settings(), batch)
    moved = [test for test in found.tests if test.alarmed]
    rows = [
        (test.column, test.test, number(test.statistic), f"{test.p_value:.1e}", test.verdict)
        for test in sorted(found.tests, key=lambda test: test.p_value)
        if test.alarmed or test.listed
    ]
    lines = [
        f"{len(moved)} of {len(found.tests)} tests alarm   {found.batch}, by profiles",
        fact("against", ", ".join(found.earlier)),
        *table(("column", "test", "statistic", "p-value", "verdict"), rows[:SHOWN], right=(2, 3)),
    ]
    answer(found, page(lines, f"proveout data report {found.batch}"), as_json=as_json)


def _page(found: "Backtest", project: "Settings", budget_days: float) -> str:
    from proveout.cli._terminal import fact, number, page, table

    if not found.judged:
        head = (
            f"unknown   {found.known_days} days in the {found.source}; the first {found.needed_days} are history, and "
            "none is left to judge"
        )
    else:
        head = f"{found.pages} pages   in {found.judged} days, {found.expected:.1f} allowed by chance"
    by_days = f"stream, one false page in {budget_days:g} days"
    told = {"stream": by_days, "batch": f"batch, alpha {project.drift_alpha:g}"}
    rows = [
        (day.date, f"{day.rows:,}", day.column, number(day.distance), number(day.usual),
         "page" if day.paged else "goes on")
        for day in found.days if day.alarmed
    ]  # fmt: skip
    more = [f"  and {len(rows) - SHOWN} more days"] if len(rows) > SHOWN else []
    return page(
        [
            head,
            fact("setting", told[found.mode]),
            fact("days", f"{found.known_days} in the {found.source}, {found.judged} judged, {found.alarmed} alarmed"),
            *table(("day", "rows", "most in", "distance", "usual", ""), rows[:SHOWN], right=(1, 3, 4)),
            *more,
        ],
        "proveout drift backtest --mode stream --budget-days 90"
        if found.mode == "stream"
        else "proveout drift backtest --mode stream",
    )
