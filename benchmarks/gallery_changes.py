"""Changes of the gallery under search: when does each worker see them, and is anybody wrong?

    python -m benchmarks.gallery_changes --seconds 60

Clients enrol and remove people at random; followers, each a process as a worker is one, search
all the while. It runs on a Redis of its own. In the end every follower must know what the
clients' own dictionaries know.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import faiss
import numpy as np

from facetrail import log
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from facetrail.wire import Encodings
from index.gallery import Gallery
from index.photo import Photo
from index.reader import order
from index.replica import Replica

ENCODER = "drawn@00000000"
THRESHOLD = 0.9
BATCH = 32
#: Photos of one person at most.
MOST = 3
#: A probe's distance from a photo of the person meant.
NOISE = 0.3


def encoding_of(person: int, photo: int) -> Encodings:
    """Float32 `(128,)`, of length 1; people are about 1.4 apart, photos of one about 0.4."""
    middle = np.random.default_rng(person).normal(size=128)
    own = np.random.default_rng((person, photo)).normal(size=128) * 0.3
    row = middle + own
    return np.asarray(row / np.linalg.norm(row), np.float32)


def name_of(person: int) -> str:
    return f"Person {person}"


def photo_of(person: int, photo: int) -> Photo:
    label = f"{person}/{photo}"
    return Photo(
        digest=hashlib.sha256(label.encode()).hexdigest(),
        source=label,
        encoding=encoding_of(person, photo).tobytes(),
        chip=b"chip of " + label.encode(),
    )


def state_of(rows: set[tuple[str, bytes]]) -> str:
    """One word for a set of encodings and the names of whom they are of."""
    return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()


@dataclass(slots=True)
class Client:
    """Enrols and removes people of its own. changes: position and time of each."""

    gallery: Gallery
    people: range
    seed: int
    pause_s: float
    model: dict[int, set[int]] = field(default_factory=dict)
    changes: list[tuple[str, float]] = field(default_factory=list)

    def run(self, until: float, most: int) -> None:
        draw = random.Random(self.seed)
        while time.monotonic() < until and len(self.changes) < most:
            self.step(draw)
            self.changes.append((self.gallery.position(), time.monotonic()))
            time.sleep(self.pause_s)

    def step(self, draw: random.Random) -> None:
        person = draw.choice(self.people)
        own = self.model.get(person, set())
        new = sorted(set(range(MOST)) - own)
        if own and (not new or draw.random() < 0.4):
            self.gallery.remove(name_of(person))
            del self.model[person]
            return
        some = draw.sample(new, draw.randint(1, len(new)))
        photos = [photo_of(person, photo) for photo in some]
        self.gallery.enrol(name_of(person), photos, encoder=ENCODER)
        self.model[person] = own | set(some)


def follow(url: str, people: int, worker: str) -> None:
    """Searches until stdin ends, then says what it saw as one line of JSON."""
    faiss.omp_set_num_threads(1)
    client = connect(url)
    replica = Replica(client, Keys(), worker=worker, encoder=ENCODER)
    replica.load()
    stop, ended = threading.Event(), threading.Event()
    follower = threading.Thread(target=replica.follow, args=(stop,))
    follower.start()
    threading.Thread(target=_set_at_the_end_of_stdin, args=(ended,), daemon=True).start()
    print("ready", flush=True)
    seen: list[tuple[str, float]] = []
    searches = wrong = named = 0
    draw = np.random.default_rng(1)
    while not ended.is_set():
        meant = draw.integers(0, people, BATCH)
        noise = draw.normal(size=(BATCH, 128)) * NOISE / 128**0.5
        probes = np.stack([encoding_of(int(person), 0) for person in meant]) + noise
        probes = (probes / np.linalg.norm(probes, axis=1, keepdims=True)).astype(np.float32)
        view = replica.view
        found = view.index.search(probes)
        if not seen or seen[-1][0] != view.position:
            seen.append((view.position, time.monotonic()))
        near = [one[0].person if one and one[0].distance <= THRESHOLD else None for one in found]
        names = view.people.those(person for person in near if person is not None)
        for person, one in zip(meant, near, strict=True):
            if one is not None and one in names:
                named += 1
                wrong += names[one].name != name_of(int(person))
        searches += 1
    position = Gallery(client, Keys()).position()
    deadline = time.monotonic() + 10
    while replica.view.position != position and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    follower.join()
    state = state_of(_known(replica))
    told = {"seen": seen, "searches": searches, "wrong": wrong, "named": named, "state": state}
    print(json.dumps(told), flush=True)


def _known(replica: Replica) -> set[tuple[str, bytes]]:
    encodings = replica.encodings()
    people = replica.view.people.those(encodings)
    # Whoever has no name is somebody else than anybody the clients know.
    names = {person: people[person].name if person in people else person for person in encodings}
    return {(names[person], row.tobytes()) for person, rows in encodings.items() for row in rows}


def _set_at_the_end_of_stdin(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown. delays: seconds until each follower searched each change."""

    changes: int
    delays: Encodings
    searches: int
    named: int
    wrong: int
    equal: bool

    def lines(self) -> list[str]:
        middle, late, latest = np.percentile(self.delays, [50, 99, 100]) * 1000
        return [
            f"{self.changes} changes, {self.searches} batches of {BATCH} searched, {self.named} "
            f"faces named, {self.wrong} wrongly",
            f"seen after {middle:.0f} ms, 99 of 100 within {late:.0f} ms, the last {latest:.0f} ms",
            f"all equal in the end: {'yes' if self.equal else 'NO'}",
        ]


