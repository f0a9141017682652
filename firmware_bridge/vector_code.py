"""A ``float32`` or ``w8`` file as C for machines with vectors (runtime/pedal_vector.c).

Large networks keep their matrices as int16 with a step per row and segment: as many weights again fit the first cache,
and one instruction takes two of them. For ``w8`` that loses nothing of the weights; the states are rounded to 15 bits.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.audio_defines import linear_gain
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode

RUNTIME_FILES = ("pedal_lanes.h", "pedal_vector.c", "pedal_vector.h")
LANES = (4, 8, 16)
SEGMENT = 32
"""Hidden states whose products are summed in 32 bits: the fewer, the finer a weight's step."""
LARGEST_STATE = 32767
_LARGEST_SUM = 65_500
_HALVED = np.array([0.5, 1.0, 1.0, 0.5])
"""By gate, in Keras's order: sigmoid x = (1 + tanh(x / 2)) / 2, but for the forget gate, which is an exponential."""

Float = NDArray[Any]


def vector_code(file: TfliteFile, lanes: int, int16_weights: bool) -> GeneratedCode:
    """The C of a file.

    Args:
        lanes: floats per vector, of ``LANES``. int16_weights: matrices of int16 instead of float.

    Raises:
        ModelFileError: it holds no float network.
    """
    weights, manifest = read_weights(file), file.manifest()
    spec = weights.spec
    layout = _Layout(spec.hidden_size, lanes)
    defines = (
        define("LANES", lanes), define("UNITS", layout.units), define("INT16_WEIGHTS", int(int16_weights)),
        define("SEGMENT", SEGMENT), define("HEAD_BIAS", float_literal(weights.head_bias[0])),
        define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db))),
        define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db))),
    )
    states = 2 * layout.units * (2 if int16_weights else 4)
    tables = tuple(_tables(weights, layout, int16_weights))
    return GeneratedCode(
        arithmetic="FLOAT", defines=defines, tables=tables, tables_header="pedal_vector.h",
        runtime_files=RUNTIME_FILES, state_bytes=spec.num_layers * (4 * layout.units + states),
        table_bytes=_matrix_bytes(weights, layout, int16_weights) + (4 * (spec.num_layers + 1) + 1) * 4 * layout.units)


class _Layout:
    """Where the units of a layer go. Attributes: units: with those that fill up the last vector."""

    def __init__(self, hidden_size: int, lanes: int) -> None:
        self.lanes, self.units = lanes, -(-hidden_size // lanes) * lanes
        self._size = hidden_size

    def rows(self, matrix: Float) -> Float:
        """(inputs, 4·H) by gate to (groups, inputs, 4, lanes), halved where the kernel wants halves."""
        inputs = len(matrix)
        filled = np.zeros((inputs, 4, self.units))
        filled[:, :, : self._size] = matrix.reshape(inputs, 4, self._size) * _HALVED[:, np.newaxis]
        return filled.reshape(inputs, 4, -1, self.lanes).transpose(2, 0, 1, 3)


def _tables(weights: NetworkWeights, layout: _Layout, int16_weights: bool) -> Iterator[str]:
    for index, layer in enumerate(weights.layers):
        name = f"pedal_layer{index}"
        yield _floats(f"{name}_bias[PEDAL_ROWS]", layout.rows(layer.bias[np.newaxis]))
        if index == 0:
            yield _floats(f"{name}_kernel[PEDAL_ROWS]", layout.rows(layer.kernel))
        else:
            yield from _matrix(f"{name}_kernel", layout.rows(layer.kernel), int16_weights)
        yield from _matrix(f"{name}_recurrent", layout.rows(layer.recurrent_kernel), int16_weights)
    head = np.zeros(layout.units)
    head[: weights.spec.hidden_size] = weights.head_kernel[:, 0]
    yield _floats("pedal_head_weights[PEDAL_UNITS]", head)


def _matrix(name: str, rows: Float, int16_weights: bool) -> Iterator[str]:
    """Tables of a matrix whose inputs are hidden states."""
    if not int16_weights:
        yield _floats(f"{name}[PEDAL_WEIGHTS]", rows)
        return
    groups, _, _, lanes = rows.shape
    integers, steps = _rounded(rows)
    pairs = integers.reshape(groups, -1, 2, 4, lanes)
    order = (0, 1, 3, 2, 4) if lanes == 4 else (0, 1, 3, 4, 2)
    items = map(str, pairs.transpose(order).ravel())
    yield array(f"const int16_t {name}[PEDAL_WEIGHTS] PEDAL_ALIGNED", [("", items)])
    yield _floats(f"{name}_steps[PEDAL_ROWS * PEDAL_SEGMENTS]", steps)


def _rounded(rows: Float) -> tuple[NDArray[np.int64], Float]:
    """Weights (groups, inputs, 4, lanes), inputs filled up to pairs, and steps (groups, segments, 4, lanes)."""
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2), (0, 0), (0, 0)))
    integers, steps = [], []
    for first in range(0, rows.shape[1], SEGMENT):
        part = rows[:, first : first + SEGMENT]
        magnitude = np.abs(part)
        step = np.maximum(magnitude.max(axis=1) / LARGEST_STATE, magnitude.sum(axis=1) / _LARGEST_SUM)
        step = np.where(step == 0.0, 1.0, step)[:, np.newaxis]
        integers.append(np.rint(part / step).astype(np.int64))
        steps.append(step / LARGEST_STATE)
    return np.concatenate(integers, axis=1), np.concatenate(steps, axis=1)


def _matrix_bytes(weights: NetworkWeights, layout: _Layout, int16_weights: bool) -> int:
    size, matrices = weights.spec.hidden_size, 2 * weights.spec.num_layers - 1
    if not int16_weights:
        return matrices * 16 * layout.units * size
    inputs = size + size % 2
    return matrices * 4 * layout.units * (2 * inputs + 4 * -(-inputs // SEGMENT))


def _floats(declaration: str, values: Float) -> str:
    return array(f"const float {declaration} PEDAL_ALIGNED", [("", map(float_literal, values.ravel()))])
