"""The constants of a ``w8`` graph as the file stores them: int8 matrices with their scales, float32 biases."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.signal_chain import BIASES, DEQUANTIZE
from neuralpedal.contract.tflite_file import OperatorView, TensorView, TfliteFile


@dataclass(frozen=True)
class Int8Matrix:
    """A constant of the ``w8`` graph: ``values`` int64 (outputs, inputs), −128 to 127; ``scales`` float64 (outputs,).
    """

    values: Integers
    scales: NDArray[np.float64]


class Int8Constants:
    """The constants of a ``w8`` graph as the file stores them, by the tensor index that operators read."""

    def __init__(self, file: TfliteFile) -> None:
        self._file = file
        self._stored = {operator.outputs[0]: operator.inputs[0] for operator in file.operators
                        if operator.name == DEQUANTIZE and operator.outputs and operator.inputs}

    def matrix(self, index: int) -> Int8Matrix:
        """An int8 matrix with one scale per row. Raises ModelFileError."""
        tensor = self._constant(self._stored.get(index, index), np.int8)
        if tensor.data is None or tensor.data.ndim != 2 or len(tensor.scales) not in (1, len(tensor.data)) or np.any(
                tensor.zero_points) or not np.all(tensor.scales > 0) or (len(tensor.scales) > 1 and
                                                                         tensor.channel_axis):
            raise ModelFileError(f"{self._file.path}: {tensor.name} is no matrix with one scale per row; convert it "
                                 "again")
        scales = np.broadcast_to(tensor.scales.astype(np.float64), (len(tensor.data),))
        return Int8Matrix(tensor.data.astype(np.int64), scales)

    def bias(self, index: int) -> NDArray[np.float64]:
        """A float32 bias, widened. Raises ModelFileError."""
        return np.asarray(self._constant(index, np.float32).data, dtype=np.float64)

    def stacked(self, operator: OperatorView, places: range) -> Int8Matrix:
        """The gates' matrices under one another."""
        gates = [self.matrix(operator.inputs[place]) for place in places]
        return Int8Matrix(np.concatenate([gate.values for gate in gates]),
                          np.concatenate([gate.scales for gate in gates]))

    def biases(self, operator: OperatorView) -> NDArray[np.float64]:
        """The gates' biases after one another."""
        return np.concatenate([self.bias(operator.inputs[place]) for place in BIASES])

    def _constant(self, index: int, dtype: Any) -> TensorView:
        tensor = self._file.tensors[index]
        if tensor.dtype != dtype or tensor.data is None:
            raise ModelFileError(f"{self._file.path}: {tensor.name} is no {np.dtype(dtype).name} constant, as a "
                                 f"w8a16 file needs it; convert it again")
        return tensor
