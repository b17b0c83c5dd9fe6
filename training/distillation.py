"""What a student learns from: the labels by triplets, and a teacher's encodings.

Hinton et al. 2015 (arXiv:1503.02531) named it; that the teacher sees exactly the picture that
the student sees, for long, is Beyer et al. 2022 (arXiv:2106.05237).
"""

from __future__ import annotations

import keras
from keras import ops

from training.plan import ALPHA, Mining
from training.triplet import Tensor, TripletLoss


@keras.saving.register_keras_serializable("facetrail")
class DistilledTripletLoss(TripletLoss):
    """The triplet loss, and the squared distance to the teacher's encoding of the same chip.

    `y_true` `(n, 1 + d)`: the label, then the teacher's encoding; `y_pred` `(n, d)`.
    weight: of the triplets beside the teacher.
    """

    def __init__(
        self,
        mining: Mining = "semi_hard",
        alpha: float = ALPHA,
        weight: float = 1.0,
        **kwargs: object,
    ) -> None:
        super().__init__(mining, alpha, **{"name": "distilled_triplet_loss", **kwargs})
        self.weight = weight

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        apart = ops.sum(ops.square(y_true[:, 1:] - y_pred), axis=1)
        return apart + self.weight * super().call(y_true[:, 0], y_pred)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "weight": self.weight}
