"""A ``.tflite`` file assembled tensor by tensor, without TensorFlow's converter.

The converter is not used because it bakes ``cell_clip = 10`` into the fused LSTM, splits a Keras 3 LSTM into a loop,
and quantizes it unreliably; a file of a few dozen operators is easier to write than to coax out of it.
Source of the format: tensorflow/lite/schema/schema.fbs, through the object API that LiteRT ships.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

NO_TENSOR = -1
"""Index that stands for an optional input that is absent."""

_SCHEMA_VERSION = 3
_IDENTIFIER = b"TFL3"
_DATA_ALIGNMENT_BYTES = 16
_LAST_NARROW_CODE = 127
_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.int16): schema.TensorType.INT16,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.bool_): schema.TensorType.BOOL,
    np.dtype(np.void): schema.TensorType.RESOURCE,
}
"""A resource is a handle of a variable: it holds no numbers."""


@dataclass(frozen=True)
class Quantization:
    """Affine quantization of a tensor: real = (q − zero_point) · scale.

    Attributes:
        scales: one, or one per channel of ``channel_axis``.
        zero_points: as many as scales.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    channel_axis: int = 0


class _AlignedBufferT(schema.BufferT):
    """A buffer whose bytes start at a multiple of 16 in the file.

    The schema asks for it (``force_align: 16``) but the Python object API does not do it; a microcontroller that runs
    the file from flash would fault or slow down on unaligned weights.
    """

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 (the object API's own name)
        payload = bytes(self.data or b"")
        vector = None
        if payload:
            builder.StartVector(1, len(payload), _DATA_ALIGNMENT_BYTES)
            builder.head -= len(payload)
            builder.Bytes[builder.head : builder.head + len(payload)] = payload
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


@dataclass
class _Shared:
    """What all graphs of a file have in common."""

    # Buffer 0 is empty by convention: tensors without a constant point to it.
    buffers: list[_AlignedBufferT] = field(default_factory=lambda: [_AlignedBufferT()])
    codes: list[tuple[int, int]] = field(default_factory=list)

    def buffer(self, payload: bytes) -> int:
        self.buffers.append(_AlignedBufferT(data=payload))
        return len(self.buffers) - 1

    def code_index(self, code: int, version: int) -> int:
        if (code, version) not in self.codes:
            self.codes.append((code, version))
        return self.codes.index((code, version))


class GraphWriter:
    """Collects tensors and operators of one graph.

    Tensors are named by the index that the adding method returns. The same calls give the same bytes.
    """

    def __init__(self, shared: _Shared, name: str) -> None:
        self._shared, self._name = shared, name
        self._tensors: list[schema.TensorT] = []
        self._operators: list[schema.OperatorT] = []

    def constant(self, name: str, values: NDArray[Any], quantization: Quantization | None = None) -> int:
        """Add a constant (float32, int8, int16, int32 or int64); returns its index."""
        index = self._tensor(name, values.shape, values.dtype, quantization)
        little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        self._tensors[index].buffer = self._shared.buffer(little.tobytes())
        return index

    def activation(self, name: str, shape: Sequence[int], dtype: Any, quantization: Quantization | None = None,
                   free_axis: int | None = None) -> int:
        """Add a tensor that operators fill; ``free_axis`` marks the axis that a player may resize. Returns its index.
        """
        index = self._tensor(name, shape, dtype, quantization)
        if free_axis is not None:
            signature = list(shape)
            signature[free_axis] = -1
            self._tensors[index].shapeSignature = signature
        return index

    def variable(self, name: str, shape: Sequence[int], dtype: Any, quantization: Quantization | None = None,
                 free_axis: int | None = None) -> int:
        """Add a state tensor: zero at first, kept from one invocation to the next; ``free_axis`` as in
        :meth:`activation`. Returns its index.
        """
        index = self.activation(name, shape, dtype, quantization, free_axis)
        self._tensors[index].isVariable = True
        return index

    def operator(self, code: int, version: int, inputs: Sequence[int], outputs: Sequence[int],
                 options: tuple[int, Any] | None = None, intermediates: Sequence[int] = ()) -> None:
        """Append an operator.

        Args:
            code: a ``BuiltinOperator``. version: the lowest that has the features used, for older interpreters.
            options: a ``BuiltinOptions`` type and its object.
            intermediates: tensors that only carry the quantization of inner results (integer LSTM).
        """
        added = schema.OperatorT(opcodeIndex=self._shared.code_index(code, version), inputs=list(inputs),
                                 outputs=list(outputs))
        if options is not None:
            added.builtinOptionsType, added.builtinOptions = options
        if intermediates:
            added.intermediates = list(intermediates)
        self._operators.append(added)

    def graph(self, inputs: Sequence[int], outputs: Sequence[int]) -> schema.SubGraphT:
        """What was collected, with its border."""
        return schema.SubGraphT(tensors=self._tensors, inputs=list(inputs), outputs=list(outputs),
                                operators=self._operators, name=self._name)

    def _tensor(self, name: str, shape: Sequence[int], dtype: Any, quantization: Quantization | None) -> int:
        tensor = schema.TensorT(name=name, shape=list(shape), type=_TYPES[np.dtype(dtype)], buffer=0)
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT(
                scale=list(quantization.scales), zeroPoint=list(quantization.zero_points),
                quantizedDimension=quantization.channel_axis,
            )
        self._tensors.append(tensor)
        return len(self._tensors) - 1


class TfliteWriter(GraphWriter):
    """Collects the graph that plays, and others that it calls, then gives the file's bytes.

    Args:
        description: the model's description field.
    """

    def __init__(self, description: str) -> None:
        super().__init__(_Shared(), "main")
        self._description = description

    def called(self, name: str) -> GraphWriter:
        """A graph for operators such as WHILE; its number is its place in ``finish``."""
        return GraphWriter(self._shared, name)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int], metadata: Mapping[str, bytes],
               called: Sequence[schema.SubGraphT] = ()) -> bytes:
        """The whole file; ``metadata`` maps names to payloads, ``called`` are graphs 1, 2… The writer is used up."""
        shared = self._shared
        entries = [schema.MetadataT(name=name, buffer=shared.buffer(data)) for name, data in metadata.items()]
        model = schema.ModelT(version=_SCHEMA_VERSION, operatorCodes=[_operator_code(*code) for code in shared.codes],
                              subgraphs=[self.graph(inputs, outputs), *called], description=self._description,
                              buffers=shared.buffers, metadata=entries)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())


def _operator_code(code: int, version: int) -> schema.OperatorCodeT:
    """Both fields of the code: interpreters before 2020 know only the narrow one."""
    return schema.OperatorCodeT(deprecatedBuiltinCode=min(code, _LAST_NARROW_CODE), builtinCode=code, version=version)
