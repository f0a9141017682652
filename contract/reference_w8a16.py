"""The integer network of a ``w8a16`` file, written out: what every player of it must give, bit for bit.

The specification is docs/integer-lstm.md; tests hold this module and a scalar transcription of that page together.
Layers are computed one after the other over the whole block, because no later layer influences an earlier one, and the
input's share of the gates for all samples at once: only the recurrent share needs a loop over samples, whose cost is
the number of NumPy calls in it. Integers below 2⁵³ travel as float64 where that saves conversions (matrix products,
floors after multiplication by 15 bits times a power of two: exact), as int64 elsewhere.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN, Integers, saturate
from neuralpedal.contract.integer_activations import (
    ARGUMENT_BITS,
    ORIGIN,
    PLACE_BITS,
    PLACE_MASK,
    TANH_ONE,
    interpolation_rows,
)
from neuralpedal.contract.integer_format import CELL_BITS
from neuralpedal.contract.integer_network import IntegerHead, IntegerLayer, IntegerNetwork, ScaledMatrix

Float = NDArray[np.float64]

_PRODUCT_SHIFT = 16
_ORIGIN = ORIGIN + (1 << PLACE_BITS)
"""Place of the argument 0 among the interpolation rows, the first of which lies before the table."""
_CELL_LIMIT = 1 << (CELL_BITS - 1)


class W8A16ReferenceNetwork:
    """A streaming integer network that remembers its state between calls.

    Args:
        network: see :func:`neuralpedal.contract.integer_network.read_integer_network`.

    Attributes:
        network: the same.
        layers: with their states ``h`` and ``c``.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self.layers = [W8A16Layer(layer) for layer in network.layers]

    def reset(self) -> None:
        """Back to the state that it began in."""
        for layer in self.layers:
            layer.reset()

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Stream (T,) int16 samples; returns (T,) int16. Not real-time safe: about 20 µs per sample."""
        dry = samples.astype(np.int64)
        signal = dry[:, np.newaxis].astype(np.float64)
        for layer in self.layers:
            signal = layer.process(signal)
        return _head(self.network.head, self.network.format.output_guard_bits, signal, dry)

    def play(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stream (T,) float samples: encoded, processed, decoded."""
        return self.network.output_code.decode(self.process(self.network.input_code.encode(samples)))


