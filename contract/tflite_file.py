"""Reading a ``.tflite`` file without an interpreter: tensors, operators, and our manifest.

The device must read the manifest where no schema package exists (tflite-runtime ships none), so the few tables needed
are read through the flatbuffers runtime by their field numbers, which the TFLite schema keeps for ever.
Source: tensorflow/lite/schema/schema.fbs (identifier TFL3).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers.encode
import flatbuffers.number_types as types
import numpy as np
from flatbuffers.table import Table
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, decode_manifest

_IDENTIFIER = b"TFL3"
_DTYPES: dict[int, Any] = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 7: np.int16, 9: np.int8,
                           13: np.void}
"""13: a handle of a variable, which holds no numbers."""
_NO_TENSOR = -1

OPERATOR_NAMES = {0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 6: "DEQUANTIZE", 9: "FULLY_CONNECTED", 14: "LOGISTIC",
                  18: "MUL", 19: "RELU", 22: "RESHAPE", 28: "TANH", 35: "UNIDIRECTIONAL_SEQUENCE_RNN", 36: "GATHER",
                  41: "SUB", 44: "UNIDIRECTIONAL_SEQUENCE_LSTM", 45: "STRIDED_SLICE", 49: "SPLIT", 58: "LESS",
                  77: "SHAPE", 98: "LEAKY_RELU", 102: "SPLIT_V", 111: "ELU", 114: "QUANTIZE", 119: "WHILE",
                  129: "CALL_ONCE", 130: "BROADCAST_TO", 142: "VAR_HANDLE", 143: "READ_VARIABLE",
                  144: "ASSIGN_VARIABLE", 151: "DYNAMIC_UPDATE_SLICE"}
"""Builtin operators that this package writes; others are named by their number."""

_BOOL, _BYTE, _INT, _FLOAT = types.BoolFlags, types.Int8Flags, types.Int32Flags, types.Float32Flags
_TEXT = None
_OPTIONS: dict[int, tuple[int, dict[str, tuple[int, Any, float]]]] = {
    0: (11, {"fused_activation_function": (0, _BYTE, 0), "pot_scale_int16": (1, _BOOL, 1)}),
    9: (8, {"fused_activation_function": (0, _BYTE, 0), "weights_format": (1, _BYTE, 0),
            "keep_num_dims": (2, _BOOL, 0), "asymmetric_quantize_inputs": (3, _BOOL, 0)}),
    2: (10, {"axis": (0, _INT, 0), "fused_activation_function": (1, _BYTE, 0)}),
    3: (1, {"padding": (0, _BYTE, 0), "stride_w": (1, _INT, 0), "stride_h": (2, _INT, 0),
            "fused_activation_function": (3, _BYTE, 0), "dilation_w_factor": (4, _INT, 1),
            "dilation_h_factor": (5, _INT, 1), "quantized_bias_type": (6, _BYTE, 0)}),
    18: (21, {"fused_activation_function": (0, _BYTE, 0)}),
    35: (31, {"time_major": (0, _BOOL, 0), "fused_activation_function": (1, _BYTE, 0),
              "asymmetric_quantize_inputs": (2, _BOOL, 0)}),
    41: (28, {"fused_activation_function": (0, _BYTE, 0), "pot_scale_int16": (1, _BOOL, 1)}),
    45: (32, {"begin_mask": (0, _INT, 0), "end_mask": (1, _INT, 0), "ellipsis_mask": (2, _INT, 0),
              "new_axis_mask": (3, _INT, 0), "shrink_axis_mask": (4, _INT, 0), "offset": (5, _BOOL, 0)}),
    49: (35, {"num_splits": (0, _INT, 0)}),
    77: (55, {"out_type": (0, _BYTE, 0)}),
    98: (75, {"alpha": (0, _FLOAT, 0)}),
    102: (79, {"num_splits": (0, _INT, 0)}),
    119: (93, {"cond_subgraph_index": (0, _INT, 0), "body_subgraph_index": (1, _INT, 0)}),
    129: (103, {"init_subgraph_index": (0, _INT, 0)}),
    142: (111, {"container": (0, _TEXT, 0), "shared_name": (1, _TEXT, 0)}),
    36: (23, {"axis": (0, _INT, 0), "batch_dims": (1, _INT, 0)}),
    44: (71, {"fused_activation_function": (0, _BYTE, 0), "cell_clip": (1, _FLOAT, 0), "proj_clip": (2, _FLOAT, 0),
              "time_major": (3, _BOOL, 0), "asymmetric_quantize_inputs": (4, _BOOL, 0),
              "diagonal_recurrent_tensors": (5, _BOOL, 0)}),
}
"""By operator: the number of its options in the schema's union, and of each option its field, type and default (of a
text: none)."""


@dataclass(frozen=True)
class TensorView:
    """One tensor of the file.

    Attributes:
        data: the constant's values, or None for an activation.
        scales: float32, empty when not quantized, one, or one per channel of ``channel_axis``.
        zero_points: int64, as many as scales.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    data: NDArray[Any] | None
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    channel_axis: int
    is_variable: bool

    def dequantized(self) -> NDArray[np.float32]:
        """The constant as float32: (q − zero_point) · scale, as the DEQUANTIZE operator computes it."""
        if self.data is None:
            raise ModelFileError(f"tensor {self.name!r} holds no constant")
        if self.dtype == np.float32:
            return self.data
        shape = [1] * len(self.shape)
        if len(self.scales) > 1:
            shape[self.channel_axis] = -1
        centred = self.data.astype(np.int64) - self.zero_points.reshape(shape)
        return (centred.astype(np.float32) * self.scales.reshape(shape)).astype(np.float32)


