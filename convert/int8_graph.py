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

import math
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from neuralpedal.contract.fixed_point import MAX_TANH_INTEGER_BITS, Affine, round_half_away
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, encode_manifest
from neuralpedal.contract.weights import GATES, NetworkWeights, RecurrentWeights
from neuralpedal.convert.calibration import ActivationRanges, Range
from neuralpedal.convert.float_graph import BLOCK_SAMPLES, head_options, lstm_inputs, lstm_options
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter
from neuralpedal.convert.weight_quantization import quantize_per_matrix

_KEEP_NUM_DIMS = 5
_INT8_ADD = 2
_GATE_SCALE = 2.0**-12
_BIAS_LIMIT = 2**30
_SKIP_DENOMINATOR = 509
_SMALLEST_HEAD_NUMERATOR = 32


@dataclass(frozen=True)
class _Signal:
    """A tensor [1, T, C] and its grid."""

    index: int
    affine: Affine


@dataclass(frozen=True)
class SignalGrids:
    """The int8 grids of every signal, and the scale of every cell state."""

    dry: Affine
    hidden: tuple[Affine, ...]
    cell_scales: tuple[float, ...]
    head: Affine
    wet: Affine


def build_w8a8(weights: NetworkWeights, ranges: ActivationRanges, manifest: Manifest) -> bytes:
    """The integer file: input and output int8 [1, T, 1] on grids made from ``ranges``, states kept between invocations.
    """
    spec = weights.spec
    grids = choose_grids(weights, ranges)
    writer = TfliteWriter(f"neuralpedal {spec.label} {manifest.scheme}")
    dry = _add_signal(writer, "dry", 1, grids.dry)
    signal = dry
    for index, (layer, hidden, scale) in enumerate(zip(weights.layers, grids.hidden, grids.cell_scales, strict=True)):
        signal = _add_layer(writer, f"lstm_{index}", layer, signal, hidden, scale)
    signal = _add_head(writer, weights, signal, grids.head)
    if spec.skip:
        signal = _add_skip(writer, dry, signal, grids.wet)
    return writer.finish([dry.index], [signal.index], {METADATA_NAME: encode_manifest(manifest)})


def choose_grids(weights: NetworkWeights, ranges: ActivationRanges) -> SignalGrids:
    """Grids that hold ``ranges``, with ratios at which every interpreter rounds alike.

    LiteRT's dense layer and addition exist in several implementations (XNNPACK, reference, NEON) that differ by one
    step where a result lies about halfway between two integers. Ratios of scales with an odd denominator q keep every
    result at least 1/2q away from there: q is chosen for the head, and 509 for the skip, whose sums are inexact by up
    to 0.0005 of a step. It costs a few percent of range at most.
    """
    hidden = tuple(Affine.from_range(layer.low, layer.high) for layer in ranges.hidden)
    cells = tuple(cell_scale(layer.peak) for layer in ranges.cell)
    dry, wet, head = (_grid(found) for found in (ranges.input, ranges.output, ranges.head))
    kernel_scale = _quantize_biased(weights.head_kernel, weights.head_bias, hidden[-1].scale)[1]
    step = hidden[-1].scale * kernel_scale
    q = _SKIP_DENOMINATOR
    # A head that is quiet beside the dry signal needs no finer steps than a sixteenth of the sum's.
    smallest = max(head.scale, wet.scale * _SMALLEST_HEAD_NUMERATOR / q if weights.spec.skip else 0.0)
    head = _grid(ranges.head, step * _odd_at_least(smallest / step))
    if not weights.spec.skip:
        return SignalGrids(dry, hidden, cells, head, head)
    # The head's scale is fixed by now, so the wet one follows it, and the dry one follows the wet.
    wet = _grid(ranges.output, head.scale * q / math.floor(q * head.scale / wet.scale))
    dry = _grid(ranges.input, wet.scale * math.ceil(q * dry.scale / wet.scale) / q)
    return SignalGrids(dry, hidden, cells, head, wet)


def _grid(found: Range, scale: float | None = None) -> Affine:
    """The grid over a calibrated range, with a given scale that is no finer than its own."""
    if scale is None:
        return Affine.from_range(found.low, found.high)
    return Affine.with_scale(scale, found.low, found.high)


def _odd_at_least(value: float) -> int:
    return 2 * math.ceil((value - 1.0) / 2.0) + 1 if value > 1.0 else 1


def cell_scale(peak: float) -> float:
    """The power of two from 2⁻¹⁵ to 2⁻⁹ whose int16 range holds ±peak; beyond 64 the cell saturates."""
    integer_bits = math.ceil(math.log2(max(peak, 2.0**-20)))
    return 2.0 ** (min(max(integer_bits, 0), MAX_TANH_INTEGER_BITS) - 15)


