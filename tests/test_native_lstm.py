"""The compiled training kernel is keras.layers.LSTM, and training does without it where it cannot be built."""

import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from neuralpedal.contract.pair import read_pair
from neuralpedal.contract.spec import make_spec
from neuralpedal.train.dataset import split_pair
from neuralpedal.train.native import lstm_op
from neuralpedal.train.native.kernel import KernelUnavailableError, LstmKernel
from neuralpedal.train.native.lstm_op import native_lstm
from neuralpedal.train.networks import FusedLSTM
from neuralpedal.train.networks.pedal_model import build_model
from neuralpedal.train.recipe import read_recipe
from neuralpedal.train.trainer import Trainer

SIZES = [(1, 1, 3), (16, 1, 32), (7, 5, 20), (32, 16, 16), (9, 9, 1)]  # units, inputs, batch


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if not shutil.which("cc"):
        message = "no C compiler (apt install gcc)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def _twins(units: int, inputs: int) -> tuple[keras.layers.LSTM, FusedLSTM]:
    plain = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    fused = FusedLSTM(units)
    for layer in (plain, fused):
        layer.build((None, None, inputs))
    rng = np.random.default_rng(units)
    weights = [rng.normal(0, 0.5, weight.shape).astype(np.float32) for weight in plain.get_weights()]
    plain.set_weights(weights)
    fused.set_weights(weights)
    fused.native = native_lstm(inputs, units)
    return plain, fused


def _draw(*shape: int, seed: int = 1) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(0, 0.5, shape), tf.float32)


def _close(ours: list[tf.Tensor], theirs: list[tf.Tensor], tolerance: float) -> None:
    """Equal to ``tolerance`` of the largest value; float32 functions near 1 are exact to 1e-7, whatever their use."""
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, atol=tolerance * max(0.1, float(np.max(np.abs(wanted)))))


@pytest.mark.parametrize(("units", "inputs", "batch"), SIZES)
def test_outputs_states_and_gradients_equal_keras_lstm(units: int, inputs: int, batch: int) -> None:
    plain, fused = _twins(units, inputs)
    x, h0, c0 = _draw(batch, 70, inputs), _draw(batch, units, seed=2), _draw(batch, units, seed=3)
    targets = [_draw(batch, 70, units, seed=4), _draw(batch, units, seed=5), _draw(batch, units, seed=6)]

    def outputs_and_gradients(run, layer):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch([x, h0, c0])
            outputs = run()
            loss = tf.add_n([tf.reduce_sum(tf.square(o - t)) for o, t in zip(outputs, targets, strict=True)])
        return list(outputs), tape.gradient(loss, [x, h0, c0, *layer.trainable_variables])

    ours = outputs_and_gradients(lambda: fused.run(x, (h0, c0)), fused)
    theirs = outputs_and_gradients(lambda: plain(x, initial_state=[h0, c0]), plain)
    _close(ours[0], theirs[0], 1e-6)
    _close(ours[1], theirs[1], 5e-6)


@pytest.mark.parametrize(("units", "inputs", "batch"), SIZES)
def test_a_head_inside_the_kernel_equals_one_outside(units: int, inputs: int, batch: int) -> None:
    _, fused = _twins(units, inputs)
    x, head, target = _draw(batch, 70, inputs), _draw(units, 1, seed=7), _draw(batch, 70, 1, seed=8)
    state = (tf.zeros((batch, units)),) * 2

    def outputs_and_gradients():  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch([x, head])
            y, h, c = fused.run_with_head(x, state, head)
            loss = tf.reduce_sum(tf.square(y - target)) + tf.reduce_sum(h)
        return [y, h, c], tape.gradient(loss, [x, head, *fused.trainable_variables])

    inside = outputs_and_gradients()
    fused.native = None
    outside = outputs_and_gradients()
    _close(inside[0], outside[0], 2e-6)
    _close(inside[1], outside[1], 1e-5)


