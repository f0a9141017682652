"""Training on the int8 grid: what is kept is what convert writes, to the last bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.pair import read_pair
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.weight_quantization import quantize_per_channel, quantize_per_matrix
from neuralpedal.train.dataset import split_pair
from neuralpedal.train.networks.model_file import build_model
from neuralpedal.train.recipe import read_recipe
from neuralpedal.train.trainer import Trainer
from neuralpedal.train.weight_grid import STEPS, on_gate_grids, on_grid, snap

MATRICES = arrays(np.float32, (5, 3), elements=st.floats(-8, 8, width=32))


@settings(deadline=None, max_examples=50)
@given(MATRICES)
def test_a_snapped_matrix_is_at_most_half_a_step_away_and_stays_where_it_is(matrix: np.ndarray) -> None:
    snapped = on_grid(tf.constant(matrix)).numpy()
    step = np.max(np.abs(matrix), axis=0) / STEPS
    assert np.all(np.abs(snapped - matrix) <= 0.5 * step * (1 + 1e-5) + 1e-30)
    np.testing.assert_allclose(on_grid(tf.constant(snapped)).numpy(), snapped, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(MATRICES)
def test_convert_finds_the_same_grid(matrix: np.ndarray) -> None:
    snapped = on_grid(tf.constant(matrix)).numpy()
    written = quantize_per_channel(np.ascontiguousarray(snapped.T)).dequantized().T
    np.testing.assert_allclose(written, snapped, rtol=3e-7, atol=1e-35)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float32, (5, 12), elements=st.floats(-8, 8, width=32)))
def test_convert_finds_the_same_grid_of_every_gate(matrix: np.ndarray) -> None:
    snapped = on_gate_grids(tf.constant(matrix)).numpy()
    for found, gate in zip(np.split(snapped, 4, axis=1), np.split(matrix, 4, axis=1), strict=True):
        step = np.max(np.abs(gate)) / STEPS
        assert np.all(np.abs(found - gate) <= 0.5 * step * (1 + 1e-5) + 1e-30)
        written = quantize_per_matrix(np.ascontiguousarray(found.T)).dequantized().T
        np.testing.assert_allclose(written, found, rtol=3e-7, atol=1e-35)


def test_a_head_has_one_scale_among_gate_grids_too() -> None:
    head = np.random.default_rng(0).normal(0, 1, (8, 1)).astype(np.float32)
    np.testing.assert_array_equal(on_gate_grids(tf.constant(head)), on_grid(tf.constant(head)))


def test_the_gradient_passes_through_the_rounding() -> None:
    matrix = tf.Variable(np.random.default_rng(0).normal(0, 1, (4, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(3.0 * on_grid(matrix))
    np.testing.assert_array_equal(tape.gradient(loss, matrix), np.full((4, 3), 3.0))


@pytest.mark.parametrize(("family", "frame"), [("lstm", None), ("gru", None), ("rnn", None), ("frame_lstm", 4)])
def test_all_matrices_are_snapped_and_no_bias_whatever_its_shape(family: str, frame: int | None) -> None:
    spec = make_spec(family=family, frame_samples=frame, hidden_size=5, num_layers=2)
    model = build_model(spec)
    model.assign(random_weights(spec, seed=0))
    before = model.network_weights()
    model.set_weights(snap(model.get_weights(), model.is_matrix))
    after = model.network_weights()
    for old, new in zip(before.layers, after.layers, strict=True):
        assert np.any(new.recurrent_kernel != old.recurrent_kernel)
        np.testing.assert_array_equal(new.kernel, on_grid(tf.constant(old.kernel)))
        np.testing.assert_array_equal(new.recurrent_kernel, on_grid(tf.constant(old.recurrent_kernel)))
        np.testing.assert_array_equal(new.bias, old.bias)
    np.testing.assert_array_equal(after.head_kernel, on_grid(tf.constant(before.head_kernel)))
    np.testing.assert_array_equal(after.head_bias, before.head_bias)


@pytest.mark.parametrize(("family", "frame"), [("lstm", None), ("gru", None), ("rnn", None), ("frame_lstm", 4)])
def test_a_network_that_views_its_matrices_on_the_grid_plays_as_a_snapped_one(family: str, frame: int | None) -> None:
    spec = make_spec(family=family, frame_samples=frame, hidden_size=5, num_layers=2)
    model, dry = build_model(spec), np.random.default_rng(0).normal(0, 0.3, 50).astype(np.float32)
    model.assign(random_weights(spec, seed=0))
    free = model.process(dry)
    model.view_matrices(on_grid)
    viewed = model.process(dry)
    model.view_matrices(tf.convert_to_tensor)
    model.set_weights(snap(model.get_weights(), model.is_matrix))
    np.testing.assert_allclose(viewed, model.process(dry), atol=1e-6)
    assert np.max(np.abs(viewed - free)) > 1e-5


@pytest.mark.parametrize(("start", "lossless"), [(0.5, True), (1.0, False)])
def test_a_network_trained_on_the_grid_loses_nothing_as_w8(
    start: float, lossless: bool, pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = read_recipe(None, epochs=4, hidden_size=5, num_layers=2, streams=8, chunk_samples=256,
                         chunks_per_segment=4, warm_up_samples=256, int8_weights_from=start)
    trainer = Trainer(recipe, recipe.network(48_000), split_pair(read_pair(*pair_paths), 0.1), "dry.wav")
    trainer.run(lambda progress: None, lambda state: None)
    weights = trainer.best_model().network_weights()
    assert trainer.state.on_grid == lossless
    path = tmp_path / "pedal.w8.tflite"
    path.write_bytes(build_w8(weights, Manifest(name="pedal", scheme="w8", network=weights.spec)))
    written = replace(read_weights(read_tflite(path)), spec=weights.spec)
    worst = max(np.max(np.abs(a - b)) for a, b in zip(written.arrays(), weights.arrays(), strict=True))
    assert (worst < 1e-6) == lossless
