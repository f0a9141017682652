"""The training loss: ESR with pre-emphasis, plain ESR, a DC term and the distance of spectra, safe on silence.

Sources: Wright et al. 2020 (ESR with pre-emphasis, DC); Yamamoto, Song, Kim 2020 (multi-resolution STFT). ESR divides
by the target's energy, and a silent window would divide by nothing; here the energy is that of the whole batch and
never counts as less than a hundredth of the recording's mean, so that rests pull towards silence without drowning
everything else.
"""

from typing import Any

import tensorflow as tf

from neuralpedal.train.recipe import SHORTEST_SPECTRUM_SAMPLES, Recipe

Tensor = Any

ENERGY_FLOOR_SHARE = 0.01
"""Smallest denominator, as a share of the recording's mean energy."""

STFT_WINDOWS = (SHORTEST_SPECTRUM_SAMPLES, 128, 256)
"""Hann windows of the spectral distance, in samples, each with a hop of a quarter: short enough for a short chunk,
where contract.spectral_metrics has a whole take."""


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
        if self._recipe.mr_stft_weight:
            loss += self._recipe.mr_stft_weight * self._spectral_distance(target[..., 0], prediction[..., 0])
        return loss

    def _spectral_distance(self, target: Tensor, prediction: Tensor) -> Tensor:
        """Spectral convergence plus the mean distance of log magnitudes, the mean over all windows that fit."""
        windows = [window for window in STFT_WINDOWS if window <= target.shape[1]]
        terms = []
        for window in windows:
            # Power below the floor of silence counts as that: the logarithm of nothing pulls without end.
            power = (tf.square(tf.abs(tf.signal.stft(track, window, window // 4))) for track in (target, prediction))
            wanted, found = (tf.sqrt(each + window * self._floor) for each in power)
            terms.append(tf.norm(wanted - found) / tf.norm(wanted)
                         + tf.reduce_mean(tf.abs(tf.math.log(wanted / found))))
        return tf.add_n(terms) / len(terms)

    def _emphasized_esr(self, target: Tensor, error: Tensor) -> Tensor:
        power = tf.maximum(tf.reduce_mean(tf.square(self._emphasize(target))), self._emphasized_floor)
        return tf.reduce_mean(tf.square(self._emphasize(error))) / power

    def _emphasize(self, signal: Tensor) -> Tensor:
        # The first sample of a chunk has no predecessor here and is left out.
        return signal[:, 1:] - self._recipe.pre_emphasis * signal[:, :-1]
