"""A worker whose gallery moves to an encoder that it can't run leaves the chips to others."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from facetrail.cli import people_status
from facetrail.queue_state import in_hand
from facetrail.settings import Settings
from facetrail.wire import Chips, Encoder, Encodings
from index.followers import followers
from index.re_encode import ReEncoding
from tests.workers.conftest import CONFIRM, Site, ended, name_of, seen, workers_of

WaitFor = Callable[..., None]


class Another:
    """The encoder of an id that no worker knows, which sees everything in a mirror."""

    id = "another@00000000"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.threshold, self.margin = encoder.threshold, encoder.margin

    def encode(self, chips: Chips) -> Encodings:
        return self._encoder.encode(chips[:, :, ::-1].copy())


def problems(site: Site) -> list[str | None]:
    return [one.problem for one in followers(site.client, site.keys)]


def is_off_the_queue(site: Site) -> bool:
    """No connection waits for messages, and nobody holds one."""
    waiting = [one for one in site.client.client_list() if one["cmd"] == "blmove"]
    return not waiting and not in_hand(site.client, site.keys)


def move_away(site: Site, encoder: Encoder, wait_for: WaitFor) -> None:
    """To another encoder, once the worker waits for messages and until it no longer does."""
    wait_for(lambda: not is_off_the_queue(site), timeout_s=60)
    ReEncoding(site.gallery, Another(encoder)).run()
    wait_for(lambda: is_off_the_queue(site), timeout_s=15)


@pytest.mark.parametrize("pinned", [True, False])
def test_a_worker_stands_aside_while_the_gallery_is_of_an_encoder_it_cant_run(
    pinned: bool,
    site: Site,
    faces: dict[str, bytes],
    encoder: Encoder,
    wait_for: WaitFor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given a worker, told which encoder to use or not, whose gallery moves to another
    worker = site.start_worker(FACETRAIL_ENCODER="dlib_resnet" if pinned else "")
    move_away(site, encoder, wait_for)

    # I expect it to be seen what is wrong with it, and chips to stay for others
    (problem,) = problems(site)
    assert problem is not None and problem.startswith("the gallery belongs to encoder another@")
    people_status.run(Settings(redis_url=site.url), as_json=False)
    assert f"recognises nobody: {problem}" in capsys.readouterr().out
    site.send(*(seen(faces["Grace"], number) for number in range(1, CONFIRM + 1)))
    site.send(ended(CONFIRM))
    assert site.client.llen(site.keys.queue) == 2

    # and the same process to take them once it knows the gallery again, under the same name
    (before,) = followers(site.client, site.keys)
    ReEncoding(site.gallery, encoder).run()
    wait_for(lambda: len(site.events("lobby")) == 2, timeout_s=60)
    events = site.events("lobby")
    assert [event.person and event.person.name for event in events] == ["Grace", "Grace"]
    assert workers_of(events) == {name_of(worker)}
    assert [one.worker for one in followers(site.client, site.keys)] == [before.worker]
    assert problems(site) == [None]


def test_a_worker_that_stands_aside_ends_when_asked(
    site: Site, encoder: Encoder, wait_for: WaitFor
) -> None:
    worker = site.start_worker()
    move_away(site, encoder, wait_for)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0, site.log.read_text()
