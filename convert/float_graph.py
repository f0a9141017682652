"""The network as a TFLite graph with float arithmetic: fused LSTM, head, skip.

``float32`` holds float weights. ``w8`` holds int8 weights, one scale per output channel, that the interpreter expands
once, at its first block: a smaller file, and the arithmetic that tells weight rounding from everything else.
(tflite-runtime 2.14 loses the expanded weights when a ``w8`` file that has played is resized to another block length:
open it anew instead. LiteRT keeps them.)
The layout is batch-major, [1, T, ·]: with one stream it is what a player has in its hands, and no transposition is
needed. Cell and projection clips are written as 0 (none): a clip of 10, the converter's habit, distorts fuzz pedals.
"""

from typing import Protocol

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from neuralpedal.contract.manifest import METADATA_NAME, Manifest, encode_manifest
from neuralpedal.contract.weights import GATES, NetworkWeights, RecurrentWeights
from neuralpedal.convert.tflite_writer import NO_TENSOR, Quantization, TfliteWriter
from neuralpedal.convert.weight_quantization import quantize_per_channel

BLOCK_SAMPLES = 64
"""T in the file; players resize it."""

_PER_CHANNEL_DEQUANTIZE = 5
_KEEP_NUM_DIMS = 5


class _AddMatrix(Protocol):
    """Adds a float matrix (outputs, inputs) to the file and returns the tensor that operators read."""

    def __call__(self, writer: TfliteWriter, name: str, matrix: NDArray[np.float32]) -> int: ...


def build_float32(weights: NetworkWeights, manifest: Manifest) -> bytes:
    """The file with float32 weights: input and output float32 [1, T, 1], states kept between invocations."""
    return _build(weights, manifest, _add_float_matrix)


def build_w8(weights: NetworkWeights, manifest: Manifest) -> bytes:
    """The file with int8 weights per output channel and float32 biases; input and output as ``float32``."""
    return _build(weights, manifest, _add_int8_matrix)


def lstm_options() -> tuple[int, schema.UnidirectionalSequenceLSTMOptionsT]:
    """Options of a fused LSTM as this package writes it: tanh, no clips, batch-major."""
    options = schema.UnidirectionalSequenceLSTMOptionsT(
        fusedActivationFunction=schema.ActivationFunctionType.TANH, cellClip=0.0, projClip=0.0, timeMajor=False,
    )
    return schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions, options


def _build(weights: NetworkWeights, manifest: Manifest, add_matrix: _AddMatrix) -> bytes:
    spec = weights.spec
    writer = TfliteWriter(f"neuralpedal {spec.label} {manifest.scheme}")
    dry = writer.activation("dry", (1, BLOCK_SAMPLES, 1), np.float32, time_axis=1)
    signal = dry
    for index, layer in enumerate(weights.layers):
        signal = _add_layer(writer, f"lstm_{index}", layer, signal, add_matrix)
    signal = _add_head(writer, weights, signal, add_matrix)
    if spec.skip:
        signal = _add_skip(writer, dry, signal)
    return writer.finish([dry], [signal], {METADATA_NAME: encode_manifest(manifest)})


def _add_layer(writer: TfliteWriter, name: str, layer: RecurrentWeights, signal: int, add_matrix: _AddMatrix) -> int:
    """One fused LSTM; returns its hidden sequence [1, T, H]."""
    h = layer.hidden_size
    gates = [layer.gate(index) for index in range(len(GATES))]
    kernels = [add_matrix(writer, f"{name}/{gate}/kernel", np.ascontiguousarray(kernel.T))
               for gate, (kernel, _, _) in zip(GATES, gates, strict=True)]
    recurrents = [add_matrix(writer, f"{name}/{gate}/recurrent_kernel", np.ascontiguousarray(recurrent.T))
                  for gate, (_, recurrent, _) in zip(GATES, gates, strict=True)]
    biases = [writer.constant(f"{name}/{gate}/bias", bias.astype(np.float32))
              for gate, (_, _, bias) in zip(GATES, gates, strict=True)]
    states = [writer.variable(f"{name}/h", (1, h), np.float32), writer.variable(f"{name}/c", (1, h), np.float32)]
    hidden = writer.activation(f"{name}/hidden", (1, BLOCK_SAMPLES, h), np.float32, time_axis=1)
    writer.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, 1,
                    lstm_inputs(signal, kernels, recurrents, biases, states), [hidden], lstm_options())
    return hidden


def lstm_inputs(signal: int, kernels: list[int], recurrents: list[int], biases: list[int],
                states: list[int]) -> list[int]:
    """The fused operator's 24 inputs; peepholes, projection and layer normalization are absent.

    Source: tensorflow/lite/kernels/lstm_shared.h (gate order input, forget, cell, output, as ours).
    """
    absent = NO_TENSOR
    peepholes, projection, layer_norm = [absent] * 3, [absent] * 2, [absent] * 4
    return [signal, *kernels, *recurrents, *peepholes, *biases, *projection, *states, *layer_norm]


def _add_head(writer: TfliteWriter, weights: NetworkWeights, hidden: int, add_matrix: _AddMatrix) -> int:
    """The dense head on every sample; returns [1, T, 1]."""
    kernel = add_matrix(writer, "head/kernel", np.ascontiguousarray(weights.head_kernel.T))
    bias = writer.constant("head/bias", weights.head_bias.astype(np.float32))
    output = writer.activation("head", (1, BLOCK_SAMPLES, 1), np.float32, time_axis=1)
    writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, _KEEP_NUM_DIMS, [hidden, kernel, bias], [output],
                    head_options())
    return output


def head_options() -> tuple[int, schema.FullyConnectedOptionsT]:
    """Options of the head: linear, [1, T, H] to [1, T, 1] without flattening."""
    return schema.BuiltinOptions.FullyConnectedOptions, schema.FullyConnectedOptionsT(keepNumDims=True)


def _add_skip(writer: TfliteWriter, dry: int, signal: int) -> int:
    """Dry plus network; returns [1, T, 1]."""
    output = writer.activation("wet", (1, BLOCK_SAMPLES, 1), np.float32, time_axis=1)
    writer.operator(schema.BuiltinOperator.ADD, 1, [signal, dry], [output],
                    (schema.BuiltinOptions.AddOptions, schema.AddOptionsT()))
    return output


def _add_float_matrix(writer: TfliteWriter, name: str, matrix: NDArray[np.float32]) -> int:
    return writer.constant(name, matrix.astype(np.float32))


def _add_int8_matrix(writer: TfliteWriter, name: str, matrix: NDArray[np.float32]) -> int:
    """int8 constant with one scale per row, and the DEQUANTIZE that expands it; returns the expanded tensor."""
    quantized = quantize_per_channel(matrix)
    scales = tuple(float(scale) for scale in quantized.scales)
    stored = writer.constant(f"{name}/int8", quantized.values, Quantization(scales, (0,) * len(scales)))
    expanded = writer.activation(name, matrix.shape, np.float32)
    writer.operator(schema.BuiltinOperator.DEQUANTIZE, _PER_CHANNEL_DEQUANTIZE, [stored], [expanded],
                    (schema.BuiltinOptions.DequantizeOptions, schema.DequantizeOptionsT()))
    return expanded
