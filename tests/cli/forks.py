"""Runs the command in processes forked from one that has imported what commands import.

    python -m tests.cli.forks SOCKET

Each run has a process, an environment and files of its own, as a shell would give it; only the
second that imports take is spent once, and what Python reads of the environment when it starts is
read once. The imports must start no thread: a fork has none but its own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from facetrail.children import end_with_parent

#: Imported beforehand. OpenVINO and TensorFlow would start threads.
MODULES = (
    "facetrail.cli",
    "facetrail.cli.cameras_list",
    "facetrail.cli.people",
    "facetrail.cli.people_export",
    "facetrail.cli.people_import",
    "facetrail.cli.unknowns",
    "index.enrolment",
    "workers.encoders.registry",
)
STATUS = struct.Struct("i")
MOST = 1 << 20  # bytes of arguments and environment
ROOT = Path(__file__).parents[2]
#: Until a process is forked.
BEGINS_S = 30.0


class Forks:
    """The process that is forked from, until `close`."""

    def __init__(self, folder: Path) -> None:
        path = folder / "forks"
        self._path = str(path)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.forks", self._path],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # else it starts some when imported
            cwd=ROOT,
            preexec_fn=end_with_parent,
        )
        while not path.exists():
            if self._server.poll() is not None:
                raise RuntimeError("what runs commands has ended")
            time.sleep(0.01)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` of the command, its output captured. Raises TimeoutExpired."""
        asked = json.dumps([list(arguments), dict(environment), os.getcwd()]).encode()
        with (
            tempfile.TemporaryFile("w+") as stdout,
            tempfile.TemporaryFile("w+") as stderr,
            open(os.devnull) as stdin,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection,
        ):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
            connection.settimeout(BEGINS_S)
            connection.connect(self._path)
            files = [one.fileno() for one in (stdin, stdout, stderr)]
            socket.send_fds(connection, [asked], files)
            (process,) = STATUS.unpack(connection.recv(STATUS.size))
            connection.settimeout(timeout_s)
            status = None
            try:
                (status,) = STATUS.unpack(connection.recv(STATUS.size))
            except TimeoutError as error:
                raise subprocess.TimeoutExpired(list(arguments), timeout_s) from error
            finally:
                if status is None:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
            for one in (stdout, stderr):
                one.seek(0)
            return subprocess.CompletedProcess(
                list(arguments), status, stdout.read(), stderr.read()
            )

    def close(self) -> None:
        self._server.terminate()
        self._server.wait()


def serve(path: str) -> int:
    """Forks for whoever connects; the status of the command, in the process that ran it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path + ".new")
        server.listen()
        os.rename(path + ".new", path)
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                return told(connection)
            connection.close()


def told(connection: socket.socket) -> int:
    """Runs the command in a fork of this fork, and tells its process id, then its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, files, _, _ = socket.recv_fds(connection, MOST, 3)
    process = os.fork()
    if process == 0:
        connection.close()
        return command(*json.loads(asked), files)
    with suppress(OSError):  # nobody waits for it any more
        connection.send(STATUS.pack(process))
        _, status = os.waitpid(process, 0)
        connection.send(STATUS.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def command(
    arguments: list[str], environment: dict[str, str], folder: str, files: list[int]
) -> int:
    """Runs it in this process."""
    from facetrail.cli import main

    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None  # asked of the environment anew
    sys.argv = ["facetrail", *arguments]
    return main()


def ready() -> None:
    """Imports. Raises RuntimeError where that has started threads."""
    for name in MODULES:
        importlib.import_module(name)
    if len(threads := os.listdir("/proc/self/task")) > 1 or threading.active_count() > 1:
        raise RuntimeError(f"{len(threads)} threads run after the imports: none would in a fork")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks


if __name__ == "__main__":
    ready()
    sys.exit(serve(sys.argv[1]))
