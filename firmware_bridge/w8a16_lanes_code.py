"""A ``w8a16`` file as C for machines with vectors (runtime/pedal_w8a16_lanes.c)."""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.integer_network import IntegerNetwork, ScaledMatrix, read_integer_network
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.c_text import array, define, int32_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.lane_layout import LaneLayout
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from neuralpedal.firmware_bridge.w8a16_code import sigmoid_array, w8a16_defines, w8a16_initial_state

RUNTIME_FILES = ("pedal_integer_lanes.h", "pedal_lanes.h", "pedal_w8a16_answer.h", "pedal_w8a16_lanes.c",
                 "pedal_w8a16_lanes.h", "pedal_first_state.c")


def w8a16_lanes_code(file: TfliteFile, int16_audio: bool, kernel: VectorKernel) -> GeneratedCode:
    """The C of a file; of ``kernel``, ``lanes`` and ``together`` count. Raises as :func:`w8a16_code`."""
    network, manifest = read_integer_network(file), file.manifest()
    layers = len(network.layers)
    layout = LaneLayout(network.layers[0].hidden_size, kernel)
    defines = (
        define("LANES", kernel.lanes), define("UNITS", layout.units), define("INT16_WEIGHTS", 1),
        define("TOGETHER", kernel.together), *w8a16_defines(network, manifest, int16_audio),
    )
    matrices, rows = 2 * layers - 1, 4 * layout.units
    return GeneratedCode(
        arithmetic="W8A16", defines=defines, tables=tuple(_tables(network, layout)),
        tables_header="pedal_w8a16_lanes.h", runtime_files=RUNTIME_FILES, state_bytes=layers * 6 * layout.units,
        table_bytes=(matrices * rows * (2 * layout.units + 8) + (layers + 1) * 4 * rows + 2 * layout.units + 4 * 1025),
        initial_state=w8a16_initial_state(network))


def _tables(network: IntegerNetwork, layout: LaneLayout) -> Iterator[str]:
    for index, layer in enumerate(network.layers):
        name = f"pedal_layer{index}"
        yield _rows(f"{name}_bias", layer.bias, layout)
        if layer.input_factors is not None:
            yield _rows(f"{name}_factors", layer.input_factors, layout)
        if layer.kernel is not None:
            yield from _matrix(f"{name}_kernel", layer.kernel, layout)
        yield from _matrix(f"{name}_recurrent", layer.recurrent, layout)
    head = np.pad(network.head.weights, (0, layout.units - len(network.head.weights)))
    yield array("const int16_t pedal_head_weights[PEDAL_UNITS] PEDAL_ALIGNED", [("", map(str, head))])
    yield sigmoid_array()


def _matrix(name: str, matrix: ScaledMatrix, layout: LaneLayout) -> Iterator[str]:
    weights = layout.in_order(layout.states(matrix.weights.T))
    yield array(f"const int16_t {name}[PEDAL_WEIGHTS] PEDAL_ALIGNED", [("", map(str, weights.ravel()))])
    yield _rows(f"{name}_multipliers", matrix.multipliers, layout)
    yield _rows(f"{name}_shifts", matrix.shifts, layout)


def _rows(name: str, values: Integers, layout: LaneLayout) -> str:
    """A number for each row, (4·H,) by gate."""
    items = [int32_literal(int(value)) for value in layout.rows(values[np.newaxis]).ravel()]
    return array(f"const int32_t {name}[PEDAL_ROWS] PEDAL_ALIGNED", [("", items)])
