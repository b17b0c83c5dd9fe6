"""Chips as other cameras, moments and landmarks would have given them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Chips
from ingest.faces.align import SIDE


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far chips are changed; each is drawn evenly from 0 or 1 to as far as said.

    turn: degrees. zoom: factor, such as 0.1 for 0.9 to 1.1. shift: pixels. contrast,
    brightness: shares. grey, blur: chances of a picture without colour, and of a coarse one.
    """

    turn: float = 5.0
    zoom: float = 0.07
    shift: float = 3.0
    contrast: float = 0.25
    brightness: float = 0.15
    grey: float = 0.05
    blur: float = 0.1

    def of(self, chip: Chips, random: np.random.Generator) -> Chips:
        """Another uint8 `(112, 112, 3)` of the same face."""
        moved = np.asarray(cv2.warpAffine(chip, self._transform(random), (SIDE, SIDE)), np.uint8)
        if random.random() < 0.5:
            moved = moved[:, ::-1]
        if random.random() < self.blur:
            moved = coarse(moved, random.uniform(0.3, 0.8))
        return self._lit(moved, random)

    def _transform(self, random: np.random.Generator) -> NDArray[np.float64]:
        middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
        turn = random.uniform(-self.turn, self.turn)
        zoom = 1 + random.uniform(-self.zoom, self.zoom)
        transform = np.asarray(cv2.getRotationMatrix2D(middle, turn, zoom), np.float64)
        transform[:, 2] += random.uniform(-self.shift, self.shift, 2)
        return transform

    def _lit(self, chip: Chips, random: np.random.Generator) -> Chips:
        x = chip.astype(np.float32)
        if random.random() < self.grey:
            x = np.repeat(x.mean(axis=2, keepdims=True), 3, axis=2)
        mean = x.mean()
        contrast = 1 + random.uniform(-self.contrast, self.contrast)
        brightness = 255 * random.uniform(-self.brightness, self.brightness)
        lit = np.clip((x - mean) * contrast + mean + brightness, 0, 255)
        return np.asarray(lit, np.uint8)


def coarse(chip: Chips, share: float) -> Chips:
    """As a camera sees a face that is farther away: fewer pixels, made large again."""
    small = cv2.resize(chip, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def blended(one: Chips, other: Chips, share: float) -> Chips:
    """Two aligned faces laid over each other: a face that is nobody's, for a teacher to encode."""
    return np.asarray(cv2.addWeighted(one, share, other, 1 - share, 0), np.uint8)
