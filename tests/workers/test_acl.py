"""The users of deploy/redis/users.acl: each role does its work, and none does another's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from examples.simulator import Simulator
from facetrail.children import end
from facetrail.events import MatchEvent, parse
from facetrail.store import Keys
from index.gallery import Gallery
from ingest.faces.face import Picture
from tests.ingest.clips import passing, write_clip
from tests.redis_server import lines_of_users, redis_server, with_users

ROLES = ("ingest", "worker", "operator", "subscriber")
WaitFor = Callable[..., None]


class Guarded:
    """A Redis whose users are those of the file, and one who may do all."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, role: str) -> str:
        return f"redis://{role}:{role}-secret@127.0.0.1:{self.port}/0"

    def client(self, role: str) -> redis.Redis:
        return redis.Redis.from_url(self.url(role))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, wait_for: WaitFor) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    users = with_users(folder, "user admin on ~* &* +@all >admin-secret")
    options = ("appendonly yes", "maxmemory-policy noeviction", users)
    with redis_server(folder, wait_for, *options) as port:
        yield Guarded(port)


def test_each_role_does_its_work_and_is_denied_nothing(
    guarded: Guarded,
    enrol: Callable[[Gallery], None],
    astronaut: Picture,
    rtsp_server: type[Simulator],
    cache_dir: Path,
    tmp_path: Path,
    wait_for: WaitFor,
) -> None:
    # Given people enrolled by an operator, a worker, and a camera before which one of them passes
    operator, keys = guarded.client("operator"), Keys()
    enrol(Gallery(operator, keys))
    environment = os.environ | {
        "FACETRAIL_CACHE_DIR": str(cache_dir),
        "FACETRAIL_ENCODER": "dlib_resnet",
        "FACETRAIL_DETECTOR": "centerface",
    }
    heard = guarded.client("subscriber").pubsub()
    heard.psubscribe(f"{keys.events}:*")
    clip = write_clip(tmp_path / "face.mp4", passing(60, astronaut))
    served = rtsp_server({"lobby": clip}, log=tmp_path / "rtsp.log")
    with served as cameras, ExitStack() as running:
        file = tmp_path / "cameras.yml"
        file.write_text(f"cameras:\n  lobby:\n    url: {cameras.url('lobby')}\n")
        for module, role in (("workers", "worker"), ("ingest", "ingest")):
            own = {"FACETRAIL_REDIS_URL": guarded.url(role), "FACETRAIL_CAMERAS": str(file)}
            command = [sys.executable, "-m", module]
            process = subprocess.Popen(command, env=environment | own)
            running.callback(end, process, wait_s=20)
        events: list[MatchEvent] = []

        def has_heard(kind: str) -> bool:
            while message := heard.get_message(ignore_subscribe_messages=True):
                events.append(parse(message["data"], ""))
            return any(event.type == kind for event in events)

        wait_for(lambda: has_heard("person_enter"), timeout_s=60)

        # If somebody is erased and all end, I expect each to have been let do all it wanted
        Gallery(operator, keys).remove("Grace")
        wait_for(lambda: not operator.exists(keys.gallery_erasing), timeout_s=20)
    snapshot = next(event.snapshot for event in events if event.type == "person_enter")
    assert guarded.client("subscriber").get(keys.snapshot(str(snapshot)))
    # What a client says of itself is of no use to a role.
    denied = [one for one in guarded.client("admin").acl_log() if one["object"] != "client"]
    assert [(one["username"], one["object"], one["reason"]) for one in denied] == []


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("ingest", ("RPOP", "facetrail:chips")),
        ("ingest", ("HGETALL", "facetrail:gallery:people:{facetrail:gallery:log}")),
        ("ingest", ("XADD", "facetrail:gallery:log", "*", "people", "a")),
        ("ingest", ("FLUSHALL",)),
        ("worker", ("FLUSHALL",)),
        ("worker", ("KEYS", "*")),
        ("worker", ("CONFIG", "SET", "dir", "/tmp")),  # noqa: S108
        ("worker", ("SET", "another:key", "1")),
        ("worker", ("ACL", "LIST")),
        ("operator", ("CONFIG", "SET", "dir", "/tmp")),  # noqa: S108
        ("operator", ("FLUSHALL",)),
        ("subscriber", ("LPUSH", "facetrail:chips", "x")),
        ("subscriber", ("XADD", "facetrail:events", "*", "event", "{}")),
        ("subscriber", ("PUBLISH", "facetrail:events:lobby", "{}")),
        ("subscriber", ("HGETALL", "facetrail:gallery:people:{facetrail:gallery:log}")),
        ("subscriber", ("EVAL", "return redis.call('LPUSH', KEYS[1], 1)", 1, "facetrail:chips")),
    ],
)
def test_no_role_does_what_is_none_of_its(
    role: str, command: tuple[object, ...], guarded: Guarded
) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        guarded.client(role).execute_command(*command)


def test_a_stranger_is_nobody(guarded: Guarded) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=guarded.port).ping()


def test_the_file_as_it_is_lets_nobody_in() -> None:
    users = lines_of_users()
    assert {line.split()[1] for line in users} == {"default", *ROLES}
    assert not any(rule[0] in ">#" or rule == "nopass" for line in users for rule in line.split())
