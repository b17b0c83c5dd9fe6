"""
Every error this project raises on purpose.

* FacetrailError         one clear sentence: what is wrong, and the mend
  + BadSettings          a setting or the camera file is wrong; refuse to start
  + StreamLost           a camera stopped sending; the reader reconnects
  + BadMessage           bytes off the queue can't be read; set aside with the reason
  + BadPicture           a photo or chip can't be used; `reason` says why in one word
  + BadModelFile         missing, cut short, altered or of another network
  + TrainingStopped      training can't go on; the last good checkpoint stays
  + BadEncodings         wrong shape, dtype or length; a caller's mistake
  + GalleryError         the gallery refused a change; nothing was changed
    - EncoderMismatch    the gallery belongs to another encoder
    - NoSuchPerson       nobody of that name is enrolled
    - BadExport          a file of exported people can't be read, or not be trusted
  + NoSuchMessage        no message of that id was set aside
  + RedisAway            no answer from Redis; commands end, roles wait
  + TooLate              a chip would be older than its time to live once it is encoded
  + WorkerStops          a worker ends; what it has not begun is another one's
  + RoleDied             a process of `facetrail up` ended by itself
"""

from __future__ import annotations


class FacetrailError(Exception):
    """Root of the tree. The text is one sentence a user can act on."""


class BadSettings(FacetrailError):
    """A setting or the camera file is wrong."""


class StreamLost(FacetrailError):
    """A camera stopped sending."""


class BadMessage(FacetrailError):
    """Bytes off the queue can't be read."""


class BadPicture(FacetrailError):
    """A photo or a chip can't be used.

    reason: one word; of a photo, from the fixed list of `index.enrolment.REASONS`. value,
    limit: what was measured, and what would have been taken, where that is a number.
    """

    def __init__(
        self,
        reason: str,
        sentence: str,
        *,
        value: float | None = None,
        limit: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.value = value
        self.limit = limit


class BadModelFile(FacetrailError):
    """A model file is missing, cut short, altered or of another network."""


class BadEncodings(FacetrailError):
    """Encodings of the wrong shape, dtype or length."""


class TrainingStopped(FacetrailError):
    """Training can't go on; the last good checkpoint stays."""


class GalleryError(FacetrailError):
    """The gallery refused a change; nothing was changed."""


class EncoderMismatch(GalleryError):
    """The gallery belongs to another encoder."""


class NoSuchPerson(GalleryError):
    """Nobody of that name is enrolled."""


class BadExport(GalleryError):
    """A file of exported people is none, cut short, altered, or newer than this program."""


class NoSuchMessage(FacetrailError):
    """No message of that id was set aside."""


class RedisAway(FacetrailError):
    """Redis does not answer."""


class TooLate(FacetrailError):
    """What was asked for would be older than it may be."""


class WorkerStops(FacetrailError):
    """A worker ends before it has come to what was asked of it."""


class RoleDied(FacetrailError):
    """A process of `facetrail up` ended by itself."""
