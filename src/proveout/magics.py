"""proveout inside of a notebook: `%load_ext proveout`, then `%%audit` above a cell, `%audit`, and `%prove model`.

Input: cells and objects of the running notebook. Output: findings, a verdict, and records as small tables.
"""

import html
from dataclasses import fields, is_dataclass
from typing import Any

_SHOWN = 200  # characters of a value


def load(shell: Any) -> None:
    """Add the magics to IPython's shell, and show records as tables."""
    shell.register_magic_function(audit, magic_kind="line_cell", magic_name="audit")
    shell.register_magic_function(prove, magic_kind="line", magic_name="prove")
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type_by_name("proveout.records.verdict", "Verdict", _verdict_page)
    for module, name in (("bundle", "Bundle"), ("release", "Release"), ("snapshot", "Snapshot"), ("answer", "Answer")):
        formatter.for_type_by_name(f"proveout.records.{module}", name, record_table)


def audit(line: str, cell: str | None = None) -> None:
    """`%%audit`: run the cell, and say what in it will hurt in production. `%audit`: all cells that ran so far.

    Cells have the numbers of their prompts. Names that earlier cells have bound are known.
    """
    from IPython.core.getipython import get_ipython

    from proveout.cli._audit_view import report_page
    from proveout.pilot.audit import audit as auditing
    from proveout.pilot.audit.notebook_text import of_sources

    shell: Any = get_ipython()
    sources = list(shell.history_manager.input_hist_raw)  # as they were typed, magics with their marks
    if cell is None:
        report = auditing.audit_text(of_sources("this notebook", sources))
    else:
        if sources[-1].lstrip().startswith("%%audit"):  # this one
            sources.pop()
        whole = auditing.audit_text(of_sources("this cell", [*sources, cell]))
        report = auditing.of_cell(whole, len(sources))
    print(report_page(report, everything=cell is not None, is_file=False))
    if cell is not None:
        shell.run_cell(cell)


def prove(line: str) -> Any:
    """`%prove NAME`: pack the named estimator as a candidate of the project, and let the gate judge it.

    The project is the one that the notebook lies in. `metrics` of the notebook, a dict of numbers, are packed with it.
    Returns the verdict, which the notebook shows as a page.
    """
    from IPython.core.getipython import get_ipython

    from proveout import settings
    from proveout.errors import UsageError
    from proveout.training import object_run

    shell: Any = get_ipython()
    name = line.strip()
    if name not in shell.user_ns:
        raise UsageError(f"%prove {name}: the notebook has no such name. Name a fitted estimator: %prove model")
    metrics = shell.user_ns.get("metrics")
    return object_run.judge(settings.load(), shell.user_ns[name], metrics if isinstance(metrics, dict) else {})


def _verdict_page(verdict: Any) -> str:
    from proveout.gate.reports import html_report

    page = html.escape(html_report.html(verdict), quote=True)
    return f'<iframe srcdoc="{page}" style="width: 100%; height: 40em; border: 1px solid #ccc"></iframe>'


def record_table(record: Any) -> str:
    """A record as a table of its fields."""
    rows = "".join(
        f"<tr><th style='text-align: left'>{html.escape(field.name)}</th>"
        f"<td style='text-align: left'>{_cell(getattr(record, field.name))}</td></tr>"
        for field in fields(record)
    )
    return f"<table><caption>{html.escape(type(record).__name__)}</caption>{rows}</table>"


def _cell(value: Any) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        return record_table(value)
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return "".join(_cell(one) for one in value[:10]) + (f"and {len(value) - 10} more" if len(value) > 10 else "")
    text = str(value)
    return html.escape(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
