"""Writes the project of a plan, completely or not at all. The pilot and its folder are not touched.

Before the first file is written, the project is tried: settings and schemas load, the guard accepts every raw row, and
held-out rows that come as requests give the model what the pilot gave it.

Input: a `Plan` and an empty folder. Output: the files of a project that runs as it is. nbformat writes the notebook.
"""

import ast
import math
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import distributions, packages_distributions, version
from pathlib import Path
from typing import Any

from proveout.data import guard
from proveout.pilot import project_files, project_proposal, rules_proposal, scaffold, schema_proposal, source_text
from proveout.pilot.adopt import asked_columns, pilot_quality, plan_page
from proveout.pilot.adopt.asked_columns import ColumnRefused
from proveout.pilot.adopt.plan import Plan, PlanRefused, only_a_human_knows
from proveout.pilot.audit import cell_code
from proveout.records.adopted_notebook import AdoptedNotebook
from proveout.records.json_form import to_json
from proveout.recovery.handed_outcome import TARGET
from proveout.recovery.outcome_writer import STATE as TARGET_STATE
from proveout.schema import request_schema
from proveout.settings import Settings, load_object, said_in_file

ADOPTED = "flows/adopted.json"
PLAN = "plan.md"
_SERVED = "checks/test_served.py"
_FLOWS = "flows"
_HARD = "the last ones are the held-out rows that the pilot is furthest off on. Add those that you know of."
_MEASURED_ON = "the pilot's own held-out rows"
_SLOW_MS = 50.0  # a request that takes longer than this here needs a later deadline than usual
# A check asks the features a thousand times, and each time pandas may say which word of the pilot is old.
_PYTEST = """\
filterwarnings = ["ignore::DeprecationWarning", "ignore::FutureWarning"]  # `proveout audit` says what is old in it
"""
_SLOW_CALL_MS = 10.0  # of such a request, 600 calls take longer than the check has
_SLOW_CALLS = 400  # are enough to tell that one in a hundred is not too slow, if none is
_TEMPLATE = Path(__file__).parents[1] / "templates" / "adopt" / "README.md"


@dataclass(frozen=True, kw_only=True)
class AdoptedProject:
    """The files written."""

    root: Path
    files: tuple[Path, ...]


def write(plan: Plan, into: Path, *, today: str, lock: bytes | None = None) -> AdoptedProject:
    """Write the project into `into`, completely or not at all.

    Args:
        today: ISO 8601, for the edge cases.
        lock: requirements.lock of the environment that the pilot ran in; default: what is installed here.
    Raises: UsageError if `into` is not empty; PlanRefused if a row of the pilot would not get through.
    """
    scaffold.check_free(into)
    made = _files(plan, today=today, lock=lock)
    strict = _tried(plan, made)
    if not strict:
        made |= _with_batch_schema(plan, made)
        _tried(plan, made)
    return AdoptedProject(root=into, files=scaffold.lay_out(into, made))


def write_again(plan: Plan, into: Path) -> None:
    """What a project says of the cells that its runs skip, once more: for a plan that skips others."""
    for name, text in {ADOPTED: to_json(_adopted(plan)) + "\n", PLAN: plan_page.page(plan)}.items():
        (into / name).write_text(text, encoding="utf-8")


# --- tried before it is written ---------------------------------------------------------------------------------------


def _tried(plan: Plan, made: dict[str, bytes]) -> bool:
    """Whether the guard accepts every raw row. Raises: PlanRefused if requests do not give what the pilot had."""
    place = Path(tempfile.mkdtemp(prefix="proveout-adopt-"))
    try:
        for name, content in made.items():
            if name.startswith((f"{_FLOWS}/", "checks/")) or name == "pyproject.toml":
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(content)
        settings = said_in_file(place)
        asked = request_schema.load(settings)
        try:
            asked_columns.check_requests(plan.opened, {one.name: one.dtype for one in asked.fields})
        except ColumnRefused as error:
            remedy = "The pilot's steps from raw rows to the model depend on more than one row's values"
            raise PlanRefused(plan.notebook.name, str(error), remedy) from error
        return _accepts_all(plan, settings)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _accepts_all(plan: Plan, settings: Settings) -> bool:
    named = settings.batch_schema or settings.request_schema
    asked = [one.name for one in plan.proposal.asked]
    guarded = guard.check(plan.opened.raw[asked], load_object(named, settings.root), name=plan.proposal.source)
    if len(guarded.refused) and settings.batch_schema is not None:
        problem = f"the guard would refuse {len(guarded.refused):,} of its own rows, by {guarded.refusals[0].check}"
        raise PlanRefused(plan.notebook.name, problem, "Give that column one type in the cell that reads the rows")
    return not len(guarded.refused)


