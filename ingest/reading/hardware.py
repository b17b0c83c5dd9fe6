"""Which device of this machine decodes, if any."""

from __future__ import annotations

from functools import cache

import av
import structlog
from av.codec.hwaccel import HWAccel, hwdevices_available

#: What `hwaccel: auto` tries, in this order.
AUTO = ("cuda", "vaapi")
SOFTWARE = "software"

log = structlog.get_logger(__name__)


class Decoder:
    """The device that decodes one camera's stream.

    wanted: auto, none, or the one device to try. name: what is used, `software` where none is.
    """

    def __init__(self, wanted: str) -> None:
        devices = {"auto": AUTO, "none": ()}.get(wanted, (wanted,))
        there = [device for device in devices if missing(device) is None]
        self.name = there[0] if there else SOFTWARE
        if wanted not in ("auto", "none") and not there:
            log.warning(
                f"hwaccel {wanted} can't be used on this machine ({missing(wanted)}): decoding in "
                "software; write hwaccel: none, or auto, to hear no more of it"
            )

    @property
    def accelerator(self) -> HWAccel | None:
        """For `av.open`; what the device can't decode, software does."""
        if self.name == SOFTWARE:
            return None
        return HWAccel(self.name, allow_software_fallback=True)

    def give_up(self) -> None:
        """After a stream of which the device showed nothing: software from now on."""
        if self.name != SOFTWARE:
            self._goes_on_without("shows no picture of this stream")

    def has_gone(self) -> bool:
        """Whether the device was there and is not any more, or is full: software from now on."""
        reason = None if self.name == SOFTWARE else fault_of(self.name)
        if reason is not None:
            self._goes_on_without(f"can't be used any more ({reason})")
        return reason is not None

    def _goes_on_without(self, why: str) -> None:
        log.warning(f"{self.name} {why}: decoding in software")
        self.name = SOFTWARE


@cache
def missing(device: str) -> str | None:
    """Why a device can't decode on this machine, or None if it can; looked for once."""
    return fault_of(device)


def fault_of(device: str) -> str | None:
    """Why a device can't decode now, or None if it can."""
    if device not in hwdevices_available():
        return "FFmpeg is built without it"
    try:
        HWAccel(device).create(av.codec.Codec("h264", "r"))
    except (av.FFmpegError, NotImplementedError, OSError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
