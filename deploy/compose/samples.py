"""Makes what the simulator needs: a clip per camera, and a photo of the one to enrol.

python deploy/compose/samples.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from examples.portrait import eileen_collins
from examples.scene import sample_clips


def make_samples(folder: Path) -> None:
    """Writes CAMERA.mp4 for each camera, and people/NAME/ as `enroll --folder` takes it."""
    for camera, clip in sample_clips(folder).items():
        clip.rename(folder / f"{camera}.mp4")
    photos = folder / "people" / "Eileen Collins"
    photos.mkdir(parents=True)
    Image.fromarray(eileen_collins().picture).save(photos / "portrait.png")


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]))
