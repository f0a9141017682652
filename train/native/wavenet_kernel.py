"""Calls the compiled WaveNet on NumPy arrays, tracks of a batch on different cores."""

import ctypes
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.train.native.kernel import address, on_all_cores
from neuralpedal.train.native.layout import Array
from neuralpedal.train.native.library import KernelUnavailableError, compiled, read_source
from neuralpedal.train.native.spare_records import PassHistory, SpareRecords
from neuralpedal.train.native.wavenet_shape import MAX_SPAN, num_state, shape_header


@dataclass
class WaveNetHistory(PassHistory):
    """See PassHistory: weights besides."""

    weights: Array


class WaveNetKernel:
    """Forward and backward of a whole network over (B, T) batches, before scale and skip.

    Raises:
        KernelUnavailableError: too long a dilation, no compiler, or the build failed.
    """

    def __init__(self, spec: WaveNetSpec) -> None:
        longest = max(max(array.spans) for array in spec.arrays)
        if longest > MAX_SPAN:
            raise KernelUnavailableError(f"a layer looks back {longest} samples: the limit is {MAX_SPAN}")
        self.spec = spec
        self._num_weights, self.num_state = spec.num_parameters, num_state(spec)
        sources = {"wavenet.c": f'#include "wavenet_shape.h"\n{read_source("wavenet_training.c")}',
                   "wavenet_shape.h": shape_header(spec)}
        name = "_".join(["wavenet", *(str(array.channels) for array in spec.arrays)])
        self._library = _declared(compiled(name, sources))
        self._spare = SpareRecords()

    def forward(self, x: Array, state: Array, weights: Array) -> tuple[Array, Array, WaveNetHistory]:
        """The output (B, T), the pasts afterwards (B, S), and the history.

        Args:
            x: (B, T). state: (B, S), see ``num_state``. weights: (W,), all arrays one after another.
        """
        x, state, weights = (np.ascontiguousarray(array, np.float32) for array in (x, state, weights))
        batch, steps = x.shape
        if state.shape != (batch, self.num_state) or weights.shape != (self._num_weights,):
            raise ValueError(f"state {state.shape} and weights {weights.shape}, wanted {(batch, self.num_state)} and "
                             f"{(self._num_weights,)}")
        out, after = np.empty_like(x), np.empty_like(state)
        record = self._spare.take(batch, self._library.pedal_history_floats(steps))

        def run(row: int) -> None:
            self._library.pedal_forward(steps, address(x[row]), address(state[row]), address(weights),
                                        address(out[row]), address(after[row]), address(record[row]))

        on_all_cores(run, batch)
        return out, after, WaveNetHistory(record, weights)

    def backward(self, history: WaveNetHistory, d_out: Array) -> Array:
        """The gradient of the weights (W,), where that of the output is ``d_out`` (B, T). Uses the history up."""
        record = history.unused()
        d_out = np.ascontiguousarray(d_out, np.float32)
        batch, steps = d_out.shape
        gradients = np.zeros((batch, self._num_weights), np.float32)
        scratch_floats = self._library.pedal_scratch_floats(steps)

        def run(row: int) -> None:
            scratch = np.empty(scratch_floats, np.float32)
            self._library.pedal_backward(steps, address(history.weights), address(record[row]), address(d_out[row]),
                                         address(scratch), address(gradients[row]))

        on_all_cores(run, batch)
        self.release(history)
        total: Array = gradients.sum(axis=0)
        return total

    def release(self, history: WaveNetHistory) -> None:
        """Give the history's memory to the next forward pass; no backward pass will come."""
        self._spare.release(history)


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    library.pedal_forward.argtypes = [size, *[pointer] * 6]
    library.pedal_backward.argtypes = [size, *[pointer] * 5]
    for measure in (library.pedal_history_floats, library.pedal_scratch_floats):
        measure.argtypes, measure.restype = [size], size
    return library
