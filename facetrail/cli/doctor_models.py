"""`facetrail doctor` on models: are the files here that a worker and a camera would open?"""

from __future__ import annotations

from collections.abc import Iterator

import redis

from facetrail.cli.finding import Finding, bad, bad_by, good, warning
from facetrail.errors import BadModelFile, FacetrailError
from facetrail.settings import Settings
from facetrail.store import Keys
from index.gallery import Gallery
from ingest.faces.detect import DetectorName, at_cameras, detector_file, in_photos
from workers.encoders.choice import chosen
from workers.encoders.registry import UNASKED, Entry

FETCH = f"run `facetrail models fetch {UNASKED[0]}`"
NOT_ASKED = ", unless the gallery has another: it could not be asked"


def findings(client: redis.Redis | None, settings: Settings) -> Iterator[Finding]:
    try:
        yield from _of_all(*_gallerys_encoder(client, Keys(settings.key_prefix)), settings)
    except OSError as error:  # not of a file that is missing
        yield bad(
            "models",
            f"{error.filename} can't be read ({error.strerror})",
            "let this user read it, or name another folder in FACETRAIL_MODEL_DIR",
        )


def _of_all(own: str | None, unless: str, settings: Settings) -> Iterator[Finding]:
    """Raises OSError."""
    yield _of_encoder(own, unless, settings)
    uses: dict[DetectorName, str] = {at_cameras(settings.detector, **settings.models): "at cameras"}
    in_a_photo = in_photos(settings.detector)
    uses[in_a_photo] = f"{uses[in_a_photo]} and in photos" if in_a_photo in uses else "in photos"
    for name, use in uses.items():
        yield _of_detector(name, use, settings)


def _gallerys_encoder(client: redis.Redis | None, keys: Keys) -> tuple[str | None, str]:
    """The id it is bound to, or None; and what is to be said where it could not be asked."""
    if client is None:
        return None, NOT_ASKED
    try:
        return Gallery(client, keys).encoder, ""
    except redis.RedisError:  # away meanwhile; or an ingest host's user, who may not
        return None, NOT_ASKED


def _of_encoder(own: str | None, unless: str, settings: Settings) -> Finding:
    """own: the id the gallery is bound to."""
    try:
        encoder = chosen(own, settings)
        if isinstance(encoder, Entry):
            encoder.open(**settings.models)
    except BadModelFile as error:
        return bad_by("models", error, FETCH)
    except FacetrailError as error:
        return bad_by("models", error, "name another in FACETRAIL_ENCODER")
    if isinstance(encoder, Entry) and encoder.research_only:
        licences = "; ".join(file.licence for file in encoder.files)
        return warning(
            "models",
            f"the encoder {encoder.id} serves{unless}, and is for research only ({licences})",
            f"for any other use move to {UNASKED[0]}: `facetrail people re-encode --encoder "
            f"{UNASKED[0]}`, or FACETRAIL_ENCODER while nobody is enrolled",
        )
    return good("models", f"the encoder {encoder.id} serves, {_why(own, settings)}{unless}")


def _why(own: str | None, settings: Settings) -> str:
    if own is not None:
        return "which is the gallery's"
    if settings.encoder is not None:
        return "which FACETRAIL_ENCODER names"
    return "the best one whose files are here"


def _of_detector(name: DetectorName, use: str, settings: Settings) -> Finding:
    try:
        detector_file(name, **settings.models)
    except BadModelFile as error:
        return bad_by("models", error, f"run `facetrail models fetch {name}`")
    return good("models", f"the detector {name} finds faces {use}")
