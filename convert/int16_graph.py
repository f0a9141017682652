"""The network in tflite-micro's 16×8 integers: int8 weights, int16 audio and hidden states, int16 cells, int64 biases.

For those whose firmware runs tflite-micro. Full LiteRT has no such LSTM. 16-bit signals round a hundred times finer
than ``w8a8``, but the narrow formats inside are the same: gate pre-activations saturate at ±8, each gate matrix has one
weight scale, and the cell is int16 with a power of two as its scale. A slow integrator loses its small steps there:
such networks want ``w8a16``.
All zero points are 0, and audio scales are powers of two that leave room above what was calibrated. tflite-micro
accepts int32 biases too, and then plays garbage.
Sources: tensorflow/lite/micro/kernels/{unidirectional_sequence_lstm, lstm_eval_common, fully_connected, add}.cc.
"""

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.integer_kernels import MAX_CELL_INTEGER_BITS
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.weights import GATES, NetworkWeights, RecurrentWeights
from neuralpedal.convert.calibration import ActivationRanges
from neuralpedal.convert.float_graph import head_options, lstm_inputs
from neuralpedal.convert.layouts import Layout, add_answer, layout_of
from neuralpedal.convert.self_description import self_description
from neuralpedal.convert.signal_grids import SignalGrids
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter
from neuralpedal.convert.weight_quantization import WIDE_BIAS_LIMIT, quantize_per_matrix, quantize_with_bias

_INT16_HEAD = 7
_INT16_ADD = 4
_GATE = Quantization((2.0**-12,), (0,))
_HIDDEN = AffineCode(2.0**-15, 0, np.int16)
_HEADROOM = 1.25


def build_tflm16x8(weights: NetworkWeights, ranges: ActivationRanges, manifest: Manifest) -> bytes:
    """The file, with audio and cell formats that hold ``ranges``. Raises SpecError as :func:`layout_of`."""
    return build_tflm16x8_on(weights, choose_int16_grids(ranges, weights.spec.skip), manifest)


def choose_int16_grids(ranges: ActivationRanges, skip: bool) -> SignalGrids:
    """Powers of two that hold ``ranges``."""
    dry, head, wet = (audio_grid(found.peak) for found in (ranges.input, ranges.head, ranges.output))
    return SignalGrids(dry, (_HIDDEN,) * len(ranges.hidden), tuple(cell_scale(cell.peak) for cell in ranges.cell),
                       head if skip else wet, wet)


def build_tflm16x8_on(weights: NetworkWeights, grids: SignalGrids, manifest: Manifest) -> bytes:
    """The file on given int16 grids, such as those that weights were tuned for. Raises as :func:`build_tflm16x8`."""
    spec, layout = weights.spec, layout_of(weights.spec)
    writer = TfliteWriter(f"neuralpedal {spec.label} {manifest.scheme}")
    dry = layout.add_signal(writer, "dry", 1, np.int16, _quantization(grids.dry))
    signal, code = dry, grids.dry
    for index, (layer, hidden, cell) in enumerate(zip(weights.layers, grids.hidden, grids.cell_scales, strict=True)):
        signal = _add_layer(writer, layout, f"lstm_{index}", layer, (signal, code), (hidden, cell))
        code = hidden
    signal = _add_head(writer, weights, (signal, code), grids.head)
    if spec.skip:
        signal = _add_skip(writer, dry, signal, grids.wet)
    return writer.finish([dry], [signal], self_description(weights, manifest))


def audio_grid(peak: float) -> AffineCode:
    """The int16 grid whose range is a power of two, at least ±1 and a quarter more than ``peak``."""
    return AffineCode(2.0 ** (math.ceil(math.log2(max(peak * _HEADROOM, 1.0))) - 15), 0, np.int16)


def cell_scale(peak: float) -> float:
    """The scale of a cell whose range is the next power of two above ``peak``, from ±1 to ±32768."""
    return 2.0 ** (min(math.ceil(math.log2(max(peak, 1.0))), MAX_CELL_INTEGER_BITS) - 15)


def _add_layer(writer: TfliteWriter, layout: Layout, name: str, layer: RecurrentWeights,
               source: tuple[int, AffineCode], state: tuple[AffineCode, float]) -> int:
    """One integer LSTM on a signal and its grid, with the grids of h and c; returns its hidden sequence."""
    h, (signal, code), hidden = layer.hidden_size, source, _quantization(state[0])
    kernels, recurrents, biases = [], [], []
    for index, gate in enumerate(GATES):
        kernel, recurrent, bias = layer.gate(index)
        kernel_index, bias_index = _add_biased(writer, f"{name}/{gate}", kernel, bias, code)
        kernels.append(kernel_index)
        biases.append(bias_index)
        quantized = quantize_per_matrix(np.ascontiguousarray(recurrent.T))
        recurrents.append(writer.constant(f"{name}/{gate}/recurrent_kernel", quantized.values,
                                          Quantization((float(quantized.scales[0]),), (0,))))
    states = [layout.add_state(writer, f"{name}/h", h, np.int16, hidden),
              layout.add_state(writer, f"{name}/c", h, np.int16, Quantization((state[1],), (0,)))]
    # Grids alone, as in w8a8: tflite-micro does not read them, converters write them.
    inner = [writer.activation(f"{name}/{gate}/inner", (0,), np.int16, _GATE) for gate in GATES]
    inner.append(writer.activation(f"{name}/hidden/inner", (0,), np.int16, hidden))
    output = layout.add_signal(writer, f"{name}/hidden", h, np.int16, hidden)
    writer.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, 1,
                    lstm_inputs(signal, kernels, recurrents, biases, states), [output], layout.lstm_options(), inner)
    return output


def _add_head(writer: TfliteWriter, weights: NetworkWeights, hidden: tuple[int, AffineCode], code: AffineCode) -> int:
    kernel, bias = _add_biased(writer, "head", weights.head_kernel, weights.head_bias, hidden[1])
    output = add_answer(writer, "head", 1, np.int16, _quantization(code))
    writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, _INT16_HEAD, [hidden[0], kernel, bias], [output],
                    head_options())
    return output


def _add_skip(writer: TfliteWriter, dry: int, head: int, code: AffineCode) -> int:
    output = add_answer(writer, "wet", 1, np.int16, _quantization(code))
    writer.operator(schema.BuiltinOperator.ADD, _INT16_ADD, [head, dry], [output],
                    (schema.BuiltinOptions.AddOptions, schema.AddOptionsT(potScaleInt16=False)))
    return output


def _add_biased(writer: TfliteWriter, name: str, kernel: NDArray[np.float32], bias: NDArray[np.float32],
                source: AffineCode) -> tuple[int, int]:
    """A kernel and its int64 bias on the product of both scales; returns both indices."""
    biased = quantize_with_bias(np.ascontiguousarray(kernel.T), bias, source.scale, WIDE_BIAS_LIMIT)
    scale = float(biased.weights.scales[0])
    bias_scale = float(np.float32(source.scale) * np.float32(scale))
    return (writer.constant(f"{name}/kernel", biased.weights.values, Quantization((scale,), (0,))),
            writer.constant(f"{name}/bias", biased.bias, Quantization((bias_scale,), (0,))))


def _quantization(code: AffineCode) -> Quantization:
    return Quantization((code.scale,), (code.zero_point,))