def test_extreme_inputs_saturate_instead_of_becoming_infinite() -> None:
    plain, fused = _twins(4, 1)
    x = tf.constant([[[1e4], [-1e4], [3e38], [-3e38], [0.0]]], tf.float32)
    zeros = tf.zeros((1, 4))
    np.testing.assert_allclose(fused.run(x, (zeros, zeros))[0], plain(x)[0], atol=1e-6)


def test_a_whole_model_is_the_same_with_and_without_the_kernel() -> None:
    keras.utils.set_random_seed(5)
    model = build_model(make_spec(hidden_size=12, num_layers=2))
    x = _draw(20, 200, 1)
    states = model.zero_states(20)
    plain, plain_states = model.stream(x, states)
    model.use_native()
    native, native_states = model.stream(x, states)
    np.testing.assert_allclose(native, plain, atol=2e-6)
    _close(tf.nest.flatten(native_states), tf.nest.flatten(plain_states), 1e-5)


def test_the_result_does_not_depend_on_which_thread_was_first() -> None:
    kernel, rng = LstmKernel(1, 16), np.random.default_rng(0)
    shapes = ((64, 300, 1), (64, 16), (64, 16), (1, 64), (16, 64), (64,))
    arrays = [rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes]

    def gradients() -> list[bytes]:
        out, h, c, history = kernel.forward(*arrays)
        return [array.tobytes() for array in kernel.backward(history, out, h, c)]

    assert len({tuple(gradients()) for _ in range(5)}) == 1


def test_sizes_beyond_the_limit_are_refused() -> None:
    with pytest.raises(KernelUnavailableError, match="97"):
        LstmKernel(1, 97)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it, and no op remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lstm_op.native_lstm.cache_clear()
    return tmp_path


def _compiler_that(folder: Path, edits: str) -> str:
    """A C compiler that changes the source by a sed expression before it compiles."""
    script = folder / "cc"
    script.write_text(f'#!/bin/sh\nfor a; do case $a in *.c) sed -i "{edits}" "$a";; esac; done\nexec cc "$@"\n')
    script.chmod(0o755)
    return str(script)


def _kernel_of_a_new_training(pair_paths: tuple[Path, Path]) -> str:
    recipe = read_recipe(None, epochs=1, hidden_size=3, streams=4, chunk_samples=256, warm_up_samples=16)
    trainer = Trainer(recipe, recipe.network(48_000), split_pair(read_pair(*pair_paths), 0.1), "dry.wav")
    trainer.run(lambda progress: None, lambda state: None)
    return trainer.kernel


def test_without_a_compiler_training_goes_on_with_tensorflow(
    empty_cache: Path, pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(empty_cache / "no-such-compiler"))
    assert _kernel_of_a_new_training(pair_paths).startswith("tensorflow (the training kernel cannot be built")


def test_a_compiler_that_fails_is_quoted(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", _compiler_that(empty_cache, "s/float/flote/"))
    with pytest.raises(KernelUnavailableError, match=r"failed: .*error"):
        LstmKernel(1, 3)
    assert not list(empty_cache.rglob("*.so"))


def test_a_kernel_that_computes_something_else_is_not_trusted(
    empty_cache: Path, pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", _compiler_that(empty_cache, "s/f = logistic2(gate.1.)/f = logistic2(gate[0])/"))
    assert "does not compute an LSTM" in _kernel_of_a_new_training(pair_paths)


def test_a_damaged_library_in_the_cache_is_built_again(empty_cache: Path) -> None:
    LstmKernel(1, 3)
    library = next(empty_cache.rglob("*.so"))
    # Another file, as after a power cut: the one that is loaded must not be written to.
    library.unlink()
    library.write_bytes(b"\x7fELF but no more")
    assert LstmKernel(2, 3) and LstmKernel(1, 3)


def test_a_cache_that_cannot_be_written_is_no_disaster(
    tmp_path: Path, pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    lstm_op.native_lstm.cache_clear()
    assert _kernel_of_a_new_training(pair_paths).startswith("tensorflow")
