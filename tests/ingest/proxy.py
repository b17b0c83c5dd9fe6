"""A network between camera and reader that fails on demand."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Literal, Self

Fault = Literal["cut", "freeze", "drop", "garbage", "slow"]
Alter = Callable[[bytes], bytes]

#: Bytes that pass at once; small, so that a fault begins in the middle of a picture.
PIECE = 8192
#: What `drop` leaves out and `garbage` overwrites: so many bytes, once in so many pieces.
SPOILT_BYTES, SPOILT_EACH = 64, 3
#: Pause after each byte of a network that is slow.
SLOW_S = 0.1
POLL_S = 0.02


class Proxy:
    """Passes on what a server at a local port and its clients say, but for faults.

    cut: every connection is closed, and each new one. freeze: nothing passes any more, not even
    once the fault is over: who waited may not wait any longer. drop, garbage: bytes are missing
    or wrong, from the server to its clients. slow: they come one by one. alter: makes, for each
    connection, what changes the bytes from the server. spoilt: how often bytes were.
    """

    def __init__(self, upstream: int, *, alter: Callable[[], Alter] | None = None) -> None:
        self.upstream = upstream
        self.fault: Fault | None = None
        self.spoilt = 0
        self._alter = alter or (lambda: lambda data: data)
        self._random = random.Random(7)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        with suppress(OSError):  # wakes who accepts
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        self._thread.join()

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """The fault lasts while the block does."""
        self.fault = fault
        if fault == "cut":
            self.cut()
        try:
            yield
        finally:
            self.fault = None

    def cut(self) -> None:
        """Closes every connection."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            if self.fault == "cut":
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._connect(client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open |= {client, server}
        left = [2]  # directions
        alter = self._alter()
        for source, target, change in (
            (client, server, lambda data: data),
            (server, client, lambda data: alter(self._spoilt(data))),
        ):
            threading.Thread(
                target=self._pass, args=(source, target, change, left), daemon=True
            ).start()

    def _pass(
        self, source: socket.socket, target: socket.socket, change: Alter, left: list[int]
    ) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                if self.fault == "freeze":
                    self._swallow(source)
                    break
                self._send(target, change(data))
        with self._lock:
            left[0] -= 1
            for one in (source, target):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                if left[0] == 0:
                    self._open.discard(one)
                    one.close()

    def _swallow(self, source: socket.socket) -> None:
        while source.recv(PIECE):
            pass

    def _send(self, target: socket.socket, data: bytes) -> None:
        while self.fault == "slow" and data:
            target.sendall(data[:1])
            data = data[1:]
            time.sleep(SLOW_S)
        if data:
            target.sendall(data)

    def _spoilt(self, data: bytes) -> bytes:
        if self.fault not in ("drop", "garbage") or self._random.randrange(SPOILT_EACH):
            return data
        self.spoilt += 1
        begin = self._random.randrange(len(data))
        end = begin + SPOILT_BYTES
        noise = self._random.randbytes(SPOILT_BYTES) if self.fault == "garbage" else b""
        return data[:begin] + noise[: len(data) - begin] + data[end:]


class OtherClock:
    """Changes the clocks of an RTSP stream over TCP.

    wall_s: added to the time of day that the sender's reports of RTCP carry. back: a list whose
    number of seconds the stamps of RTP are set back by, as soon as it is not empty.
    """

    def __init__(self, wall_s: float = 0.0, back: list[float] | None = None) -> None:
        self._wall_s = wall_s
        self._back = [] if back is None else back
        self._data = bytearray()

    def __call__(self, data: bytes) -> bytes:
        self._data += data
        out = bytearray()
        while part := self._part():
            out += part
        return bytes(out)

    def _part(self) -> bytes:
        """The next whole answer or packet; nothing while it has not come to its end."""
        if self._data[:1] == b"$":
            size = 4 + int.from_bytes(self._data[2:4], "big")
            if len(self._data) < max(4, size):
                return b""
            packet = bytearray(self._data[:size])
            del self._data[:size]
            return bytes(self._report(packet) if packet[1] % 2 else self._picture(packet))
        size = self._data.find(b"$") if b"$" in self._data else len(self._data)
        answer = bytes(self._data[:size])
        del self._data[:size]
        return answer

    def _report(self, packet: bytearray) -> bytearray:
        if packet[5] == 200:
            seconds = int.from_bytes(packet[12:16], "big") + round(self._wall_s)
            packet[12:16] = seconds.to_bytes(4, "big")
        return packet

    def _picture(self, packet: bytearray) -> bytearray:
        stamp = int.from_bytes(packet[8:12], "big") - round(90_000 * sum(self._back))
        packet[8:12] = (stamp % 2**32).to_bytes(4, "big")
        return packet
