"""Rounding by the output's error: its derivative is right, its grid is found again, and it beats nearest."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.rounding import round_weights, scale_blocks
from neuralpedal.convert.sensitivity import (
    error_and_slope,
    excerpts,
    flatten,
    gradients,
    measure_sensitivity,
    play,
    unflatten,
)

STREAM = make_spec(hidden_size=4, num_layers=2)
FRAME = make_spec(family="frame_lstm", frame_samples=8, hidden_size=5, num_layers=1)
SPECS = [STREAM, FRAME, make_spec(hidden_size=5, num_layers=1),
         make_spec(family="frame_lstm", frame_samples=8, hidden_size=4, num_layers=2)]
VECTORS = 256


def network(spec: NetworkSpec, seed: int = 0) -> NetworkWeights:
    return random_weights(spec, seed, scale=0.8)


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    rng = np.random.default_rng(1)
    loudness = 0.5 + 0.4 * np.sin(np.arange(12_000) / 700)
    return (loudness * np.convolve(rng.normal(0, 0.4, 12_000), [0.5, 0.3, 0.2], "same")).astype(np.float32)


def nearest(weights: NetworkWeights, scales: str) -> NetworkWeights:
    return round_weights(weights, scales, np.zeros(0, np.float32))


@pytest.mark.parametrize("spec", [STREAM, FRAME], ids=lambda spec: spec.label)
def test_gradients_are_those_of_finite_differences(spec: NetworkSpec, audio: np.ndarray) -> None:
    weights = network(spec)
    excerpt = next(excerpts(weights, audio, 3, seed=0))
    excerpt_dry, rng = excerpt.dry[:, -40:], np.random.default_rng(2)
    pull = rng.normal(0, 1, excerpt_dry.shape).astype(np.float32)
    _, _, tapes = play(weights, excerpt_dry, excerpt.states, taped=True)
    found, flat = gradients(weights, tapes, pull), flatten(weights)
    for place in rng.choice(len(flat), 40, replace=False):
        step = np.zeros(len(flat))
        step[place] = 1e-2
        above, below = (np.sum(pull * play(unflatten(flat + sign * step, weights), excerpt_dry, excerpt.states)[0],
                               axis=1) for sign in (1, -1))
        np.testing.assert_allclose(found[:, place], (above - below) / 2e-2, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("spec", [STREAM, FRAME], ids=lambda spec: spec.label)
def test_the_sensitivity_foretells_the_error_of_a_small_change(spec: NetworkSpec, audio: np.ndarray) -> None:
    weights, rng = network(spec), np.random.default_rng(3)
    sensitivity = measure_sensitivity(weights, audio, 4096 if spec is FRAME else 256)
    for _ in range(3):
        change = rng.normal(0, 2e-3, spec.num_parameters)
        moved = unflatten(flatten(weights) + change, weights)
        player, other = open_reference(weights), open_reference(moved)
        error = float(np.mean((player.process(audio) - other.process(audio)) ** 2))
        assert change @ sensitivity @ change == pytest.approx(error, rel=0.3)


@pytest.mark.parametrize("scales", ["channel", "gate"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
def test_joint_rounding_loses_less_than_nearest(spec: NetworkSpec, scales: str, audio: np.ndarray) -> None:
    weights = network(spec)
    wanted = open_reference(weights).process(audio[:3000])

    def loss(rounded: NetworkWeights) -> float:
        return float(np.mean((open_reference(rounded).process(audio[:3000]) - wanted) ** 2))

    assert loss(round_weights(weights, scales, audio, VECTORS)) < 0.5 * loss(nearest(weights, scales))


@pytest.mark.parametrize("spec", SPECS[:2], ids=lambda spec: spec.label)
def test_a_w8_file_holds_the_integers_that_rounding_chose(spec: NetworkSpec, audio: np.ndarray,
                                                              tmp_path: Path) -> None:
    rounded = round_weights(network(spec), "channel", audio, VECTORS)
    path = tmp_path / "pedal.w8.tflite"
    path.write_bytes(build_w8(rounded, Manifest(name="pedal", scheme="w8", network=spec)))
    for written, meant in zip(read_weights(read_tflite(path)).arrays(), rounded.arrays(), strict=True):
        np.testing.assert_allclose(written, meant, rtol=3e-7, atol=1e-35)


@pytest.mark.parametrize("scales", ["channel", "gate"])
def test_every_block_lies_on_its_grid_with_its_largest_weight_at_127_steps(scales: str, audio: np.ndarray) -> None:
    rounded = flatten(round_weights(network(STREAM), scales, audio, VECTORS))
    for block in scale_blocks(network(STREAM), scales):
        steps = rounded[block] / (np.max(np.abs(rounded[block])) / 127)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)


@pytest.mark.parametrize("scales", ["channel", "gate"])
def test_weights_on_the_grid_stay_as_they_are(scales: str, audio: np.ndarray) -> None:
    rounded = nearest(network(STREAM), scales)
    for before, after in zip(rounded.arrays(), round_weights(rounded, scales, audio, VECTORS).arrays(), strict=True):
        np.testing.assert_allclose(after, before, rtol=3e-7)


def test_rounding_twice_gives_the_same(audio: np.ndarray) -> None:
    first, second = (round_weights(network(FRAME), "channel", audio, VECTORS).digest() for _ in range(2))
    assert first == second


def test_a_matrix_of_zeros_stays_one(audio: np.ndarray) -> None:
    weights = network(FRAME)
    weights.layers[0].recurrent_kernel[:] = 0.0
    assert not np.any(round_weights(weights, "channel", audio, VECTORS).layers[0].recurrent_kernel)


def test_the_slope_of_the_error_is_zero_where_there_is_none(audio: np.ndarray) -> None:
    error, slope = error_and_slope(network(STREAM), network(STREAM), audio, 8, seed=0)
    assert error == 0.0 and not np.any(slope)
