"""A server of one model file on loopback, and what can be wrong with it."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from facetrail.model_files import ModelFile

WEIGHTS = bytes(range(256)) * 2000


class Zoo(ThreadingHTTPServer):
    """Serves `content` at any path. `asked` has the Range of each request.

    ranges: whether it minds them. cut_after: bytes of a body after which it hangs up. says_size:
    whether with the answer's length. shift: bytes that parts begin before what was asked for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content = WEIGHTS
        self.status = 200
        self.content_type = "application/octet-stream"
        self.ranges = True
        self.cut_after: int | None = None
        self.says_size = True
        self.shift = 0
        self.asked: list[str | None] = []
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def file(self) -> ModelFile:
        """As it should be, of a model called `net`."""
        return model_file(f"http://127.0.0.1:{self.server_address[1]}/v1/weights.bin")


def model_file(url: str | None) -> ModelFile:
    return ModelFile(
        name="network.bin",
        size=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        licence="MIT",
        source="get it from the zoo",
        url=url,
        model="net" if url else None,
    )


class _Answer(BaseHTTPRequestHandler):
    server: Zoo

    def do_GET(self) -> None:
        zoo = self.server
        asked = self.headers.get("Range")
        zoo.asked.append(asked)
        zoo.go_on.wait(10)
        start = int(asked[len("bytes=") : -1]) if asked and zoo.ranges else 0
        if zoo.status != 200:
            self.send_error(zoo.status)
        elif start and start >= len(zoo.content):
            self.send_error(416)
        else:
            self._send(max(start - zoo.shift, 0), part=start > 0)

    def _send(self, start: int, *, part: bool) -> None:
        zoo = self.server
        size = len(zoo.content)
        self.send_response(206 if part else 200)
        self.send_header("Content-Type", zoo.content_type)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if zoo.says_size:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked has heard enough
            self.wfile.write(zoo.content[start:][: zoo.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
