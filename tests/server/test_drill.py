"""server/drill.py: a running server put through its faults, and what its callers got, counted."""

import http.server
import itertools
import json
import os
import signal
import threading

import numpy as np
import pytest
from patience import wait_until
from serving_live import HANGS_AFTER_S, Server
from serving_toy import request, settings_of

from proveout.server import drill, load_client
from proveout.server.load_client import Address, Answered, DrillFailed
from proveout.task.binary import Binary

DEADLINE_S = 1.0
BODIES = [json.dumps(request(number=number)).encode() for number in range(50)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(
        tmp_path_factory.mktemp("drill") / "project", PROVEOUT_STALE_IF_ERROR_S="0", PROVEOUT_DEADLINE_S=str(DEADLINE_S)
    )
    running.wait_ready()
    yield running
    running.stop()


def phase(server: Server, fault: drill.Fault, *, seconds: float = 3 * DEADLINE_S) -> drill.Phase:
    settings = settings_of(server.root, port=server.port, deadline_s=DEADLINE_S)
    address = Address(host="127.0.0.1", port=server.port)
    return drill._phase(settings, address, fault, BODIES, seconds=seconds)


@pytest.mark.parametrize("fault", drill.FAULTS)
def test_each_fault_brings_the_rules_and_fails_nobody(server, fault, monkeypatch):
    """A fault that changes nothing is no fault, and a drill that fails requests is worse than what it looks for."""
    monkeypatch.setattr(drill, "_LATE_S", HANGS_AFTER_S)  # of a machine that is busy with other tests
    found = phase(server, fault)

    assert found.failed == 0
    assert found.late == 0
    assert found.asked > 20
    assert sum(found.sources.values()) == found.asked
    if fault == "none":
        assert found.sources["model"] > 0.9 * found.asked
    else:
        assert found.sources["rules"] > 0
    assert server.ask()["answered_by"] == "model", "the fault outlasts the drill"


def test_the_drills_requests_are_told_apart_in_the_log(server):
    """Who counts the day's answers leaves them out."""
    phase(server, "none", seconds=0.5)

    wait_until(
        lambda: any(request_id.startswith(drill.PREFIX) for request_id in server.logged()), "its requests in the ledger"
    )


def test_a_killed_worker_shows_in_the_count():
    """A summary that calls everything fine would pass every server."""
    answers = [Answered(source="model", seconds=0.01)] * 97
    answers += [
        Answered(source=None, seconds=0.2, problem="500 Internal server error"),
        Answered(source="rules", seconds=0.9),
        Answered(source="none", seconds=0),
    ]

    found = drill.summary("killed", answers, deadline_s=0.5, back_s=2.0)

    assert (found.asked, found.failed, found.late) == (100, 1, 1)
    assert found.sources == {"model": 97, "rules": 1, "none": 1}
    assert found.slowest_s == 0.9
    assert found.problems == {"500 Internal server error": 1}
    report = drill.DrillReport(release="toy@0", deadline_s=0.5, split="m", phases=(found,), quality=())
    assert not report.passed


def test_rules_are_measured_beside_the_model():
    """What a fallback costs."""
    happened = np.array([False, False, True, True])

    found = drill.measure("rules", np.array([0.1, 0.4, 0.35, 0.8]), happened, task=Binary())

    assert (found.metrics["auc"], found.metrics["accuracy"], found.rows) == (0.75, 0.75, 4)
    assert found.metrics["brier"] == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    with pytest.raises(DrillFailed, match="only one outcome"):
        drill.measure("rules", np.array([0.1]), np.array([True]), task=Binary())


def test_where_nobody_serves_the_drill_says_how_to_start(tmp_path):
    """Not a connection error."""
    with pytest.raises(DrillFailed, match="proveout serve"):
        drill.run(settings_of(tmp_path, port=9))


def test_a_request_that_is_refused_counts_as_failed(server):
    """The drill's own requests are valid: a 4xx would be a fault as well."""
    address = Address(host="127.0.0.1", port=server.port)

    connection, refused = load_client.ask(address, None, b"{}", "drill-x")

    assert refused.source is None
    assert connection is not None
    connection.close()


@pytest.fixture
def shedding():
    """A server that turns requests away: each id once, or those that end with `-again` as well."""
    asked: list[str] = []

    class Shedding(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        always = False

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.headers["x-request-id"])
            again = asked[-1].endswith("-again") and not self.always
            problem = {"type": "urn:proveout:problem:overloaded", "detail": "An answer would come too late."}
            body = json.dumps({"answered_by": "model"} if again else problem).encode()
            self.send_response(200 if again else 503)
            self.send_header("content-length", str(len(body)))
            if not again:
                self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shedding) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Shedding, Address(host="127.0.0.1", port=running.server_port), asked
        running.shutdown()


def answers_of(address: Address) -> list[Answered]:
    answers: list[Answered] = []
    with load_client.asking(address, itertools.cycle(BODIES), answers, prefix="drill-"):
        wait_until(lambda: len(answers) >= 3, "answers")
    return answers


def test_a_request_that_is_shed_is_sent_again_and_counted(shedding):
    """On a machine that is short of time the queue turns requests away; a client that does as it is told loses none."""
    _, address, asked = shedding

    found = drill.summary("hanging", answers_of(address), deadline_s=60, back_s=0)

    assert (found.failed, found.shed) == (0, found.asked)
    assert found.sources == {"model": found.asked}
    assert len(set(asked)) == len(asked) == 2 * found.asked


def test_a_request_that_is_shed_twice_has_failed_and_says_how(shedding):
    """Otherwise a server that answers nobody would come through every drill."""
    handler, address, _ = shedding
    handler.always = True

    found = drill.summary("hanging", answers_of(address), deadline_s=60, back_s=0)

    assert found.failed == found.asked
    assert found.problems == {"503 An answer would come too late.": found.asked}


def test_a_worker_that_is_not_here_is_named():
    """The drill signals processes: it never guesses."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

    with pytest.raises(DrillFailed, match=str(child)):
        drill._signal(child, signal.SIGCONT)


def test_a_key_is_in_no_representation():
    """A traceback shows arguments."""
    assert "secret" not in repr(Address(host="h", port=1, key="po_1_secret"))
    assert next(itertools.islice(Address(host="h", port=1, key="k").headers().values(), 1, 2)) == "Bearer k"