def _add_layer(writer: TfliteWriter, name: str, layer: RecurrentWeights, signal: _Signal, hidden: Affine,
               scale_of_cell: float) -> _Signal:
    """One integer LSTM; returns its hidden sequence."""
    h = layer.hidden_size
    kernels, recurrents, biases = [], [], []
    for index, gate in enumerate(GATES):
        kernel, recurrent, bias = layer.gate(index)
        kernel_index, bias_index = _add_biased(writer, f"{name}/{gate}", kernel, bias, signal.affine)
        kernels.append(kernel_index)
        biases.append(bias_index)
        recurrents.append(_add_matrix(writer, f"{name}/{gate}/recurrent_kernel", recurrent))
    states = [writer.variable(f"{name}/h", (1, h), np.int8, _quantization(hidden)),
              writer.variable(f"{name}/c", (1, h), np.int16, Quantization((scale_of_cell,), (0,)))]
    # The kernel reads only the grids of the intermediates; the last must be the hidden state's own. They are empty
    # because tflite-micro refuses intermediates that would need memory.
    inner = [writer.activation(f"{name}/{gate}/inner", (0,), np.int16, Quantization((_GATE_SCALE,), (0,)))
             for gate in GATES]
    inner.append(writer.activation(f"{name}/hidden/inner", (0,), np.int8, _quantization(hidden)))
    output = _add_signal(writer, f"{name}/hidden", h, hidden)
    writer.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, 1,
                    lstm_inputs(signal.index, kernels, recurrents, biases, states), [output.index], lstm_options(),
                    inner)
    return output


def _add_head(writer: TfliteWriter, weights: NetworkWeights, hidden: _Signal, affine: Affine) -> _Signal:
    kernel, bias = _add_biased(writer, "head", weights.head_kernel, weights.head_bias, hidden.affine)
    output = _add_signal(writer, "head", 1, affine)
    writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, _KEEP_NUM_DIMS, [hidden.index, kernel, bias],
                    [output.index], head_options())
    return output


def _add_skip(writer: TfliteWriter, dry: _Signal, head: _Signal, affine: Affine) -> _Signal:
    output = _add_signal(writer, "wet", 1, affine)
    writer.operator(schema.BuiltinOperator.ADD, _INT8_ADD, [head.index, dry.index], [output.index],
                    (schema.BuiltinOptions.AddOptions, schema.AddOptionsT()))
    return output


def _add_signal(writer: TfliteWriter, name: str, channels: int, affine: Affine) -> _Signal:
    shape = (1, BLOCK_SAMPLES, channels)
    return _Signal(writer.activation(name, shape, np.int8, _quantization(affine), time_axis=1), affine)


def _add_matrix(writer: TfliteWriter, name: str, matrix: NDArray[np.float32]) -> int:
    """int8 constant (outputs, inputs) from (inputs, outputs), one scale."""
    quantized = quantize_per_matrix(np.ascontiguousarray(matrix.T))
    return writer.constant(name, quantized.values, Quantization((float(quantized.scales[0]),), (0,)))


def _add_biased(writer: TfliteWriter, name: str, kernel: NDArray[np.float32], bias: NDArray[np.float32],
                source: Affine) -> tuple[int, int]:
    """A kernel and its int32 bias, whose scale is the product of the input's and the kernel's; returns both indices."""
    values, kernel_scale, steps = _quantize_biased(kernel, bias, source.scale)
    bias_scale = float(np.float32(source.scale) * np.float32(kernel_scale))
    kernel_index = writer.constant(f"{name}/kernel", values, Quantization((kernel_scale,), (0,)))
    return kernel_index, writer.constant(f"{name}/bias", steps, Quantization((bias_scale,), (0,)))


def _quantize_biased(kernel: NDArray[np.float32], bias: NDArray[np.float32],
                     source_scale: float) -> tuple[NDArray[np.int8], float, NDArray[np.int32]]:
    """int8 kernel (outputs, inputs), its scale, and the bias in steps of both scales."""
    # A kernel that is tiny beside its bias would push the bias out of int32: then the kernel gives up resolution.
    smallest = float(np.max(np.abs(bias))) / _BIAS_LIMIT / source_scale
    quantized = quantize_per_matrix(np.ascontiguousarray(kernel.T), smallest)
    scale = float(quantized.scales[0])
    steps = round_half_away(bias.astype(np.float64) / (source_scale * scale)).astype(np.int32)
    return quantized.values, scale, steps


def _quantization(affine: Affine) -> Quantization:
    return Quantization((affine.scale,), (affine.zero_point,))
