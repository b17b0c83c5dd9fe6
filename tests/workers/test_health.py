"""What a worker serves over HTTP."""

from __future__ import annotations

import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from facetrail.errors import BadSettings
from facetrail.worker_status import statuses
from tests.workers.conftest import Site, ended, seen
from workers.health import HealthServer

WaitFor = Callable[..., None]


class Checks:
    """What is wrong, if anything."""

    live: str | None = None
    ready: str | None = None


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.fixture
def server(checks: Checks) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("faces", "Faces.", registry=registry).inc(3)
    made = HealthServer(
        "127.0.0.1", 0, registry=registry, live=lambda: checks.live, ready=lambda: checks.ready
    )
    yield made
    made.close()


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_worker_that_is_well_says_so(server: HealthServer) -> None:
    assert ask(server.port, "/healthz") == ask(server.port, "/readyz") == (200, "ok\n")
    assert "faces_total 3.0" in ask(server.port, "/metrics")[1]
    assert ask(server.port, "/")[0] == 404


def test_one_that_is_not_ready_lives_and_says_why(server: HealthServer, checks: Checks) -> None:
    checks.ready = "the worker is starting"
    assert ask(server.port, "/healthz")[0] == 200
    assert ask(server.port, "/readyz") == (503, "the worker is starting\n")
    checks.live = "a batch does not end"
    assert ask(server.port, "/healthz") == (503, "a batch does not end\n")


def test_a_port_that_is_taken_is_one_sentence(server: HealthServer) -> None:
    with pytest.raises(BadSettings, match=f"FACETRAIL_METRICS_PORT={server.port}: 127.0.0.1 has"):
        HealthServer(
            "127.0.0.1",
            server.port,
            registry=CollectorRegistry(),
            live=lambda: None,
            ready=lambda: None,
        )


def test_a_real_worker_tells_of_its_work(
    site: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    # Given a worker that serves, and a track of somebody enrolled
    worker = site.start_worker(FACETRAIL_METRICS_PORT="0")
    wait_for(lambda: "are served" in site.log.read_text(), timeout_s=60)
    (port,) = map(int, re.findall(r"are served.*port=(\d+)", site.log.read_text()))
    wait_for(lambda: ask(port, "/readyz")[0] == 200)
    site.send(*(seen(faces["Grace"], number) for number in range(1, 4)), ended(3))
    wait_for(lambda: len(site.events("lobby")) == 2)

    # I expect the counts, the queue, and the same for `workers list`
    told = ask(port, "/metrics")[1]
    assert 'facetrail_faces_total{outcome="recognised"} 3.0' in told
    assert "facetrail_batch_faces_total 3.0" in told
    assert "facetrail_queue_messages 0.0" in told
    assert "facetrail_delay_seconds_count 3.0" in told
    wait_for(lambda: [one.faces for one in statuses(site.client, site.keys)] == [3])
    (said,) = statuses(site.client, site.keys)
    assert (said.state, said.encoder) == ("ready", "dlib_resnet@55533b28")

    # and nothing of it once it has ended
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0
    assert statuses(site.client, site.keys) == []
