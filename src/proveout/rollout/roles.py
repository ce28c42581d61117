"""Which release holds a role, now or at a given time, and to which one a rollback goes. Pure.

Input: releases, in the order of the ledger. Output: the release that holds the role.
"""

from collections.abc import Sequence

from proveout.ledger.timestamps import utc
from proveout.records.release import Release, Role


def holder(releases: Sequence[Release], *, role: Role = "champion", moment: str | None = None) -> Release | None:
    """The release that holds `role` after `releases`, or held it at `moment`.

    The order of the ledger decides, not the clocks of the machines that wrote it: of two releases that began by then,
    the later entry holds the role. A canary or a shadow holds its role until it is ended (share 0) or takes another
    one.
    """
    until = None if moment is None else utc(moment)
    begun = [r for r in releases if until is None or utc(r.since) <= until]
    held = next((place for place in reversed(range(len(begun))) if begun[place].role == role), None)
    if held is None:
        return None
    found = begun[held]
    after = begun[held + 1 :]
    moved_on = any(later.bundle == found.bundle and later.role != role and later.share > 0 for later in after)
    return None if role != "champion" and (found.share == 0 or moved_on) else found


def running(releases: Sequence[Release], *, moment: str | None = None) -> tuple[Release | None, Release | None]:
    """The canary and the shadow that run after `releases`, or ran at `moment`."""
    return holder(releases, role="canary", moment=moment), holder(releases, role="shadow", moment=moment)


def to_take_back(releases: Sequence[Release]) -> Role:
    """The role that a rollback undoes by default: a running canary, which is the newest change of the traffic."""
    return "champion" if holder(releases, role="canary") is None else "canary"


def before(releases: Sequence[Release]) -> Release | None:
    """The champion to go back to; None if there was no earlier one."""
    champions = line(releases)
    return champions[-2] if len(champions) > 1 else None


def line(releases: Sequence[Release]) -> list[Release]:
    """The champions that rollbacks go through, the current one last.

    A rollback shortens the list, so that two rollbacks go back two steps, and never forward to a bundle that was rolled
    back.
    """
    champions: list[Release] = []
    for made in releases:
        if made.role == "champion":
            places = [place for place, champion in enumerate(champions) if champion.bundle == made.bundle]
            champions = [*champions[: places[0] if places else len(champions)], made]
    return champions
