"""Real processes of each role, on a real Redis, fed by a real RTSP server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from facetrail.children import end

START_S = 120.0

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(redis_url: str, client: redis.Redis, cache_dir: Path, tmp_path: Path) -> Iterator[Start]:
    """`start("workers", VARIABLE="value")` runs a role until the test's end."""
    running: list[subprocess.Popen[bytes]] = []

    def start_role(module: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = os.environ | variables
        environment |= {
            "FACETRAIL_REDIS_URL": redis_url,
            "FACETRAIL_CACHE_DIR": str(cache_dir),
        }
        with (tmp_path / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], env=environment, stderr=log, stdout=log
            )
        running.append(process)
        return process

    yield start_role
    for process in reversed(running):
        end(process, wait_s=15.0)