@dataclass(frozen=True)
class OperatorView:
    """One operator: builtin code and tensor indices (−1: absent), in file order.

    Attributes:
        options: by name in the schema, of operators that this package writes; booleans are 0 and 1, texts are str.
    """

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """Builtin name, or ``operator N``."""
        return OPERATOR_NAMES.get(self.code, f"operator {self.code}")


@dataclass(frozen=True)
class Subgraph:
    """Tensors, operators and border of one graph; operators name tensors of their own graph."""

    tensors: tuple[TensorView, ...]
    operators: tuple[OperatorView, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteFile(Subgraph):
    """The first subgraph of a file, which plays, and its metadata.

    Attributes:
        called: further subgraphs, the file's second first, which operators of the first call by number.
    """

    path: Path
    metadata: dict[str, bytes]
    called: tuple[Subgraph, ...] = ()

    @property
    def is_float(self) -> bool:
        """True when audio goes in and out as float32."""
        return all(self.tensors[index].dtype == np.float32 for index in (*self.inputs, *self.outputs))

    def manifest(self) -> Manifest:
        """Our manifest.

        Raises:
            ModelFileError: absent (a foreign file), newer or damaged.
        """
        if METADATA_NAME not in self.metadata:
            raise ModelFileError(
                f"{self.path}: a TFLite model without a neuralpedal manifest; "
                "only files written by `neuralpedal convert` play here"
            )
        return decode_manifest(self.metadata[METADATA_NAME], str(self.path))


def read_manifest(path: Path) -> Manifest:
    """The manifest of a ``.tflite`` file. Raises ModelFileError as :func:`read_tflite` and ``TfliteFile.manifest``."""
    return read_tflite(path).manifest()


def read_tflite(path: Path) -> TfliteFile:
    """Read a file's structure.

    Raises:
        ModelFileError: missing, not TFLite, truncated.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_tflite(path, data)


def parse_tflite(path: Path, data: bytes) -> TfliteFile:
    """The structure of a file's bytes; ``path`` names it in messages. Raises as :func:`read_tflite`."""
    if data[4:8] != _IDENTIFIER:
        raise ModelFileError(f"{path}: not a TFLite model (it does not carry the mark TFL3); give a .tflite file")
    try:
        return _parse(path, data)
    # What a damaged flatbuffer raises depends on which offset points where; all of it means the same.
    except (IndexError, ValueError, TypeError, KeyError, OverflowError, MemoryError, RecursionError,
            UnicodeDecodeError, AttributeError, struct.error) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: damaged or truncated TFLite model ({error}); "
                             "copy or convert it again") from error


