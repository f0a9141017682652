"""The compiled WaveNet as a differentiable TensorFlow op."""

from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_weights import flat_arrays, random_wavenet
from neuralpedal.train.native.kept_passes import KeptPasses
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.native.wavenet_kernel import WaveNetHistory, WaveNetKernel

Tensor = Any


class NativeWaveNet:
    """One network's shape as an op; see :func:`native_wavenet`."""

    def __init__(self, kernel: WaveNetKernel) -> None:
        self._kernel = kernel
        self._passes: KeptPasses[WaveNetHistory] = KeptPasses(kernel.release)
        self._op = tf.custom_gradient(self._run)

    def __call__(self, x: Tensor, state: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T), state (B, S), weights (W,) to output (B, T) and the state afterwards (B, S).

        Differentiable by the weights alone: audio and past are given.
        """
        out, after = self._op(tf.convert_to_tensor(x), tf.convert_to_tensor(state), tf.convert_to_tensor(weights))
        return out, after

    def _run(self, x: Tensor, state: Tensor, weights: Tensor) -> Any:
        out, after, token = tf.numpy_function(self._forward, (x, state, weights), (tf.float32, tf.float32, tf.int64))
        out.set_shape(x.shape)
        after.set_shape(state.shape)

        def gradient(d_out: Tensor, _: Tensor) -> Any:
            d_weights = tf.numpy_function(self._backward, (token, d_out), tf.float32)
            d_weights.set_shape(weights.shape)
            return tf.zeros_like(x), tf.zeros_like(state), d_weights

        return (out, after), gradient

    def _forward(self, x: np.ndarray, state: np.ndarray, weights: np.ndarray) -> tuple[Any, ...]:
        out, after, history = self._kernel.forward(x, state, weights)
        return out, after, np.int64(self._passes.keep(history))

    def _backward(self, token: np.ndarray, d_out: np.ndarray) -> np.ndarray:
        return self._kernel.backward(self._passes.take(int(token)), d_out)


@cache
def native_wavenet(spec: WaveNetSpec) -> NativeWaveNet:
    """The op of one network, compiled or found in the cache.

    Raises:
        KernelUnavailableError: no compiler, or the result is not what the equations give.
    """
    kernel = WaveNetKernel(spec)
    weights = random_wavenet(spec, 0)
    reference = ReferenceWaveNet(weights)
    x = np.random.default_rng(0).normal(0.0, 0.3, (1, 300)).astype(np.float32)
    out, _, history = kernel.forward(x, reference.past()[np.newaxis], flat_arrays(weights))
    kernel.release(history)
    wanted = reference.head_signal(x[0])
    if not np.allclose(out[0], wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max()):
        raise KernelUnavailableError(f"the compiled kernel does not compute the equations of {spec.label} here")
    return NativeWaveNet(kernel)
