"""The loss is the ESR that the metrics define, and safe where ESR is not."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import lfilter

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.metrics import esr
from neuralpedal.train.loss import ENERGY_FLOOR_SHARE, EsrLoss
from neuralpedal.train.recipe import read_recipe


def _loss(power: float = 1e-9, **mix: float) -> EsrLoss:
    weights = {"esr_weight": 0.0, "emphasized_esr_weight": 0.0, "dc_weight": 0.0, **mix}
    if not weights["esr_weight"] + weights["emphasized_esr_weight"]:
        weights["esr_weight"] = 1e-30  # a recipe without any ESR is refused
    return EsrLoss(read_recipe(None, epochs=1, **weights), power, power)


def _tensors() -> tuple[tf.Tensor, tf.Tensor]:
    rng = np.random.default_rng(0)
    target = rng.normal(0, 0.3, (3, 400, 1)).astype(np.float32)
    return tf.constant(target), tf.constant(target + rng.normal(0.02, 0.05, target.shape).astype(np.float32))


def test_plain_esr_equals_the_metric() -> None:
    target, prediction = _tensors()
    loss = _loss(esr_weight=1.0)(target, prediction)
    assert float(loss) == pytest.approx(esr(target.numpy().ravel(), prediction.numpy().ravel()), rel=1e-5)


def test_emphasized_esr_equals_the_metric_of_filtered_signals() -> None:
    target, prediction = _tensors()
    filtered = [lfilter([1, -0.85], [1], t.numpy()[:, :, 0], axis=1)[:, 1:].ravel() for t in (target, prediction)]
    assert float(_loss(emphasized_esr_weight=1.0)(target, prediction)) == pytest.approx(esr(*filtered), rel=1e-4)


def test_the_spectral_distance_of_a_wrong_gain_is_the_gain() -> None:
    # Convergence |1 − g| and log distance |ln g|, at every window: known in closed form.
    target, _ = _tensors()
    distance = float(_loss(mr_stft_weight=1.0)(target, 0.8 * target))
    assert distance == pytest.approx(0.2 - np.log(0.8), rel=1e-4)


def test_the_spectral_distance_forgives_polarity_and_is_finite_on_silence() -> None:
    target, _ = _tensors()
    assert float(_loss(mr_stft_weight=1.0)(target, -target)) == pytest.approx(0.0, abs=1e-5)
    loss, silence = _loss(power=0.04, mr_stft_weight=1.0), tf.zeros((2, 300, 1))
    prediction = tf.Variable(silence + 0.01)
    with tf.GradientTape() as tape:
        value = loss(silence, prediction)
    assert np.isfinite(float(value)) and np.all(np.isfinite(tape.gradient(value, prediction)))


def test_chunks_without_a_spectrum_are_refused() -> None:
    with pytest.raises(SpecError, match=r"mr_stft_weight needs chunks of 64 samples or more \(found 32\)"):
        read_recipe(None, mr_stft_weight=0.1, chunk_samples=32)


def test_offsets_of_opposite_sign_in_two_streams_do_not_cancel() -> None:
    target = tf.constant(np.random.default_rng(0).normal(0, 1, (2, 1000, 1)), tf.float32)
    offset = tf.constant([[[0.1]], [[-0.1]]])
    power = float(tf.reduce_mean(tf.square(target)))
    assert float(_loss(dc_weight=1.0)(target, target + offset)) == pytest.approx(0.01 / power, rel=1e-4)


def test_a_silent_batch_has_a_finite_loss_and_gradient() -> None:
    loss = EsrLoss(read_recipe(None, epochs=1), target_power=0.04, emphasized_power=0.02)
    prediction = tf.Variable(tf.fill((2, 64, 1), 0.01))
    with tf.GradientTape() as tape:
        value = loss(tf.zeros((2, 64, 1)), prediction)
    gradient = tape.gradient(value, prediction)
    assert np.isfinite(float(value)) and np.all(np.isfinite(gradient))
    emphasized, dc = (0.15 * 0.01) ** 2 / (ENERGY_FLOOR_SHARE * 0.02), 0.01**2 / (ENERGY_FLOOR_SHARE * 0.04)
    assert float(value) == pytest.approx(emphasized + dc, rel=1e-3)
