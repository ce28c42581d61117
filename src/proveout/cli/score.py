"""The command that scores how ready for production a project is: `proveout score`."""

from typing import TYPE_CHECKING

from proveout.cli._common import Json, answer, settings
from proveout.project import open_ledger

if TYPE_CHECKING:
    from proveout.score.scoring import Score


def score(as_json: Json = False) -> None:
    """Show how ready for production this project is.

    The 28 tests of the ML Test Score: one point if it runs automatically, half a point if a person attests it
    (checks/attestations.yaml), each with its evidence. The score is the least of the four sums, 0 to 7.
    """
    from datetime import UTC, datetime

    from proveout.model.released_bundle import open_released
    from proveout.score import attestations, ledger_evidence
    from proveout.score.scoring import count, verdict_to_score

    project = settings()
    stated = attestations.load(project.root / project.attestations)
    with open_ledger(project) as ledger:
        verdict = verdict_to_score(ledger, project.model)
        happened = ledger_evidence.gather(ledger, project, opened=open_released)
    found = count(project.model, verdict, happened, stated, today=datetime.now(UTC).date())
    answer(found, _page(found), as_json=as_json)


def _page(found: "Score") -> str:
    from proveout.cli._terminal import page, plain
    from proveout.score.ledger_evidence import EVENTS
    from proveout.score.rubric import SECTIONS
    from proveout.score.scoring import NOTHING

    def earned_by(test: str) -> str:
        return EVENTS.get(test, f'a check marked @pytest.mark.covers("{test}")')

    lines = [
        f"{found.score:g} of 7   {plain(found.model)}   {found.band}",
        f"  by {plain(found.verdict)}, and the ledger",
    ]
    for section, name in SECTIONS.items():
        lines += ["", f"  {name:<52}{found.sums[section]:>4g} of 7"]
        for point in found.points:
            if point.id.startswith(f"{section}-"):
                lines.append(f"    {point.points:<5g}{point.id:<11}{point.title}")
                for why in point.why:
                    lines += _under(
                        f"nothing yet. What would count: {earned_by(point.id)}" if why == NOTHING else plain(why)
                    )
    weakest = min(found.sums, key=lambda section: found.sums[section])
    without = next((one.id for one in found.points if one.id.startswith(f"{weakest}-") and one.points < 1), None)
    following = earned_by(without) if without else "proveout status"
    return page([*lines, ""], following)


def _under(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 110, initial_indent=" " * 20, subsequent_indent=" " * 20)
