"""Rounding by the output's error: its derivative is right, its grid is found again, and it beats nearest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captures import read_seed_model
from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.rounding import nearest_weights, round_weights, scale_blocks, split_blocks
from neuralpedal.convert.rounding_choice import better_rounded
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
GRU, RNN = make_spec(family="gru", hidden_size=4, num_layers=2), make_spec(family="rnn", hidden_size=4, num_layers=2)
SPECS = [STREAM, FRAME, GRU, make_spec(hidden_size=5, num_layers=1),
         make_spec(family="frame_lstm", frame_samples=8, hidden_size=4, num_layers=2)]
BENT = make_spec(family="gru", hidden_size=4, front=[{"units": 3, "activation": "tanh"}],
                 head=[{"units": 3, "activation": "elu"}, {"units": 4, "activation": "sigmoid"}])
VECTORS = 256


def network(spec: NetworkSpec, seed: int = 0) -> NetworkWeights:
    return random_weights(spec, seed, scale=0.8)


def loss(weights: NetworkWeights, rounded: NetworkWeights, dry: np.ndarray) -> float:
    return float(np.mean((open_reference(rounded).process(dry) - open_reference(weights).process(dry)) ** 2))


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    rng = np.random.default_rng(1)
    loudness = 0.5 + 0.4 * np.sin(np.arange(12_000) / 700)
    return (loudness * np.convolve(rng.normal(0, 0.4, 12_000), [0.5, 0.3, 0.2], "same")).astype(np.float32)


@pytest.mark.parametrize("spec", [STREAM, FRAME, GRU, RNN, BENT], ids=lambda spec: spec.label)
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


@pytest.mark.parametrize("spec", [STREAM, FRAME, GRU], ids=lambda spec: spec.label)
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
    weights, dry = network(spec), audio[:3000]
    joint, nearest = round_weights(weights, scales, audio, VECTORS), nearest_weights(weights, scales)
    assert loss(weights, joint, dry) < 0.5 * loss(weights, nearest, dry)


@pytest.mark.parametrize("scales", ["channel", "gate"])
def test_in_parts_as_well(scales: str, audio: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuralpedal.convert.rounding.LARGEST_PART", 100)
    weights, dry, seen = network(FRAME), audio[:3000], []
    assert len(split_blocks(scale_blocks(weights, scales), 100)) == 2
    joint = round_weights(weights, scales, audio, VECTORS, watch=seen.append)
    assert loss(weights, joint, dry) < 0.5 * loss(weights, nearest_weights(weights, scales), dry)
    assert seen == sorted(seen) and seen[0] == 0.0 and seen[-1] <= 1.0


@pytest.mark.parametrize("largest", [1, 30, 100, 10_000])
def test_parts_hold_every_block_once_and_are_not_much_too_large(largest: int) -> None:
    blocks = scale_blocks(network(STREAM), "channel")
    parts = split_blocks(blocks, largest)
    assert [block[0] for part in parts for block in part] == [block[0] for block in blocks]
    longest = max(map(len, blocks))
    assert all(len(part) == 1 or sum(map(len, part)) <= largest + longest for part in parts)
    assert len(parts) == min(len(blocks), -(-sum(map(len, blocks)) // largest))


def test_without_audio_every_weight_goes_to_its_nearest_step() -> None:
    weights = network(STREAM)
    rounded = round_weights(weights, "channel", np.zeros(0, np.float32))
    assert rounded.digest() == nearest_weights(weights, "channel").digest()


@pytest.mark.parametrize(("stopped_at", "is_nearest"), [(0.0, True), (0.5, True), (0.8, False)])
def test_ctrl_c_keeps_the_best_so_far(stopped_at: float, is_nearest: bool, audio: np.ndarray) -> None:
    def interrupt(fraction: float) -> None:
        if fraction >= stopped_at:
            raise KeyboardInterrupt

    weights, dry, nearest = network(FRAME), audio[:3000], nearest_weights(network(FRAME), "channel")
    kept = round_weights(weights, "channel", audio, VECTORS, watch=interrupt)
    assert (kept.digest() == nearest.digest()) == is_nearest
    assert loss(weights, kept, dry) <= loss(weights, nearest, dry)


def test_a_chaotic_network_comes_back_whole(audio: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuralpedal.convert.sensitivity._CHECKED_STRETCHES", 16)
    weights = random_weights(make_spec(hidden_size=16, num_layers=2), 0, scale=4.0)
    excerpt = next(excerpts(weights, audio, 64, seed=0))
    _, _, tapes = play(weights, excerpt.dry, excerpt.states, taped=True)
    assert not np.all(np.abs(gradients(weights, tapes, np.ones_like(excerpt.dry))) < 1e9)
    assert np.all(np.isfinite(measure_sensitivity(weights, audio, 64)))
    assert np.all(np.isfinite(flatten(round_weights(weights, "channel", audio, 64))))


def test_a_network_trained_by_others_loses_a_small_part_of_what_nearest_rounding_costs(data_folder: Path) -> None:
    # About 22 kHz, which is what it was trained at. The whole of it is benchmarks/rounding.py.
    dry = read_recording(data_folder / "sd1" / "dry_train.flac").samples[: 30 * 48_000 : 2].astype(np.float32)
    streaming = read_seed_model(data_folder / "seed_models" / "model_2942.npz")
    spec = make_spec(family="frame_lstm", frame_samples=32, hidden_size=16, num_layers=1, skip=False,
                     sample_rate_hz=22_050)
    weights, other = replace(streaming, spec=spec), dry[-24_000:-20_000]
    costs = [loss(weights, rounded, other) for rounded in (round_weights(weights, "channel", dry[:-24_000]),
                                                           nearest_weights(weights, "channel"))]
    energy = float(np.mean(open_reference(weights).process(other) ** 2))
    assert costs[0] < 0.03 * costs[1] and costs[0] < 5e-5 * energy


def test_on_other_audio_the_better_rounding_is_kept(audio: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, calibration, validation = network(FRAME), audio[:9000], audio[9000:]
    joint, nearest = round_weights(weights, "channel", calibration), nearest_weights(weights, "channel")
    assert better_rounded(weights, "channel", calibration, validation).digest() == joint.digest()
    spoilt = unflatten(1.01 * flatten(weights), weights)
    monkeypatch.setattr("neuralpedal.convert.rounding_choice.round_weights", lambda *_, **__: spoilt)
    assert better_rounded(weights, "channel", calibration, validation).digest() == nearest.digest()


def test_what_training_left_on_its_grid_is_no_choice(audio: np.ndarray) -> None:
    weights = nearest_weights(network(STREAM), "channel")
    assert better_rounded(weights, "channel", audio, audio) is weights


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
    rounded = nearest_weights(network(STREAM), scales)
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
