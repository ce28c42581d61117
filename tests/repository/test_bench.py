"""bench/: what it measures is what it says, of all the processes that a server has, and nothing is left behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from reference_project import ROOT

BENCH = ROOT / "bench"
sys.path.insert(0, str(BENCH))

import contestants  # noqa: E402  # the bench is a folder of scripts
import figures  # noqa: E402
import machine  # noqa: E402
import serving  # noqa: E402

FAMILY = """
import os, subprocess, sys, time
child = [sys.executable, "-c", "import time\\nend = time.process_time() + {burn}\\nwhile time.process_time() < end: pass\\ntime.sleep(60)"]
subprocess.Popen(child)
subprocess.Popen(child, start_new_session=True)
print("started", flush=True)
time.sleep(60)
"""  # noqa: E501  # a program in one line


def measured(rps, p99_ms=10.0, **more):
    return machine.Measured(**{"rps": rps, "p50_ms": 5.0, "p99_ms": p99_ms, "cpu_us": 100.0, "failed": 0, **more})


def test_the_cpu_time_of_every_process_of_a_server_counts(tmp_path):
    """BentoML's workers leave the session, LitServe's do not: what is not seen looks free."""
    process = subprocess.Popen(
        [sys.executable, "-c", FAMILY.format(burn=0.5)], start_new_session=True, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    until = time.monotonic() + 60
    while machine.cpu_s(process.pid) < 1.0 and time.monotonic() < until:
        time.sleep(0.1)

    family = machine.members(process.pid)
    used = machine.cpu_s(process.pid)
    machine.end(process)

    assert len(family) == 3
    assert 1.0 <= used < 30
    assert os.getpid() not in family
    assert not machine._alive() & set(family)


def test_a_server_that_ignores_the_signal_is_ended_all_the_same(monkeypatch):
    """The next server would share its cores, or not get its port."""
    stubborn = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True, stdout=subprocess.PIPE)
    process.stdout.readline()
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr(machine.time, "monotonic", lambda: next(clock))

    machine.end(process)

    assert process.returncode == -signal.SIGKILL


def test_a_server_that_does_not_start_says_why(tmp_path):
    """Ten minutes of bench that end with "no answer" help nobody."""
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        pytest.raises(SystemExit, match="no such model"),
        machine.running(command, port=1, cwd=tmp_path, environment={}, ready=lambda: False),
    ):
        pass


class Answering(BaseHTTPRequestHandler):
    """A server of probabilities: every third request fails."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, bytes]] = []  # of this class, on purpose

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"], body))
        answer = json.dumps({"probability": json.loads(body)["n"] / 10}).encode()
        self.send_response(200 if len(self.seen) % 3 else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    Answering.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_wrk_sends_the_records_in_turn_and_counts_what_failed(answering):
    """A bench that counts refusals as answers is won by whoever refuses fastest."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed. On Debian: apt-get install wrk")
    bodies = [json.dumps({"n": n, "text": 'ä "quoted"'}).encode() for n in range(5)]
    wrk = machine.Wrk("/predict", bodies, {"Authorization": "Bearer po_1"})
    counts = iter([7, 10])
    try:
        found = wrk.measure(
            machine.Running(process=os.getpid(), port=answering),
            connections=2,
            seconds=1,
            others=lambda port: next(counts),
        )
    finally:
        wrk.close()

    assert {path for path, _, _ in Answering.seen} == {"/predict"}
    assert {key for _, key, _ in Answering.seen} == {"Bearer po_1"}
    assert {body for _, _, body in Answering.seen} == set(bodies)
    assert found.rps > 10
    assert found.failed == pytest.approx(found.rps / 3, rel=0.5)
    assert 0 < found.p50_ms <= found.p99_ms
    assert found.cpu_us > 0
    assert found.not_by_model == 3


def test_wrk_that_measures_nothing_ends_the_run():
    """Zeros in the table would look like a result."""
    with pytest.raises(SystemExit, match="unable to connect"):
        machine.measured("unable to connect to 127.0.0.1:1 Connection refused\n", cpu_s=1.0)


def test_a_server_of_another_model_is_not_measured(answering):
    """Faster with other numbers is no faster."""
    one = contestants.Contestant(name="other", settings="", command=lambda port, folder: [])
    right = tuple({"n": n} for n in (1, 2))
    server = machine.Running(process=0, port=answering)

    def bundle(*probabilities):
        return serving.Released(name="m@1", folder=Path(), records=right, probabilities=probabilities)

    serving.agree(one, server, bundle(0.1, 0.2))
    Answering.seen.clear()
    with pytest.raises(SystemExit, match="does not serve the same model"):
        serving.agree(one, server, bundle(0.1, 0.20001))


def test_ours_counts_only_what_the_model_answered():
    """While the worker is away, the rules answer: very fast."""
    us = contestants.proveout({}, {})

    assert us.answers({"answered_by": "model", "prediction": {"probability": 0.25}}) == 0.25
    with pytest.raises(ValueError, match="rules"):
        us.answers({"answered_by": "rules", "prediction": {"probability": 0.25}})
    text = (
        'proveout_predictions_total{release="m@1",role="champion",source="model"} 90.0\n'
        'proveout_predictions_total{release="m@1",role="champion",source="rules"} 7.0\n'
        'proveout_predictions_total{release="m@1",role="champion",source="none"} 1.0\n'
        'proveout_predictions_created{release="m@1",role="champion",source="rules"} 1.7e9\n'
    )
    assert contestants._by_others(text) == 8


def test_ratios_are_to_the_best_peer_of_each_column():
    """Six times the slowest is easy."""
    found = {
        ("proveout", 64): [measured(1000, 10), measured(3000, 30)],
        ("fastapi", 64): [measured(100, 5.0)],
        ("mlserver", 64): [measured(500, 80, failed=2)],
    }

    said = figures.ratios(found)

    assert "4.00 times the requests of mlserver" in said
    assert "4.00 times the p99 of fastapi" in said
    assert "20.00 times the requests of fastapi" in said
    table = figures.table(found).splitlines()
    assert table[1].split()[:4] == ["proveout", "64", "1,000.0", "3,000.0"]
    assert table[3].split()[-2:] == ["2", "0"]
    assert figures.ratios({("proveout", 1): [measured(10)]}).strip() == ""


def test_the_figures_are_kept_with_what_they_were_measured_on(tmp_path):
    """A figure without its machine means nothing a week later."""
    explained = figures.Explained(
        plain_alone=measured(1000), plain_beside=measured(900), explained=measured(30), connections=58, explaining=6
    )
    figures.keep(tmp_path / "reports" / "bench.json", {("proveout", 1): [measured(10)]}, explained, {"bundle": "m@1"})

    kept = json.loads((tmp_path / "reports" / "bench.json").read_text())

    assert kept["bundle"] == "m@1"
    assert kept["machine"]["cores"] >= 1
    assert kept["runs"] == [{"name": "proveout", "connections": 1, **vars(measured(10))}]
    assert kept["reasons"]["plain_beside"]["rps"] == 900
    assert "58 connections ask plainly: 1,000 requests/s" in figures.of_reasons(explained)


def test_without_wrk_the_bench_says_what_to_install(monkeypatch, capsys):
    """The one thing that `make bench` cannot install."""
    monkeypatch.setattr(serving.shutil, "which", lambda name: None)

    assert serving.main(["--seconds", "1"]) == 2
    assert "apt-get install wrk" in capsys.readouterr().err


def test_every_peer_is_pinned_whole_and_serves_with_our_versions():
    """Another version of scikit-learn is another model; a package without a version is another bench every week."""
    peers = contestants.peers(Path("/bundle"))
    assert len({peer.name for peer in peers}) == len(peers) >= 6
    locked = set(re.findall(r"^([\w.-]+)==(\S+)", (BENCH.parent / "requirements.lock").read_text(), flags=re.M))
    for needs in {peer.needs for peer in peers}:
        lines = (BENCH / "peers" / f"{needs}.txt").read_text().splitlines()
        pins = dict(line.split("==") for line in lines)
        assert len(pins) == len(lines) > 10
        for name in ("scikit-learn", "skops", "pandas", "numpy"):
            assert (name, pins[name]) in locked, f"{needs}.txt has another {name}"
    for peer in peers:
        started = " ".join(peer.command(18_000, BENCH / "peers")) if peer.needs != "mlserver" else ""
        assert peer.needs == "mlserver" or f".venv-bench/{peer.needs}/bin/" in started
        assert json.loads(peer.body({"hour": 3, "port": "JFK", "wind": None}))


def test_the_installer_makes_an_environment_once(tmp_path, monkeypatch):
    """A peer's environment is made again when its requirements change, not before."""
    ran = []
    monkeypatch.setattr(contestants, "ROOT", tmp_path)
    monkeypatch.setattr(contestants, "PEERS", tmp_path)

    def run(command, **_):
        ran.append(command)
        (tmp_path / ".venv-bench" / "tiny").mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(
            command, 1 if "broken" in (tmp_path / "tiny.txt").read_text() else 0, "", "no"
        )

    monkeypatch.setattr(contestants.subprocess, "run", run)
    (tmp_path / "tiny.txt").write_text("a==1\n")
    contestants.install("tiny")
    contestants.install("tiny")
    assert len(ran) == 2
    (tmp_path / "tiny.txt").write_text("broken==2\n")
    with pytest.raises(SystemExit, match="failed"):
        contestants.install("tiny")
    assert len(ran) == 3
