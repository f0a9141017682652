"""An LSTM layer that runs a whole sequence in one CPU op, forwards and backwards.

Weights, outputs and gradients equal ``keras.layers.LSTM``; only the route differs. Keras 3 loops over samples (a graph
of a dozen ops each), which at 48,000 samples a second is all overhead. ``tf.raw_ops.BlockLSTM`` has the loop inside,
in C++, with its own gradient.

BlockLSTM is version 1 on purpose: version 2's gradient is wrong (its forward pass orders the gates i, f, c, o, its
gradient another way), and training with it plateaus, then diverges. tests/test_fused_lstm.py would see it.
"""

from typing import Any

import keras
import tensorflow as tf

from neuralpedal.contract.spec import FAMILIES
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer, State

Tensor = Any


def _unit_forget_bias(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    """Zeros, with ones for the forget gate: a new network remembers."""
    h = shape[0] // 4
    return tf.concat([tf.zeros((h,)), tf.ones((h,)), tf.zeros((2 * h,))], axis=0)


@keras.saving.register_keras_serializable(package="neuralpedal")
class FusedLSTM(RecurrentLayer):
    """LSTM; its state is (h, c), its gates in columns are i, f, c, o."""

    family = FAMILIES["lstm"]
    bias_initializer = staticmethod(_unit_forget_bias)

    def _sequence(self, inputs: Tensor, state: State, kernel: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        (h0, c0), (weights, bias) = state, self._block_weights(kernel, recurrent)
        if self.lanes == 1 or inputs.shape[0] is None or inputs.shape[0] % self.lanes:
            return _block_lstm(inputs, h0, c0, weights, bias)
        parts = zip(*(tf.split(array, self.lanes) for array in (inputs, h0, c0)), strict=True)
        outputs = [_block_lstm(x, h, c, weights, bias) for x, h, c in parts]
        return tuple(tf.concat(arrays, axis=0) for arrays in zip(*outputs, strict=True))

    def _block_weights(self, kernel: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel over recurrent kernel, gates reordered from i,f,c,o to BlockLSTM's i,c,f,o."""
        i, f, c, o = tf.split(tf.concat([kernel, recurrent], axis=0), 4, axis=1)
        bi, bf, bc, bo = tf.split(tf.convert_to_tensor(self.bias), 4)
        return tf.concat([i, c, f, o], axis=1), tf.concat([bi, bc, bf, bo], axis=0)


def _block_lstm(inputs: Tensor, h0: Tensor, c0: Tensor, weights: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """One op: inputs (B, T, C) to hidden states (B, T, H), last h and last c."""
    no_peephole = tf.zeros((h0.shape[-1],), inputs.dtype)
    block = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(tf.shape(inputs)[1], tf.int64), x=tf.transpose(inputs, (1, 0, 2)), cs_prev=c0, h_prev=h0,
        w=weights, wci=no_peephole, wcf=no_peephole, wco=no_peephole, b=bias,
        forget_bias=0.0, cell_clip=-1.0, use_peephole=False,
    )
    return tf.transpose(block.h, (1, 0, 2)), block.h[-1], block.cs[-1]
