"""What `proveout mutate --aa` prints: which checks give another result on other held-out rows.

Input: a report. Output: text for a terminal.
"""

from typing import TYPE_CHECKING

from proveout.cli._terminal import fact, page, table

if TYPE_CHECKING:
    from proveout.mutation.stability import CheckStability, StabilityReport

HEAD = ("check", "on all rows", "flips in", "share, 95 %", "may in", "")


def as_text(report: "StabilityReport") -> str:
    """The share of rounds with another verdict, then each check that flipped in at least one round."""
    drawn = f"halves of {report.rows:,} rows"
    if report.clusters is not None:
        drawn = f"halves of {report.clusters:,} clusters with {report.rows:,} rows"
    state = "unstable" if report.unstable else "stable" if report.complete else "incomplete"
    moved = [one for one in report.checks if (one.flips or one.too_few_rows) and not one.counts_rows]
    lines = [
        f"{state}   {report.model}@{report.candidate[:12]}   "
        f"another verdict in {report.changed} of {report.rounds} rounds, {len(report.unstable)} of "
        f"{len(report.checks)} checks flip more often than allowed, in {report.seconds:.0f} s",
        fact("drawn", f"{drawn}, as if other rows of the same kind had been held out"),
        *(table(HEAD, [_row(one) for one in moved]) if moved else []),
    ]
    lines += [
        f"  {_name(one)} flips in {one.flips} of {one.rounds} rounds, and {_level(one)}: hold out more rows, or "
        "set a bound that the model meets with a margin"
        for one in report.unstable
    ]
    lines += [
        f"  not counted: {_name(one)} differs on every half, so it depends on the number of rows, not on which"
        for one in report.checks
        if one.counts_rows
    ]
    if report.unread:
        names = ", ".join(check.rpartition("::")[2] for check in report.unread)
        lines.append(fact("same anyway", f"{names}: asked for the held-out rows, and read none of them"))
    lines += [f"  round {one.round} came to no verdict: {one.why}" for one in report.crashes]
    lines += [f"  {_name(one)} could not be asked {_rounds(one.broke_in)}" for one in report.checks if one.broke_in]
    return page(lines, "proveout mutate: do the checks notice a broken model?")


def _row(one: "CheckStability") -> tuple[str, str, str, str, str, str]:
    note = "FLIPS MORE" if one.unstable else ""
    if one.too_few_rows:
        note = f"{note} half of the rows were too few in {one.too_few_rows} more rounds".strip()
    said = "passed" if one.passed else "failed"
    low, high = (100 * end for end in one.interval)
    share = f"{low:.0f} to {high:.0f} %" if one.rounds else ""
    return _name(one), said, f"{one.flips} of {one.rounds}", share, f"{100 * one.level:.3g} %", note


def _rounds(broke_in: tuple[int, ...]) -> str:
    """In which rounds.

    >>> _rounds((3, 7)), _rounds((0,))
    ('in round 3, 7: a fixture of it raised', 'of all rows: a fixture of it raised')
    """
    where = "of all rows" if broke_in == (0,) else f"in round {', '.join(map(str, broke_in))}"
    return f"{where}: a fixture of it raised"


def _name(one: "CheckStability") -> str:
    return one.check.rpartition("::")[2]


def _level(one: "CheckStability") -> str:
    share = f"{100 * one.level:.3g} %"
    return f"states an error rate of {share}" if one.stated else f"may in {share}, as it states no error rate"
