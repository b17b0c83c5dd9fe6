"""Addresses of cameras: checked once, with their passwords quoted, and shown without them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

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
    """The address as FFmpeg takes it. Raises BadSettings; never shows the password.

    beside: the folder from which a file's path starts.
    """
    scheme, separator, rest = url.partition("://")
    if separator:
        return _stream(scheme.lower(), rest)
    if url.startswith("webcam:"):
        number = url.removeprefix("webcam:")
        if not number.isdecimal():
            raise BadSettings(f"url {url!r} can't be used: write webcam:0 for the first webcam")
        return url
    path = (beside / Path(url).expanduser()).absolute()
    if not path.is_file():
        raise BadSettings(
            f"{path} is not a file: write rtsp://…, http(s)://…, webcam:0 or the path of a video"
        )
    return str(path)


def _stream(scheme: str, rest: str) -> str:
    if scheme not in SCHEMES:
        raise BadSettings(
            f"url begins with {scheme}://, which is not known: write {', '.join(SCHEMES)}, "
            "webcam:0 or the path of a video"
        )
    match = next(filter(None, (reading.fullmatch(rest) for reading in _READINGS)), None)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise BadSettings(f"url is not an address: write {scheme}://USER:PASSWORD@HOST:PORT/PATH")
    login = "" if match["user"] is None else f"{_quoted(match['user'])}"
    if match["password"] is not None:
        login += f":{_quoted(match['password'])}"
    at = "@" if match["user"] is not None else ""
    port = f":{match['port']}" if match["port"] else ""
    return f"{scheme}://{login}{at}{match['host']}{port}{match['rest'] or ''}"


def _quoted(text: str) -> str:
    """Percent-encoded, whether it was before or not."""
    return quote(unquote(text), safe="")


def shown(address: str) -> str:
    """The address without login, path or query, any of which may hold a secret."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
