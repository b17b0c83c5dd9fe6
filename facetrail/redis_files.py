"""Redis's own files: written anew after an erasure, and searched for what must be gone."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import redis
import structlog

File = Literal["aof", "rdb"]
FILES: tuple[File, ...] = ("aof", "rdb")
Begun = Literal["begun", "later", "never"]
#: Redis's words where it writes already, or has no memory for it.
NOT_NOW = ("in progress", "fork", "background")

log = structlog.get_logger(__name__)


def is_writing(client: redis.Redis) -> bool:
    """Whether Redis writes one of its files anew."""
    return _writes(client.info("persistence"))


def begin_writing(client: redis.Redis, file: File) -> Begun:
    """Starts what drops erased data from a file of Redis: it holds every write since the last time.

    later: another one is under way, which may have begun before the data was erased. never: Redis
    has no such file, or does not let us; that is logged.
    """
    try:
        if file == "aof" and client.info("persistence")["aof_enabled"]:
            client.bgrewriteaof()
        elif file == "rdb" and _saves(client):
            client.bgsave()
        else:
            return "never"
    except redis.ResponseError as error:
        if any(word in str(error).lower() for word in NOT_NOW):
            return "later"
        log.warning("Redis's files are not written anew", file=file, cause=str(error))
        return "never"
    return "begun"


def run_of(client: redis.Redis) -> str:
    """Another one each time that Redis starts."""
    return str(client.info("server")["run_id"])


def is_whole(client: redis.Redis, file: File) -> bool:
    """Whether the last writing of a file went well."""
    word = {"aof": "aof_last_bgrewrite_status", "rdb": "rdb_last_bgsave_status"}[file]
    return bool(client.info("persistence")[word] == "ok")


def _writes(info: Mapping[str, int]) -> bool:
    words = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")
    return any(info[word] for word in words)


def _saves(client: redis.Redis) -> bool:
    """Whether it is set to write a file of all its data now and then."""
    return bool(client.config_get("save").get("save"))


def files_of(client: redis.Redis) -> list[Path] | None:
    """The files that Redis keeps its data in; None if they can't be looked at from here."""
    try:
        own = client.config_get("*")
        folder = Path(own["dir"])
        if not _is_here(client, folder):
            return None
        names = (own["appendfilename"], own["dbfilename"], own.get("appenddirname", ""))
        found = [folder / name for name in names if name and (folder / name).exists()]
        files = [
            file
            for path in found
            for file in ([path] if path.is_file() else sorted(path.iterdir()))
        ]
    except (redis.ResponseError, OSError):  # not allowed to us
        return None
    return files if all(os.access(file, os.R_OK) for file in files) else None


def _is_here(client: redis.Redis, folder: Path) -> bool:
    """Whether Redis works in that folder of this machine; a container has folders of its own."""
    process = client.info("server")["process_id"]
    return Path(f"/proc/{process}/cwd").samefile(folder)


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
