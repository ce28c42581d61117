"""Human approvals as text for a terminal.

Input: records. Output: text.
"""

from collections.abc import Sequence
from pathlib import Path

from proveout.cli._terminal import fact, moment, number, page, plain, table
from proveout.gate import holdout_use
from proveout.gate.reports.text_report import BY_OTHERS
from proveout.gate.verdict import asked, in_short, interval, word
from proveout.records.release import Consent
from proveout.records.verdict import Evidence, Verdict
from proveout.rollout.moved_bounds import in_words
from proveout.rollout.status import ApprovalStatus, Packed
from proveout.trust.approvals import shortage


def proposal(judged: Verdict, others: Sequence[Consent], *, until: str) -> list[str]:
    """What a person is about to approve: the main numbers, all waivers, and who else has approved."""
    numbers = [
        (
            plain(f"{one.name}, {one.slice}" if one.slice else one.name),
            number(one.value), interval(one), number(one.champion), asked(one), word(one),
        )
        for one in _telling(judged.evidence)
    ]  # fmt: skip
    waived = [
        f"  waived    {plain(one.check)}   by {plain(one.by)} until {plain(one.until)}: {plain(one.reason)}"
        for one in judged.waived
    ]
    return [
        fact("gate", f"{in_short(judged)}, {moment(judged.judged_at)}"),
        *([fact("checks", f"{BY_OTHERS} {plain(judged.checks_folder)}")] if judged.checks_folder else []),
        fact("snapshot", judged.data[:12]),
        fact("champion", judged.champion[:12] if judged.champion else "none when it was judged"),
        *(waived or [fact("waivers", "none")]),
        *comparable(judged),
        *table(("number", "candidate", "interval", "champion", "asked", ""), numbers, right=(1, 3)),
        *(
            fact("approved by", f"{plain(one.by)} until {moment(one.expires_at)}: {plain(one.reason)}")
            for one in others
        ),
        fact("until", moment(until)),
    ]


def comparable(judged: Verdict) -> list[str]:
    """What limits a comparison with earlier verdicts: changed bounds, and earlier candidates on the same rows."""
    return [
        *(fact("bound", plain(in_words(one, since=judged.moved_since))) for one in judged.moved),
        *(fact(title, plain(text)) for title, text in holdout_use.facts(judged)),
    ]


def approved(consent: Consent, judged: Verdict, others: Sequence[Consent], *, persons: int) -> str:
    """The confirmation that a person approved a bundle."""
    name, digest = f"{consent.model}@{consent.bundle[:12]}", consent.bundle[:12]
    have = len(others) + 1
    lines = [
        f"approved   {plain(name)}   by {plain(consent.by)}, with key {consent.key}: {plain(consent.reason)}",
        *proposal(judged, others, until=consent.expires_at),
    ]
    if have < persons:
        lines.append(fact("persons", shortage(have, persons)))
        return page(lines, f'proveout approve {digest} --by NAME --reason "…"   # another person, with their own key')
    lines.append(
        fact("persons", f"{have} of {persons} have approved" if persons else "none required: required_approvals = 0")
    )
    return page(lines, f'proveout release {digest} --reason "…"')


def made(name: str, key: Path, public: Path, key_id: str, *, found: bool) -> str:
    """The confirmation that a person has a key; it counts once its public key is reviewed and committed."""
    lines = [
        f"created   {plain(name)}   {key_id}",
        fact("private key", f"{key}{', which already existed' if found else ''}: keep it to yourself"),
        fact("public key", str(public)),
        fact("then", "have the public key reviewed and committed: the files in that folder decide who may approve"),
    ]
    return page(lines, f"git add {public}")


def given(leave: ApprovalStatus) -> list[str]:
    """One line on required human approvals; none if they are not required."""
    if not leave.persons:
        return []
    by = f"approved by {', '.join(map(plain, leave.approved_by))}" if leave.approved_by else "no human approval"
    missing = leave.persons - len(leave.approved_by)
    command = f"; {shortage(len(leave.approved_by), leave.persons)}: proveout approve {leave.bundle[:12]}"
    return [fact("persons", by + (command if missing > 0 else ""))]


def state(item: Packed) -> str:
    """The state of a bundle, with the number of missing human approvals."""
    waits = item.state in {"approved", "champion", "canary", "shadow"} and len(item.approved_by) < item.persons
    return f"{item.state}, {shortage(len(item.approved_by), item.persons)}" if waits else item.state


def mending(leave: ApprovalStatus) -> str:
    """The command that renews a bundle's approval."""
    if leave.problem == shortage(len(leave.approved_by), leave.persons):
        return f'proveout approve {leave.bundle[:12]} --by NAME --reason "…"'
    return f"proveout gate {leave.bundle[:12]}"


def _telling(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The most informative evidence: what is not clearly met, then measures over all rows, then counts."""
    shown = [one for one in evidence if one.slice is None or not one.holds]
    plain_counts = [one for one in shown if one.holds and one.low is None and one.champion is None]
    return [*sorted((one for one in shown if one not in plain_counts), key=lambda one: one.holds), *plain_counts][:12]
