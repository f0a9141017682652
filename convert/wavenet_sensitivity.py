"""Stretches, answers and gradients of a WaveNet, as ``sensitivity.py`` wants them.

Nothing is carried on from stretch to stretch: each is led by a receptive field of audio, so that no weight's share is
left out of its gradient.
"""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.wavenet_weights import WaveNetWeights, wavenet_weights
from neuralpedal.contract.weights import Array
from neuralpedal.convert.excerpt import Excerpt, States
from neuralpedal.convert.wavenet_stretches import ArrayTape, play_stretches, stretch_gradients

COUNTED_SAMPLES = 1024
_CHECKED_STRETCHES = 96
_LANE_FLOATS = 5e7
"""That all lanes' tapes may hold, at about six signals per layer."""


def excerpts(weights: WaveNetWeights, audio: Array, vectors: int, seed: int) -> Iterator[Excerpt]:
    """Stretches of ``audio`` (T,) at random places, ``vectors`` of them. Audio that is too short is repeated."""
    rng = np.random.default_rng(seed)
    lead = weights.spec.receptive_field - 1
    sums = sum(array.sums * len(array.dilations) for array in weights.spec.arrays)
    lanes = int(np.clip(_LANE_FLOATS / (6 * sums * (lead + COUNTED_SAMPLES)), 1, 64))
    for start in range(0, vectors, lanes):
        places = rng.integers(0, len(audio), min(lanes, vectors - start))[:, np.newaxis]
        dry = np.take(audio, places + np.arange(-lead, COUNTED_SAMPLES), mode="wrap").astype(np.float32)
        yield Excerpt(dry, [], slice(lead, None))


def play(weights: WaveNetWeights, dry: Array, states: States, taped: bool = False
         ) -> tuple[Array, States, list[ArrayTape]]:
    """As ``sensitivity.play``: answers (lanes, T), zero where the past is not there."""
    head, tapes = play_stretches(weights, dry)
    return np.pad(head, ((0, 0), (dry.shape[1] - head.shape[1], 0))), states, tapes


def gradients(weights: WaveNetWeights, tapes: list[ArrayTape], pull: Array) -> Array:
    """As ``sensitivity.gradients``."""
    return stretch_gradients(weights, tapes, pull[:, weights.spec.receptive_field - 1 :])


def checked(weights: WaveNetWeights) -> int:
    """As ``sensitivity.checked``."""
    return _CHECKED_STRETCHES


def rebuilt(weights: WaveNetWeights, arrays: list[Array]) -> WaveNetWeights:
    """A network like ``weights`` of other numbers."""
    return wavenet_weights(weights.spec, arrays)
