"""Three ingest processes share twelve cameras, and one is killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from facetrail.children import end
from facetrail.store import Keys
from ingest.sharing.hosts import hosts
from ingest.sharing.leases import LEASE_S, owners
from tests.ingest.clips import moving, write_clip

START_S = 120.0
#: The system call, as Linux numbers it.
READ = "63" if os.uname().machine == "aarch64" else "0"

Wait = Callable[..., None]
Process = subprocess.Popen[bytes]
Readers = Mapping[str, list[tuple[int, int]]]


class Site:
    """Ingest processes and who reads which camera's file: (host's process, camera's process)."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.hosts: list[Process] = []
        self._environment = os.environ | {
            "FACETRAIL_REDIS_URL": redis_url,
            "FACETRAIL_CAMERAS": str(folder / "cameras.yml"),
        }

    def start(self, redis_url: str | None = None) -> Process:
        """redis_url: where this one finds Redis, if not where all do."""
        url = {"FACETRAIL_REDIS_URL": redis_url} if redis_url else {}
        with (self.folder / "ingest.log").open("ab") as log:
            command = [sys.executable, "-m", "ingest"]
            self.hosts.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=self._environment | url)
            )
        return self.hosts[-1]

    @property
    def names(self) -> list[str]:
        """The cameras'."""
        return [clip.stem for clip in self.folder.glob("c[0-9]*.mp4")]

    def readers(self) -> Readers:
        found: dict[str, list[tuple[int, int]]] = {}
        for host in self.hosts:
            for child in _children(host.pid):
                for name in _clips_open(child, self.folder):
                    found.setdefault(name, []).append((host.pid, child))
        return found


class Doubles(threading.Thread):
    """Looks all the time for a camera that two hosts read; longest: for how long, in seconds."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._site = site
        self._since: dict[str, float] = {}
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(0.05):
            now = time.monotonic()
            read = self._site.readers().items()
            double = {name for name, by in read if len({host for host, _ in by}) > 1}
            self._since = {name: self._since.get(name, now) for name in double}
            self.longest = max([self.longest, *(now - at for at in self._since.values())])

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


class Wire:
    """A Unix socket that leads to another one, until it is cut: then it carries nothing more."""

    def __init__(self, path: Path, target: str) -> None:
        self.url = f"unix://{path}"
        self.is_cut = threading.Event()
        self._target = target
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._ends: list[socket.socket] = [self._server]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        for one in self._ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._ends:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, far = self._server.accept()[0], socket.socket(socket.AF_UNIX)
                self._ends += [near, far]
                far.connect(self._target)
                for ends in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._carry, args=ends))
                    self._threads[-1].start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not self.is_cut.is_set():
                    sink.sendall(data)


@pytest.fixture
def wire(tmp_path: Path, redis_url: str) -> Iterator[Wire]:
    """A way to Redis that a test may cut."""
    made = Wire(tmp_path / "wire.sock", redis_url.removeprefix("unix://"))
    yield made
    made.close()


@pytest.fixture
def site(
    redis_url: str, client: redis.Redis, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """Cameras, each a clip of two minutes at a frame a second; no host yet. param: how many."""
    clip = write_clip(tmp_path / "clip.mp4", moving(120), fps=1)
    lines = ["defaults: {fps: 1, detect_width: 64}", "cameras:"]
    for number in range(request.param):
        (tmp_path / f"c{number}.mp4").hardlink_to(clip)
        lines.append(f"  c{number}: {{url: c{number}.mp4}}")
    (tmp_path / "cameras.yml").write_text("\n".join(lines))
    made = Site(tmp_path, redis_url)
    yield made
    for host in made.hosts:
        end(host, wait_s=15.0)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("site", "within_s"),
    [(4, START_S), pytest.param(12, 10.0, marks=pytest.mark.slow)],
    indirect=["site"],
)
def test_the_cameras_of_a_killed_host_are_read_by_the_others_and_none_twice(
    site: Site, client: redis.Redis, keys: Keys, wait_for: Wait, within_s: float
) -> None:
    # Given three hosts that read cameras, each its part
    count = len(site.names)
    for _ in range(3):
        site.start()
    doubles = Doubles(site)
    doubles.start()
    wait_for(lambda: len(site.readers()) == count, START_S)
    wait_for(lambda: len({by[0][0] for by in site.readers().values()}) == 3, START_S)
    # Each says what it reads once a round.
    wait_for(lambda: sum(len(host.cameras) for host in hosts(client, keys)) == count, START_S)
    counts = [len(host.cameras) for host in hosts(client, keys)]
    assert len(counts) == 3

    # each with processes that wait to take over
    wait_for(lambda: all(len(_waiting(host.pid)) == 2 for host in site.hosts), START_S)

    # If one is killed
    site.hosts[0].kill()
    killed_at = time.monotonic()
    alive = {host.name for host in hosts(client, keys) if f"-{site.hosts[0].pid}-" not in host.name}
    wait_for(lambda: {o for _, o in owners(client, keys, site.names)} <= alive, within_s)
    taken_s = time.monotonic() - killed_at
    wait_for(lambda: len(site.readers()) == count, START_S)
    read_s = time.monotonic() - killed_at
    doubles.stop()

    # I expect the two others to have all, soon after the lease has run out, and none twice
    print(f"spread {counts}; taken after {taken_s:.1f} s, read after {read_s:.1f} s")
    assert read_s <= within_s
    assert doubles.longest == 0.0


@pytest.mark.parametrize("site", [2], indirect=True)
def test_a_host_that_can_not_reach_redis_leaves_its_cameras_to_one_that_can(
    site: Site, wire: Wire, wait_for: Wait
) -> None:
    # Given two hosts that read two cameras, one of which reaches Redis over a wire of its own
    first, second = site.start(wire.url), site.start()
    wait_for(
        lambda: {by[0][0] for by in site.readers().values()} == {h.pid for h in site.hosts}, START_S
    )

    # If its wire is cut
    doubles = Doubles(site)
    doubles.start()
    wire.is_cut.set()
    wait_for(lambda: {by[0][0] for by in site.readers().values()} == {second.pid}, START_S)
    wait_for(lambda: len(site.readers()) == 2, START_S)
    assert first.poll() is None and not _clips_of(first.pid, site.folder)

    # I expect the other one to read both, and no camera to be read by two for longer than a lease
    doubles.stop()
    assert doubles.longest < LEASE_S


def _clips_of(pid: int, folder: Path) -> set[str]:
    return {name for child in _children(pid) for name in _clips_open(child, folder)}


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def _waiting(pid: int) -> list[int]:
    """The processes of a host that have loaded everything and read from stdin."""
    found = []
    for child in _children(pid):
        with suppress(OSError):
            call = Path(f"/proc/{child}/syscall").read_text().split()
            if call[:2] == [READ, "0x0"]:
                found.append(child)
    return found


def _clips_open(pid: int, folder: Path) -> set[str]:
    found = set()
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                path = Path(os.readlink(link))
                if path.parent == folder and path.suffix == ".mp4":
                    found.add(path.stem)
    return found
