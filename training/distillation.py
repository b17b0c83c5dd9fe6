"""What a student learns from: the labels by triplets, and a teacher's encodings.

Hinton et al. 2015 (arXiv:1503.02531) named it; that the teacher sees exactly the picture that
the student sees, for long, is Beyer et al. 2022 (arXiv:2106.05237); that the student learns
how alike the teacher finds the faces of a batch is Fang et al. 2021 (SEED, arXiv:2101.04731).
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from facetrail.wire import Chips, Encoder, Encodings
from training.plan import ALPHA, Mining
from training.triplet import TripletLoss
from workers.encoders.base import Tensor

#: Divides similarities before they become shares: small, so that the likest faces count.
TEMPERATURE = 0.1


class Teacher:
    """An encoder whose encodings are centred, so that two strangers' lie as far apart as can be.

    middle: `(128,)`, the mean of its encodings of many faces.
    """

    def __init__(self, encoder: Encoder, middle: Encodings) -> None:
        self.id = encoder.id
        self._encoder = encoder
        self._middle = middle

    @classmethod
    def of(cls, encoder: Encoder, chips: Chips) -> Teacher:
        """Centred on the mean over these chips, `(n, 112, 112, 3)`."""
        return cls(encoder, encoder.encode(chips).mean(axis=0))

    def encode(self, chips: Chips) -> Encodings:
        """Uint8 `(n, 112, 112, 3)` to float32 `(n, 128)`, rows of length 1."""
        centred = self._encoder.encode(chips) - self._middle
        return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True), np.float32)


@keras.saving.register_keras_serializable("facetrail")
class DistilledTripletLoss(TripletLoss):
    """The triplet loss; the squared distance to the teacher's encoding of the same chip; and by
    how much the shares differ that the teacher's encodings have in each face, as one finds
    them alike and as the other does.

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
        teacher = y_true[:, 1:]
        apart = ops.sum(ops.square(teacher - y_pred), axis=1)
        triplets = super().call(y_true[:, 0], y_pred)
        return apart + relations(teacher, y_pred) + self.weight * triplets

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "weight": self.weight}


def relations(teacher: Tensor, student: Tensor) -> Tensor:
    """Of each of n faces the relative entropy of the two's shares, `(n,)`; not below 0."""
    others = ops.transpose(teacher)
    meant = ops.log_softmax(ops.matmul(teacher, others) / TEMPERATURE, axis=1)
    said = ops.log_softmax(ops.matmul(student, others) / TEMPERATURE, axis=1)
    return ops.sum(ops.exp(meant) * (meant - said), axis=1)
