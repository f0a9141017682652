"""How a float graph holds its matrices: as they are, or as int8 that the interpreter expands."""

from typing import Protocol

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from neuralpedal.convert.tflite_writer import GraphWriter, Quantization
from neuralpedal.convert.weight_quantization import quantize_per_channel

_PER_CHANNEL_DEQUANTIZE = 5


class AddMatrix(Protocol):
    """Adds a float matrix (outputs, inputs), or a kernel with outputs first; returns the tensor that operators read."""

    def __call__(self, writer: GraphWriter, name: str, matrix: NDArray[np.float32]) -> int: ...


def add_float_matrix(writer: GraphWriter, name: str, matrix: NDArray[np.float32]) -> int:
    """float32 constant."""
    return writer.constant(name, matrix.astype(np.float32))


def add_int8_matrix(writer: GraphWriter, name: str, matrix: NDArray[np.float32]) -> int:
    """int8 constant with one scale per output, and the DEQUANTIZE that expands it; returns the expanded tensor."""
    quantized = quantize_per_channel(matrix.reshape(len(matrix), -1))
    scales = tuple(float(scale) for scale in quantized.scales)
    stored = writer.constant(f"{name}/int8", quantized.values.reshape(matrix.shape),
                             Quantization(scales, (0,) * len(scales)))
    expanded = writer.activation(name, matrix.shape, np.float32)
    writer.operator(schema.BuiltinOperator.DEQUANTIZE, _PER_CHANNEL_DEQUANTIZE, [stored], [expanded],
                    (schema.BuiltinOptions.DequantizeOptions, schema.DequantizeOptionsT()))
    return expanded
