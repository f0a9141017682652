"""The network as a TFLite graph of integers only (``w8a8``): int8 weights and signals, int16 cell state.

The formats are those of TFLite's integer LSTM, which gives no choice: gate pre-activations in Q3.12 (they saturate at
±8), gates in Q0.15, one weight scale per gate matrix, a cell state in int16 with a power of two as its scale.
Two traps make LiteRT play a constant or nonsense instead, both without any message. The kernel ignores the status of
its own set-up, which gives up at a cell scale that is no power of two or an intermediate without quantization, with
all multipliers still zero. And its tanh knows cell scales from 2⁻¹⁵ to 2⁻⁹ only; for others it leaves its buffer as
it was.
Sources: tensorflow/lite/kernels/{unidirectional_sequence_lstm.cc, lstm_eval.cc}; the quantization specification,
https://ai.google.dev/edge/litert/models/quantization_spec
"""

from dataclasses import dataclass, replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.audio_code import CHANNELS, CoarseFine
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.weights import GATES, NetworkWeights, RecurrentWeights
from neuralpedal.convert.calibration import ActivationRanges
from neuralpedal.convert.float_graph import head_options, lstm_inputs
from neuralpedal.convert.layouts import Layout, add_answer, layout_of
from neuralpedal.convert.self_description import self_description
from neuralpedal.convert.signal_grids import SignalGrids, choose_grids
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter
from neuralpedal.convert.weight_quantization import quantize_per_matrix, quantize_with_bias

_KEEP_NUM_DIMS = 5
_INT8_ADD = 2
_GATE_SCALE = 2.0**-12


@dataclass(frozen=True)
class _Signal:
    """A tensor and its grid."""

    index: int
    code: AffineCode


def build_w8a8(weights: NetworkWeights, ranges: ActivationRanges, manifest: Manifest) -> bytes:
    """The integer file: int8 audio on grids made from ``ranges``. Raises SpecError as :func:`layout_of`."""
    return build_w8a8_on(weights, choose_grids(weights, ranges), manifest)


def build_w8a8_on(weights: NetworkWeights, grids: SignalGrids, manifest: Manifest) -> bytes:
    """The integer file on given grids, such as those that weights were tuned for. Raises as :func:`build_w8a8`."""
    spec, layout = weights.spec, layout_of(weights.spec)
    writer = TfliteWriter(f"neuralpedal {spec.label} {manifest.scheme}")
    dry = _add_signal(writer, layout, "dry", CHANNELS if grids.ratio else 1, grids.dry)
    signal = dry
    layers = _with_fine_input(weights.layers, grids.ratio) if grids.ratio else weights.layers
    for index, (layer, hidden, scale) in enumerate(zip(layers, grids.hidden, grids.cell_scales, strict=True)):
        signal = _add_layer(writer, layout, f"lstm_{index}", layer, signal, hidden, scale)
    last = _add_last_step(writer, layout, signal, "last_hidden", spec.hidden_size)
    if grids.fine_head and grids.ratio:
        heads = _add_heads(writer, weights, last, {"head": grids.head, "fine_head": grids.fine_head})
        manifest = manifest.model_copy(update={"audio_code": CoarseFine(ratio=grids.ratio)})
        return writer.finish([dry.index], [head.index for head in heads], self_description(weights, manifest))
    signal = _add_heads(writer, weights, last, {"head": grids.head})[0]
    if spec.skip:
        signal = _add_skip(writer, _add_last_step(writer, layout, dry, "last_dry", 1), signal, grids.wet)
    return writer.finish([dry.index], [signal.index], self_description(weights, manifest))