class W8A16Layer:
    """One LSTM layer.

    Attributes:
        h: (H,) float64 holding int16, 15 fraction bits. c: (H,) int64 holding 31 bits.
    """

    def __init__(self, layer: IntegerLayer) -> None:
        self._layer = layer
        h, bits = layer.hidden_size, layer.format.gate_fraction_bits
        self._recurrent, self._factors = _float_rows(layer.recurrent)
        # One table serves all gates: tanh's argument is doubled, so its pre-activations are shifted by one bit more.
        self._to_argument = np.repeat(2.0 ** (ARGUMENT_BITS - bits) * np.array([1.0, 1.0, 2.0, 1.0]), h)
        self.h: Float = np.zeros(h)
        self._multiplicands = np.zeros(2 * h, dtype=np.int64)
        self.c: Integers = self._multiplicands[h:]
        self.reset()
        self._step = self._make_step()

    def reset(self) -> None:
        """Back to the state that it began in."""
        self.h = self._layer.first_hidden.astype(np.float64)
        self.c[:] = self._layer.first_cell

    def process(self, signal: Float) -> Float:
        """(T, inputs) to (T, H), float64 holding int16."""
        shares = self._input_shares(signal) * self._to_argument + _ORIGIN
        hidden = np.empty((len(signal), self._layer.hidden_size))
        for share, row in zip(shares, hidden, strict=True):
            self._step(share, row)
        self.h = self.h.copy()
        return hidden

    def _input_shares(self, signal: Float) -> Float:
        """What input and bias give to the gates, (T, 4H), in gate format."""
        if self._layer.input_factors is not None:
            return np.floor(signal * (self._layer.input_factors * 2.0**-_PRODUCT_SHIFT)) + self._layer.bias
        assert self._layer.kernel is not None
        rows, factors = _float_rows(self._layer.kernel)
        return np.floor((signal @ rows) * factors) + self._layer.bias

    def _make_step(self) -> Callable[[Float, Float], None]:
        """A function that advances the state by one sample: from the gates' shares (4H,), as table places, to h (H,).

        A closure over work arrays: what is left per sample is the calls into NumPy that the arithmetic needs.
        """
        h, bits = self._layer.hidden_size, self._layer.format.cell_fraction_bits
        weights, factors, to_argument = self._recurrent, self._factors, self._to_argument
        gates, places, activated = np.empty(4 * h), np.empty(4 * h, np.int64), np.empty(4 * h, np.int64)
        # The candidate stands beside the cell as the input gate stands beside the forget gate: one product for both.
        multiplicands, products = self._multiplicands, np.empty(2 * h, np.int64)
        input_and_forget, g, o = activated[: 2 * h], activated[2 * h : 3 * h], activated[3 * h :]
        candidate, cell, work = multiplicands[:h], self.c, np.empty(h, np.int64)
        written, kept = products[:h], products[h:]
        candidate_shift, candidate_offset = 30 - bits, (1 << (29 - bits)) - TANH_ONE
        left, right = max(21 - bits, 0), max(bits - 21, 0)
        activate_gates, activate_cell = _LookUp(4 * h, 0), _LookUp(h, TANH_ONE)
        layer = self

        def step(share: Float, hidden: Float) -> None:
            np.dot(layer.h, weights, out=gates)
            np.multiply(gates, factors, out=gates)
            np.floor(gates, out=gates)
            np.multiply(gates, to_argument, out=gates)
            np.add(gates, share, out=gates)
            np.copyto(places, gates, casting="unsafe")
            activate_gates(places, activated)
            np.add(g, candidate_offset, out=g)
            np.right_shift(g, candidate_shift, out=candidate)
            np.multiply(input_and_forget, multiplicands, out=products)
            np.add(kept, written, out=cell)
            np.add(cell, 1 << 30, out=cell)
            np.right_shift(cell, 31, out=cell)
            np.maximum(cell, -_CELL_LIMIT, out=cell)
            np.minimum(cell, _CELL_LIMIT - 1, out=cell)
            np.left_shift(cell, left, out=work) if left else np.right_shift(cell, right, out=work)
            np.add(work, _ORIGIN, out=work)
            activate_cell(work, work)
            np.multiply(work, o, out=work)
            np.add(work, 1 << 45, out=work)
            np.right_shift(work, 46, out=work)
            np.minimum(work, INT16_MAX, out=hidden)
            layer.h = hidden

        return step


class _LookUp:
    """Sigmoid of places among the interpolation rows, minus a constant, without allocation."""

    def __init__(self, size: int, less: int) -> None:
        self._rows = interpolation_rows() - np.array([less, 0])
        self._found, self._intervals = np.empty((size, 2), np.int64), np.empty(size, np.int64)
        self._values, self._slopes = self._found[:, 0], self._found[:, 1]

    def __call__(self, places: Integers, out: Integers) -> None:
        """``places`` is overwritten; it may be ``out``."""
        np.right_shift(places, PLACE_BITS, out=self._intervals)
        # Clipping saturates the argument.
        self._rows.take(self._intervals, axis=0, out=self._found, mode="clip")
        np.bitwise_and(places, PLACE_MASK, out=places)
        np.multiply(places, self._slopes, out=places)
        np.right_shift(places, PLACE_BITS, out=places)
        np.add(places, self._values, out=out)


def _float_rows(matrix: ScaledMatrix) -> tuple[Float, Float]:
    """Weights (inputs, rows) and what their sums are multiplied by before the floor."""
    factors = matrix.multipliers * 2.0 ** -(_PRODUCT_SHIFT + matrix.shifts)
    return np.ascontiguousarray(matrix.weights.T, dtype=np.float64), factors


def _head(head: IntegerHead, guard_bits: int, hidden: Float, dry: Integers) -> NDArray[np.int16]:
    """(T, H) to (T,): dense layer, skip, one rounding."""
    sums = (hidden @ head.weights.astype(np.float64)).astype(np.int64)
    total = head.bias + (sums * head.multiplier >> head.shift)
    if head.skip_shift is not None:
        total = total + (dry << head.skip_shift)
    return saturate(total >> guard_bits, INT16_MIN, INT16_MAX).astype(np.int16)
