"""The C kernels as differentiable TensorFlow ops."""

from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from neuralpedal.contract.arithmetic import LayerArithmetic
from neuralpedal.contract.reference_cells import CELLS
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.native.grids import NO_GRIDS, step_on_grids
from neuralpedal.train.native.kept_passes import KeptPasses
from neuralpedal.train.native.kernel import History, RecurrentKernel
from neuralpedal.train.native.layout import LayerLayout
from neuralpedal.train.native.library import KernelUnavailableError

Tensor = Any

_ROUNDED_ELSEWHERE = 0.05
"""Share of values that the compiled kernel may round to another grid point than float64 does."""


class NativeRecurrent:
    """One cell and layer size as an op; see :func:`native_recurrent`."""

    def __init__(self, kernel: RecurrentKernel) -> None:
        self._kernel = kernel
        self._passes: KeptPasses[History] = KeptPasses(kernel.release)
        self._op = tf.custom_gradient(self._run)

    def __call__(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """(x, *state, kernel, recurrent kernel, bias) to (h of every step (B, T, H), *last state, each (B, H)).

        With one argument more, a head (H, 1), its product with every h (B, T, 1) comes instead of h.

        Raises:
            ValueError: an argument is missing or has another shape.
        """
        # Variables become tensors first: inside a custom gradient they would ask for a gradient of their own.
        tensors = [tf.convert_to_tensor(argument) for argument in arguments]
        self._kernel.layout.check(tensors)
        outputs: tuple[Tensor, ...] = self._op(*tensors)
        return outputs

    def _run(self, *sources: Tensor) -> Any:
        layout = self._kernel.layout
        states = sources[1 : 1 + layout.state_arrays]
        types = (tf.float32,) * (1 + layout.state_arrays)
        out, *last, token = tf.numpy_function(self._forward, sources, (*types, tf.int64))
        out.set_shape((*sources[0].shape[:2], 1 if layout.check(sources) else layout.hidden_size))
        for after, before in zip(last, states, strict=True):
            after.set_shape(before.shape)

        def gradient(*upstream: Tensor) -> Any:
            gradients = tf.numpy_function(self._backward, (token, *upstream), (tf.float32,) * len(sources))
            for found, source in zip(gradients, sources, strict=True):
                found.set_shape(source.shape)
            return gradients

        return (out, *last), gradient

    def _forward(self, *arrays: np.ndarray) -> tuple[Any, ...]:
        out, last, history = self._kernel.forward(*arrays)
        return (out, *last, np.int64(self._passes.keep(history)))

    def _backward(self, token: np.ndarray, *upstream: np.ndarray) -> tuple[Any, ...]:
        return self._kernel.backward(self._passes.take(int(token)), *upstream)


@cache
def native_recurrent(cell: str, inputs: int, hidden_size: int,
                     arithmetic: LayerArithmetic = NO_GRIDS) -> NativeRecurrent:
    """The op of one cell (lstm, gru or rnn) and layer size, compiled or found in the cache.

    Args:
        arithmetic: grids that an LSTM computes on; rounding passes gradients on, saturated gates do not.

    Raises:
        KernelUnavailableError: no compiler, or the result is not what the equations give.
    """
    kernel = RecurrentKernel(cell, inputs, hidden_size, arithmetic)
    if arithmetic == NO_GRIDS:
        _check(kernel)
    else:
        _check_on_grids(kernel, arithmetic)
    return NativeRecurrent(kernel)


def _check(kernel: RecurrentKernel) -> None:
    """A compiler, or a library found in a cache, must earn its trust."""
    arguments = _random_arguments(kernel.layout)
    out, last, history = kernel.forward(*arguments)
    kernel.release(history)
    for found, wanted in zip((out, *last), _plain(kernel.layout, *arguments), strict=True):
        if not np.allclose(found, wanted, atol=1e-5):
            raise KernelUnavailableError(f"the compiled kernel does not compute the equations of {kernel.layout.cell} "
                                         "here")


def _check_on_grids(kernel: RecurrentKernel, arithmetic: LayerArithmetic) -> None:
    """One step from states on the grids: float32 may round a value that lies halfway to the other side, now and then.
    """
    layout = kernel.layout
    x, hidden, cell, *weights = _random_arguments(layout, batch=48, steps=1)
    hidden, cell = ((state if grid is None else grid.snap(state).astype(np.float32))
                    for state, grid in ((hidden, arithmetic.hidden), (cell, arithmetic.cell)))
    _, found, history = kernel.forward(x, hidden, cell, *weights)
    kernel.release(history)
    wanted = step_on_grids(RecurrentWeights(*weights), arithmetic, x[:, 0], hidden, cell)
    for ours, theirs in zip(found, wanted, strict=True):
        errors = np.abs(ours - theirs)
        if np.mean(errors > 1e-5) > _ROUNDED_ELSEWHERE or errors.max() > _most_of_one_step(arithmetic):
            raise KernelUnavailableError(f"the compiled kernel does not compute {layout.cell} on its grids here")


def _most_of_one_step(arithmetic: LayerArithmetic) -> float:
    grids = (arithmetic.gates, arithmetic.cell, arithmetic.hidden)
    return 1e-5 + 1.01 * sum(grid.step for grid in grids if grid is not None)


def _random_arguments(layout: LayerLayout, batch: int = 3, steps: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = [rng.normal(0, 0.5, shape) for _, shape in layout.shapes(has_head=False, batch=batch, steps=steps)]
    # A recurrent kernel that keeps its size, lest rounding grow from step to step.
    drawn[-2] /= layout.hidden_size**0.5
    return [array.astype(np.float32) for array in drawn]


def _plain(layout: LayerLayout, x: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    """The contract's slow reference: hidden states (B, T, H), then the last state's arrays."""
    state, weights = arrays[: layout.state_arrays], RecurrentWeights(*arrays[layout.state_arrays :])
    step, hidden = CELLS[layout.cell](weights).step, []
    for t in range(x.shape[1]):
        state = step(x[:, t], state)
        hidden.append(state[0])
    return [np.stack(hidden, axis=1), *state]
