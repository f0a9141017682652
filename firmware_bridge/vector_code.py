"""A ``float32`` or ``w8`` file as C for machines with vectors (runtime/pedal_vector.c)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode

RUNTIME_FILES = ("pedal_gate_lanes.h", "pedal_lanes.h", "pedal_vector.c", "pedal_vector.h")
LANES = (4, 8, 16)
_LARGEST_STATE, _LARGEST_WEIGHT, _LARGEST_SUM = 32_767, 32_767, 65_500
GATE_FACTORS = np.array([0.5, 1.0 / np.log(2.0), 1.0, 0.5])
"""By gate, in Keras's order: what the kernel wants rows multiplied with."""

Float = NDArray[Any]


@dataclass(frozen=True)
class VectorKernel:
    """The switches of runtime/pedal_vector.c.

    Attributes:
        lanes: floats per vector, of ``LANES``. int16_weights: matrices and states of 16 bits.
        together: groups of units at once. late: groups whose states are added in a second pass.
        registers: states are spread out of registers. written_out: loops over groups are.
        scheduled: instructions are put in order before registers are given out (gcc's -fschedule-insns): shorter waits,
            more registers, so for one group of units only.
    """

    lanes: int
    int16_weights: bool = False
    together: int = 1
    late: int = 0
    registers: bool = False
    written_out: bool = True
    scheduled: bool = False

    @property
    def label(self) -> str:
        """For tables."""
        parts = [f"{self.lanes} lanes", f"{'int16' if self.int16_weights else 'float'} weights",
                 f"{self.together} together"]
        parts += [f"{self.late} late"] * bool(self.late)
        parts += ["registers"] * self.registers + ["scheduled"] * self.scheduled
        return ", ".join(parts)


def vector_code(file: TfliteFile, kernel: VectorKernel) -> GeneratedCode:
    """The C of a file. Raises ModelFileError when it holds no float network."""
    weights, manifest = read_weights(file), file.manifest()
    spec = weights.spec
    layout = _Layout(spec.hidden_size, kernel)
    defines = (
        define("LANES", kernel.lanes), define("UNITS", layout.units),
        define("INT16_WEIGHTS", int(kernel.int16_weights)), define("TOGETHER", kernel.together),
        define("LATE", kernel.late), define("REGISTERS", int(kernel.registers)),
        define("WRITTEN_OUT", int(kernel.written_out)),
        define("HEAD_BIAS", float_literal(weights.head_bias[0])),
        define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db))),
        define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db))),
    )
    matrices, weight_bytes = 2 * spec.num_layers - 1, 2 if kernel.int16_weights else 4
    steps = 16 * layout.units * matrices if kernel.int16_weights else 0
    return GeneratedCode(
        arithmetic="FLOAT", defines=defines, tables=tuple(_tables(weights, layout)), tables_header="pedal_vector.h",
        runtime_files=RUNTIME_FILES, state_bytes=spec.num_layers * (4 + weight_bytes) * layout.units,
        table_bytes=(matrices * 4 * layout.units**2 * weight_bytes + steps
                     + (4 * (spec.num_layers + 1) + 1) * 4 * layout.units))


class _Layout:
    """Where the units of a layer go. Attributes: units: with those that fill up the last vector."""

    def __init__(self, hidden_size: int, kernel: VectorKernel) -> None:
        self.kernel, self.units = kernel, -(-hidden_size // kernel.lanes) * kernel.lanes
        self._size = hidden_size

    def rows(self, matrix: Float) -> Float:
        """(inputs, 4·H) by gate to (inputs, groups, 4, lanes), with the kernel's factors."""
        inputs = len(matrix)
        filled = np.zeros((inputs, 4, self.units))
        filled[:, :, : self._size] = matrix.reshape(inputs, 4, self._size) * GATE_FACTORS[:, np.newaxis]
        return filled.reshape(inputs, 4, -1, self.kernel.lanes).transpose(0, 2, 1, 3)

    def states(self, matrix: Float) -> Float:
        """As :meth:`rows` of a matrix (H, 4·H) whose inputs are hidden states, with zeros for states that are none."""
        return self.rows(np.pad(matrix, ((0, self.units - len(matrix)), (0, 0))))

    def in_order(self, rows: Float) -> Float:
        """(units, groups, 4, lanes) as the kernel reads it."""
        units, groups, gates, lanes = rows.shape
        together = self.kernel.together
        if not self.kernel.int16_weights:
            return rows.reshape(units, groups // together, together, gates, lanes).transpose(1, 0, 2, 3, 4)
        pairs = rows.reshape(units // 2, 2, groups // together, together, gates, lanes)
        # Chunk, pair, group, gate; then lane by lane, but with four lanes state by state.
        return pairs.transpose((2, 0, 3, 4, 1, 5) if lanes == 4 else (2, 0, 3, 4, 5, 1))


def _tables(weights: NetworkWeights, layout: _Layout) -> Iterator[str]:
    for index, layer in enumerate(weights.layers):
        name = f"pedal_layer{index}"
        yield _floats(f"{name}_bias[PEDAL_ROWS]", layout.rows(layer.bias[np.newaxis]))
        if index == 0:
            yield _floats(f"{name}_kernel[PEDAL_ROWS]", layout.rows(layer.kernel))
        else:
            yield from _matrix(f"{name}_kernel", layer.kernel, layout)
        yield from _matrix(f"{name}_recurrent", layer.recurrent_kernel, layout)
    head = np.zeros(layout.units)
    head[: weights.spec.hidden_size] = weights.head_kernel[:, 0]
    yield _floats("pedal_head_weights[PEDAL_UNITS]", head)


def _matrix(name: str, matrix: Float, layout: _Layout) -> Iterator[str]:
    """Tables of a matrix whose inputs are hidden states."""
    rows = layout.states(matrix)
    if not layout.kernel.int16_weights:
        yield _floats(f"{name}[PEDAL_WEIGHTS]", layout.in_order(rows))
        return
    magnitude = np.abs(rows)
    step = np.maximum(magnitude.max(axis=0) / _LARGEST_WEIGHT, magnitude.sum(axis=0) / _LARGEST_SUM)
    step = np.where(step == 0.0, 1.0, step)
    items = map(str, layout.in_order(np.rint(rows / step).astype(np.int64)).ravel())
    yield array(f"const int16_t {name}[PEDAL_WEIGHTS] PEDAL_ALIGNED", [("", items)])
    yield _floats(f"{name}_steps[PEDAL_ROWS]", step / _LARGEST_STATE)


def _floats(declaration: str, values: Float) -> str:
    return array(f"const float {declaration} PEDAL_ALIGNED", [("", map(float_literal, values.ravel()))])
