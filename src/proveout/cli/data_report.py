"""The command that compares a batch of data with earlier ones: `proveout data report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli._common import Json, answer, settings

if TYPE_CHECKING:
    from proveout.monitoring.data_report import Distributions

SHOWN = 12  # columns on a terminal; the HTML page has all


def report(
    batch: Annotated[str | None, typer.Argument(help="The batch. [the newest of the newest snapshot]")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with all charts to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Compare a batch with the batches before it.

    Shows each column's distance from them, and the usual distance between them. In GitHub Actions, the report is added
    to the job summary.
    """
    from proveout.gate.reports import github_summary
    from proveout.monitoring import report as pages
    from proveout.monitoring.data_report import of

    found, batches = of(settings(), batch)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(pages.distributions_page(found, batches), encoding="utf-8")
    for problem in github_summary.append(_markdown(found)):
        typer.echo(problem, err=True)
    with_pictures = f"proveout data report {found.batch} --html reports/{found.batch}.html"
    following = with_pictures if html is None else f"open {html}"
    answer(found, _page(found, following), as_json=as_json)


def _rows(found: "Distributions") -> list[tuple[str, ...]]:
    from proveout.cli._terminal import number

    return [
        (
            shift.column,
            number(shift.distance),
            number(shift.usual),
            f"{shift.missing_before:.1%} to {shift.missing:.1%}" if shift.missing or shift.missing_before else "",
            "beyond" if shift.beyond else "usual",
        )
        for shift in found.columns
    ]


HEAD = ("column", "distance", "usual, at most", "missing", "")


def _page(found: "Distributions", following: str) -> str:
    from proveout.cli._terminal import fact, page, table
    from proveout.monitoring.data_report import chance, headline

    rows = _rows(found)
    more = [f"  and {len(rows) - SHOWN} more columns"] if len(rows) > SHOWN else []
    return page(
        [
            headline(found),
            fact("rows", f"{found.rows:,}, against {found.earlier_rows:,} of {', '.join(found.earlier)}"),
            fact("chance", chance(found)),
            *table(HEAD, rows[:SHOWN], right=(1, 2)),
            *more,
        ],
        following,
    )


def _markdown(found: "Distributions") -> str:
    from proveout.monitoring.data_report import chance, headline

    body = "".join(f"| {' | '.join(row)} |\n" for row in [HEAD, ("---",) * len(HEAD), *_rows(found)])
    return f"### {headline(found)}\n\n{chance(found).capitalize()}.\n\n{body}\n"
