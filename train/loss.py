"""The training loss: ESR with pre-emphasis, plain ESR and a DC term, safe on silence.

Source: Wright et al. 2020 (ESR with pre-emphasis, DC). ESR divides by the target's energy, and a silent window would
divide by nothing; here the energy is that of the whole batch and never counts as less than a hundredth of the
recording's mean, so that rests pull towards silence without drowning everything else.
"""

from typing import Any

import tensorflow as tf

from neuralpedal.train.recipe import Recipe

Tensor = Any

ENERGY_FLOOR_SHARE = 0.01
"""Smallest denominator, as a share of the recording's mean energy."""


class EsrLoss:
    """Callable loss over (B, T, 1) target and prediction.

    Args:
        recipe: gives the mix and the pre-emphasis coefficient.
        target_power: mean square of the training part's wet track.
        emphasized_power: the same after pre-emphasis.
    """

    def __init__(self, recipe: Recipe, target_power: float, emphasized_power: float) -> None:
        self._recipe = recipe
        self._floor = ENERGY_FLOOR_SHARE * target_power
        self._emphasized_floor = ENERGY_FLOOR_SHARE * emphasized_power

    def __call__(self, target: Tensor, prediction: Tensor) -> Tensor:
        """Scalar loss; finite for any finite input, silence included."""
        error = target - prediction
        power = tf.maximum(tf.reduce_mean(tf.square(target)), self._floor)
        loss = self._recipe.esr_weight * tf.reduce_mean(tf.square(error)) / power
        if self._recipe.emphasized_esr_weight:
            loss += self._recipe.emphasized_esr_weight * self._emphasized_esr(target, error)
        if self._recipe.dc_weight:
            # Per stream: offsets of opposite sign in two streams are two errors, not none.
            loss += self._recipe.dc_weight * tf.reduce_mean(tf.square(tf.reduce_mean(error, axis=1))) / power
        return loss

    def _emphasized_esr(self, target: Tensor, error: Tensor) -> Tensor:
        power = tf.maximum(tf.reduce_mean(tf.square(self._emphasize(target))), self._emphasized_floor)
        return tf.reduce_mean(tf.square(self._emphasize(error))) / power

    def _emphasize(self, signal: Tensor) -> Tensor:
        # The first sample of a chunk has no predecessor here and is left out.
        return signal[:, 1:] - self._recipe.pre_emphasis * signal[:, :-1]