# --- the files --------------------------------------------------------------------------------------------------------


def _files(plan: Plan, *, today: str, lock: bytes | None) -> dict[str, bytes]:
    import nbformat

    proposal, quality = plan.proposal, plan.quality
    given = {one.name: one.value for one in plan.lifted.parameters}
    texts = {
        "pyproject.toml": _pyproject(plan, {}),
        "flows/train.toml": project_proposal.train_toml(
            proposal,
            given,
            quality.bounds,
            measured_on=_MEASURED_ON,
            timeout_s=_timeout_s(plan.seconds),
            threshold=plan.outcome.threshold,
        ),
        ADOPTED: to_json(_adopted(plan)) + "\n",
        _notebook(plan): nbformat.writes(plan.lifted.document),
        "serve/fallback.py": rules_proposal.rules(proposal, quality.rules, quality=quality.rules_words),
        "checks/schemas.py": schema_proposal.schema(proposal),
        "checks/edge_cases.yaml": rules_proposal.edge_cases(proposal, quality.cases, today=today, about=_HARD),
        **project_files.checks(proposal, quality.bounds),
        PLAN: plan_page.page(plan),
        "README.md": _readme(plan),
    }
    if plan.outcome.function:
        texts[f"{_FLOWS}/{TARGET}"] = plan.outcome.function
    return {
        **scaffold.generic_files(),
        **{f"{_FLOWS}/{name}": content for name, content in plan.opened.files.items()},
        **{f"{_FLOWS}/{name}": (plan.outcome.folder / name).read_bytes() for name in _of_outcome(plan)},
        **{f"data/{name}": file.read_bytes() for name, file in plan.files.items()},
        proposal.source: _raw_rows(plan),
        **{name: text.encode() for name, text in texts.items()},
        _SERVED: _of_admitted_requests(
            (scaffold.reference() / _SERVED).read_text(encoding="utf-8"), request_ms=quality.request_ms
        ).encode(),
        "requirements.lock": lock if lock is not None else _installed(),
    }


def _of_outcome(plan: Plan) -> list[str]:
    """What the function of the outcome reads beside itself."""
    return [f"{TARGET_STATE}/{name}" for name in plan.outcome.files]


def _timeout_s(seconds: float) -> int:
    """How long a run of the notebook may take: a machine may be busy, and a later batch has more rows."""
    return max(900, 300 * math.ceil(6 * seconds / 300))


def _of_admitted_requests(checks: str, *, request_ms: float) -> str:
    """The checks of what is served, with extremes that a request may hold: a pilot's linear model knows no others.

    Of steps that take long for a row, fewer calls are asked for, in more time: without enough of them the gate says no.
    """
    size = 'bundle_mb_at_most=criteria["bundle_mb_at_most"],\n'
    within_s = max(10, math.ceil(2 * _SLOW_CALLS * request_ms / 1_000))
    slow = f"            calls={_SLOW_CALLS},\n            within_s={within_s},\n" if request_ms > _SLOW_CALL_MS else ""
    changes = (
        (size, size + slow),
        ("_is_asked(candidate, holdout, evidence)", "_is_asked(candidate, holdout, project, evidence)"),
        ("also where a sensor has gone mad.", "at the limits of what the request schema lets in, too."),
        ("_stable(candidate, holdout)", "_stable(candidate, holdout, schema=request_schema.load(project))"),
        ("import largest_difference\n", "import largest_difference\nfrom proveout.schema import request_schema\n"),
    )
    for general, own in changes:
        assert checks.count(general) == 1, general
        checks = checks.replace(general, own)
    return checks


def _raw_rows(plan: Plan) -> bytes:
    content: bytes = plan.opened.raw.to_parquet(index=False)
    return content


