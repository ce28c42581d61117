"""The page of a rule in docs/audit/, made from the rule itself.

    python -m proveout.pilot.audit.rule_page docs/audit

Input: the rules. Output: one markdown page for each code, and README.md with the list.
"""

import sys
from pathlib import Path

from proveout.pilot.audit.audit import all_rules
from proveout.pilot.audit.rule import Example, Rule


def page(rule: Rule) -> str:
    """What the rule finds, why that hurts, what to do, and code that it finds and leaves alone."""
    found = "\n\n".join(_code(example) for example in rule.positive)
    alone = "\n\n".join(_code(example) for example in rule.negative)
    return f"""# {rule.code}: {rule.title}

Kind `{rule.kind}`, severity {rule.severity}.

{rule.why}

**Fix.** {rule.fix}

## Found

{found}

## Left alone

{alone}
"""


def _code(example: Example) -> str:
    """The cells of an example; a comment marks where something is found."""
    marked: list[str] = []
    for place, source in enumerate(example.cells):
        lines = source.splitlines() or [""]
        if len(lines) > _MOST_LINES:
            lines = [*lines[:2], "...", *lines[-1:]]
        if len(example.cells) > 1:
            marked.append(f"# cell {place}")
        for number, line in enumerate(lines, 1):
            hit = (place, number) in example.found
            marked.append(f"{line}  # <- here" if hit and not line.startswith(("%", "!")) else line)
    if len(marked) > _MOST_LINES * 2:
        marked = [*marked[:6], "...", *marked[-2:]]
    return "```text\n" + "\n".join(line.rstrip() for line in marked) + "\n```"


_MOST_LINES = 12


def index() -> str:
    """The list of all rules."""
    rows = "\n".join(
        f"| [{rule.code}]({rule.code}.md) | `{rule.kind}` | {rule.severity} | {rule.title} |" for rule in all_rules()
    )
    return f"""# What the audit finds

`proveout audit NOTEBOOK` reads a notebook and runs nothing of it. Each kind of hidden dependency has a page.

```console
$ proveout audit notebooks/flight_delay.ipynb
$ proveout audit notebooks/ --fail-on high
$ proveout audit notebooks/flight_delay.ipynb --all --html audit.html
$ proveout audit notebooks/ --json
$ proveout audit notebooks/ --sarif
```

It reads `.ipynb` files of nbformat 3 and 4, marimo notebooks and scripts with `# %%` cells. A cell that is no valid
Python is named, and the rest is read all the same. A finding names its cell, counted from 0 over all cells, and the
line in it, from 1.

| code | kind | severity | what |
| --- | --- | --- | --- |
{rows}

## How much it finds

`bench/audit.py LABELS` prints recall and precision for each kind on notebooks that somebody labelled, and ruff's
beside it with `--ruff`. On 32 public notebooks that nobody had looked at while the rules were written (817 labels by
one reader, 1,175 cells) it found 88 % of what was labelled, and 98 % of its findings had a label. 100 cells take half
a second.

It is weak where a reader has to understand what the author meant. Of the kinds with ten labels or more two are below
60 %: `copied-literal` (1 of 11 found) and `manual-edit` (2 of 10 found, 2 of 6 findings right). `train-serve-skew`
had five labels, of which one was found.
"""


def write(folder: Path) -> None:
    """All pages into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(index(), encoding="utf-8")
    for rule in all_rules():
        (folder / f"{rule.code}.md").write_text(page(rule), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
