"""The network as a TFLite graph with float arithmetic: fused LSTM, head, skip; cells without a fused operator in a loop
(loop_graph.py), WaveNets as convolutions (wavenet_graph.py).

``float32`` holds float weights. ``w8`` holds int8 weights, one scale per output channel, that the interpreter expands
once, at its first block: a smaller file, and the arithmetic that tells weight rounding from everything else.
(tflite-runtime 2.14 loses the expanded weights when a ``w8`` file that has played is resized to another block length:
open it anew instead. LiteRT keeps them.)
Cell and projection clips are written as 0 (none): a clip of 10, the converter's habit, distorts fuzz pedals.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.dense import DenseLayer, DenseWeights
from neuralpedal.contract.graph_plan import BEND_OPERATORS, dense_name
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.weights import GATES, NetworkWeights, RecurrentWeights
from neuralpedal.convert.float_matrices import AddMatrix, add_float_matrix, add_int8_matrix
from neuralpedal.convert.layouts import Layout, add_answer, layout_of
from neuralpedal.convert.loop_graph import build_loop
from neuralpedal.convert.self_description import self_description
from neuralpedal.convert.tflite_writer import NO_TENSOR, TfliteWriter
from neuralpedal.convert.wavenet_graph import build_wavenet_float32, build_wavenet_w8

_KEEP_NUM_DIMS = 5


def build_float32(weights: AnyWeights, manifest: Manifest) -> bytes:
    """The file with float32 weights and audio."""
    return _FLOAT32[weights.spec.graph](weights, manifest)


def build_w8(weights: AnyWeights, manifest: Manifest) -> bytes:
    """The file with int8 weights per output channel, float32 biases and audio."""
    return _W8[weights.spec.graph](weights, manifest)


def _build_fused(weights: NetworkWeights, manifest: Manifest, add_matrix: AddMatrix) -> bytes:
    """The file of a family with a fused operator; its matrices as ``add_matrix`` has them."""
    spec, layout = weights.spec, layout_of(weights.spec)
    writer = TfliteWriter(f"neuralpedal {spec.label} {manifest.scheme}")
    dry = layout.add_signal(writer, "dry", 1, np.float32)
    signal = _add_dense_layers(writer, "front", spec.front, weights.front, dry, add_matrix)
    for index, layer in enumerate(weights.layers):
        signal = _add_layer(writer, layout, f"lstm_{index}", layer, signal, add_matrix)
    last = layout.add_last_step(writer, signal, "last_hidden", spec.hidden_size, np.float32)
    last = _add_dense_layers(writer, "head", spec.head, weights.head, last, add_matrix)
    signal = _add_head(writer, weights, last, add_matrix)
    if spec.skip:
        signal = _add_skip(writer, layout.add_last_step(writer, dry, "last_dry", 1, np.float32), signal)
    return writer.finish([dry], [signal], self_description(weights, manifest))


def _add_layer(writer: TfliteWriter, layout: Layout, name: str, layer: RecurrentWeights, signal: int,
               add_matrix: AddMatrix) -> int:
    """One fused LSTM; returns its hidden sequence, H channels."""
    h = layer.hidden_size
    gates = [layer.gate(index) for index in range(len(GATES))]
    kernels = [add_matrix(writer, f"{name}/{gate}/kernel", np.ascontiguousarray(kernel.T))
               for gate, (kernel, _, _) in zip(GATES, gates, strict=True)]
    recurrents = [add_matrix(writer, f"{name}/{gate}/recurrent_kernel", np.ascontiguousarray(recurrent.T))
                  for gate, (_, recurrent, _) in zip(GATES, gates, strict=True)]
    biases = [writer.constant(f"{name}/{gate}/bias", bias.astype(np.float32))
              for gate, (_, _, bias) in zip(GATES, gates, strict=True)]
    states = [layout.add_state(writer, f"{name}/{state}", h, np.float32) for state in "hc"]
    hidden = layout.add_signal(writer, f"{name}/hidden", h, np.float32)
    writer.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, 1,
                    lstm_inputs(signal, kernels, recurrents, biases, states), [hidden], layout.lstm_options())
    return hidden


def lstm_inputs(signal: int, kernels: list[int], recurrents: list[int], biases: list[int],
                states: list[int]) -> list[int]:
    """The fused operator's 24 inputs; peepholes, projection and layer normalization are absent.

    Source: tensorflow/lite/kernels/lstm_shared.h (gate order input, forget, cell, output, as ours).
    """
    absent = NO_TENSOR
    peepholes, projection, layer_norm = [absent] * 3, [absent] * 2, [absent] * 4
    return [signal, *kernels, *recurrents, *peepholes, *biases, *projection, *states, *layer_norm]


def _add_dense_layers(writer: TfliteWriter, place: str, said: Sequence[DenseLayer], layers: Sequence[DenseWeights],
                      signal: int, add_matrix: AddMatrix) -> int:
    """Dense layers that bend, each on every sample; returns [1, T, units] of the last, or ``signal``."""
    for index, (layer, arrays) in enumerate(zip(said, layers, strict=True)):
        kernel = add_matrix(writer, dense_name(place, index, "kernel"), np.ascontiguousarray(arrays.kernel.T))
        bias = writer.constant(dense_name(place, index, "bias"), arrays.bias.astype(np.float32))
        total, bent = (add_answer(writer, dense_name(place, index, name), layer.units, np.float32)
                       for name in ("sum", "bent"))
        writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, _KEEP_NUM_DIMS, [signal, kernel, bias], [total],
                        head_options())
        operator = getattr(schema.BuiltinOperator, BEND_OPERATORS[layer.activation])
        writer.operator(operator, 1, [total], [bent])
        signal = bent
    return signal


def _add_head(writer: TfliteWriter, weights: NetworkWeights, hidden: int, add_matrix: AddMatrix) -> int:
    """The dense head on every sample; returns [1, T, 1]."""
    kernel = add_matrix(writer, "head/kernel", np.ascontiguousarray(weights.head_kernel.T))
    bias = writer.constant("head/bias", weights.head_bias.astype(np.float32))
    output = add_answer(writer, "head", 1, np.float32)
    writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, _KEEP_NUM_DIMS, [hidden, kernel, bias], [output],
                    head_options())
    return output


def head_options() -> tuple[int, schema.FullyConnectedOptionsT]:
    """Options of a dense layer: linear, such as [1, T, H] to [1, T, 1] without flattening."""
    return schema.BuiltinOptions.FullyConnectedOptions, schema.FullyConnectedOptionsT(keepNumDims=True)


def _add_skip(writer: TfliteWriter, dry: int, signal: int) -> int:
    """Dry plus network; returns [1, T, 1]."""
    output = add_answer(writer, "wet", 1, np.float32)
    writer.operator(schema.BuiltinOperator.ADD, 1, [signal, dry], [output],
                    (schema.BuiltinOptions.AddOptions, schema.AddOptionsT()))
    return output


_Builder = Callable[[Any, Manifest], bytes]

_FUSED_FLOAT32, _FUSED_W8 = (partial(_build_fused, add_matrix=add) for add in (add_float_matrix, add_int8_matrix))
_FLOAT32: dict[str, _Builder] = {"fused": _FUSED_FLOAT32, "fused_dense": _FUSED_FLOAT32,
                                 "loop": partial(build_loop, add_matrix=add_float_matrix),
                                 "convolutions": build_wavenet_float32}
_W8: dict[str, _Builder] = {"fused": _FUSED_W8, "fused_dense": _FUSED_W8,
                            "loop": partial(build_loop, add_matrix=add_int8_matrix), "convolutions": build_wavenet_w8}
"""By the graph of the family."""
