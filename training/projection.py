"""Fits the orthonormal projection of an encoder's features to 128 numbers.

    python -m training.projection lfw/images celebs --encoder retail0095 \\
        --leave-out-pairs lfw/pairs.txt

`--encoder` may be the path of a user's own encoder, which then needs the projection named in
its description (docs/own_encoder.md).

An uncentred SVD of unit encodings: of all orthonormal projections the one that keeps most of
their length, and so of their inner products. People named in the pairs file are left out, so
that they can be evaluated on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetrail import log
from facetrail.errors import BadSettings, EncoderMismatch, FacetrailError
from facetrail.settings import Settings, read_settings
from facetrail.wire import Chips
from training.lfw import people_of, read_pairs
from training.people import photos_but
from training.photos import find_chips, photo_detector
from workers.encoders import combined, retail0095
from workers.encoders.own import NUMBERS, is_own, own_encoder
from workers.encoders.registry import entry_of

#: Float32 chips to features, of whichever library.
Network = Callable[[NDArray[np.float32]], Any]

BATCH = 64
#: What makes an encoder's features, and where their projection lies.
PROJECTED: dict[str, tuple[Callable[..., Network], Path]] = {
    "retail0095": (retail0095.features, retail0095.PROJECTION),
    "combined": (combined.both, combined.PROJECTION),
}


def fitted(encodings: NDArray[np.float32], numbers: int = NUMBERS) -> NDArray[np.float32]:
    """The float32 `(m, numbers)` with orthonormal columns, of features `(n, m)`.

    Where m is less than numbers the columns beyond it are zeros. Raises ValueError for fewer
    encodings than numbers.
    """
    if len(encodings) < numbers:
        raise ValueError(f"expected at least {numbers} encodings, got {len(encodings)}")
    _, _, directions = np.linalg.svd(encodings.astype(np.float64), full_matrices=False)
    kept = directions[:numbers].T.astype(np.float32)
    return np.pad(kept, ((0, 0), (0, numbers - kept.shape[1])))


def network_of(encoder: str, settings: Settings) -> tuple[Network, Path]:
    """What makes the features, and where their projection belongs.

    Raises BadModelFile, BadSettings; EncoderMismatch for an encoder that has no projection.
    """
    if is_own(encoder):
        own = own_encoder(encoder, projected=False)
        return own.features(), own.path.with_name(f"{own.path.stem}_projection.npy")
    if encoder not in PROJECTED:
        raise EncoderMismatch(
            f"{encoder} has no projection to fit: name {', '.join(PROJECTED)} or the path of a "
            ".keras or .onnx file"
        )
    network, to = PROJECTED[encoder]
    return network(*entry_of(encoder).open(**settings.models)), to


def features_of(chips: Chips, network: Network) -> NDArray[np.float32]:
    """Float32 `(n, m)` of chips `(n, 112, 112, 3)`."""
    batches = (chips[i : i + BATCH].astype(np.float32) for i in range(0, len(chips), BATCH))
    return np.concatenate([np.asarray(network(batch), np.float32) for batch in batches])


def fit(encoder: str, folders: Sequence[Path], left_out: set[str], settings: Settings) -> str:
    """Fits and writes the projection; in words what it is.

    Raises BadSettings where there are too few photos, BadModelFile, EncoderMismatch.
    """
    network, to = network_of(encoder, settings)
    photos = [photo for folder in folders for photo in photos_but(folder, left_out)]
    chips = find_chips(photos, photo_detector(settings), takes_chips=True).chips
    if len(chips) < NUMBERS:
        raise BadSettings(
            f"a projection to {NUMBERS} numbers wants at least as many photos with a face, and "
            f"{len(chips)} were found: name more folders"
        )
    features = features_of(chips, network)
    projection = fitted(features)
    np.save(to, projection)
    kept = np.linalg.norm(features @ projection, axis=1) / np.linalg.norm(features, axis=1)
    return f"{len(chips)} photos; length kept {np.mean(kept):.4f}; {to}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Fits an encoder's projection to 128 numbers.")
    parser.add_argument("folders", nargs="+", type=Path, help="photos, a folder per person")
    parser.add_argument("--encoder", required=True, help="retail0095, combined or a file's path")
    parser.add_argument(
        "--leave-out-pairs", type=Path, help="leave out everyone in this pairs file"
    )
    given = parser.parse_args()
    settings = read_settings()
    log.configure(level=settings.log_level)
    try:
        pairs = read_pairs(given.leave_out_pairs, Path()) if given.leave_out_pairs else []
        print(fit(given.encoder, given.folders, people_of(pairs), settings))
    except FacetrailError as error:
        print(f"projection: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
