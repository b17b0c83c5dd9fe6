"""Redis's own files: written anew after an erasure, and searched for what must be gone."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import redis
import structlog

POLL_S = 0.05

log = structlog.get_logger(__name__)


def write_anew(client: redis.Redis, *, wait_s: float) -> None:
    """Starts what drops erased data from Redis's files: they hold every write since the last time.

    wait_s: at most so long for one that is under way and began before. Raises TimeoutError.
    """
    _until(client, lambda info: not _writes(info), wait_s)
    info = client.info("persistence")
    try:
        if info["aof_enabled"]:
            client.bgrewriteaof()
        if info["rdb_last_save_time"] and _saves(client):
            _until(client, lambda info: not _writes(info), wait_s)
            client.bgsave()
    except redis.ResponseError as error:  # not allowed to us, or one has begun just now
        log.warning("Redis's files are not written anew", cause=str(error))


def wait_until_written(client: redis.Redis, *, wait_s: float) -> None:
    """Raises TimeoutError."""
    _until(client, lambda info: not _writes(info), wait_s)


def _writes(info: Mapping[str, int]) -> bool:
    words = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")
    return any(info[word] for word in words)


def _saves(client: redis.Redis) -> bool:
    """Whether it is set to write a file of all its data now and then."""
    return bool(client.config_get("save").get("save"))


def _until(client: redis.Redis, ready: Callable[[Mapping[str, int]], bool], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not ready(client.info("persistence")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Redis still writes its files after {wait_s:.0f} s")
        time.sleep(POLL_S)


def files_of(client: redis.Redis) -> list[Path] | None:
    """The files that Redis keeps its data in; None if they can't be looked at from here."""
    try:
        own = client.config_get("*")
    except redis.ResponseError:  # not allowed to us
        return None
    folder = Path(own["dir"])
    names = (own["appendfilename"], own["dbfilename"], own.get("appenddirname", ""))
    found = [folder / name for name in names if name and (folder / name).exists()]
    files = [
        file for path in found for file in ([path] if path.is_file() else sorted(path.iterdir()))
    ]
    is_here = Path(f"/proc/{client.info('server')['process_id']}").exists()
    return files if is_here and files else None


def found_in(file: Path, traces: Iterable[bytes]) -> list[bytes]:
    """Which of the traces are in a file."""
    try:
        with file.open("rb") as data:
            if not file.stat().st_size:
                return []
            with mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as held:
                return [trace for trace in traces if held.find(trace) >= 0]
    except FileNotFoundError:  # written anew meanwhile
        return []
