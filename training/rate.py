"""The learning rate: it grows, falls along a cosine to nothing, and may do so again."""

from __future__ import annotations

import keras
from keras import ops
from keras.optimizers import schedules

from workers.encoders.base import Tensor

WARM_UP = 0.02  # share of a cycle in which the rate grows
SHRINKING = 0.5  # of one cycle's height to the next


@keras.saving.register_keras_serializable("facetrail")
class Cycles(schedules.LearningRateSchedule):  # type: ignore[misc]
    """Cosine cycles with warm restarts (Loshchilov and Hutter 2017, arXiv:1608.03983).

    height: the highest rate of the first; each next one is half as high. steps: batches of one.
    """

    def __init__(self, height: float, steps: int) -> None:
        super().__init__()
        self.height, self.steps = height, steps
        warm_up = round(WARM_UP * steps)
        self._one = schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=height, warmup_steps=warm_up
        )

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32")
        done = ops.floor(step / self.steps)
        return self._one(step - done * self.steps) * ops.power(SHRINKING, done)

    def get_config(self) -> dict[str, float]:
        return {"height": self.height, "steps": self.steps}
