"""Addresses of cameras: checked once, with their passwords quoted, and shown without them."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from facetrail.errors import BadSettings

SCHEMES = ("rtsp", "rtsps", "http", "https")

# A password may hold any sign. It ends at the last @ before the first slash if that reads as
# an address, else at the first @ after which a host stands.
_HOST = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/?#:\s]+)(?::(?P<port>\d{1,5}))?(?P<rest>[/?].*)?"
_READINGS = (
    re.compile(rf"(?:(?P<user>[^:@/]*)(?::(?P<password>[^/]*))?@)?{_HOST}"),
    re.compile(rf"(?P<user>[^:@/]*):(?P<password>.*?)@{_HOST}"),
)


def checked_address(url: str, *, beside: Path) -> str:
    """The address as FFmpeg takes it. Raises BadSettings, which shows no piece of the url.

    beside: the folder from which a file's path starts.
    """
    scheme, separator, rest = url.partition("://")
    if separator:
        return _stream(scheme.lower(), rest)
    if url.startswith("webcam:"):
        if not url.removeprefix("webcam:").isdecimal():
            raise BadSettings("url is not a webcam: write webcam:0 for the first one")
        return url
    try:
        path = (beside / Path(url).expanduser()).absolute()
        there = path.is_file()
    except (OSError, RuntimeError):  # a name too long, no such user's home
        there = False
    if not there:
        raise BadSettings(
            "url is neither an address nor a file that is there: write rtsp://…, http(s)://…, "
            f"webcam:0 or the path of a video, seen from {beside.absolute()}"
        )
    return str(path)


def _stream(scheme: str, rest: str) -> str:
    if scheme not in SCHEMES:
        raise BadSettings(
            f"url begins with none of {', '.join(SCHEMES)}: write one of these before ://, "
            "webcam:0 or the path of a video"
        )
    match = next(filter(None, (reading.fullmatch(rest) for reading in _READINGS)), None)
    if match is None or int(match["port"] or 1) not in range(1, 65536) or not _is_host(match):
        raise BadSettings(f"url is not an address: write {scheme}://USER:PASSWORD@HOST:PORT/PATH")
    login = "" if match["user"] is None else f"{_quoted(match['user'])}"
    if match["password"] is not None:
        login += f":{_quoted(match['password'])}"
    at = "@" if match["user"] is not None else ""
    port = f":{match['port']}" if match["port"] else ""
    return f"{scheme}://{login}{at}{match['host']}{port}{match['rest'] or ''}"


def _is_host(match: re.Match[str]) -> bool:
    """Whether a name server can be asked for the host, and the rest be written as bytes."""
    host = match["host"]
    try:
        match[0].encode(errors="surrogateescape")
        if host.startswith("["):
            IPv6Address(host[1:-1])
        else:
            host.encode("idna")
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    """Percent-encoded, whether it was before or not."""
    return quote_from_bytes(unquote_to_bytes(text.encode(errors="surrogateescape")), safe="")


def shown(address: str) -> str:
    """A checked address without login, path or query, any of which may hold a secret."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}"
