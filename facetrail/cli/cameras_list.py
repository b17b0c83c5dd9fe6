"""`facetrail cameras list`: who reads which camera, and how it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import redis
from rich.console import Console
from rich.table import Table

from facetrail.cameras import read_cameras
from facetrail.cli.json_line import print_json
from facetrail.queue_state import counters
from facetrail.settings import Settings
from facetrail.store import Keys, answered, connect
from ingest.saying.status import CameraStatus, status_of
from ingest.sharing.hosts import Host, hosts
from ingest.sharing.leases import owners

State = Literal["online", "offline", "starting", "not read"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One camera. host: the ingest process that reads it. cause: why it is offline.

    The rest is as its process says; nothing where there is none.
    """

    camera: str
    host: str | None
    state: State
    cause: str | None
    fps: float | None
    clock: str | None
    codec: str | None
    size: tuple[int, int] | None
    waiting: int
    dropped: Mapping[str, int]


class CameraList(msgspec.Struct, frozen=True, kw_only=True):
    """What `cameras list --json` prints. counters: what was lost or left out since ever."""

    cameras: list[Row]
    hosts: list[Host]
    counters: dict[str, int]


def run(settings: Settings, *, as_json: bool) -> None:
    """Raises BadSettings, RedisAway."""
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    with answered(client):
        found = _found(client, keys, settings.cameras)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _found(client: redis.Redis, keys: Keys, file: Path) -> CameraList:
    """The cameras of the file, if it is here, and those that any host reads."""
    there = hosts(client, keys)
    names = {camera for host in there for camera in host.cameras}
    if file.exists():
        names |= {camera.name for camera in read_cameras(file)}
    ordered = sorted(names)
    said = status_of(client, keys, ordered)
    return CameraList(
        cameras=[
            _row(camera, host, status)
            for (camera, host), status in zip(owners(client, keys, ordered), said, strict=True)
        ],
        hosts=there,
        counters={
            reason: count
            for reason, count in counters(client, keys).items()
            if reason != "recognised"
        },
    )


def _row(camera: str, host: str | None, status: CameraStatus | None) -> Row:
    # What a process said stays for some seconds after it has ended.
    said = status if host is not None else None
    return Row(
        camera=camera,
        host=host,
        state=_state(host, said),
        cause=said.lost if said else None,
        fps=round(said.fps, 1) if said else None,
        clock=said.clock if said else None,
        codec=said.codec if said else None,
        size=said.size if said else None,
        waiting=said.waiting if said else 0,
        dropped=said.dropped if said else {},
    )


def _state(host: str | None, said: CameraStatus | None) -> State:
    if host is None:
        return "not read"
    if said is None:
        return "starting"
    return "online" if said.lost is None else "offline"


def _print(found: CameraList) -> None:
    table = Table("camera", "state", "host", "fps", "clock", "picture", "waiting", "dropped")
    for row in found.cameras:
        table.add_row(
            row.camera,
            row.state if row.cause is None else f"{row.state}: {row.cause}",
            row.host or "",
            "" if row.fps is None else f"{row.fps:.1f}",
            row.clock or "",
            "" if row.size is None else f"{row.codec} {row.size[0]}x{row.size[1]}",
            str(row.waiting),
            ", ".join(f"{count} {reason}" for reason, count in row.dropped.items()),
        )
    Console().print(table)
    for host in found.hosts:
        print(f"{host.name} reads {len(host.cameras)}, with {host.cores:.1f} cores for them")
    if found.counters:
        print("since ever: " + ", ".join(f"{n} {reason}" for reason, n in found.counters.items()))
    if not found.hosts:
        print("no host reads cameras: start one with `facetrail ingest`")
