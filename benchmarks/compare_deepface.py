"""Faces a second of a whole worker beside DeepFace.represent and a NumPy search.

    python -m venv ENV && ENV/bin/pip install deepface tf-keras dlib-bin
    python -m benchmarks.compare_deepface --chips CHIPS --python ENV/bin/python

The same crops, the same machine, by turns. DeepFace has the network of dlib, whose weights every
installation of Facetrail has too and which are put where DeepFace looks for them: `dlib_resnet` is
the same network. DeepFace has the crops in memory and publishes nothing; the worker takes them
from the queue, decodes, searches 10 000, votes and publishes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.load_site import LoadSite
from benchmarks.worker_speed import chosen_pictures, enrolled, rate, settle
from facetrail import log
from facetrail.settings import read_settings
from workers.encoders.registry import entry_of

TURNS = 3
SECONDS = 15.0
GUESS = 300  # faces a second, for how many to send


def deepface(python: Path, chips: Path, home: Path) -> float:
    side = Path(__file__).with_name("deepface_side.py")
    done = subprocess.run(
        [str(python), str(side), str(chips), "Dlib", str(SECONDS)],
        env=os.environ | {"DEEPFACE_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        check=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    made = argparse.ArgumentParser(description="A whole worker beside DeepFace.")
    made.add_argument("--chips", type=Path, required=True)
    made.add_argument("--python", type=Path, required=True, help="of DeepFace's environment")
    given = made.parse_args()
    log.configure(level="warning")
    settings = read_settings().model_copy(update={"encoder": "dlib_resnet"})
    pictures = chosen_pictures(given.chips)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "home" / ".deepface" / "weights"
        weights.mkdir(parents=True)
        (file,) = entry_of("dlib_resnet").files
        (weights / file.name).symlink_to(file.open(**settings.models))
        site = LoadSite(Path(folder) / "site")
        ratios = []
        try:
            tracks = enrolled(site, settings, pictures)
            print("| DeepFace | worker | ratio |\n|---|---|---|")
            for _ in range(TURNS):
                theirs = deepface(given.python, given.chips, Path(folder) / "home")
                site.client.delete(site.keys.counters)
                before = tracks.sent
                site.send(tracks.messages(round(GUESS * SECONDS)))
                settle(site)
                site.start_worker("workers", FACETRAIL_CHIP_TTL_S="3600")
                found = rate(site, tracks.sent - before, 20 * SECONDS)
                site.end_workers()
                ratios.append(found / theirs)
                print(f"| {theirs:.1f} | {found:.0f} | {found / theirs:.1f} |", flush=True)
        finally:
            site.close()
    print(f"\nmedian {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
