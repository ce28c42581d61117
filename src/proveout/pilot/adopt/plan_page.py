"""The page of a plan, as a person reads it before the project is written, and as `plan.md` in the project.

Input: a `Plan`. Output: Markdown, with the choices as TOML that can be edited and read again.
"""

from collections.abc import Iterator, Sequence

from proveout.pilot.adopt import plan_choices
from proveout.pilot.adopt.plan import Plan, only_a_human_knows
from proveout.pilot.project_files import RULES_MARGIN
from proveout.pilot.project_proposal import Bound
from proveout.pilot.table_profile import Column

_SEEDS = (
    "random and numpy.random start at 0 before the first cell, so that what the pilot draws without a seed is the same"
)


def page(plan: Plan) -> str:
    """The whole page."""
    return "\n".join(_lines(plan)).rstrip() + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    known, quality, proposal = plan.outcome, plan.quality, plan.proposal
    yield from (f"# The plan for {plan.notebook.name}", "", "## What is served", "")
    yield f"- model: {plan.recovered.model}, asked in `{plan.recovered.line}`"
    if plan.recovered.handed is not None and plan.recovered.handed.note:
        yield f"- note: {plan.recovered.handed.note}"
    yield f"- task: {known.task}"
    yield f"- target: {_target(plan)}; answers call it {known.name}"
    if known.event:
        yield f"- true means: {known.event}"
    if known.classes:
        yield f"- classes: {', '.join(map(str, known.classes))}"
    if known.renamed:
        yield "- the model's classes are renamed: " + ", ".join(f"{one.was!r} is {one.now!r}" for one in known.renamed)
    if known.unit:
        yield f"- unit: {known.unit}"
    yield f"- split: {proposal.split.words}"
    measured = dict.fromkeys(f"{one.name} {one.value:.4g}" for one in plan.metrics)
    yield "- the pilot measured: " + (", ".join(measured) or "nothing")
    yield f"- measured again on its held-out rows: {quality.summary}"
    if quality.beaten or not quality.is_better:
        yield f"- WARNING: {warning(plan)}"
    yield from ("", "## The notebook", "", f"- seeds: {_SEEDS}")
    yield f"- cells that the model does not need: {_numbers(plan.left_out)}"
    if plan.skipped:
        yield f"- cells that raised, and that a run skips: {_numbers(plan.skipped)}"
    if plan.slow:
        yield (
            f"- cells that a run skips, because they take long or read what such a cell makes, and the model needs "
            f"none of them: {_numbers(plan.slow)}"
        )
    if plan.raising:
        yield f"- cells that raised after what the model needs, and that may raise again: {_numbers(plan.raising)}"
    if plan.lifted.renewed:
        yield (
            "- cells with names that libraries gave up, written as they are today, or with an import that no cell has: "
            f"{_numbers(plan.lifted.renewed)} (the diff below)"
        )
    yield f"- files that it reads, copied into data/: {', '.join(plan.files) or 'none'}"
    yield from ("", "Parameters, lifted out of its cells:", "")
    yield from _parameters(plan)
    yield from ("", "## The columns of the raw rows", "")
    yield from _columns(proposal.columns)
    yield from ("", "## The bounds of the gate", "", "Measured on the pilot's own held-out rows.", "")
    yield from _bounds(quality.bounds)
    yield from ("", "## The rules", "", f"{quality.rules_words} They are in serve/fallback.py.")
    yield from ("", "## Edge cases", "", *(f"- {one.id}: {one.reason}" for one in quality.cases))
    yield from ("", "## What only a person knows", "", *(f"- {one}" for one in only_a_human_knows(plan)))
    yield from ("", "## Choices", "", "Edit them, and give this page to `proveout adopt --plan`.", "", "```toml")
    yield choices(plan)
    yield "```"


def _target(plan: Plan) -> str:
    known = plan.outcome
    if not known.made_of:
        return f"the raw column {known.column}"
    several = f"raw columns {', '.join(known.made_of)}" if len(known.made_of) > 1 else f"raw column {known.column}"
    return f"made of the {several} by the pilot's own statements, in flows/target.py"


def choices(plan: Plan) -> str:
    """What a person may change, as TOML."""
    return plan_choices.text(
        model=plan.recovered.folder, name=plan.proposal.name, target=plan.outcome.name, columns=plan.proposal.columns,
        bounds=plan.quality.bounds,
    ).rstrip()  # fmt: skip


def warning(plan: Plan) -> str:
    """What follows from a model that is not surely better than the rules."""
    if plan.quality.beaten:
        return f"{plan.quality.beaten}. The gate asks only that it stays as good as it is"
    if any(one.name == RULES_MARGIN for one in plan.quality.bounds):
        return (
            "it is not significantly better than the rules on so few rows: the gate asks only that it is not much worse"
        )
    return "the rows are too few to compare it with the rules"


def _numbers(places: Sequence[int]) -> str:
    return ", ".join(map(str, places)) or "none"


def _parameters(plan: Plan) -> Iterator[str]:
    if plan.lifted.parameters:
        yield from ("| name | value | what |", "| --- | --- | --- |")
    else:
        yield "None: it has no literals that are safe to lift."
    for one in plan.lifted.parameters:
        yield f"| `{one.name}` | `{_cell(one.written)}` | {one.what}, cell {_numbers(one.cells)} |"
    if plan.lifted.diff:
        yield from ("", "```diff", plan.lifted.diff, "```")


def _columns(columns: Sequence[Column]) -> Iterator[str]:
    yield from ("| column | in a request | seen | |", "| --- | --- | --- | --- |")
    for one in columns:
        use = "no" if not one.is_asked else "may be null" if one.nullable else "yes"
        yield f"| {_cell(one.name)} | {use} | {_cell(one.seen)} | {_cell(one.decided)} |"


def _bounds(bounds: Sequence[Bound]) -> Iterator[str]:
    yield from ("| bound | value | why |", "| --- | --- | --- |")
    yield from (f"| {one.name} | {one.value:.6g} | {_cell(one.reason)} |" for one in bounds)


def _cell(text: str) -> str:
    """A text for a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())
