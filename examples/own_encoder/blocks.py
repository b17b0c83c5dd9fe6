"""A tiny encoder of one's own: how bright each of 128 blocks of the face is.

    python -m examples.own_encoder.blocks FOLDER
    FACETRAIL_ENCODER=FOLDER/blocks.keras facetrail enroll Ada ada.jpg

Writes the Keras file and its description into FOLDER. It tells hardly anybody from anybody
else; it shows what an encoder of your own must be. docs/own_encoder.md has the rest.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import keras
from keras import layers

DESCRIPTION = """\
# Euclidean distances of unit encodings, 0 to 2: up to which two chips are one person, and how
# much nearer than the runner-up the nearest person must be.
threshold: 0.4
margin: 0.05
licence: CC0-1.0
"""


def blocks() -> Any:
    """A Keras model: `(n, 112, 112, 3)` chips, RGB, 0 to 255, to `(n, 128)`, any length."""
    chips = keras.Input((112, 112, 3), name="chips")
    x = layers.AveragePooling2D((14, 7), name="blocks")(chips)  # (n, 8, 16, 3)
    grey = layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="grey")
    x = layers.Flatten(name="flat")(grey(x))
    # Less the mean, so that it is no matter how bright the whole chip is.
    x = layers.LayerNormalization(center=False, scale=False, name="less_mean")(x)
    return keras.Model(chips, x, name="blocks")


def write(folder: Path) -> Path:
    """Writes `blocks.keras` and `blocks.yml`; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "blocks.keras"
    blocks().save(file)
    file.with_suffix(".yml").write_text(DESCRIPTION)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes a tiny encoder of one's own.")
    parser.add_argument("folder", type=Path, help="where blocks.keras and blocks.yml go")
    file = write(parser.parse_args().folder)
    print(f"{file} is written: set FACETRAIL_ENCODER={file}")


if __name__ == "__main__":
    main()
