"""A ``float32`` or ``w8`` file as C for machines with vectors (runtime/pedal_vector.c)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.network_file import read_recurrent_weights
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.dense_code import dense_bytes, dense_defines, dense_tables
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.initial_state_code import initial_state_table
from neuralpedal.firmware_bridge.lane_layout import LaneLayout
from neuralpedal.firmware_bridge.unit_rows import filled_rows, kind_of
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel

_RUNTIME_FILES = ("pedal_gate_lanes.h", "pedal_lanes.h", "pedal_vector.c", "pedal_vector.h", "pedal_first_state.c")
_LARGEST_STATE, _LARGEST_WEIGHT, _LARGEST_SUM = 32_767, 32_767, 65_500

Float = NDArray[Any]


def vector_code(file: TfliteFile, kernel: VectorKernel) -> GeneratedCode:
    """The C of a file. Raises ModelFileError when it holds no float network."""
    weights, manifest = read_recurrent_weights(file), file.manifest()
    spec = weights.spec
    if spec.bends and kernel.int16_weights:
        raise SpecError(f"{file.path}: a {spec.label}; dense layers that bend want states of float")
    kind = kind_of(weights)
    layout = LaneLayout(spec.hidden_size, kernel, kind.factors)
    defines = (
        *kind.defines,
        define("LANES", kernel.lanes), define("UNITS", layout.units),
        define("INT16_WEIGHTS", int(kernel.int16_weights)), define("TOGETHER", kernel.together),
        define("LATE", kernel.late), define("REGISTERS", int(kernel.registers)),
        define("WRITTEN_OUT", int(kernel.written_out)), define("PRECISE", int(kernel.precise)),
        define("HEAD_BIAS", float_literal(weights.head_bias[0])),
        define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db))),
        define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db))),
        *dense_defines(weights),
    )
    matrices, weight_bytes = 2 * spec.num_layers - 1, 2 if kernel.int16_weights else 4
    steps = 16 * layout.units * matrices if kernel.int16_weights else 0
    return GeneratedCode(
        arithmetic="FLOAT", defines=defines, tables=tuple(_tables(weights, layout)), tables_header="pedal_vector.h",
        runtime_files=(*_RUNTIME_FILES, kind.lanes_file, *["pedal_activations.h", "pedal_dense.h"] * spec.bends),
        state_bytes=spec.num_layers * (4 + weight_bytes) * layout.units,
        table_bytes=(matrices * 4 * layout.units**2 * weight_bytes + steps
                     + (4 * (spec.num_layers + spec.layer_input_sizes[0]) + (not spec.head)) * 4 * layout.units
                     + dense_bytes(weights)),
        initial_state=_initial_state(weights, kernel))


def _initial_state(weights: NetworkWeights, kernel: VectorKernel) -> str:
    """Units that fill up a vector begin in zero. States of 16 bits must lie within ±1: see ``holds_beginning``."""
    if weights.initial_state is None:
        return ""
    return initial_state_table([
        {"cell": map(float_literal, cell), "hidden": map(str, np.rint(hidden * _LARGEST_STATE).astype(np.int64))
         if kernel.int16_weights else map(float_literal, hidden)} for hidden, cell in weights.initial_state])


def holds_beginning(weights: NetworkWeights) -> bool:
    """Whether states of 16 bits hold the hidden state that a network begins in."""
    return all(np.max(np.abs(hidden)) <= 1.0 for hidden, _ in weights.initial_state or ())


def _tables(weights: NetworkWeights, layout: LaneLayout) -> Iterator[str]:
    for index, layer in enumerate(weights.layers):
        name, rows = f"pedal_layer{index}", filled_rows(weights.spec.kind.cell, layer)
        yield _floats(f"{name}_bias[PEDAL_ROWS]", layout.rows(rows.bias[np.newaxis]))
        if index == 0:
            yield _floats(f"{name}_kernel[PEDAL_ROWS * PEDAL_HEARD]", layout.rows(rows.kernel))
        else:
            yield from _matrix(f"{name}_kernel", rows.kernel, layout)
        yield from _matrix(f"{name}_recurrent", rows.recurrent, layout)
    yield from dense_tables(weights, by_input=True)
    if weights.head:
        yield _floats("pedal_head_weights[PEDAL_SUMMED]", weights.head_kernel)
        return
    head = np.zeros(layout.units)
    head[: weights.spec.hidden_size] = weights.head_kernel[:, 0]
    yield _floats("pedal_head_weights[PEDAL_UNITS]", head / _LARGEST_STATE if layout.kernel.int16_weights else head)


def _matrix(name: str, matrix: Float, layout: LaneLayout) -> Iterator[str]:
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
