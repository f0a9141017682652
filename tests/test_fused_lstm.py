"""The fused layer is keras.layers.LSTM by another route: same weights, same outputs, same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neuralpedal.train.networks import FusedLSTM


def _twins(units: int, inputs: int, lanes: int = 1) -> tuple[keras.layers.LSTM, FusedLSTM]:
    keras.utils.set_random_seed(units)
    plain = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    fused = FusedLSTM(units, lanes=lanes)
    plain.build((None, None, inputs))
    fused.build((None, None, inputs))
    rng = np.random.default_rng(units)
    weights = [rng.normal(0, 0.5, weight.shape).astype(np.float32) for weight in plain.get_weights()]
    plain.set_weights(weights)
    fused.set_weights(weights)
    return plain, fused


def _signal(batch: int, samples: int, inputs: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(0, 0.5, (batch, samples, inputs)), tf.float32)


@pytest.mark.parametrize(("units", "inputs", "lanes"), [(1, 1, 1), (16, 1, 1), (16, 1, 2), (7, 5, 1), (32, 16, 4)])
def test_outputs_and_states_equal_keras_lstm(units: int, inputs: int, lanes: int) -> None:
    plain, fused = _twins(units, inputs, lanes)
    x = _signal(4, 50, inputs)
    state = [tf.constant(np.random.default_rng(2).normal(0, 0.3, (4, units)), tf.float32) for _ in range(2)]
    for ours, theirs in zip(fused.run(x, tuple(state)), plain(x, initial_state=state), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(("units", "inputs", "lanes"), [(1, 1, 1), (16, 1, 2), (7, 5, 1)])
def test_gradients_equal_keras_lstm(units: int, inputs: int, lanes: int) -> None:
    plain, fused = _twins(units, inputs, lanes)
    x = _signal(4, 60, inputs)
    target = _signal(4, 60, units)

    def gradients(layer: keras.layers.Layer, run: object) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(run(x)[0] - target))
        return tape.gradient(loss, [x, *layer.trainable_variables])

    for ours, theirs in zip(gradients(fused, fused.run), gradients(plain, plain), strict=True):
        scale = np.max(np.abs(theirs))
        np.testing.assert_allclose(ours, theirs, atol=2e-6 * scale)


def test_new_layers_begin_as_keras_lstm_does() -> None:
    plain, fused = keras.layers.LSTM(6), FusedLSTM(6)
    plain.build((None, None, 1))
    fused.build((None, None, 1))
    assert [w.shape for w in fused.weights] == [w.shape for w in plain.weights]
    np.testing.assert_array_equal(fused.bias, plain.cell.bias)
    recurrent = np.array(fused.recurrent_kernel)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-5)


def test_the_gradient_check_would_see_the_wrong_gradient_of_block_lstm_v2() -> None:
    """The trap that this layer avoids, kept as a test of the test: when TensorFlow mends it, this says so."""
    plain, _ = _twins(5, 1)
    x, target = _signal(4, 60, 1), _signal(4, 60, 5)
    kernel, recurrent, bias = (tf.Variable(w) for w in plain.get_weights())
    zeros = tf.zeros((4, 5))
    with tf.GradientTape() as tape:
        block = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.constant(60, tf.int64), x=tf.transpose(x, (1, 0, 2)), cs_prev=zeros, h_prev=zeros,
            w=tf.concat([kernel, recurrent], 0), wci=tf.zeros(5), wcf=tf.zeros(5), wco=tf.zeros(5), b=bias,
            cell_clip=0.0, use_peephole=False,
        )
        loss = tf.reduce_sum(tf.square(tf.transpose(block.h, (1, 0, 2)) - target))
    wrong = tape.gradient(loss, kernel)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(plain(x)[0] - target))
    right = tape.gradient(loss, plain.trainable_variables[0])
    assert np.max(np.abs(wrong - right)) > 1e-2 * np.max(np.abs(right))
