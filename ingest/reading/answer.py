"""Asks who answers at an address, before FFmpeg does.

Where HTTP answers instead of RTSP, or one redirect follows another, FFmpeg asks again thousands
of times a second until it is stopped, and then can't say why.
"""

from __future__ import annotations

import re
import socket
import time
from urllib.parse import SplitResult, urljoin, urlsplit

from facetrail.errors import StreamLost

MOST_REDIRECTS = 5
MOST_BYTES = 65_536
PORTS = {"rtsp": 554, "http": 80}

_STATUS = re.compile(rb"(RTSP|HTTP)/\d\.\d (\d{3})")
_LOCATION = re.compile(rb"\r\nlocation:[ \t]*([^\r\n]+)", re.IGNORECASE)


def check_answer(address: str, within_s: float, *, method: str) -> None:
    """Raises StreamLost, or OSError, unless the address's own protocol answers.

    address: rtsp:// or http://. method: OPTIONS, which costs a camera nothing, or DESCRIBE or
    GET, which are sent on where there is a redirect. A refusal is an answer: who reads on will
    see it too.
    """
    deadline = time.monotonic() + within_s
    for _ in range(MOST_REDIRECTS):
        try:
            head = _answer(urlsplit(address), method, deadline)
            _check_protocol(head, urlsplit(address).scheme.upper())
            target = _redirect(head, address)
        except ValueError:  # a name that can be no host's
            raise StreamLost("there can be no host of that name: check its url") from None
        if target is None:
            return
        address = target
    raise StreamLost("it redirects without end: check the path of its url")


def _check_protocol(head: bytes, wanted: str) -> None:
    found = _STATUS.match(head)
    if not head:
        raise StreamLost(
            "it closes the connection without an answer: it is starting, or the port of its url "
            "is another's"
        )
    if found is None:
        raise StreamLost(f"what answers does not speak {wanted}: check the port of its url")
    if found[1].decode() != wanted:
        raise StreamLost(
            f"{found[1].decode()} answers there and not {wanted}: check the port of its url, or "
            f"write {found[1].decode().lower()}://"
        )


def _redirect(head: bytes, address: str) -> str | None:
    """Where the answer sends us, if that can be asked too."""
    status, location = _STATUS.match(head), _LOCATION.search(head)
    if status is None or not status[2].startswith(b"3") or location is None:
        return None
    target = urljoin(address, location[1].decode(errors="replace").strip())
    return target if urlsplit(target).scheme in PORTS else None


def _answer(place: SplitResult, method: str, deadline: float) -> bytes:
    """The head of what comes back, without a login; empty if nothing does."""
    host, port = place.hostname or "", place.port or PORTS[place.scheme]
    with socket.create_connection((host, port), _left(deadline)) as connection:
        connection.sendall(_question(place, method))
        head = bytearray()
        while b"\r\n\r\n" not in head and len(head) < MOST_BYTES:
            connection.settimeout(_left(deadline))
            try:
                part = connection.recv(4096)
            except ConnectionResetError:
                break
            if not part:
                break
            head += part
    return bytes(head)


def _question(place: SplitResult, method: str) -> bytes:
    host = place.netloc.rpartition("@")[2]
    if place.scheme == "rtsp":
        bare = place._replace(netloc=host).geturl()
        lines = [f"{method} {bare} RTSP/1.0", "CSeq: 1"]
    else:
        path = place._replace(scheme="", netloc="").geturl() or "/"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    return "\r\n".join([*lines, "User-Agent: Facetrail", "", ""]).encode()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
