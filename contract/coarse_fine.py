"""Audio in two int8 channels, for a ``w8a8`` file that would hear too little in one.

The integer LSTM takes int8 only, and a pedal with much gain turns the 8-bit steps of its input into hiss. But the LSTM
may have several inputs: the first carries the signal in coarse steps, the second what that leaves, in steps R times
finer, and the kernel's second column is its first over R. So the network hears log2(R) bits more and nothing else
changes, whereas a companded (µ-law) code in one channel would be another signal, for which the network has to be
trained anew: measured on an SD-1 (LSTM 1×16, weights and states left float) the input costs an ESR of 8e-3 in plain 8
bits, 4e-4 in µ-law, 4e-5 so.
The answer is companded: one sum comes out twice, once over its whole range and once R times finer, clipped; where the
fine one is not at its end it counts. The skip is added by the player, to whom the dry signal is exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.fixed_point import INT8_MAX, INT8_MIN


class CoarseFineInput:
    """The dry signal as two channels.

    Args:
        scale: full-scale units per coarse step; zero points are 0. ratio: of coarse steps to fine ones.
        block_size: samples per call of :meth:`encode_into`.
    """

    def __init__(self, scale: float, ratio: int, block_size: int = 1) -> None:
        self._scale, self._ratio, self._step = scale, ratio, scale / ratio
        self._steps, self._halves, self._coarse = (np.zeros(block_size) for _ in range(3))

    def encode(self, samples: NDArray[Any]) -> NDArray[np.int8]:
        """int8 (T, 2) of float samples (T,): with n = round(x / fine step), halves away from zero and clamped, coarse
        is ⌊(n + R/2) / R⌋, −127 to 127, and fine n − R · coarse, −R/2 to R/2 − 1."""
        out = np.empty((len(samples), 2), np.int8)
        CoarseFineInput(self._scale, self._ratio, len(samples)).encode_into(samples, out)
        return out

    def encode_into(self, samples: NDArray[np.float32], out: NDArray[np.int8]) -> None:
        """As :meth:`encode` into ``out`` (block_size, 2). Real-time safe."""
        steps, halves, coarse = self._steps, self._halves, self._coarse
        np.divide(samples, self._step, out=steps)
        np.copysign(0.5, steps, out=halves)
        np.add(steps, halves, out=steps)
        np.trunc(steps, out=steps)
        limit = INT8_MAX * self._ratio + self._ratio // 2
        np.maximum(steps, -limit, out=steps)
        np.minimum(steps, limit - 1, out=steps)
        np.add(steps, self._ratio // 2, out=coarse)
        np.divide(coarse, self._ratio, out=coarse)
        np.floor(coarse, out=coarse)
        out[:, 0] = coarse
        np.multiply(coarse, self._ratio, out=coarse)
        np.subtract(steps, coarse, out=steps)
        out[:, 1] = steps


class CoarseFineOutput:
    """The wet signal from two answers to the same sum.

    Args:
        coarse, fine: the formats of both; fine has the smaller scale. block_size: of :meth:`decode_into`.
    """

    def __init__(self, coarse: AffineCode, fine: AffineCode, block_size: int = 1) -> None:
        self.coarse, self.fine = coarse, fine
        self._decoded = np.zeros(block_size, np.float32)
        self._inside, self._below = np.zeros(block_size, bool), np.zeros(block_size, bool)

    def decode(self, coarse: NDArray[np.int8], fine: NDArray[np.int8]) -> NDArray[np.float32]:
        """Float32 (T,): the fine answer where it is not at an end of int8, the coarse one elsewhere."""
        inside = (fine > INT8_MIN) & (fine < INT8_MAX)
        return np.where(inside, self.fine.decode(fine), self.coarse.decode(coarse))

    def decode_into(self, coarse: NDArray[np.int8], fine: NDArray[np.int8], out: NDArray[np.float32]) -> None:
        """As :meth:`decode` into ``out`` (block_size,). Real-time safe."""
        np.less(fine, INT8_MAX, out=self._inside)
        np.greater(fine, INT8_MIN, out=self._below)
        np.logical_and(self._inside, self._below, out=self._inside)
        self.coarse.decode_into(coarse, out)
        self.fine.decode_into(fine, self._decoded)
        np.copyto(out, self._decoded, where=self._inside)