def run(
    folder: Path,
    *,
    seconds: float,
    most: int,
    workers: int,
    clients: int,
    people: int,
    others: int,
    pause_s: float,
) -> Outcome:
    """Raises RuntimeError if a follower failed."""
    server = EmbeddedRedis(folder)
    url = server.start()
    bystanders = _enrolled(Gallery(connect(url), Keys()), range(people, people + others))
    followers = [_started(url, people, f"worker {i}") for i in range(workers)]
    try:
        for one in followers:
            if one.stdout is None or one.stdout.readline() != "ready\n":
                raise RuntimeError("a follower did not start")
        shares = np.array_split(np.arange(people), clients)
        made = [
            Client(Gallery(connect(url), Keys()), range(int(s[0]), int(s[-1]) + 1), i, pause_s)
            for i, s in enumerate(shares)
        ]
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=one.run, args=(until, most // clients)) for one in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(1.0)  # what takes longer to be seen counts as never
        said = [json.loads(one.communicate("", timeout=60)[0]) for one in followers]
        if any(one.returncode for one in followers):
            raise RuntimeError("a follower failed")
    finally:
        for one in followers:
            one.kill()
            one.wait()
        server.stop()
    return _outcome([*made, bystanders], said)


def _enrolled(gallery: Gallery, people: range) -> Client:
    """People who are there from the start and stay."""
    for person in people:
        gallery.enrol(name_of(person), [photo_of(person, 0)], encoder=ENCODER)
    return Client(gallery, people, 0, 0.0, model={person: {0} for person in people})


def _started(url: str, people: int, worker: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.gallery_changes", "--follow", url]
    return subprocess.Popen(
        [*command, "--people", str(people), "--worker", worker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _outcome(clients: list[Client], said: list[dict[str, object]]) -> Outcome:
    model = {
        (name_of(person), encoding_of(person, photo).tobytes())
        for client in clients
        for person, photos in client.model.items()
        for photo in photos
    }
    changes = [change for client in clients for change in client.changes]
    delays = [_delays(changes, one["seen"]) for one in said]  # type: ignore[arg-type]
    total = {
        word: sum(int(str(one[word])) for one in said) for word in ("searches", "named", "wrong")
    }
    return Outcome(
        changes=len(changes),
        delays=np.concatenate(delays),
        equal=all(one["state"] == state_of(model) for one in said),
        **total,
    )


def _delays(changes: list[tuple[str, float]], seen: list[tuple[str, float]]) -> Encodings:
    """Of each change, until a search used a view of its position or a later one."""
    places = [order(position) for position, _ in seen]
    times = [at for _, at in seen]
    first = [
        next((t for p, t in zip(places, times, strict=True) if p >= order(change)), np.inf)
        for change, _ in changes
    ]
    return np.array([max(0.0, one - at) for one, (_, at) in zip(first, changes, strict=True)])


def main() -> None:
    made = argparse.ArgumentParser(description="Changes of the gallery under search.")
    made.add_argument("--seconds", type=float, default=60, help="at most")
    made.add_argument("--changes", type=int, default=1_000_000, help="at most")
    made.add_argument("--workers", type=int, default=4)
    made.add_argument("--clients", type=int, default=2)
    made.add_argument("--people", type=int, default=200)
    made.add_argument("--others", type=int, default=0, help="enrolled from the start, who stay")
    made.add_argument("--pause", type=float, default=0.01, help="between changes, in seconds")
    made.add_argument("--follow", metavar="URL", help="be a follower, as the benchmark starts them")
    made.add_argument("--worker", default="")
    given = made.parse_args()
    log.configure(level="error")
    if given.follow:
        follow(given.follow, given.people, given.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(
            Path(folder),
            seconds=given.seconds,
            most=given.changes,
            workers=given.workers,
            clients=given.clients,
            people=given.people,
            others=given.others,
            pause_s=given.pause,
        )
    print("\n".join(outcome.lines()))


if __name__ == "__main__":
    main()
