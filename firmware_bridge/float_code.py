"""A ``float32`` or ``w8`` file as C, for runtime/pedal_float.c.

The int8 weights of ``w8`` are multiplied with their scales here, for three more bytes of flash per weight: in the loop
that would cost a conversion per weight and sample, at start-up four bytes of RAM per weight.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.network_file import read_recurrent_weights
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.dense_code import dense_bytes, dense_defines, dense_stack_bytes, dense_tables
from neuralpedal.firmware_bridge.generated_code import STACK_BYTES, GeneratedCode, padded
from neuralpedal.firmware_bridge.initial_state_code import initial_state_table
from neuralpedal.firmware_bridge.unit_rows import kind_of, unit_rows
from neuralpedal.firmware_bridge.weight_layout import unit_groups

_RUNTIME_FILES = ("pedal_activations.h", "pedal_float.c", "pedal_float.h", "pedal_first_state.c")


def float_code(file: TfliteFile) -> GeneratedCode:
    """The C of a file. Raises ModelFileError when it holds no float network."""
    weights, manifest = read_recurrent_weights(file), file.manifest()
    spec = weights.spec
    size, kind = spec.hidden_size, kind_of(weights)
    defines = (
        *kind.defines,
        define("HEAD_BIAS", float_literal(weights.head_bias[0])),
        define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db))),
        define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db))),
        *dense_defines(weights),
    )
    return GeneratedCode(
        arithmetic="FLOAT", defines=defines, tables=tuple(_tables(weights)), tables_header="pedal_float.h",
        runtime_files=(*_RUNTIME_FILES, kind.unit_file, *["pedal_dense.h"] * spec.bends),
        state_bytes=4 * (spec.num_layers * (size + padded(size)) + padded(size)),
        table_bytes=4 * (sum(unit_rows(layer).size for layer in weights.layers) + (0 if spec.head else size))
        + dense_bytes(weights),
        initial_state=_initial_state(weights), stack_bytes=STACK_BYTES + dense_stack_bytes(weights))


def _initial_state(weights: NetworkWeights) -> str:
    if weights.initial_state is None:
        return ""
    return initial_state_table([{"cell": map(float_literal, cell), "hidden": map(float_literal, hidden)}
                                for hidden, cell in weights.initial_state])


def _tables(weights: NetworkWeights) -> Iterator[str]:
    for index, layer in enumerate(weights.layers):
        rows, heard = unit_rows(layer), "PEDAL_HIDDEN" if index else "PEDAL_HEARD"
        for name, matrix, length in (("bias", rows.bias[np.newaxis], "PEDAL_BIASES"),
                                     ("kernel", rows.kernel, f"PEDAL_ROWS * {heard}"),
                                     ("recurrent", rows.recurrent, "PEDAL_ROWS * PEDAL_HIDDEN")):
            yield _table(f"pedal_layer{index}_{name}[{length}]", matrix, layer.hidden_size)
    yield from dense_tables(weights)
    head = map(float_literal, weights.head_kernel[:, 0])
    yield array("const float pedal_head_weights[PEDAL_SUMMED]", [("", head)])


def by_unit(matrix: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """(inputs, R·H) row by row, in the order in which the kernel reads it: unit, input, row."""
    ordered: NDArray[np.float32] = matrix.reshape(len(matrix), -1, size).transpose(2, 0, 1).ravel()
    return ordered


def _table(declaration: str, matrix: NDArray[np.float32], size: int) -> str:
    items = [float_literal(value) for value in by_unit(matrix, size)]
    return array(f"const float {declaration}", unit_groups(items, matrix.size // size, size))
