"""Training on frames: the protocol is Keras's own, drawn frames are honest, and a training can be left and taken up."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from neuralpedal.contract.errors import RecordingError, SpecError, TrainingError
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.train import frame_training
from neuralpedal.train.frame_training import (
    BATCH_FRAMES,
    FrameSet,
    FrameTraining,
    KernelGradient,
    TapeGradient,
    draw_frames,
)
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.networks.model_file import build_model

SEGMENT, FRAME = 500, 12


def _spec(layers: int = 1, skip: bool = False) -> NetworkSpec:
    return make_spec(family="frame_lstm", num_layers=layers, hidden_size=5, skip=skip, frame_samples=FRAME,
                     sample_rate_hz=22_050)


def _frames(count: int = 200, seed: int = 3) -> FrameSet:
    dry = np.random.default_rng(0).normal(0.0, 0.3, 8 * SEGMENT).astype(np.float32)
    wet = np.tanh(2.0 * dry + np.roll(dry, 3)).astype(np.float32)
    return draw_frames(dry, wet, SEGMENT, FRAME, count, seed)


def _silent(fraction: float) -> None:
    """A watcher with nothing to say."""


def _train(epochs: int, seed: int = 0) -> FrameTraining:
    training = FrameTraining(_spec(), _frames(), seed)
    for _ in range(epochs):
        training.run_epoch(_silent)
    return training


def test_frames_end_where_their_target_lies_and_stay_within_a_segment():
    dry = np.arange(8 * SEGMENT, dtype=np.float32)
    frames = draw_frames(dry, -dry, SEGMENT, FRAME, 5000, seed=1)
    inputs, targets = frames.batch(np.arange(5000))
    assert inputs.shape == (5000, FRAME, 1) and targets.shape == (5000, 1)
    np.testing.assert_array_equal(inputs[:, -1], -targets)
    np.testing.assert_array_equal(np.diff(inputs[:, :, 0], axis=1), 1.0)
    first, last = inputs[:, 0, 0] // SEGMENT, inputs[:, -1, 0] // SEGMENT
    np.testing.assert_array_equal(first, last)
    # The first and the last place of a segment that a frame may have are both drawn.
    assert {0, SEGMENT - FRAME} <= set((inputs[:, 0, 0] % SEGMENT).astype(int))


@pytest.mark.parametrize(("layers", "skip"), [(1, False), (2, False), (1, True)])
def test_the_kernels_gradient_is_tensorflows(layers, skip):
    spec = _spec(layers, skip)
    keras.utils.set_random_seed(1)
    model = build_model(spec)
    arrays = list(model.network_weights().arrays())
    batch = _frames().batch(np.arange(37))
    try:
        loss, gradient = KernelGradient(spec)(arrays, *batch)
    except KernelUnavailableError as reason:
        pytest.skip(str(reason))
    expected_loss, expected = TapeGradient(model)(arrays, *batch)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def _plain_keras(training: FrameTraining) -> keras.Model:
    """What the notebook of 2022 would have built, with the first weights of ``training``."""
    model = keras.Sequential([keras.layers.Input((FRAME, 1)), keras.layers.LSTM(5), keras.layers.Dense(1)])
    model.set_weights([array.copy() for array in training.weights().arrays()])
    model.compile(keras.optimizers.Adam(1e-3), loss="mae")
    return model


@pytest.mark.parametrize("compiled", [True, False])
def test_an_epoch_is_that_of_keras_on_the_same_batches(compiled, monkeypatch):
    if not compiled:
        def no_kernel(spec: NetworkSpec) -> None:
            raise KernelUnavailableError("not today")

        monkeypatch.setattr(frame_training, "KernelGradient", no_kernel)
    training, frames = FrameTraining(_spec(), _frames(), seed=0), _frames()
    assert compiled or training.kernel == "tensorflow (not today)"
    model = _plain_keras(training)
    order = np.random.default_rng((0, 0)).permutation(len(frames.ends))
    for start in range(0, len(order), BATCH_FRAMES):
        model.train_on_batch(*frames.batch(order[start : start + BATCH_FRAMES]))
    training.run_epoch(_silent)
    for ours, theirs in zip(training.weights().arrays(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_error_falls_and_every_epoch_is_in_the_history():
    training = FrameTraining(_spec(), _frames(4000), seed=0)
    for _ in range(4):
        training.run_epoch(_silent)
    history = training.state.history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    first, second, other = (_train(2, seed).weights().digest() for seed in (5, 5, 6))
    assert first == second != other


def test_a_training_taken_up_again_ends_as_one_that_was_never_left():
    whole, part = _train(4), _train(2)
    resumed = FrameTraining(_spec(), _frames(), 0, part.state)
    for _ in range(2):
        resumed.run_epoch(_silent)
    assert resumed.weights().digest() == whole.weights().digest()
    assert [row["loss"] for row in resumed.state.history] == [row["loss"] for row in whole.state.history]


def test_the_weights_are_a_copy():
    training = _train(1)
    before = training.weights()
    digest = before.digest()
    training.run_epoch(_silent)
    assert before.digest() == digest != training.weights().digest()


def test_audio_that_is_no_number_ends_the_training_with_its_name():
    frames = _frames()
    broken = FrameSet(frames.dry * np.nan, frames.wet, frames.ends, FRAME)
    with pytest.raises(TrainingError, match="1×5/12: the error of epoch 1 is no number"):
        FrameTraining(_spec(), broken, 0).run_epoch(_silent)


def _draw(length: int, frame: int, count: int) -> Callable[[], FrameSet]:
    track = np.zeros(length, np.float32)
    return lambda: draw_frames(track, track, SEGMENT, frame, count, 0)


@pytest.mark.parametrize(("draw", "error", "what"), [
    (_draw(SEGMENT - 1, FRAME, 10), RecordingError, "wanted a segment of 500"),
    (_draw(SEGMENT, SEGMENT + 1, 10), SpecError, "none longer than a segment"),
    (_draw(SEGMENT, FRAME, 0), SpecError, "one frame or more"),
])
def test_impossible_data_sets_are_named(draw, error, what):
    with pytest.raises(error, match=what):
        draw()


def test_a_data_set_of_another_frame_is_refused():
    with pytest.raises(SpecError, match="its frame is 12 samples, the data set's 8"):
        FrameTraining(_spec(), FrameSet(np.zeros(9, np.float32), np.zeros(9, np.float32), np.array([8]), 8), 0)
