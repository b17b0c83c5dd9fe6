"""The triplet loss, over given triplets and over those found in a labelled batch.

L = sum of max(|f(a) - f(p)|² - |f(a) - f(n)|² + alpha, 0) over anchors a, positives p of the
same person and negatives n of another: Schroff et al. 2015 (FaceNet, arXiv:1503.03832),
equation 3. Which triplets of a batch count is called mining: all of them, the hardest of each
anchor (Hermans et al. 2017, arXiv:1703.07737, section 2), or the semi-hard ones (FaceNet,
section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import keras
from keras import ops

from training.plan import ALPHA, Mining
from workers.encoders.base import Tensor


def triplet_loss(anchor: Tensor, positive: Tensor, negative: Tensor, alpha: float) -> Tensor:
    """The loss of each of n triplets, `(n,)`, of encodings `(n, d)`."""
    near = ops.sum(ops.square(anchor - positive), axis=-1)
    far = ops.sum(ops.square(anchor - negative), axis=-1)
    return ops.relu(near - far + alpha)


def squared_distances(encodings: Tensor) -> Tensor:
    """`(n, n)` of `(n, d)`, not below 0."""
    squares = ops.sum(ops.square(encodings), axis=1)
    products = ops.matmul(encodings, ops.transpose(encodings))
    return ops.relu(squares[:, None] - 2 * products + squares[None, :])


def same_and_different(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which of n are another picture of the same person, and which of another; `(n, n)`."""
    named = ops.logical_and((labels >= 0)[:, None], (labels >= 0)[None, :])
    equal = labels[:, None] == labels[None, :]
    itself = ops.eye(labels.shape[0] or ops.shape(labels)[0], dtype="bool")
    same = ops.logical_and(ops.logical_and(named, equal), ops.logical_not(itself))
    return same, ops.logical_and(named, ops.logical_not(equal))


def batch_all(distance: Tensor, same: Tensor, different: Tensor, alpha: float) -> Tensor:
    """Of each anchor the sum over all its triplets, `(n,)`."""
    losses = ops.relu(distance[:, :, None] - distance[:, None, :] + alpha)  # (a, p, n)
    counted = ops.logical_and(same[:, :, None], different[:, None, :])
    return ops.sum(ops.where(counted, losses, 0.0), axis=(1, 2))


def batch_hard(distance: Tensor, same: Tensor, different: Tensor, alpha: float) -> Tensor:
    """Of each anchor its farthest positive against its nearest negative, `(n,)`."""
    farthest = ops.max(ops.where(same, distance, 0.0), axis=1)
    nearest = ops.min(ops.where(different, distance, _FAR), axis=1)
    counted = ops.logical_and(ops.any(same, axis=1), ops.any(different, axis=1))
    return ops.where(counted, ops.relu(farthest - nearest + alpha), 0.0)


def semi_hard(distance: Tensor, same: Tensor, different: Tensor, alpha: float) -> Tensor:
    """Of each anchor the sum over its positives against the nearest negative beyond each, `(n,)`.

    A positive that no negative is beyond is in no triplet.
    """
    beyond = ops.logical_and(
        different[:, None, :], distance[:, None, :] > distance[:, :, None]
    )  # (a, p, n)
    nearest = ops.min(ops.where(beyond, distance[:, None, :], _FAR), axis=2)
    losses = ops.relu(distance - nearest + alpha)  # 0 where none is beyond
    return ops.sum(ops.where(same, losses, 0.0), axis=1)


_FAR = 1e6  # beyond every squared distance of unit encodings, which end at 4
_MINED: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "batch_all": batch_all,
    "batch_hard": batch_hard,
    "semi_hard": semi_hard,
}


@keras.saving.register_keras_serializable("facetrail")
class TripletLoss(keras.losses.Loss):  # type: ignore[misc]
    """Over a labelled batch: `y_true` `(n,)` or `(n, 1)` labels, `y_pred` `(n, d)` encodings.

    Labels below 0 are faces without a name. What each anchor contributes is reduced as
    Keras' `reduction` says: "sum" is the sum above, the default its mean over the anchors.
    """

    def __init__(
        self, mining: Mining = "semi_hard", alpha: float = ALPHA, **kwargs: object
    ) -> None:
        if mining not in get_args(Mining):
            raise ValueError(f"expected mining of {get_args(Mining)}, got {mining!r}")
        super().__init__(**{"name": "triplet_loss", **kwargs})
        self.mining = mining
        self.alpha = alpha

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        same, different = same_and_different(ops.reshape(y_true, (-1,)))
        return _MINED[self.mining](squared_distances(y_pred), same, different, self.alpha)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "mining": self.mining, "alpha": self.alpha}


@keras.saving.register_keras_serializable("facetrail")
class GivenTripletLoss(keras.losses.Loss):  # type: ignore[misc]
    """Over given triplets: `y_pred` `(n, 3, d)` anchors, positives, negatives; no `y_true`."""

    def __init__(self, alpha: float = ALPHA, **kwargs: object) -> None:
        super().__init__(**{"name": "given_triplet_loss", **kwargs})
        self.alpha = alpha

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return triplet_loss(y_pred[:, 0], y_pred[:, 1], y_pred[:, 2], self.alpha)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "alpha": self.alpha}
