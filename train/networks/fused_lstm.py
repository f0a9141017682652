"""An LSTM layer that runs a whole sequence in one CPU op, forwards and backwards.

Weights, outputs and gradients equal ``keras.layers.LSTM``; only the route differs. Keras 3 loops over samples (a graph
of a dozen ops each), which at 48,000 samples a second is all overhead. ``tf.raw_ops.BlockLSTM`` has the loop inside,
in C++, with its own gradient.

BlockLSTM is version 1 on purpose: version 2's gradient is wrong (its forward pass orders the gates i, f, c, o, its
gradient another way), and training with it plateaus, then diverges. tests/test_fused_lstm.py would see it.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Tensor = Any


@keras.saving.register_keras_serializable(package="neuralpedal")
class FusedLSTM(keras.layers.Layer):
    """LSTM over (B, T, C) float32 that returns every hidden state (B, T, H), optionally with the last state.

    Args:
        units: hidden size H.
        lanes: the batch is cut into this many parts, whose ops run on different cores.

    Attributes:
        matrix_view: what the layer computes with instead of each weight matrix; the matrix itself unless training
            simulates a coarser format.
        native: another op that does the whole sequence, from (x, h0, c0, kernel, recurrent kernel, bias) to (h of every
            step, last h, last c); TensorFlow's own when None.
    """

    def __init__(self, units: int, lanes: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.lanes = lanes
        self.matrix_view: Callable[[Tensor], Tensor] = tf.convert_to_tensor
        self.native: Callable[..., tuple[Tensor, Tensor, Tensor]] | None = None

    def build(self, input_shape: Any) -> None:
        """Create kernel (C, 4H), recurrent_kernel (H, 4H) and bias (4H,) as keras.layers.LSTM does (gates i,f,c,o)."""
        h = self.units
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 4 * h), initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=(h, 4 * h), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(4 * h,), initializer=_unit_forget_bias)

    def call(self, inputs: Tensor, initial_state: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Hidden states of the whole sequence, from ``initial_state`` (h, c) or zeros."""
        return self.run(inputs, initial_state)[0]

    def run(self, inputs: Tensor, initial_state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`call`, and the last h and c, each (B, H), to go on from."""
        inputs = tf.convert_to_tensor(inputs)
        if initial_state is None:
            zeros = tf.zeros((tf.shape(inputs)[0], self.units), inputs.dtype)
            initial_state = (zeros, zeros)
        h0, c0 = (tf.convert_to_tensor(state) for state in initial_state)
        kernel, recurrent = (self.matrix_view(tf.convert_to_tensor(w)) for w in (self.kernel, self.recurrent_kernel))
        if self.native is not None:
            return self.native(inputs, h0, c0, kernel, recurrent, self.bias)
        weights, bias = self._block_weights(kernel, recurrent)
        time_major = tf.transpose(inputs, (1, 0, 2))
        if self.lanes == 1 or inputs.shape[0] is None or inputs.shape[0] % self.lanes:
            h, h_last, c_last = _block_lstm(time_major, h0, c0, weights, bias)
        else:
            parts = [
                _block_lstm(x, h_part, c_part, weights, bias)
                for x, h_part, c_part in zip(
                    tf.split(time_major, self.lanes, axis=1), tf.split(h0, self.lanes), tf.split(c0, self.lanes),
                    strict=True,
                )
            ]
            h = tf.concat([part[0] for part in parts], axis=1)
            h_last, c_last = (tf.concat([part[index] for part in parts], axis=0) for index in (1, 2))
        return tf.transpose(h, (1, 0, 2)), h_last, c_last

    def run_with_head(self, inputs: Tensor, initial_state: tuple[Tensor, Tensor],
                      head: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`run`, but each hidden state times ``head`` (H, 1) instead of the hidden state: (B, T, 1)."""
        if self.native is None:
            hidden, h, c = self.run(inputs, initial_state)
            return hidden @ head, h, c
        kernel, recurrent = (self.matrix_view(tf.convert_to_tensor(w)) for w in (self.kernel, self.recurrent_kernel))
        return self.native(inputs, *initial_state, kernel, recurrent, self.bias, head)

    def _block_weights(self, kernel: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel over recurrent kernel, gates reordered from i,f,c,o to BlockLSTM's i,c,f,o."""
        stacked = tf.concat([kernel, recurrent], axis=0)
        i, f, c, o = tf.split(stacked, 4, axis=1)
        bi, bf, bc, bo = tf.split(tf.convert_to_tensor(self.bias), 4)
        return tf.concat([i, c, f, o], axis=1), tf.concat([bi, bc, bf, bo], axis=0)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """(B, T, H)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Keras configuration."""
        return {**super().get_config(), "units": self.units, "lanes": self.lanes}


def _block_lstm(x: Tensor, h0: Tensor, c0: Tensor, weights: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One op: x (T, B, C) time-major to hidden states (T, B, H), last h and last c."""
    no_peephole = tf.zeros((h0.shape[-1],), x.dtype)
    block = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(tf.shape(x)[0], tf.int64), x=x, cs_prev=c0, h_prev=h0, w=weights,
        wci=no_peephole, wcf=no_peephole, wco=no_peephole, b=bias,
        forget_bias=0.0, cell_clip=-1.0, use_peephole=False,
    )
    return block.h, block.h[-1], block.cs[-1]


def _unit_forget_bias(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    """Zeros, with ones for the forget gate: a new network remembers."""
    h = shape[0] // 4
    return tf.concat([tf.zeros((h,)), tf.ones((h,)), tf.zeros((2 * h,))], axis=0)