def _notebook(plan: Plan) -> str:
    return f"notebooks/{plan.notebook.stem}.ipynb"


def _adopted(plan: Plan) -> AdoptedNotebook:
    recovered, handed = plan.recovered, plan.recovered.handed
    assert handed is not None
    assert recovered.source is not None
    return AdoptedNotebook(
        prediction=recovered.place, source=recovered.source, source_form=handed.source_form, columns=handed.columns,
        held_back=handed.held_back, learns_unknown=_learns_unknown(plan), classes=plan.outcome.renamed,
        skipped_cells=tuple(sorted({*plan.skipped, *plan.slow})), raising_cells=plan.raising,
        idle_cells=plan.left_out,
    )  # fmt: skip


def _learns_unknown(plan: Plan) -> bool:
    learned = plan.opened.raw.iloc[plan.opened.train_rows]
    return bool(pilot_quality.outcomes(learned, plan.outcome).isna().any())


def _pyproject(plan: Plan, more: dict[str, Any]) -> str:
    handed, slow = plan.recovered.handed, plan.quality.request_ms
    assert handed is not None
    # A change of what the outcome has learned makes another run, too.
    read = [*(name for name in plan.opened.files if not name.endswith(".py")), *_of_outcome(plan)]
    state = [f"{_FLOWS}/{name}" for name in read]
    settings = {
        "features": f"flows/features.py:{handed.function}",
        **({"feature_files": state} if state else {}),
        "notebook": _notebook(plan),
        "adopted": ADOPTED,
        **({"deadline_s": round(min(60.0, 10 * slow / 1_000), 1)} if slow > _SLOW_MS else {}),
        **more,
    }
    table = project_proposal.pyproject_table(plan.proposal, settings)
    return scaffold.project_file(plan.proposal.name, table, needs=_needs(plan), pytest_settings=_PYTEST)


def _needs(plan: Plan) -> list[str]:
    """The packages that the notebook imports, at the versions that are installed: its model was judged with them."""
    owners, found = packages_distributions(), set[str]()
    for cell in plan.lifted.document.cells:
        if cell.cell_type == "code":
            for node in ast.walk(cell_code.parse(cell.source).tree):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    root = name.partition(".")[0]
                    if root not in sys.stdlib_module_names:
                        found |= {*owners.get(root, ())[:1]}
    return sorted(f"{name}=={version(name)}" for name in found if name.lower() != "proveout")


def _installed() -> bytes:
    """What is installed here, one package a line."""
    pinned = {f"{one.name}=={one.version}" for one in distributions() if one.name}
    return "".join(f"{line}\n" for line in sorted(pinned)).encode()


def _with_batch_schema(plan: Plan, made: dict[str, bytes]) -> dict[str, bytes]:
    """The files that change if a batch needs a schema of its own."""
    settings = {"batch_schema": "checks/schemas.py:Batch"}
    return {
        "checks/schemas.py": made["checks/schemas.py"] + schema_proposal.batch_schema(plan.proposal).encode(),
        "pyproject.toml": _pyproject(plan, settings).encode(),
    }


def _own(plan: Plan) -> str:
    known = plan.outcome
    if not known.function:
        return ""
    what = f"the outcome, computed from {'the raw columns ' if known.made_of[1:] else 'the raw column '}{known.column}"
    files = f"`flows/{TARGET}`" + (f", `flows/{TARGET_STATE}/`" if known.files else "")
    return f"| {files} | {source_text.line(what)} |\n"


def _readme(plan: Plan) -> str:
    known, proposal = plan.outcome, plan.proposal
    questions = {
        "binary": f"*{known.name}*: whether {known.event}." if known.function else f"*{known.name}*, true or false.",
        "multiclass": f"*{known.name}*, one of {len(known.classes)} classes.",
        "regression": f"*{known.name}*, a number.",
    }
    return project_files.filled(
        _TEMPLATE.read_text(encoding="utf-8"),
        PROJECT=proposal.name,
        QUESTION=questions[known.task],
        NOTEBOOK=plan.notebook.name,
        STEM=plan.notebook.stem,
        HUMAN="\n".join(f"- {line}" for line in only_a_human_knows(plan)),
        UNIT=f"{known.unit}\n\n" if known.unit else "",
        OWN=_own(plan),
    )
