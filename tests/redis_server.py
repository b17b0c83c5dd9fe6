"""A Redis that is set up as a test says, with the users of deploy/redis/users.acl if wanted."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facetrail.children import end, end_with_parent
from facetrail.embedded_redis import server_binary

USERS = Path(__file__).parents[1] / "deploy" / "redis" / "users.acl"


@contextmanager
def redis_server(folder: Path, wait_for: Callable[..., None], *options: str) -> Iterator[int]:
    """The port of one on this host. options: lines of its configuration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = folder / "redis.conf"
    lines = (f"port {port}", "bind 127.0.0.1", f"dir {folder}", 'save ""', *options)
    configuration.write_text("\n".join(lines))
    process = subprocess.Popen(
        [server_binary(), str(configuration)],
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent,
    )

    def is_up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(is_up, timeout_s=30)
        yield port
    finally:
        end(process, wait_s=10)


def lines_of_users() -> list[str]:
    return [line for line in USERS.read_text().splitlines() if line.startswith("user ")]


def with_users(folder: Path, *others: str) -> str:
    """The option that has a Redis know the users of the file, and others.

    The password of each of the file is `NAME-secret`. others: whole lines.
    """
    file = folder / "users.acl"
    known = [f"{line} >{line.split()[1]}-secret" for line in lines_of_users()]
    file.write_text("\n".join([*known, *others, ""]))
    return f"aclfile {file}"
