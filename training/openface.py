"""Makes an encoder of OpenFace's published weights, for who has them.

    python -m training.openface weights/ --to openface.keras

The file is an encoder of one's own: `docs/own_encoder.md` says how it is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facetrail.errors import FacetrailError
from training.aside import written_aside
from training.checkpoint import save_model
from workers.encoders.openface_file import openface


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes an encoder of OpenFace's weights.")
    parser.add_argument("source", type=Path, help="the folder of CSV files, or the .h5 file")
    parser.add_argument("--to", type=Path, required=True, help="the .keras file it makes")
    given = parser.parse_args()
    try:
        model = openface(given.source)
        with written_aside(given.to) as aside:
            save_model(model, aside)
    except FacetrailError as error:
        print(f"openface: {error}", file=sys.stderr)
        return 1
    print(f"{given.to}: {model.count_params():,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
