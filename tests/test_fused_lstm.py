"""Why our LSTM is built on BlockLSTM's first version; that it is Keras's stands in test_recurrent_layers.py."""

import keras
import numpy as np
import tensorflow as tf


def _signal(batch: int, samples: int, inputs: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(0, 0.5, (batch, samples, inputs)), tf.float32)


def test_the_gradient_check_would_see_the_wrong_gradient_of_block_lstm_v2() -> None:
    """The trap that this layer avoids, kept as a test of the test: when TensorFlow mends it, this says so."""
    keras.utils.set_random_seed(5)
    plain = keras.layers.LSTM(5, return_sequences=True)
    plain.build((None, None, 1))
    rng = np.random.default_rng(5)
    plain.set_weights([rng.normal(0, 0.5, weight.shape) for weight in plain.get_weights()])
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
        loss = tf.reduce_sum(tf.square(plain(x) - target))
    right = tape.gradient(loss, plain.trainable_variables[0])
    assert np.max(np.abs(wrong - right)) > 1e-2 * np.max(np.abs(right))
