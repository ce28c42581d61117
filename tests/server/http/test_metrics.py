"""server/http/metrics.py: what all processes counted, in Prometheus' own format and names."""

import os
import re
import subprocess
import sys
import time
from typing import Any

from gateway_toy import api_key, bearer, run, running
from patience import async_wait_until
from prometheus_client.parser import text_string_to_metric_families

from proveout.server.http import metrics
from proveout.server.http.metrics import Counts, Figures, Shared, Tally


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, as Prometheus would read it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(server: Any, **headers: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    response = await server.client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return read(response.text)


def test_what_is_answered_is_counted(tmp_path):
    """By route and code, by who answered, by why the model did not."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for mode in ("fine", "fine", "raise", "rules-raise"):
                await server.ask(mode=mode)
            await server.client.post("/predict", content=b"{")
            await server.client.get("/nothing/here")
            seen = await scrape(server)

            route = ("route", "/predict")
            assert seen[("proveout_requests_total", (("code", "200"), route))] == 4
            assert seen[("proveout_requests_total", (("code", "400"), route))] == 1
            assert seen[("proveout_requests_total", (("code", "404"), ("route", "none")))] == 1
            release = ("release", "toy@0123456789ab")
            sources = {
                source: seen[("proveout_predictions_total", (release, ("role", "champion"), ("source", source)))]
                for source in ("model", "rules", "none")
            }
            assert sources == {"model": 2, "rules": 1, "none": 1}
            assert seen[("proveout_fallback_total", (("reason", "raised"),))] == 2
            assert seen[("proveout_request_duration_seconds_count", (route,))] == 5
            assert seen[("proveout_request_duration_seconds_bucket", (("le", "+Inf"), route))] == 5
            assert 0 < seen[("proveout_request_duration_seconds_sum", (route,))] < 5
            info = ("proveout_model_info", (("model", "toy"), release, ("role", "champion"), ("share", "1")))
            assert seen[info] == 1
            assert seen[("proveout_requests_in_flight", ())] == 1  # the scrape itself

    run(test())


def test_looks_into_the_cache_are_counted(tmp_path):
    """How good a cache is, is a number."""

    async def test() -> None:
        async with running(tmp_path, cache_ttl_s=60) as server:
            for number in (1, 1, 1, 2):
                await server.ask(number=number)
            server.backend._connections.plain._disconnect()
            server.backend.service._config.__dict__["cache_ttl_s"] = 1e-9
            await server.ask(number=1)
            seen = await scrape(server)

            events = {
                event: seen[("proveout_cache_events_total", (("event", event),))] for event in ("hit", "miss", "stale")
            }
            assert events == {"hit": 2, "miss": 2, "stale": 1}

    run(test())


def test_no_label_tells_who_asked_or_what(tmp_path):
    """Keys, ids and paths from outside would be a series each, for ever, and people's business."""
    key = api_key(scopes=("predict", "metrics"))

    async def test() -> None:
        async with running(tmp_path, keys=[key]) as server:
            await server.ask({**bearer(key), "x-request-id": "of-ada"})
            for path in ("/of-ada", "/predictions/of-ada", "/v2/models/of-ada"):
                await server.client.get(path, headers=bearer(key))
            response = await server.client.get("/metrics", headers=bearer(key))

            assert "of-ada" not in response.text
            assert key.id not in response.text
            assert 'route="/v2/models/{name}"' in response.text

    run(test())


def test_names_are_as_prometheus_wants_them(tmp_path):
    """One prefix, base units, `_total` on what only grows; a line of help for each."""

    async def test() -> None:
        async with running(tmp_path) as server:
            await server.ask()
            text = (await server.client.get("/metrics")).text
            for family in text_string_to_metric_families(text):
                assert re.fullmatch(r"proveout_[a-z_]+", family.name)
                assert family.documentation
                assert not re.search(r"_(ms|milliseconds|kb|percent)(_|$)", family.name)
                if family.type == "counter":
                    assert all(sample.name.endswith("_total") for sample in family.samples)

    run(test())


def test_the_counts_of_all_processes_are_one_sum(tmp_path):
    """Whichever process is asked, and also those of a process that has died: a counter never goes down."""
    child = """
import sys
from pathlib import Path
from proveout.server.http.metrics import Shared, Tally
tally = Tally()
tally.in_flight = 7
for _ in range(3):
    tally.count("/predict", 200, 0.002)
Shared(Path(sys.argv[1])).write(tally.counts())
"""
    subprocess.run([sys.executable, "-c", child, str(tmp_path)], check=True)
    tally = Tally()
    tally.count("/predict", 200, 0.3)
    tally.in_flight = 1
    shared = Shared(tmp_path)
    shared.write(tally.counts())
    seen = read(metrics.text(shared.all(), Figures()).decode())

    route = ("route", "/predict")
    assert seen[("proveout_requests_total", (("code", "200"), route))] == 4
    assert seen[("proveout_request_duration_seconds_bucket", (("le", "0.0025"), route))] == 3
    assert seen[("proveout_request_duration_seconds_bucket", (("le", "0.5"), route))] == 4
    assert seen[("proveout_requests_in_flight", ())] == 1  # who is dead answers nothing any more


def test_a_bound_belongs_to_its_own_bucket():
    """`le` means less or equal."""
    tally = Tally()
    tally.count("/a", 200, 0.001)
    seen = read(metrics.text([(tally.counts(), True)], Figures()).decode())

    assert seen[("proveout_request_duration_seconds_bucket", (("le", "0.001"), ("route", "/a")))] == 1


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path):
    """A full disk: the process still knows its own counts."""
    shared = Shared(tmp_path / "gone")
    shared.write(Counts(requests=[("/a", 200, 5)]))

    assert shared.all()[0][0].requests == [("/a", 200, 5)]


def test_counts_are_shared_every_second(tmp_path):
    """Whoever asks another process sees them, and nobody had to ask this one."""

    async def test() -> None:
        async with running(tmp_path) as server:
            await server.ask()
            pattern = f"counts-{os.getpid()}-*.json"
            await async_wait_until(lambda: list((server.folder / "metrics").glob(pattern)), "its counts")

    run(test())


def test_counting_costs_a_request_next_to_nothing():
    """Measured under 1 µs; the bound is wide for a busy machine."""
    tally = Tally()
    began = time.process_time()
    for _ in range(10_000):
        tally.count("/predict", 200, 0.004)

    assert (time.process_time() - began) / 10_000 < 20e-6
