"""Which encoders a command evaluates, opened before the work begins."""

from __future__ import annotations

import sys

from facetrail.settings import Settings
from training.candidates import Candidate, names_on_disk, open_candidate, with_mirrored


def candidates(settings: Settings, names: list[str], *, mirrored: bool) -> list[Candidate]:
    """Those named, or all on this machine and the pixels; says on stderr which are not here.

    Raises EncoderMismatch, BadModelFile.
    """
    if not names:
        names, missing = names_on_disk(settings)
        if missing:
            print(f"not on this machine: {', '.join(missing)}", file=sys.stderr)
    wanted = list(with_mirrored(names)) if mirrored else names
    return [open_candidate(name, settings) for name in dict.fromkeys(wanted)]
