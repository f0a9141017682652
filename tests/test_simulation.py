"""Simulated arithmetic: as far from the float network as the real integer files are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from frame_pedals import frame_weights
from neuralpedal.contract.arithmetic import Arithmetic, Grid
from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.fixed_point import round_half_away
from neuralpedal.contract.integer_activations import sigmoid, tanh
from neuralpedal.contract.integer_network import read_integer_network
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.reference_w8a16 import W8A16ReferenceNetwork
from neuralpedal.contract.signal_chain import BIASES, KERNELS, RECURRENTS, signal_chain
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.int8_graph import build_w8a8_on
from neuralpedal.convert.int16_graph import build_tflm16x8_on, choose_int16_grids
from neuralpedal.convert.integer_formats import choose_formats, measure_ranges
from neuralpedal.convert.rounding import round_weights
from neuralpedal.convert.scheme_arithmetic import (
    channel_weights,
    float_arithmetic,
    gate_weights,
    w8a8_arithmetic,
    w8a16_arithmetic,
    w8a16_weights,
)
from neuralpedal.convert.signal_grids import choose_coarse_fine_grids, choose_grids
from neuralpedal.convert.simulated_activations import GateActivation
from neuralpedal.convert.simulation import choose_excerpt, simulate
from signals import plucks

DRY = plucks(0.6)
WARM_UP_SAMPLES = 9600
LARGEST_DEVIATION = 0.15
"""Of simulated ESR from the file's, relative: multipliers and TFLite's tables are left out."""

# Layers, hidden size, skip, spread.
STREAMS = [(1, 16, True, 0.4), (2, 8, False, 0.6)]


def stream_weights(num_layers: int, hidden_size: int, skip: bool, spread: float) -> NetworkWeights:
    spec = NetworkSpec(num_layers=num_layers, hidden_size=hidden_size, skip=skip)
    return random_weights(spec, seed=hidden_size, scale=spread)


def written(folder: Path, model: bytes) -> TfliteFile:
    (folder / "model.tflite").write_bytes(model)
    return read_tflite(folder / "model.tflite")


def deviation(weights: NetworkWeights, held: NetworkWeights, arithmetic: Arithmetic, wet: np.ndarray) -> float:
    """How far the simulation's ESR is from that of a file's output (W + T,), relative."""
    excerpt = choose_excerpt(DRY, WARM_UP_SAMPLES, weights)
    wanted = simulate(weights, float_arithmetic(weights.spec), excerpt).ravel()
    simulated = esr(wanted, simulate(held, arithmetic, excerpt).ravel())
    return abs(simulated / esr(wanted, wet[WARM_UP_SAMPLES:][excerpt.places.ravel()]) - 1.0)


@pytest.mark.parametrize("weights", [*(stream_weights(*network) for network in STREAMS), frame_weights(1, 8, 16, True)],
                         ids=lambda weights: weights.spec.label)
def test_all_grids_together_are_as_far_from_float_as_the_w8a8_file(weights: NetworkWeights, tmp_path: Path) -> None:
    grids = choose_grids(weights, calibrate(weights, DRY))
    manifest = Manifest(name="test", scheme="w8a8", network=weights.spec)
    reference = open_int8_reference(written(tmp_path, build_w8a8_on(weights, grids, manifest)))
    wet = reference.output_code.decode(reference.process(reference.input_code.encode(DRY)))
    arithmetic = w8a8_arithmetic(grids, weights.spec.skip)
    assert deviation(weights, gate_weights(weights, grids), arithmetic, wet) < LARGEST_DEVIATION


@pytest.mark.parametrize("network", STREAMS)
def test_all_grids_together_are_as_far_from_float_as_the_file_with_two_channels(network: tuple[int, int, bool, float],
                                                                                tmp_path: Path) -> None:
    weights = stream_weights(*network)
    grids = choose_coarse_fine_grids(weights, calibrate(weights, DRY))
    manifest = Manifest(name="test", scheme="w8a8", network=weights.spec)
    file = written(tmp_path, build_w8a8_on(weights, grids, manifest))
    border = open_border(file)
    wet = border.decode(open_int8_reference(file).answers(border.encode(DRY)), DRY)
    arithmetic = w8a8_arithmetic(grids, weights.spec.skip)
    assert deviation(weights, gate_weights(weights, grids), arithmetic, wet) < LARGEST_DEVIATION


@pytest.mark.parametrize("rounding", ["joint", "nearest"])
@pytest.mark.parametrize("network", STREAMS)
def test_all_grids_together_are_as_far_from_float_as_the_w8a16_file(network: tuple[int, int, bool, float],
                                                                    rounding: str, tmp_path: Path) -> None:
    weights = stream_weights(*network)
    # Rounded jointly the weights cost so little that all that is left is the arithmetic.
    rounded = round_weights(weights, "channel", DRY, 256) if rounding == "joint" else weights
    formats = choose_formats(rounded, measure_ranges(rounded, DRY))
    manifest = Manifest(name="test", scheme="w8a16", network=weights.spec, integer_format=formats)
    file = written(tmp_path, build_w8(rounded, manifest))
    wet = W8A16ReferenceNetwork(read_integer_network(file)).play(DRY)
    assert deviation(weights, w8a16_weights(rounded), w8a16_arithmetic(formats), wet) < LARGEST_DEVIATION


def test_the_weights_of_w8a16_are_what_its_multipliers_make_of_them(tmp_path: Path) -> None:
    weights = stream_weights(2, 5, True, 0.6)
    formats = choose_formats(weights, measure_ranges(weights, DRY))
    manifest = Manifest(name="test", scheme="w8a16", network=weights.spec, integer_format=formats)
    network = read_integer_network(written(tmp_path, build_w8(weights, manifest)))
    for layer, held in zip(network.layers, w8a16_weights(weights).layers, strict=True):
        # From sums with a state of 15 fraction bits to gates in their format.
        unit = 2.0 ** (15 - layer.format.gate_fraction_bits)
        for matrix, ours in ((layer.recurrent, held.recurrent_kernel), (layer.kernel, held.kernel)):
            if matrix is not None:
                factors = matrix.multipliers * 2.0 ** -(16.0 + matrix.shifts) * unit
                np.testing.assert_allclose((matrix.weights * factors[:, np.newaxis]).T, ours, rtol=2e-7)


@pytest.mark.parametrize("is_tanh", [False, True])
def test_simulated_chords_are_those_of_the_integers(is_tanh: bool) -> None:
    values = np.linspace(-20, 20, 4001)
    integers = round_half_away(values * 2.0**20).astype(np.int64)
    wanted = tanh(integers, 20) / 2.0**30 if is_tanh else sigmoid(integers, 20) / 2.0**31
    simulated = (integers / 2.0**20)[np.newaxis].copy()
    GateActivation("chords", 1, np.full(len(values), is_tanh))(simulated)
    np.testing.assert_allclose(simulated[0], wanted, atol=4e-9)
    exact = values[np.newaxis].copy()
    GateActivation("exact", 1, np.full(len(values), is_tanh))(exact)
    np.testing.assert_allclose(exact[0], np.tanh(values) if is_tanh else 1 / (1 + np.exp(-values)), atol=1e-15)
    assert np.max(np.abs(simulated - exact)) > 4e-6


@pytest.mark.parametrize("weights", [stream_weights(1, 8, False, 1.0), stream_weights(2, 4, True, 0.6),
                                     frame_weights(1, 4, 8, True)], ids=lambda weights: weights.spec.label)
def test_without_grids_the_simulation_is_the_float_reference(weights: NetworkWeights) -> None:
    excerpt = choose_excerpt(DRY, WARM_UP_SAMPLES, weights)
    wanted = open_reference(weights).process(DRY)[WARM_UP_SAMPLES:]
    np.testing.assert_allclose(simulate(weights, float_arithmetic(weights.spec), excerpt), wanted[excerpt.places],
                               atol=1e-9)


def test_the_weights_of_an_arithmetic_are_those_of_its_file(tmp_path: Path) -> None:
    weights = stream_weights(2, 5, True, 0.6)
    manifest = Manifest(name="test", scheme="w8", network=weights.spec)
    held = read_weights(written(tmp_path, build_w8(weights, manifest)))
    for array, wanted in zip(channel_weights(weights).arrays(), held.arrays(), strict=True):
        np.testing.assert_array_equal(array, wanted)
    grids = choose_grids(weights, calibrate(weights, DRY))
    file = written(tmp_path, build_w8a8_on(weights, grids, manifest.model_copy(update={"scheme": "w8a8"})))
    chain, held = signal_chain(file), gate_weights(weights, grids)
    for operator, layer in zip(chain.layers, held.layers, strict=True):
        for places, stacked in ((KERNELS, layer.kernel), (RECURRENTS, layer.recurrent_kernel)):
            constants = [file.tensors[operator.inputs[place]].dequantized().T for place in places]
            np.testing.assert_array_equal(np.concatenate(constants, axis=1), stacked)
        biases = [file.tensors[operator.inputs[place]].dequantized() for place in BIASES]
        np.testing.assert_allclose(np.concatenate(biases), layer.bias, rtol=1e-6)


def test_rounding_share_by_share_as_tflite_does_brings_the_simulation_nearer_to_the_file(tmp_path: Path) -> None:
    # Slow cells: what is written to them is less than a few of their steps.
    weights = stream_weights(1, 16, False, 0.3)
    weights.layers[0].bias[16:32] = 7.0
    grids = choose_int16_grids(calibrate(weights, DRY), False)
    manifest = Manifest(name="test", scheme="tflm16x8", network=weights.spec)
    reference = open_int8_reference(written(tmp_path, build_tflm16x8_on(weights, grids, manifest)))
    wet = reference.output_code.decode(reference.process(reference.input_code.encode(DRY)))
    held, arithmetic = gate_weights(weights, grids), w8a8_arithmetic(grids, False)
    plain = tuple(replace(layer, in_shares=False, activations="exact") for layer in arithmetic.layers)
    # The weights that the file holds are the float network here, so that only the arithmetic counts; the rest is
    # tflite-micro's tables.
    assert deviation(held, held, arithmetic, wet) < 0.6 * deviation(held, held, replace(arithmetic, layers=plain), wet)


def test_an_excerpt_is_spread_over_the_take_and_led_by_its_audio() -> None:
    weights, dry = stream_weights(1, 3, True, 0.4), np.arange(1, 30 * 48000 + 1, dtype=np.float32)
    excerpt = choose_excerpt(dry, 1000, weights)
    assert excerpt.places.size == 8 * 48000
    assert excerpt.places[0, 0] == 0
    assert excerpt.places[-1, -1] == len(dry) - 1000 - 1
    np.testing.assert_array_equal(excerpt.dry, dry[1000 + excerpt.places])
    np.testing.assert_array_equal(np.diff(excerpt.pieces[1:]), 1.0)


def test_an_output_grid_alone_costs_a_twelfth_of_its_squared_step() -> None:
    weights, step = stream_weights(1, 4, True, 0.4), 2.0**-6
    excerpt = choose_excerpt(DRY, WARM_UP_SAMPLES, weights)
    wanted = simulate(weights, float_arithmetic(weights.spec), excerpt)
    coarse = replace(float_arithmetic(weights.spec), output=Grid(step, -4.0, 4.0))
    error = simulate(weights, coarse, excerpt) - wanted
    assert np.mean(error**2) == pytest.approx(step**2 / 12, rel=0.05)
