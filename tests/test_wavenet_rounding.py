"""WaveNets rounded together: gradients against differences, and less lost than each weight by itself loses."""

import numpy as np
import pytest
from wavenets import KINDS, conv_array

from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_weights import WaveNetWeights, random_wavenet
from neuralpedal.convert.rounding import nearest_weights, round_weights, scale_blocks
from neuralpedal.convert.rounding_choice import better_rounded
from neuralpedal.convert.sensitivity import error_and_slope, flatten, measure_sensitivity, unflatten
from neuralpedal.convert.wavenet_graph import grid_weights
from neuralpedal.convert.wavenet_stretches import play_stretches, stretch_gradients
from signals import plucks

AUDIO = plucks(1.0)
TWO_TAPPED = WaveNetSpec(arrays=(conv_array(2, (1, 3), head_size=3, head_kernel_size=4, gated=True),
                                 conv_array(3, (2,), 2, head_kernel_size=3, head_bias=True, activation="relu")),
                         head_scale=0.7)


@pytest.mark.parametrize("spec", [*KINDS.values(), TWO_TAPPED], ids=[*KINDS, "two tapped heads"])
def test_gradients_are_those_of_the_reference_s_differences(spec: WaveNetSpec) -> None:
    weights, rng = random_wavenet(spec, 4), np.random.default_rng(2)
    lead = spec.receptive_field - 1
    dry = AUDIO[6000 : 6000 + lead + 20][np.newaxis]
    head, tapes = play_stretches(weights, dry)
    pull = rng.normal(size=head.shape).astype(np.float32)
    found = stretch_gradients(weights, tapes, pull)[0]

    def value(network: WaveNetWeights) -> float:
        wet = ReferenceWaveNet(network).process(dry[0]) - (dry[0] if spec.skip else 0.0)
        return float(wet[lead:] @ pull[0])

    flat, direction = flatten(weights), rng.normal(size=spec.num_parameters)
    small = 1e-4 * direction
    # float32 weights: the step that was taken is not quite the one asked for.
    above, below = (unflatten(flat + sign * small, weights) for sign in (1, -1))
    taken = flatten(above) - flatten(below)
    assert float(found @ taken) == pytest.approx(value(above) - value(below), rel=0.02, abs=1e-6)


@pytest.mark.parametrize("kind", ["a1", "gated", "a2"])
def test_the_sensitivity_says_what_a_small_change_of_weights_costs(kind: str) -> None:
    weights = random_wavenet(KINDS[kind], 4)
    g = measure_sensitivity(weights, AUDIO, 200)
    flat = flatten(weights)
    change = 1e-4 * np.random.default_rng(5).normal(size=len(flat)) * np.abs(flat)
    error, slope = error_and_slope(weights, unflatten(flat + change, weights), AUDIO, 40, 1)
    assert change @ g @ change == pytest.approx(error, rel=0.4)
    assert slope @ change == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize("kind", ["a1", "gated", "skip"])
def test_together_less_is_lost_than_nearest_and_the_grid_is_found_again(kind: str) -> None:
    weights = random_wavenet(KINDS[kind], 9)
    joint = better_rounded(weights, "channel", AUDIO, plucks(0.5, seed=3))
    dry = plucks(0.5, seed=5)
    wanted, ours, theirs = (ReferenceWaveNet(network).process(dry)
                            for network in (weights, joint, nearest_weights(weights, "channel")))
    assert esr(wanted, ours) < 0.1 * esr(wanted, theirs)
    for held, rounded in zip(grid_weights(joint).arrays(), joint.arrays(), strict=True):
        np.testing.assert_allclose(held, rounded, rtol=1e-5, atol=1e-9)
    assert round_weights(joint, "channel", AUDIO) is joint


def test_nearest_is_what_the_files_hold_and_a_block_is_an_output_s_taps_and_inputs() -> None:
    weights = random_wavenet(KINDS["a2"], 9)
    for ours, theirs in zip(nearest_weights(weights, "channel").arrays(), grid_weights(weights).arrays(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=0)
    blocks = scale_blocks(weights, "channel")
    entry, kernel = weights.arrays_of_layers[0].entry, weights.arrays_of_layers[0].layers[0].kernel
    block = blocks[entry.shape[1] + 2]
    np.testing.assert_array_equal(flatten(weights)[block], kernel[:, :, 2].ravel())
