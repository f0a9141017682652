"""Ranges of hidden states chosen by error: smaller than what was seen, and the file is the better for it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from frame_pedals import frame_weights
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import parse_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import ActivationRanges, calibrate
from neuralpedal.convert.hidden_ranges import clip_hidden_ranges, w8a8_ranges
from neuralpedal.convert.int8_graph import build_w8a8
from signals import plucks

AUDIO, OTHER = plucks(0.6), plucks(0.3, seed=8)


def stream_weights(num_layers: int) -> NetworkWeights:
    return random_weights(NetworkSpec(num_layers=num_layers, hidden_size=8, skip=False), seed=4, scale=0.6)


def with_idle_units(weights: NetworkWeights) -> NetworkWeights:
    """The first two units of every layer go to 1 and −1, and nobody listens to them."""
    for layer in weights.layers:
        gates = np.arange(4)[:, np.newaxis] * 8 + [0, 1]
        layer.kernel[:, gates] = layer.recurrent_kernel[:, gates] = 0.0
        layer.bias[gates] = [[4.0, 4.0], [4.0, 4.0], [4.0, -4.0], [4.0, 4.0]]
        layer.recurrent_kernel[:2] = 0.0
    for layer in weights.layers[1:]:
        layer.kernel[:2] = 0.0
    weights.head_kernel[:2] = 0.0
    return weights


def cost(weights: NetworkWeights, ranges: ActivationRanges) -> float:
    """ESR of the real integer file on audio that nothing was chosen by."""
    manifest = Manifest(name="test", scheme="w8a8", network=weights.spec)
    reference = open_int8_reference(parse_tflite(Path("test.tflite"), build_w8a8(weights, ranges, manifest)))
    played = reference.output_code.decode(reference.process(reference.input_code.encode(OTHER)))
    return esr(open_reference(weights).process(OTHER), played)


@pytest.mark.parametrize("make", [lambda: stream_weights(1), lambda: stream_weights(2),
                                  lambda: frame_weights(1, 8, 16, False)])
def test_smaller_ranges_of_hidden_states_make_a_better_file(make: Callable[[], NetworkWeights]) -> None:
    weights = with_idle_units(make())
    seen = calibrate(weights, AUDIO)
    chosen = w8a8_ranges(weights, AUDIO)
    assert replace(chosen, hidden=seen.hidden) == seen
    shares = [ours.peak / theirs.peak for ours, theirs in zip(chosen.hidden, seen.hidden, strict=True)]
    assert max(shares) < 1.0
    assert cost(weights, chosen) < 0.8 * cost(weights, seen)


def test_a_range_whose_peaks_are_all_that_there_is_stays() -> None:
    weights = stream_weights(1)
    layer = weights.layers[0]
    # Without input and recurrence every unit goes to one value and stays there; clipped, it would be another.
    layer.kernel[:], layer.recurrent_kernel[:] = 0.0, 0.0
    layer.bias[:] = 2.0
    seen = calibrate(weights, AUDIO)
    assert clip_hidden_ranges(weights, seen, AUDIO) == seen


def test_a_network_that_is_silent_keeps_its_ranges() -> None:
    weights = stream_weights(1)
    weights.head_kernel[:], weights.head_bias[:] = 0.0, 0.0
    seen = calibrate(weights, AUDIO)
    assert clip_hidden_ranges(weights, seen, np.zeros_like(AUDIO)) == seen
