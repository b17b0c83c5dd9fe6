"""What a worker serves over HTTP: /metrics, /healthz and /readyz."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from facetrail.errors import BadSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

#: None: all is well. Else what is wrong.
Check = Callable[[], str | None]


class HealthServer:
    """Serves on a thread of its own until closed.

    live, ready: whether to start the process anew, and whether it takes chips. Raises BadSettings
    where the address is taken. port 0: a free one, told by `port`.
    """

    def __init__(
        self, host: str, port: int, *, registry: CollectorRegistry, live: Check, ready: Check
    ) -> None:
        self._metrics = make_wsgi_app(registry)
        self._checks = {"/healthz": live, "/readyz": ready}
        try:
            self._server = make_server(host, port, self._answer, _server_of(host), _Silent)
        except OSError as error:
            raise BadSettings(
                f"FACETRAIL_METRICS_PORT={port}: {host} has no such port free ({error.strerror}); "
                "name another, or one for each worker of this machine"
            ) from error
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if path == "/metrics":
            metrics: Iterable[bytes] = self._metrics(environ, start)
            return metrics
        if (check := self._checks.get(path)) is None:
            return _text(start, "404 Not Found", "ask for /metrics, /healthz or /readyz")
        wrong = check()
        if wrong is not None:
            return _text(start, "503 Service Unavailable", wrong)
        return _text(start, "200 OK", "ok")


def _text(start: StartResponse, status: str, words: str) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{words}\n".encode()]


def _server_of(host: str) -> type[ThreadingWSGIServer]:
    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server


class _Silent(WSGIRequestHandler):
    timeout = 5  # a client that says nothing

    def log_message(self, *_: object) -> None:
        """A probe each second is nothing to log."""
