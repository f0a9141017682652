"""What an integer player of a ``w8a16`` file computes with: int8 weights, multipliers, shifts and biases.

All of it follows from the file by exact rules (docs/integer-lstm.md): the float32 scales and biases are multiplied by
powers of two and by integers of at most 8 bits, which float64 holds exactly, and rounded once to nearest, halves away
from zero. So two readers never disagree. And all sums that the player forms are proved to fit 32 bits here, from the
weights alone, whatever audio comes.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.fixed_point import Integers, quantize_multiplier, round_half_away
from neuralpedal.contract.initial_state import InitialState, checked_initial_state
from neuralpedal.contract.int8_constants import Int8Constants, Int8Matrix
from neuralpedal.contract.integer_format import CELL_BITS, HIDDEN_FRACTION_BITS, IntegerFormat, LayerFormat
from neuralpedal.contract.signal_chain import KERNELS, RECURRENTS, SignalChain, signal_chain
from neuralpedal.contract.tflite_file import TfliteFile

SCHEME = "w8a16"

MULTIPLIER_BITS = 15
"""Of the factors from sums of weight times hidden state to gate format."""

_INT32_LIMIT = 2**31
_PRODUCT_SHIFT, _HIDDEN_BITS = 16, 16
_LARGEST_SHIFT = 30
_LARGEST_HIDDEN = 2**HIDDEN_FRACTION_BITS
_LARGEST_INPUT = 2**15


@dataclass(frozen=True)
class ScaledMatrix:
    """Rows of int8 weights whose int32 sums become floor(sum · multiplier / 2^(16 + shift)).

    Attributes:
        weights: int64 (rows, inputs). multipliers: 0 or 2¹⁴ to 2¹⁵ − 1, (rows,). shifts: 0 to 30, (rows,).
    """

    weights: Integers
    multipliers: Integers
    shifts: Integers


@dataclass(frozen=True)
class IntegerLayer:
    """One LSTM layer of 4H rows: input, forget, cell and output gates, H each.

    Attributes:
        input_factors: (4H,) int32 of a layer with one input x: floor(factor · x / 2¹⁶); None for other layers.
        kernel: of a layer that reads a hidden state; None for the first.
        recurrent: of the layer's own hidden state. bias: (4H,) int32 in gate format.
        first_hidden, first_cell: (H,), what the layer begins in, 16 and 31 bits.
    """

    format: LayerFormat
    input_factors: Integers | None
    kernel: ScaledMatrix | None
    recurrent: ScaledMatrix
    bias: Integers
    first_hidden: Integers
    first_cell: Integers

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.recurrent.weights.shape[1]


@dataclass(frozen=True)
class IntegerHead:
    """The dense head, in output format with guard bits: bias + floor(sum · multiplier / 2^shift).

    Attributes:
        weights: int64 (H,). multiplier: 0 or 2³⁰ to 2³¹ − 1. shift: 0 to 62. bias: int32, half an output step included.
        skip_shift: left shift that brings the dry signal into this format; None without a skip.
    """

    weights: Integers
    multiplier: int
    shift: int
    bias: int
    skip_shift: int | None


@dataclass(frozen=True)
class IntegerNetwork:
    """Everything that an integer player needs."""

    format: IntegerFormat
    layers: tuple[IntegerLayer, ...]
    head: IntegerHead

    @property
    def input_code(self) -> AffineCode:
        """Float to int16: nearest, halves away from zero, saturating."""
        return AffineCode(2.0**-self.format.input_fraction_bits, 0, np.int16)

    @property
    def output_code(self) -> AffineCode:
        """Int16 to float."""
        return AffineCode(2.0**-self.format.output_fraction_bits, 0, np.int16)


def read_integer_network(file: TfliteFile) -> IntegerNetwork:
    """The integer network of a ``w8a16`` file.

    Raises:
        ModelFileError: another scheme, a graph that is not ours, formats that the weights do not fit.
    """
    manifest = file.manifest()
    if manifest.scheme != SCHEME or manifest.integer_format is None:
        raise ModelFileError(f"{file.path}: its scheme is {manifest.scheme}; integer formats are in {SCHEME} files "
                             "only; convert the model to that scheme")
    if manifest.recurrent.kind.has_frame:
        raise ModelFileError(f"{file.path}: a {manifest.recurrent.label} as {SCHEME}; only streaming LSTMs exist in "
                             "that scheme")
    chain, constants = signal_chain(file), Int8Constants(file)
    try:
        network = _derive(constants, chain, manifest.integer_format, manifest.recurrent.skip)
        state = checked_initial_state(manifest.recurrent, manifest.initial_state)
        return _begun(network, state) if state else network
    # Which of these a damaged constant raises depends on where it is met; all of it means the same.
    except (ValueError, OverflowError, IndexError, TypeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{file.path}: its integer network is damaged ({error}); convert it again") from error


def _derive(constants: Int8Constants, chain: SignalChain, formats: IntegerFormat, skip: bool) -> IntegerNetwork:
    if len(formats.layers) != len(chain.layers):
        raise ValueError(f"formats for {len(formats.layers)} layers, wanted {len(chain.layers)}")
    layers = tuple(
        make_layer(constants.stacked(operator, KERNELS), constants.stacked(operator, RECURRENTS),
                   constants.biases(operator), layer, formats.input_fraction_bits if index == 0 else None)
        for index, (operator, layer) in enumerate(zip(chain.layers, formats.layers, strict=True))
    )
    kernel, bias = constants.matrix(chain.head.inputs[1]), constants.bias(chain.head.inputs[2])
    return IntegerNetwork(formats, layers, make_head(kernel, bias, formats, skip))


def make_layer(kernel: Int8Matrix, recurrent: Int8Matrix, bias: NDArray[np.float64], formats: LayerFormat,
               input_fraction_bits: int | None) -> IntegerLayer:
    """One layer; ``input_fraction_bits`` of the int16 input, or None when it reads a hidden state.

    Raises:
        ValueError: the weights do not fit the formats.
    """
    bits, hidden_size = formats.gate_fraction_bits, recurrent.values.shape[1]
    if recurrent.values.shape[0] != 4 * hidden_size or bias.shape != (4 * hidden_size,):
        raise ValueError(f"gates of shapes {recurrent.values.shape} and {bias.shape}")
    factors = source = None
    if input_fraction_bits is None:
        source = _scale_rows(kernel, bits)
        input_peaks = _peaks(source)
    else:
        factors = _input_factors(kernel, bits - input_fraction_bits)
        input_peaks = (np.abs(factors) * _LARGEST_INPUT >> _PRODUCT_SHIFT) + 1
    own = _scale_rows(recurrent, bits)
    # Both products are floored, each half a step too low on average: the bias makes up for it.
    steps = _rounded(bias * 2.0**bits) + 1
    peak = int(np.max(np.abs(steps) + input_peaks + _peaks(own)))
    if peak >= _INT32_LIMIT:
        raise ValueError(f"gates reach 2^{math.log2(peak):.1f}, beyond 32 bits")
    zeros = np.zeros(hidden_size, np.int64)
    return IntegerLayer(formats, factors, source, own, steps, zeros, zeros)


def _begun(network: IntegerNetwork, state: InitialState) -> IntegerNetwork:
    """With layers that begin in a state. Whatever it is, it fits the formats: it saturates."""
    return replace(network, layers=tuple(
        replace(layer, first_hidden=_saturated(hidden, HIDDEN_FRACTION_BITS, _HIDDEN_BITS),
                first_cell=_saturated(cell, layer.format.cell_fraction_bits, CELL_BITS))
        for layer, (hidden, cell) in zip(network.layers, state, strict=True)))


def _saturated(values: NDArray[np.float32], fraction_bits: int, bits: int) -> Integers:
    limit = 1 << (bits - 1)
    steps = np.clip(values.astype(np.float64) * 2.0**fraction_bits, -limit, limit - 1)
    return round_half_away(steps).astype(np.int64)


def make_head(matrix: Int8Matrix, bias: NDArray[np.float64], formats: IntegerFormat, skip: bool) -> IntegerHead:
    """The head.

    Raises:
        ValueError: the weights do not fit the formats.
    """
    guard = formats.output_guard_bits
    bits = formats.output_fraction_bits + guard
    if matrix.values.shape[0] != 1 or bias.shape != (1,):
        raise ValueError(f"a head of shapes {matrix.values.shape} and {bias.shape}")
    multiplier, left = quantize_multiplier(float(matrix.scales[0]) * 2.0 ** (bits - HIDDEN_FRACTION_BITS))
    reach = _reach(matrix.values)[0]
    shift = 31 - left
    skip_shift = bits - formats.input_fraction_bits
    if not 0 <= shift <= 62 or skip_shift < 0:
        raise ValueError("the head's format is too coarse")
    steps = int(_rounded(bias * 2.0**bits)[0]) + (1 << guard >> 1)
    peak = abs(steps) + (reach * multiplier >> shift) + 1 + (_LARGEST_INPUT << skip_shift if skip else 0)
    if peak >= _INT32_LIMIT:
        raise ValueError(f"the output reaches 2^{math.log2(peak):.1f}, beyond 32 bits")
    return IntegerHead(matrix.values[0], multiplier, shift, steps, skip_shift if skip else None)


def _input_factors(kernel: Int8Matrix, bits: int) -> Integers:
    """weight · scale · 2^(bits + 16) of a kernel with one input."""
    if kernel.values.shape[1] != 1:
        raise ValueError(f"a first layer with {kernel.values.shape[1]} inputs, wanted 1")
    return _rounded(kernel.values[:, 0] * kernel.scales * 2.0 ** (bits + _PRODUCT_SHIFT))


def _scale_rows(matrix: Int8Matrix, bits: int) -> ScaledMatrix:
    """Multipliers and shifts of scale · 2^(bits − 15): from sums of weight times hidden state into gate format."""
    _reach(matrix.values)
    mantissas, exponents = np.frexp(matrix.scales * 2.0 ** (bits - HIDDEN_FRACTION_BITS))
    multipliers = _rounded(mantissas * 2.0**MULTIPLIER_BITS)
    carried = multipliers == 1 << MULTIPLIER_BITS
    multipliers, exponents = np.where(carried, multipliers >> 1, multipliers), exponents + carried
    shifts = -1 - exponents.astype(np.int64)
    # A row of zeros has a scale without meaning; a row that cannot move the gate by one step is nothing either.
    nothing = ~np.any(matrix.values, axis=1) | (shifts > _LARGEST_SHIFT)
    multipliers, shifts = np.where(nothing, 0, multipliers), np.where(nothing, 0, shifts)
    if np.any(shifts < 0):
        raise ValueError(f"a weight scale of {float(np.max(matrix.scales)):.3g} with {bits} gate fraction bits")
    return ScaledMatrix(matrix.values, multipliers, shifts)


def _peaks(matrix: ScaledMatrix) -> Integers:
    """The largest magnitude of each scaled sum, whatever the hidden state."""
    return (_reach(matrix.weights) * matrix.multipliers >> (_PRODUCT_SHIFT + matrix.shifts)) + 1


def _reach(values: Integers) -> Integers:
    """The largest magnitude of each row's sum. Raises ValueError beyond int32."""
    reach: Integers = np.sum(np.abs(values), axis=1) * _LARGEST_HIDDEN
    if np.max(reach) >= _INT32_LIMIT:
        raise ValueError(f"weights that sum to {np.max(reach) // _LARGEST_HIDDEN}, more than 65535 of 32 bits")
    return reach


def _rounded(values: NDArray[np.float64]) -> Integers:
    if not np.all(np.abs(values) < _INT32_LIMIT):
        raise ValueError(f"a constant of {float(np.max(np.abs(values))):.3g} steps, beyond 32 bits")
    return round_half_away(values).astype(np.int64)