class _Table:
    """A flatbuffer table whose fields are asked for by number."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        return cls(data, flatbuffers.encode.Get(types.UOffsetTFlags.packer_type, data, 0))

    def _offset(self, field: int) -> int:
        return self._table.Offset(4 + 2 * field)

    def scalar(self, field: int, flags: Any, default: int = 0) -> int:
        return int(self.number(field, flags, default))

    def number(self, field: int, flags: Any, default: float = 0) -> float:
        offset = self._offset(field)
        return self._table.Get(flags, offset + self._table.Pos) if offset else default

    def table(self, field: int) -> "_Table | None":
        offset = self._offset(field)
        return _Table(self._data, self._table.Indirect(offset + self._table.Pos)) if offset else None

    def tables(self, field: int) -> "Iterator[_Table]":
        offset = self._offset(field)
        if offset:
            start, count = self._table.Vector(offset), self._table.VectorLen(offset)
            self._check_count(start, count, 4)
            for index in range(count):
                yield _Table(self._data, self._table.Indirect(start + 4 * index))

    def array(self, field: int, dtype: Any) -> NDArray[Any]:
        offset = self._offset(field)
        if not offset:
            return np.zeros(0, dtype)
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        self._check_count(start, count, np.dtype(dtype).itemsize)
        return np.frombuffer(self._data, np.dtype(dtype).newbyteorder("<"), count, start)

    def text(self, field: int) -> str:
        return bytes(self.array(field, np.uint8)).decode("utf-8")

    def _check_count(self, start: int, count: int, item_bytes: int) -> None:
        if start + count * item_bytes > len(self._data):
            raise ValueError(f"a list of {count} items runs past the end of the file")


def _parse(path: Path, data: bytes) -> TfliteFile:
    model = _Table.root(data)
    codes = [_operator_code(code) for code in model.tables(1)]
    buffers = [buffer.array(0, np.uint8) for buffer in model.tables(4)]
    subgraphs = [_subgraph(table, codes, buffers) for table in model.tables(2)]
    if not subgraphs:
        raise ValueError("it has no subgraph")
    metadata = {entry.text(0): bytes(buffers[entry.scalar(1, types.Uint32Flags)]) for entry in model.tables(6)}
    first, called = subgraphs[0], tuple(subgraphs[1:])
    return TfliteFile(first.tensors, first.operators, first.inputs, first.outputs, path, metadata, called)


def _subgraph(table: _Table, codes: list[int], buffers: list[NDArray[Any]]) -> Subgraph:
    tensors = tuple(_tensor(tensor, buffers) for tensor in table.tables(0))
    operators = tuple(_operator(operator, codes) for operator in table.tables(3))
    subgraph = Subgraph(tensors, operators, _indices(table, 1), _indices(table, 2))
    _check_indices(subgraph)
    return subgraph


def _operator_code(table: _Table) -> int:
    # Codes from 127 on live in a wider field; the old one then holds 127.
    return max(table.scalar(0, types.Int8Flags), table.scalar(3, types.Int32Flags))


def _indices(table: _Table, field: int) -> tuple[int, ...]:
    return tuple(int(index) for index in table.array(field, np.int32))


def _operator(table: _Table, codes: list[int]) -> OperatorView:
    code = codes[table.scalar(0, types.Uint32Flags)]
    return OperatorView(code, _indices(table, 1), _indices(table, 2), _indices(table, 8), _options(table, code))


def _options(table: _Table, code: int) -> dict[str, float | str]:
    kind, fields = _OPTIONS.get(code, (0, {}))
    # Options of another kind are no options: interpreters take the defaults then.
    options = table.table(4) if table.scalar(3, types.Uint8Flags) == kind else None
    found: dict[str, float | str] = {}
    for name, (field, flags, default) in fields.items():
        if flags is _TEXT:
            found[name] = options.text(field) if options else ""
        else:
            found[name] = options.number(field, flags, default) if options else default
    return found


def _tensor(table: _Table, buffers: list[NDArray[Any]]) -> TensorView:
    code = table.scalar(1, types.Int8Flags)
    if code not in _DTYPES:
        raise ValueError(f"tensor type {code} is not one that neuralpedal writes")
    shape = tuple(int(size) for size in table.array(0, np.int32))
    raw = buffers[table.scalar(2, types.Uint32Flags)]
    dtype = np.dtype(_DTYPES[code])
    data = raw.view(dtype.newbyteorder("<")).reshape(shape) if raw.size else None
    quantization = table.table(4)
    scales = quantization.array(2, np.float32) if quantization else np.zeros(0, np.float32)
    zero_points = quantization.array(3, np.int64) if quantization else np.zeros(0, np.int64)
    axis = quantization.scalar(6, types.Int32Flags) if quantization else 0
    _check_quantization(shape, scales, zero_points, axis)
    return TensorView(table.text(3), shape, dtype, data, scales, zero_points, axis,
                      bool(table.scalar(5, types.BoolFlags)))


def _check_quantization(shape: tuple[int, ...], scales: NDArray[np.float32], zero_points: NDArray[np.int64],
                        axis: int) -> None:
    """The interpreter's own rules: as many zero points as scales, one scale or one per channel; and finite ones."""
    if len(zero_points) != len(scales):
        raise ValueError(f"a tensor with {len(scales)} scales and {len(zero_points)} zero points")
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise ValueError(f"a tensor of shape {shape} with {len(scales)} scales along axis {axis}")
    if not np.all(np.isfinite(scales)):
        raise ValueError("a tensor with an infinite scale")


def _check_indices(graph: Subgraph) -> None:
    for operator in graph.operators:
        for index in (*operator.inputs, *operator.outputs, *operator.intermediates):
            if not _NO_TENSOR <= index < len(graph.tensors):
                raise ValueError(f"{operator.name} names tensor {index} of {len(graph.tensors)}")
    for index in (*graph.inputs, *graph.outputs):
        if not 0 <= index < len(graph.tensors):
            raise ValueError(f"the graph's border names tensor {index} of {len(graph.tensors)}")
