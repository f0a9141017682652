"""Calls the compiled C of one layer on NumPy arrays, groups of sixteen streams on different cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from neuralpedal.contract.arithmetic import LayerArithmetic
from neuralpedal.train.native.grids import NO_GRIDS, grid_definitions
from neuralpedal.train.native.layout import Array, layer_layout
from neuralpedal.train.native.library import KernelUnavailableError, load_library
from neuralpedal.train.native.spare_records import PassHistory, SpareRecords

LANES = 16
"""Streams that one call of the C code computes side by side."""

MAX_HIDDEN_SIZE = 96
"""Beyond it the C code's working memory no longer belongs on a thread's stack."""


@dataclass
class History(PassHistory):
    """See PassHistory: inputs and weights besides."""

    x: Array
    weights: Array
    head: Array | None


class RecurrentKernel:
    """Forward and backward of one recurrent layer over (B, T, C) batches.

    Args:
        cell: lstm, gru or rnn. inputs: C, hidden_size: H, each at most 96.
        arithmetic: grids that an LSTM computes on; without them it is the plain one.

    Raises:
        KernelUnavailableError: too large, no compiler, or the build failed.
    """

    def __init__(self, cell: str, inputs: int, hidden_size: int,
                 arithmetic: LayerArithmetic = NO_GRIDS) -> None:
        if max(inputs, hidden_size) > MAX_HIDDEN_SIZE:
            raise KernelUnavailableError(f"{inputs} inputs and hidden size {hidden_size}: the limit is "
                                         f"{MAX_HIDDEN_SIZE} each")
        self.layout = layer_layout(cell, inputs, hidden_size)
        self._library = load_library(cell, inputs, hidden_size, grid_definitions(cell, arithmetic))
        self._spare = SpareRecords()

    def forward(self, x: Array, *arrays: Array) -> tuple[Array, tuple[Array, ...], History]:
        """Hidden states (B, T, H), the last state's arrays, each (B, H), and the history.

        Args:
            x: (B, T, C).
            arrays: the state's arrays, each (B, H); kernel (C, G·H), recurrent kernel (H, G·H) and bias (G·H,) or
                (2, G·H) as in Keras; and perhaps a head (H, 1), with which the hidden states are summed into (B, T, 1)
                at once, which spares most of the memory traffic.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        layout = self.layout
        head = np.ascontiguousarray(arrays[-1], np.float32) if layout.check((x, *arrays)) else None
        states, (kernel, recurrent, bias) = arrays[: layout.state_arrays], arrays[layout.state_arrays :][:3]
        (batch, steps), x = x.shape[:2], _in_groups(x)
        weights, bias = layout.interleaved(kernel, recurrent), layout.bias_of_sums(bias)
        groups, width = len(x) // LANES, 1 if head is not None else layout.hidden_size
        first = _stacked(states)
        out, last = np.empty((len(x), steps, width), np.float32), np.empty_like(first)
        record = self._spare.take(groups, self._library.pedal_history_floats(steps))

        def run(group: int) -> None:
            rows = slice(group * LANES, (group + 1) * LANES)
            self._library.pedal_forward(
                steps, address(x[rows]), steps * layout.inputs, address(first[group]), address(weights), address(bias),
                address(head), address(out[rows]), steps * width, address(last[group]), address(record[group]),
            )

        on_all_cores(run, groups)
        return out[:batch], _unstacked(last, batch), History(record, x, weights, head)

    def backward(self, history: History, d_out: Array, *d_states: Array) -> tuple[Array, ...]:
        """Gradients of all that :meth:`forward` was given, in its order and shapes. Uses the history up.

        Args:
            d_out: (B, T, H) or (B, T, 1), d_states: each (B, H): gradients of what :meth:`forward` returned.
        """
        record, layout = history.unused(), self.layout
        (batch, steps, width), d_out = d_out.shape, _in_groups(d_out)
        d_state, groups = _stacked(d_states), len(d_out) // LANES
        d_x = np.empty((len(d_out), steps, layout.inputs), np.float32)
        d_weights = np.empty((groups, *history.weights.shape), np.float32)
        d_bias = np.empty((groups, layout.hidden_size, layout.sums), np.float32)
        d_head = np.zeros((groups, layout.hidden_size, 1), np.float32)

        def run(group: int) -> None:
            rows = slice(group * LANES, (group + 1) * LANES)
            self._library.pedal_backward(
                steps, address(history.x[rows]), steps * layout.inputs, address(history.weights),
                address(record[group]), address(history.head), address(d_out[rows]), steps * width,
                address(d_state[group]), address(d_x[rows]), address(d_weights[group]), address(d_bias[group]),
                address(d_head[group]),
            )

        on_all_cores(run, groups)
        self.release(history)
        gradients = (d_x[:batch], *_unstacked(d_state, batch), *layout.gradients_of_matrices(d_weights.sum(axis=0)),
                     layout.gradient_of_bias(d_bias.sum(axis=0)))
        return gradients if history.head is None else (*gradients, d_head.sum(axis=0))

    def release(self, history: History) -> None:
        """Give the history's memory to the next forward pass; no backward pass will come."""
        self._spare.release(history)


def _in_groups(array: Array) -> Array:
    """Contiguous float32 with the batch filled up with zeros to a multiple of LANES."""
    surplus = -len(array) % LANES
    if surplus:
        array = np.concatenate([array, np.zeros((surplus, *array.shape[1:]), np.float32)])
    return np.ascontiguousarray(array, np.float32)


def _stacked(states: tuple[Array, ...]) -> Array:
    """State arrays, each (B, H), to a new (groups, arrays, LANES, H)."""
    groups = np.stack([_in_groups(state).reshape(-1, LANES, state.shape[1]) for state in states], axis=1)
    return np.ascontiguousarray(groups)


def _unstacked(groups: Array, batch: int) -> tuple[Array, ...]:
    """The reverse of :func:`_stacked`."""
    return tuple(np.ascontiguousarray(state.reshape(-1, groups.shape[3])[:batch])
                 for state in groups.transpose(1, 0, 2, 3))


def address(array: Array | None) -> int | None:
    """Where an array's first number lies, for C."""
    return None if array is None else array.ctypes.data


@cache
def _pool() -> ThreadPoolExecutor:
    # ctypes gives up the interpreter's lock during a call: threads really are side by side.
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="layer")


def on_all_cores(run: Callable[[int], None], groups: int) -> None:
    """``run`` of every group's number, side by side."""
    if groups == 1:
        run(0)
    else:
        list(_pool().map(run, range(groups)))
