"""The commands about drift: what a setting would have raised on the days of the past."""

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
