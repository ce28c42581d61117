"""How fast the server answers, beside its peers: FastAPI, LitServe, BentoML and MLServer with the same model.

    make bench                                         everything: some minutes to install the peers, then ten
    python bench/serving.py --only fastapi --seconds 2 --connections 1 64

Each serves the released bundle's pipeline on loopback, one at a time and all in turn, twice; `wrk` (Debian's package)
asks over 1, 8 and 64 connections, with 200 real records in turn. Ours runs as in production: authentication, rate
limit, validation, deadline, fallback chain and prediction log on, answers from the cache off; on a copy of the ledger,
which stays as it is. What counts is the ratio within one run: all have the same machine, if not the same minute of it.
"""

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contestants
import figures
import machine
from contestants import Contestant
from figures import Explained, Found

ROOT = Path(__file__).parents[1]
RECORDS = 200
COMPARED = 8  # records whose answers must be the same before anything is measured
MOST_APART = 1e-9
EXPLAINED_SHARE = 0.1  # of the connections, in the run with explanations
OURS = "proveout"


@dataclass(frozen=True, kw_only=True)
class Released:
    """What is served: the bundle, real records as a client would send them, and what the model says of the first."""

    name: str
    folder: Path
    records: tuple[Mapping[str, Any], ...]
    probabilities: tuple[float, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report. Returns 0, or 2 if wrk is not there."""
    asked = parse(arguments)
    if shutil.which("wrk") is None:
        print("wrk is not installed. On Debian: apt-get install wrk", file=sys.stderr)
        return 2
    bundle = released()
    found: Found = {}
    explained = None
    with ours() as us:
        chosen = [one for one in (us, *contestants.peers(bundle.folder)) if not asked.only or one.name in asked.only]
        for needs in dict.fromkeys(one.needs for one in chosen if one.needs):
            contestants.install(needs)
        for repeat in range(asked.repeats):
            for one in chosen:
                with started(one, bundle) as server:
                    agree(one, server, bundle)
                    with asking(one, bundle) as wrk:
                        for connections in asked.connections:
                            tell(f"{one.name}, {connections} connections, {repeat + 1} of {asked.repeats}")
                            measured = wrk.measure(
                                server, connections=connections, seconds=asked.seconds, others=one.others
                            )
                            found.setdefault((one.name, connections), []).append(measured)
                    if one is us and repeat == asked.repeats - 1:
                        tell("proveout, with and without requests for reasons")
                        explained = explaining(us, server, bundle, max(asked.connections), asked.seconds)
    print(figures.table(found))
    print(figures.ratios(found))
    if explained is not None:
        print(figures.of_reasons(explained))
    about = {"bundle": bundle.name, "seconds": asked.seconds, "settings": {one.name: one.settings for one in chosen}}
    figures.keep(asked.out, found, explained, about)
    tell(f"figures: {asked.out}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    names = [OURS, "fastapi", "litserve", "litserve-1ms", "litserve-5ms", "bentoml", "mlserver"]
    parser = argparse.ArgumentParser(description="how fast the server answers, beside its peers")
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="only these")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement, after its warm-up (5)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64], help="at once (1 8 64)")
    parser.add_argument("--repeats", type=int, default=2, help="of everything, in turn (2)")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "bench.json", help="where the figures go")
    return parser.parse_args(arguments)


def tell(what: str) -> None:
    """Progress, for whoever waits."""
    print(what, file=sys.stderr, flush=True)


# --- what is served ---------------------------------------------------------------------------------------------------


def released() -> Released:
    """The released bundle, with records of its training rows."""
    from proveout.data import request_columns
    from proveout.errors import NotFound
    from proveout.model.bundle import open_bundle
    from proveout.project import open_ledger, open_store
    from proveout.rollout import releases
    from proveout.settings import load

    settings = load(ROOT)
    with open_ledger(settings) as ledger:
        release = releases.current(ledger, settings.model)
    if release is None:
        raise NotFound("release", "yet", "Make one: make demo")
    folder = open_store(settings).folder("bundles", release.bundle)
    opened = open_bundle(folder)
    rows = opened.reference()[list(opened.request_columns)].head(RECORDS)
    tell(f"{release.name}, the direct path is {opened.direct}")
    return Released(
        name=release.name,
        folder=folder,
        records=tuple(request_columns.plain_records(rows)),
        probabilities=tuple(opened.predict(rows.head(COMPARED)).tolist()),
    )


@contextmanager
def ours() -> Iterator[Contestant]:
    """Our server on a copy of the state, with an API key made for this run."""
    from proveout.settings import load

    settings = load(ROOT)
    with tempfile.TemporaryDirectory(prefix="proveout-bench-") as temporary:
        state = Path(temporary) / "state"
        state.mkdir()
        if not isinstance(settings.ledger, Path):
            raise SystemExit("the bench copies the ledger, which is elsewhere: unset PROVEOUT_LEDGER_URL and make demo")
        with sqlite3.connect(settings.ledger) as here:
            copy = sqlite3.connect(state / "ledger.db")
            here.backup(copy)
            copy.close()
        shutil.copytree(settings.keys_dir, state / "keys")
        yield contestants.proveout(
            {
                "PROVEOUT_STATE": str(state),
                "PROVEOUT_STORE_URL": settings.store,
                "PROVEOUT_AUTH": "on",
                "PROVEOUT_CACHE_TTL_S": "0",
                "OMP_NUM_THREADS": "1",
            },
            {"Authorization": f"Bearer {key(state)}"},
        )


def key(state: Path) -> str:
    """An API key in the ledger of `state`, with a rate limit that is high, but on."""
    from proveout.ledger.ledger import Ledger
    from proveout.records.values import now
    from proveout.trust import api_keys
    from proveout.trust.secrets import KEY_PEPPER, secret

    with Ledger(state / "ledger.db") as ledger:
        made = api_keys.create(
            ledger,
            secret(state / "keys", KEY_PEPPER),
            name="bench",
            tenant="bench",
            scopes=("predict", "metrics"),
            rate_per_s=1_000_000.0,
            burst=1_000_000,
            per_day=1_000_000_000,
            by="bench",
            reason="a run of the bench",
            at=now(),
        )
    return made.text


# --- measuring --------------------------------------------------------------------------------------------------------


@contextmanager
def started(one: Contestant, bundle: Released) -> Iterator[machine.Running]:
    """The server of `one`, once its model answers."""
    port = machine.free_port()
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="proveout-bench-") as folder,
        machine.running(
            one.command(port, Path(folder)),
            port=port,
            cwd=one.cwd,
            environment={**threads, **one.environment, "PROVEOUT_PORT": str(port)},
            ready=lambda: answered(one, port, bundle.records[0]) is not None,
        ) as server,
    ):
        yield server


def answered(one: Contestant, port: int, record: Mapping[str, Any]) -> float | None:
    """The probability that the server says, or None if it says none, or one that is not the model's."""
    answer = machine.ask(port, one.path, one.body(record), one.headers)
    try:
        return None if answer is None else one.answers(answer)
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def agree(one: Contestant, server: machine.Running, bundle: Released) -> None:
    """The same model, the same numbers. Raises: SystemExit if it says something else than the bundle."""
    for record, wanted in zip(bundle.records, bundle.probabilities, strict=False):
        said = answered(one, server.port, record)
        if said is None or abs(said - wanted) > MOST_APART:
            raise SystemExit(f"{one.name} says {said} where the model says {wanted}: it does not serve the same model")


@contextmanager
def asking(one: Contestant, bundle: Released, **more: Any) -> Iterator[machine.Wrk]:
    """wrk with the records of `bundle` as `one` is asked them."""
    wrk = machine.Wrk(one.path, [one.body({**record, **more}) for record in bundle.records], one.headers)
    try:
        yield wrk
    finally:
        wrk.close()


def explaining(us: Contestant, server: machine.Running, bundle: Released, most: int, seconds: float) -> Explained:
    """Plain requests over nine tenths of the connections: alone, and while the others ask for reasons."""
    few = max(1, round(most * EXPLAINED_SHARE))
    with ExitStack() as stack:
        plain = stack.enter_context(asking(us, bundle))
        curious = stack.enter_context(asking(us, bundle, explain=True))
        alone = plain.measure(server, connections=max(1, most - few), seconds=seconds, others=us.others)
        beside = curious.start(server.port, connections=few, seconds=seconds * 1.25 + 3)
        with_others = plain.measure(server, connections=max(1, most - few), seconds=seconds, others=us.others)
        reasons = machine.measured(beside.communicate()[0], cpu_s=0.0)
    return Explained(
        plain_alone=alone, plain_beside=with_others, explained=reasons, connections=max(1, most - few), explaining=few
    )


if __name__ == "__main__":
    sys.exit(main())
