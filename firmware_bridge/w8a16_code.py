"""A ``w8a16`` file as C: its integer network, number by number, for runtime/pedal_w8a16.c."""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.integer_activations import sigmoid_table
from neuralpedal.contract.integer_network import IntegerLayer, IntegerNetwork, ScaledMatrix, read_integer_network
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.audio_defines import decoding_defines, encoding_defines
from neuralpedal.firmware_bridge.c_text import array, define, int32_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode, padded
from neuralpedal.firmware_bridge.initial_state_code import initial_state_table
from neuralpedal.firmware_bridge.weight_layout import interleave, unit_groups, unit_order

RUNTIME_FILES = ("pedal_integer_tables.h", "pedal_w8a16.c", "pedal_w8a16.h", "pedal_w8a16_answer.h",
                 "pedal_first_state.c")


def w8a16_code(file: TfliteFile, int16_audio: bool) -> GeneratedCode:
    """The C of a file.

    Raises:
        ModelFileError: no ``w8a16`` file, or one whose weights do not fit its formats.
        FirmwareError: no fixed-point map for its gains.
    """
    network, manifest = read_integer_network(file), file.manifest()
    defines = w8a16_defines(network, manifest, int16_audio)
    size = network.layers[0].hidden_size
    weights = len(network.layers) * 2 - 1
    return GeneratedCode(
        arithmetic="W8A16", defines=defines, tables=tuple(_tables(network)), tables_header="pedal_w8a16.h",
        runtime_files=RUNTIME_FILES,
        state_bytes=len(network.layers) * (4 * size + 2 * padded(size)) + 2 * padded(size),
        table_bytes=weights * 8 * size * padded(size) + len(network.layers) * 48 * size + 2 * padded(size) + 4 * 1025,
        initial_state=w8a16_initial_state(network))


def w8a16_initial_state(network: IntegerNetwork) -> str:
    """What the layers begin in, for either kernel; empty for zero state."""
    if not any(np.any(values) for layer in network.layers for values in (layer.first_hidden, layer.first_cell)):
        return ""
    return initial_state_table([{"cell": map(str, layer.first_cell), "hidden": map(str, layer.first_hidden)}
                                for layer in network.layers])


def w8a16_defines(network: IntegerNetwork, manifest: Manifest, int16_audio: bool) -> tuple[str, ...]:
    """Formats, head and borders of the audio. Raises FirmwareError: no fixed-point map for its gains."""
    return (*_format_defines(network), *encoding_defines(network.input_code, manifest.input_gain_db, int16_audio),
            *decoding_defines(network.output_code, manifest.output_gain_db, int16_audio))


def _format_defines(network: IntegerNetwork) -> Iterator[str]:
    for index, layer in enumerate(network.layers):
        yield define(f"LAYER{index}_GATE_FRACTION_BITS", layer.format.gate_fraction_bits)
        yield define(f"LAYER{index}_CELL_FRACTION_BITS", layer.format.cell_fraction_bits)
    head = network.head
    yield define("HEAD_BIAS", int32_literal(head.bias))
    yield define("HEAD_MULTIPLIER", head.multiplier)
    yield define("HEAD_SHIFT", head.shift)
    yield define("SKIP_SHIFT", head.skip_shift or 0)
    yield define("OUTPUT_ZERO_POINT", 0)
    yield define("OUTPUT_GUARD_BITS", network.format.output_guard_bits)


def _tables(network: IntegerNetwork) -> Iterator[str]:
    for index, layer in enumerate(network.layers):
        kind = ["pedal_input_row", "pedal_hidden_row"][index]
        rows = unit_groups(_rows(layer), 4, layer.hidden_size)
        yield array(f"const {kind} pedal_layer{index}_rows[PEDAL_ROWS]", rows)
        if layer.kernel is not None:
            yield _weights(f"pedal_layer{index}_kernel", layer.kernel)
        yield _weights(f"pedal_layer{index}_recurrent", layer.recurrent)
    head = np.zeros(padded(network.layers[0].hidden_size), np.int64)
    head[: len(network.head.weights)] = network.head.weights
    yield array("const int16_t pedal_head_weights[PEDAL_HIDDEN_PADDED] PEDAL_ALIGNED", [("", map(str, head))])
    yield sigmoid_array()


def sigmoid_array(name: str = "pedal_sigmoid_table") -> str:
    """The table of the activations, the same for all models."""
    return array(f"const int32_t {name}[1025]", [("", map(str, sigmoid_table()))])


def row_columns(layer: IntegerLayer) -> tuple[Integers, ...]:
    """(4·H,) each, by gate: the columns of pedal_input_row, or of pedal_hidden_row for a layer with a kernel."""
    own = (layer.recurrent.multipliers, layer.recurrent.shifts)
    if layer.kernel is not None:
        return layer.bias, layer.kernel.multipliers, layer.kernel.shifts, *own
    assert layer.input_factors is not None
    return layer.bias, layer.input_factors, *own


def _rows(layer: IntegerLayer) -> list[str]:
    """Initializers by unit."""
    columns = row_columns(layer)
    return ["{" + ", ".join(int32_literal(int(column[row])) for column in columns) + "}"
            for row in unit_order(layer.hidden_size)]


def _weights(name: str, matrix: ScaledMatrix) -> str:
    items = [str(value) for value in interleave(matrix.weights)]
    size = len(matrix.weights) // 4
    return array(f"const int16_t {name}[PEDAL_WEIGHTS] PEDAL_ALIGNED", unit_groups(items, len(items) // size, size))
