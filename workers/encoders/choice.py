"""Which encoder serves: the gallery's, the operator's, or the best on disk."""

from __future__ import annotations

import structlog

from facetrail.errors import EncoderMismatch
from facetrail.settings import Settings
from workers.encoders.registry import ServedEncoder, best_on_disk, entry_of, open_encoder

log = structlog.get_logger(__name__)


def chosen_encoder(own: str | None, settings: Settings) -> ServedEncoder:
    """The encoder, opened. own: the id the gallery is bound to, or None while it is empty.

    Raises EncoderMismatch, BadModelFile.
    """
    return open_encoder(
        chosen_id(own, settings),
        device=settings.encoder_device,
        precision=settings.encoder_precision,
        threads=settings.threads,
        **settings.models,
    )


def chosen_id(own: str | None, settings: Settings) -> str:
    """Raises EncoderMismatch where the gallery's is not the operator's, or is not known here."""
    wanted = settings.encoder
    if own is not None:
        if wanted is not None and entry_of(wanted).id != own:
            raise EncoderMismatch(
                f"FACETRAIL_ENCODER={wanted}, but the gallery belongs to encoder {own}: unset it, "
                "or remove the gallery's people first"
            )
        return entry_of(own).id
    if wanted is not None:
        return entry_of(wanted).id
    best = best_on_disk(**settings.models)
    log.info("the best encoder on disk serves", encoder=best.id)
    return best.id


def is_here(encoder_id: str, settings: Settings) -> bool:
    """Whether an encoder is known and its weights lie on this machine."""
    try:
        return entry_of(encoder_id).is_here(**settings.models)
    except EncoderMismatch:
        return False
