"""Audio as integers: real = (q − zero_point) · scale.

An integer pedal takes and gives int8 audio; the player converts at its border, and every player must do it alike.
Rounding is to nearest, halves away from zero (TFLite's QUANTIZE, C's ``round``); values beyond the range saturate.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.tflite_file import TensorView


@dataclass(frozen=True)
class AffineCode:
    """One integer audio format.

    Attributes:
        scale: full-scale units per step, > 0. zero_point: the integer of silence. dtype: int8 or int16.
    """

    scale: float
    zero_point: int
    dtype: Any = np.int8

    def encode(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Integers of float samples of any shape."""
        out = np.empty(np.shape(samples), self.dtype)
        self.encode_into(np.asarray(samples), out, np.empty(np.shape(samples), np.float64),
                         np.empty(np.shape(samples), np.float64))
        return out

    def encode_into(self, samples: NDArray[Any], out: NDArray[Any], steps: NDArray[np.float64],
                    halves: NDArray[np.float64]) -> None:
        """As :meth:`encode` into ``out``; ``steps`` and ``halves`` are scratch of the same shape. Real-time safe."""
        limits = np.iinfo(self.dtype)
        np.divide(samples, self.scale, out=steps)
        np.copysign(0.5, steps, out=halves)
        np.add(steps, halves, out=steps)
        np.trunc(steps, out=steps)
        np.add(steps, self.zero_point, out=steps)
        np.maximum(steps, limits.min, out=steps)
        np.minimum(steps, limits.max, out=steps)
        out[...] = steps

    def decode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Float32 samples of integers."""
        out = np.empty(np.shape(values), np.float32)
        self.decode_into(values, out)
        return out

    def decode_into(self, values: NDArray[Any], out: NDArray[np.float32]) -> None:
        """As :meth:`decode` into ``out``. Real-time safe."""
        # Widened first: int8 − zero_point in one step would be computed in int8 and wrap.
        out[...] = values
        np.subtract(out, np.float32(self.zero_point), out=out)
        np.multiply(out, np.float32(self.scale), out=out)


def code_of(tensor: TensorView, source: str) -> AffineCode:
    """The audio format of an integer model's input or output tensor.

    Raises:
        ModelFileError: not an integer tensor with exactly one positive scale and a zero point inside its range.
    """
    if tensor.dtype not in (np.int8, np.int16) or len(tensor.scales) != 1 or not tensor.scales[0] > 0:
        raise ModelFileError(f"{source}: tensor {tensor.name!r} is {np.dtype(tensor.dtype).name} with "
                             f"{len(tensor.scales)} scales, wanted int8 or int16 with one positive scale; "
                             "convert the model again")
    zero_point = int(tensor.zero_points[0]) if len(tensor.zero_points) else 0
    if not np.iinfo(tensor.dtype).min <= zero_point <= np.iinfo(tensor.dtype).max:
        raise ModelFileError(f"{source}: tensor {tensor.name!r} has the zero point {zero_point}, which is no "
                             f"{np.dtype(tensor.dtype).name}; convert the model again")
    return AffineCode(float(tensor.scales[0]), zero_point, np.dtype(tensor.dtype).type)
