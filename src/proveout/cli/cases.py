"""The commands that add edge cases after a wrong answer, and retire them: with a name and a reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli import cases_from_log
from proveout.cli._common import Json, answer, settings
from proveout.cli._terminal import fact, moment, number, page, plain, table
from proveout.cli.cases_from_log import Logged
from proveout.errors import UsageError
from proveout.project import actor, open_store
from proveout.records.prediction import Prediction
from proveout.records.verdict import Evidence
from proveout.task.plain_values import class_text

if TYPE_CHECKING:
    from proveout.edge_cases import Case
    from proveout.model.bundle import OpenBundle
    from proveout.settings import Settings

cases = typer.Typer(help="Records that every model must get right.", rich_markup_mode=None, no_args_is_help=True)
By = Annotated[str | None, typer.Option(help="Who does it. [the user who is logged in]")]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An edge case as a list shows it."""

    id: str
    expects: tuple[str, ...]
    date: str
    author: str
    source: str
    reason: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Added:
    """A case that was added, and whether the bundle that answered wrong fails it."""

    case: Listed
    bundle: str  # `model@digest`; "" if none was tried
    fails: bool  # whether that bundle gets it wrong
    evidence: tuple[Evidence, ...]
    file: str


@cases.command()
def add(
    request_id: Annotated[str | None, typer.Argument(metavar="REQUEST_ID", help="The id of a logged answer.")] = None,
    *,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            help="The right answer, such as 'label false' or 'probability at_most 0.3'; may be repeated. "
            "[the reported outcome or feedback]"
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why that is the right answer, in a sentence.")] = None,
    name: Annotated[str | None, typer.Option("--id", help="The name of the case. [the request's id and today]")] = None,
    fill: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE", help="A value for a field that is a pseudonym in the log; may be repeated."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A YAML file of cases, instead of a request.")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="The bundle that gets it wrong. [the one that answered; with --from, the newest candidate]"),
    ] = None,
    passing: Annotated[
        bool, typer.Option("--allow-passing", help="Add a case that the bundle already meets, as a regression guard.")
    ] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Turn a wrong answer into an edge case.

    The logged request becomes the record of the case. The bundle that answered must fail the case, or it would test
    nothing. A record can have only one case.
    """
    from proveout.edge_cases import case_store, offered

    project = settings()
    if file is not None:
        if request_id is not None or expect or reason is not None or name is not None or fill or by is not None:
            raise UsageError("--from FILE holds complete cases: combine it with --bundle and --allow-passing only.")
        new, logged = offered(file), None
    elif request_id is None:
        raise UsageError("Name the wrong answer: proveout cases add REQUEST_ID, or --from FILE.")
    else:
        logged = cases_from_log.look_up(project, request_id)
        record = case_store.in_order(project, cases_from_log.filled(logged.prediction.record, fill or ()))
        new = (cases_from_log.case(logged, record, expect or (), name=name, reason=reason, by=by),)
    known = case_store.check(project, new)
    model = _opened(project, logged, bundle, passing=passing)
    found = []
    for case in new:
        stated = case_store.tried(case, known, model) if model is not None else ()
        fails = not all(one.holds for one in stated)
        if not fails and not passing:
            assert model is not None  # otherwise refused above
            remedy = "It would test nothing. Expect something else, or add it as a regression guard: --allow-passing"
            raise case_store.CaseRefused(case.id, f"is met by {model.bundle.name}", remedy)
        found.append(
            Added(
                case=_listed(case),
                bundle=model.bundle.name if model is not None else "",
                fails=fails,
                evidence=stated,
                file=str(case_store.case_file(project)),
            )
        )
    case_store.add(project, new)
    answer(found if file is not None else found[0], _added(found, logged), as_json=as_json)


@cases.command()
def retire(
    case: Annotated[str, typer.Argument(metavar="ID", help="The id of an edge case.")],
    reason: Annotated[str, typer.Option(help="Why the case no longer applies, in a sentence.")],
    by: By = None,
    as_json: Json = False,
) -> None:
    """Retire an edge case.

    The case moves to retired_cases.yaml, with who, when and why. The gate refuses a candidate if a case is missing for
    any other reason.
    """
    from proveout.edge_cases import case_store
    from proveout.edge_cases.case import SHORTEST_REASON

    if len(" ".join(reason.split())) < SHORTEST_REASON:
        raise UsageError(f"Say why the case no longer applies, in {SHORTEST_REASON} characters or more: --reason …")
    project, who = settings(), actor() if by is None else by
    gone = case_store.retire(project, case, by=who, date=cases_from_log.today(), reason=reason)
    lines = [
        f"retired   {gone.id}   by {plain(who)}: {plain(reason)}",
        fact("it said", plain(gone.reason)),
        fact("now in", str(case_store.retired_file(project))),
    ]
    answer(_listed(gone), page(lines, "proveout gate"), as_json=as_json)


@cases.command("list")
def list_cases(as_json: Json = False) -> None:
    """List all edge cases and what they expect."""
    from proveout.edge_cases import case_store

    project = settings()
    found = tuple(_listed(case) for case in case_store.known(project))
    gone = len(case_store.retired(project))
    rows = [(one.id, _short(one), one.date, plain(one.author), plain(one.source)) for one in found]
    head = f"{len(found)} edge {'case' if len(found) == 1 else 'cases'}, {gone} retired"
    lines = [head, *table(("id", "expects", "date", "author", "from"), [(*row[:4], row[4][:60]) for row in rows])]
    answer(found, page(lines, "proveout cases add REQUEST_ID   # after a wrong answer"), as_json=as_json)


# --- the bundle it is tried on -------------------------------------------------------------------------------------


def _opened(project: "Settings", logged: Logged | None, named: str | None, *, passing: bool) -> "OpenBundle | None":
    """The bundle to try the case on; None if no bundle answered and `passing` allows that."""
    from proveout.edge_cases import case_store
    from proveout.evaluation.context import find_candidate
    from proveout.model.bundle import open_bundle
    from proveout.model.released_bundle import open_released

    if logged is None or named is not None:
        return open_bundle(find_candidate(project, None if named is None else named.rpartition("@")[2].lower()))
    release = logged.prediction.release
    if release:
        store = open_store(project)
        return open_released(project, store.find("bundles", release.rpartition("@")[2]))
    if passing:
        return None
    remedy = "Name a bundle that gets it wrong: --bundle BUNDLE. Or add the case untested: --allow-passing"
    request = plain(logged.prediction.request_id)
    raise case_store.CaseRefused(f"of {request}", "cannot be tried: no bundle was released at that time", remedy)


# --- how it looks -------------------------------------------------------------------------------------------------


def _listed(case: "Case") -> Listed:
    from proveout.edge_cases import digest, expectation_syntax

    return Listed(
        id=case.id,
        expects=expectation_syntax.lines(case.expect),
        date=case.date.isoformat(),
        author=case.author,
        source=case.source,
        reason=case.reason,
        digest=digest(case),
    )


def _short(one: Listed) -> str:
    """What it expects, shortened to fit."""
    first = plain(one.expects[0])
    return first if len(one.expects) == 1 else f"{first}, and {len(one.expects) - 1} more"


def _added(found: list[Added], logged: Logged | None) -> str:
    lines = []
    for one in found:
        word = "gets it wrong" if one.fails else "gets it right" if one.bundle else "no bundle answered it"
        lines.append(f"added   {one.case.id}   {f'{one.bundle} {word}'.strip()}")
        lines.append(fact("expects", "; ".join(map(plain, one.case.expects))))
        if logged is not None:
            lines.append(fact("answered", _answered(logged.prediction)))
        lines += table(("number", "says", "asked", ""), [_row(stated) for stated in one.evidence], right=(1,))
    return page([*lines, fact("in", found[0].file)], "proveout gate   # candidates must get it right from now on")


def _answered(given: Prediction) -> str:
    answer_ = given.answer
    said = "nothing" if answer_.value is None else class_text(answer_.value)
    if answer_.probability is not None:
        said += f" ({answer_.probability:.3f})"
    return f"{said} by {given.answered_by} at {moment(given.at)}"


def _row(stated: Evidence) -> tuple[str, str, str, str]:
    from proveout.gate.verdict import asked, word

    return plain(stated.name), number(stated.value), asked(stated), "" if stated.holds else word(stated)
