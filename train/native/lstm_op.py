"""The C kernel as a differentiable TensorFlow op."""

from collections import OrderedDict
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from neuralpedal.train.native.kernel import History, KernelUnavailableError, LstmKernel

Tensor = Any

_WITH_HEAD = 7
_KEPT = 8
"""Forward passes whose backward pass may still come; older ones (validation, warm-up) are forgotten."""


class NativeLstm:
    """One layer size as an op; see :func:`native_lstm`."""

    def __init__(self, kernel: LstmKernel) -> None:
        self._kernel = kernel
        self._histories: OrderedDict[int, History] = OrderedDict()
        self._count = 0
        self._op = tf.custom_gradient(self._run)

    def __call__(self, *arguments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(x, h0, c0, kernel, recurrent, bias) to (h of every step (B, T, H), last h, last c (B, H)).

        With a seventh argument, a head (H, 1), its product with every h (B, T, 1) comes instead of h.
        """
        # Variables become tensors first: inside a custom gradient they would ask for a gradient of their own.
        outputs: tuple[Tensor, Tensor, Tensor] = self._op(*map(tf.convert_to_tensor, arguments))
        return outputs

    def _run(self, *sources: Tensor) -> Any:
        x, h0, c0 = sources[:3]
        types = (tf.float32, tf.float32, tf.float32, tf.int64)
        out, h, c, token = tf.numpy_function(self._forward, sources, types)
        out.set_shape((x.shape[0], x.shape[1], 1 if len(sources) == _WITH_HEAD else self._kernel.hidden_size))
        h.set_shape(h0.shape)
        c.set_shape(c0.shape)

        def gradient(d_out: Tensor, d_h: Tensor, d_c: Tensor) -> Any:
            gradients = tf.numpy_function(self._backward, (token, d_out, d_h, d_c), (tf.float32,) * len(sources))
            for found, source in zip(gradients, sources, strict=True):
                found.set_shape(source.shape)
            return gradients

        return (out, h, c), gradient

    def _forward(self, *arrays: np.ndarray) -> tuple[Any, ...]:
        *outputs, history = self._kernel.forward(*arrays)
        self._count += 1
        self._histories[self._count] = history
        while len(self._histories) > _KEPT:
            self._histories.popitem(last=False)
        return (*outputs, np.int64(self._count))

    def _backward(self, token: np.ndarray, d_out: np.ndarray, d_h: np.ndarray, d_c: np.ndarray) -> tuple[Any, ...]:
        return self._kernel.backward(self._histories.pop(int(token)), d_out, d_h, d_c)


@cache
def native_lstm(inputs: int, hidden_size: int) -> NativeLstm:
    """The op of one layer size, compiled or found in the cache.

    Raises:
        KernelUnavailableError: no compiler, or the result is not what TensorFlow's own op gives.
    """
    native = NativeLstm(LstmKernel(inputs, hidden_size))
    _check(native, inputs, hidden_size)
    return native


def _check(native: NativeLstm, inputs: int, hidden_size: int) -> None:
    """A compiler, or a library found in a cache, must earn its trust."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Tensor:
        return tf.constant(rng.normal(0, 0.5, shape).astype(np.float32))

    h = hidden_size
    arguments = (draw(3, 20, inputs), draw(3, h), draw(3, h), draw(inputs, 4 * h), draw(h, 4 * h) / h**0.5, draw(4 * h))
    expected = _plain(*(np.array(argument, np.float64) for argument in arguments))
    if not np.allclose(native(*arguments)[0], expected, atol=1e-5):
        raise KernelUnavailableError("the compiled kernel does not compute an LSTM here")


def _plain(x: np.ndarray, h: np.ndarray, c: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray,
           bias: np.ndarray) -> np.ndarray:
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        outputs.append(h)
    return np.stack(outputs, axis=1)
