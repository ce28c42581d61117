"""Which plan adopt goes on with: that of the best model that nothing simpler beats."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proveout.pilot.adopt import adoption, plan
from proveout.pilot.adopt.plan import PlanRefused


def _recovered(*names: str) -> Any:
    place = SimpleNamespace(cell=3)
    models = [SimpleNamespace(model=f"x.{name}", place=place, line="predict", folder=name) for name in names]
    candidates = [SimpleNamespace(model=one) for one in models]
    return SimpleNamespace(
        notebook=Path("n.ipynb"), candidates=candidates, folder=Path(), run=SimpleNamespace(raised=())
    )


def _propose(monkeypatch: pytest.MonkeyPatch, made: dict[str, str | PlanRefused]) -> tuple[Any, list[str]]:
    """The plan, and what was told. `made`: what beats a model, or why it has no plan, by its class."""

    def proposed(notebook: Path, one: Any, folder: Path, **_: object) -> Any:
        found = made[one.folder]
        if isinstance(found, PlanRefused):
            raise found
        return SimpleNamespace(model=one.folder, quality=SimpleNamespace(beaten=found))

    monkeypatch.setattr(plan, "propose", proposed)
    said: list[str] = []
    return adoption.propose(_recovered(*made), files={}, name=None, choices=None, tell=said.append), said


REFUSED = PlanRefused("n.ipynb", "no raw column holds it", "Keep it")


def test_a_model_that_something_simpler_beats_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate would refuse it. What beats it is told, and what has no plan, too."""
    found, said = _propose(monkeypatch, {"Odd": REFUSED, "Tree": "brier 0.25 is worse", "Log": ""})

    assert found.model == "Log"
    assert said[0].startswith("Odd (cell 3: predict) is left out: no raw column holds it")
    assert said[1].startswith("Tree (cell 3: predict) would be refused: brier 0.25 is worse")


def test_if_each_is_beaten_the_best_goes_before_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is there then, with the verdict that says why not."""
    assert _propose(monkeypatch, {"Tree": "beaten", "Log": "beaten, too"})[0].model == "Tree"


def test_without_any_plan_the_first_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of the best model."""
    with pytest.raises(PlanRefused, match="no raw column holds it"):
        _propose(monkeypatch, {"Tree": REFUSED})