def _add_layer(writer: TfliteWriter, layout: Layout, name: str, layer: RecurrentWeights, signal: _Signal,
               hidden: AffineCode, scale_of_cell: float) -> _Signal:
    """One integer LSTM; returns its hidden sequence."""
    h = layer.hidden_size
    kernels, recurrents, biases = [], [], []
    for index, gate in enumerate(GATES):
        kernel, recurrent, bias = layer.gate(index)
        kernel_index, bias_index = _add_biased(writer, f"{name}/{gate}", kernel, bias, signal.code)
        kernels.append(kernel_index)
        biases.append(bias_index)
        recurrents.append(_add_matrix(writer, f"{name}/{gate}/recurrent_kernel", recurrent))
    states = [layout.add_state(writer, f"{name}/h", h, np.int8, _quantization(hidden)),
              layout.add_state(writer, f"{name}/c", h, np.int16, Quantization((scale_of_cell,), (0,)))]
    # The kernel reads only the grids of the intermediates; the last must be the hidden state's own. They are empty
    # because tflite-micro refuses intermediates that would need memory.
    inner = [writer.activation(f"{name}/{gate}/inner", (0,), np.int16, Quantization((_GATE_SCALE,), (0,)))
             for gate in GATES]
    inner.append(writer.activation(f"{name}/hidden/inner", (0,), np.int8, _quantization(hidden)))
    output = _add_signal(writer, layout, f"{name}/hidden", h, hidden)
    writer.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, 1,
                    lstm_inputs(signal.index, kernels, recurrents, biases, states), [output.index],
                    layout.lstm_options(), inner)
    return output


def _with_fine_input(layers: tuple[RecurrentWeights, ...], ratio: int) -> tuple[RecurrentWeights, ...]:
    """The first kernel with a row for the fine channel, which counts 1/ratio of the coarse one."""
    first = layers[0]
    return replace(first, kernel=np.concatenate([first.kernel, first.kernel / np.float32(ratio)])), *layers[1:]


def _add_heads(writer: TfliteWriter, weights: NetworkWeights, hidden: _Signal, codes: dict[str, AffineCode]
               ) -> list[_Signal]:
    """The head, once per grid that its answer is wanted on."""
    kernel, bias = _add_biased(writer, "head", weights.head_kernel, weights.head_bias, hidden.code)
    outputs = [_add_answer(writer, name, code) for name, code in codes.items()]
    for output in outputs:
        writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, _KEEP_NUM_DIMS, [hidden.index, kernel, bias],
                        [output.index], head_options())
    return outputs


def _add_skip(writer: TfliteWriter, dry: _Signal, head: _Signal, code: AffineCode) -> _Signal:
    output = _add_answer(writer, "wet", code)
    writer.operator(schema.BuiltinOperator.ADD, _INT8_ADD, [head.index, dry.index], [output.index],
                    (schema.BuiltinOptions.AddOptions, schema.AddOptionsT()))
    return output


def _add_signal(writer: TfliteWriter, layout: Layout, name: str, channels: int, code: AffineCode) -> _Signal:
    return _Signal(layout.add_signal(writer, name, channels, np.int8, _quantization(code)), code)


def _add_answer(writer: TfliteWriter, name: str, code: AffineCode) -> _Signal:
    return _Signal(add_answer(writer, name, 1, np.int8, _quantization(code)), code)


def _add_last_step(writer: TfliteWriter, layout: Layout, signal: _Signal, name: str, channels: int) -> _Signal:
    index = layout.add_last_step(writer, signal.index, name, channels, np.int8, _quantization(signal.code))
    return _Signal(index, signal.code)


def _add_matrix(writer: TfliteWriter, name: str, matrix: NDArray[np.float32]) -> int:
    """int8 constant (outputs, inputs) from (inputs, outputs), one scale."""
    quantized = quantize_per_matrix(np.ascontiguousarray(matrix.T))
    return writer.constant(name, quantized.values, Quantization((float(quantized.scales[0]),), (0,)))


def _add_biased(writer: TfliteWriter, name: str, kernel: NDArray[np.float32], bias: NDArray[np.float32],
                source: AffineCode) -> tuple[int, int]:
    """A kernel and its int32 bias, whose scale is the product of the input's and the kernel's; returns both indices."""
    biased = quantize_with_bias(np.ascontiguousarray(kernel.T), bias, source.scale)
    kernel_scale = float(biased.weights.scales[0])
    bias_scale = float(np.float32(source.scale) * np.float32(kernel_scale))
    kernel_index = writer.constant(f"{name}/kernel", biased.weights.values, Quantization((kernel_scale,), (0,)))
    return kernel_index, writer.constant(f"{name}/bias", biased.bias, Quantization((bias_scale,), (0,)))


def _quantization(code: AffineCode) -> Quantization:
    return Quantization((code.scale,), (code.zero_point,))
