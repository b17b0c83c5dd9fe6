"""Which encoder serves: the gallery's, the operator's, or the best on disk."""

from __future__ import annotations

from pathlib import Path

import structlog

from facetrail.errors import EncoderMismatch
from facetrail.settings import Settings
from workers.encoders.own import MIRRORED, OwnEncoder, is_own
from workers.encoders.registry import (
    Entry,
    ServedEncoder,
    best_on_disk,
    entry_of,
    found_encoder,
    open_encoder,
)

log = structlog.get_logger(__name__)


def chosen_encoder(own: str | None, settings: Settings) -> ServedEncoder:
    """The encoder, opened. own: the id the gallery is bound to, or None while it is empty.

    Raises EncoderMismatch, BadModelFile, BadSettings.
    """
    return opened_encoder(_chosen(own, settings)[0], settings)


def opened_encoder(name: str, settings: Settings) -> ServedEncoder:
    """The encoder of that name or id, or of a file, as the settings want it run.

    Raises EncoderMismatch, BadModelFile, BadSettings.
    """
    return open_encoder(
        name,
        device=settings.encoder_device,
        precision=settings.encoder_precision,
        threads=settings.threads,
        **settings.models,
    )


def chosen(own: str | None, settings: Settings) -> Entry | OwnEncoder:
    """The encoder, not opened. own: as above.

    Raises EncoderMismatch where the gallery's is not the operator's, or is not known here; of
    a file BadModelFile and BadSettings.
    """
    return _chosen(own, settings)[1]


def _chosen(own: str | None, settings: Settings) -> tuple[str, Entry | OwnEncoder]:
    """What opens the encoder, a name or a path, and the encoder."""
    wanted = settings.encoder
    if wanted is not None:
        found = found_encoder(wanted)
        if own not in (None, found.id):
            raise EncoderMismatch(
                f"FACETRAIL_ENCODER={wanted}, but the gallery belongs to encoder {own}: unset it, "
                "or move the gallery with `facetrail people re-encode`"
            )
        return wanted, found
    if own is not None:
        return own, entry_of(own)
    best = best_on_disk(**settings.models)
    log.info("the best encoder on disk serves", encoder=best.id)
    return best.name, best


def is_here(name: str, settings: Settings) -> bool:
    """Whether an encoder is known and its weights lie on this machine."""
    if is_own(name):
        return Path(name.removesuffix(MIRRORED)).expanduser().is_file()
    try:
        return entry_of(name).is_here(**settings.models)
    except EncoderMismatch:
        return False
