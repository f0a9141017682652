"""A ``w8a8`` or ``tflm16x8`` file as C, for runtime/pedal_tflite.c."""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.interpolated_activations import sigmoid_nodes
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.state_tensors import first_tensors
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.audio_defines import answer_samples, decoding_defines, encoding_defines
from neuralpedal.firmware_bridge.c_text import array, define, int32_literal
from neuralpedal.firmware_bridge.coarse_fine_code import coarse_fine_defines, coarse_fine_tables
from neuralpedal.firmware_bridge.generated_code import GeneratedCode, padded
from neuralpedal.firmware_bridge.initial_state_code import initial_state_table
from neuralpedal.firmware_bridge.reciprocal_table import GATE_INTEGER_BITS, lines, reciprocals, steps
from neuralpedal.firmware_bridge.tflite_constants import (
    Factor,
    TfliteHead,
    TfliteLayer,
    TfliteNetwork,
    read_tflite_network,
)
from neuralpedal.firmware_bridge.weight_layout import interleave, unit_groups

_RECIPROCAL_BYTES, _FINE_RECIPROCAL_BYTES = 2 * 257 + 32769, 4 * 257 + 4 * 4097

_SHARED_FILES = ("pedal_factor.h", "pedal_integer_tables.h", "pedal_rescaling.h", "pedal_tflite.c", "pedal_tflite.h")


def tflite_code(file: TfliteFile, int16_audio: bool, interpreter: str | None) -> GeneratedCode:
    """The C of a file, in the arithmetic of ``interpreter``.

    Raises:
        ModelFileError: another scheme, or a graph that is not ours. SpecError: the scheme has no such kernels.
        FirmwareError: sums beyond 32 bits, no fixed-point map for its gains.
    """
    manifest = file.manifest()
    network = read_tflite_network(file, interpreter)
    kernels = "TFLM16X8" if manifest.scheme == TFLM16X8 else (interpreter or "litert").upper()
    by_lines = kernels != "LITERT"
    finest = [] if by_lines else fine_cells(network)
    tables = [*_network_tables(network), *([_nodes()] if by_lines else reciprocal_tables(finest)),
              *_audio_tables(network, manifest, int16_audio)]
    spec = manifest.recurrent
    size, channels = spec.hidden_size, network.layers[0].kernel.shape[1]
    weights = size * 8 * (padded(size) * (2 * spec.num_layers - 1) + channels)
    audio = {"float": 0, "plain": 512, "pair": 2048}[
        "pair" if int16_audio and len(network.heads) > 1 else
        "plain" if int16_audio and kernels != "TFLM16X8" else "float"]
    return GeneratedCode(
        arithmetic="TFLITE" if len(network.heads) == 1 else "TFLITE_PAIR",
        defines=(define(f"KERNELS_{kernels}", 1),
                 *(define(f"CELL_OF_{bits}_BITS", 1) for bits in finest),
                 *_defines(network, manifest, int16_audio)), tables=tuple(tables),
        tables_header="pedal_tflite.h",
        runtime_files=(*_SHARED_FILES, "pedal_lines.h" if by_lines else "pedal_gemmlowp.h"),
        state_bytes=spec.num_layers * (4 * size + 2 * padded(size)) + 2 * padded(size),
        table_bytes=weights + spec.num_layers * 32 * size + 2 * padded(size) + audio
        + (512 if by_lines else _RECIPROCAL_BYTES + _FINE_RECIPROCAL_BYTES * len(finest)),
        initial_state=_initial_state(file))


def _initial_state(file: TfliteFile) -> str:
    """What an interpreter's state tensors would hold."""
    values = [map(str, tensor[0]) for tensor in first_tensors(file).values()]
    return initial_state_table([{"cell": cell, "hidden": hidden} for hidden, cell in
                                zip(values[::2], values[1::2], strict=True)]) if values else ""


def _defines(network: TfliteNetwork, manifest: Manifest, int16_audio: bool) -> Iterator[str]:
    yield define("CHANNELS", network.layers[0].kernel.shape[1])
    for index, layer in enumerate(network.layers):
        yield define(f"LAYER{index}", _layer(layer))
    for name, head in zip(("HEAD", "FINE_HEAD"), network.heads, strict=False):
        yield define(f"{name}_BIAS", int32_literal(head.bias))
        yield define(f"{name}_FACTOR", _factor(head.factor))
        yield define(f"{name}_ZERO_POINT", head.target.zero_point)
    if network.add:
        yield define("ADD_HEAD_FACTOR", _factor(network.add.head))
        yield define("ADD_DRY_FACTOR", _factor(network.add.dry))
        yield define("ADD_FACTOR", _factor(network.add.total))
        yield define("ADD_LEFT_SHIFT", network.add.left_shift)
    if manifest.audio_code:
        yield from coarse_fine_defines(network, manifest, int16_audio)
        return
    yield from encoding_defines(network.input_code, manifest.input_gain_db, int16_audio)
    yield define("OUTPUT_ZERO_POINT", network.output_code.zero_point)
    yield from decoding_defines(network.output_code, manifest.output_gain_db, int16_audio)


def _layer(layer: TfliteLayer) -> str:
    heard, recurrent = ("{" + ", ".join(map(_factor, factors)) + "}"
                        for factors in (layer.heard_factors, layer.recurrent_factors))
    return (f"{{{heard}, {recurrent}, {_factor(layer.hidden_factor)}, {layer.cell_integer_bits}, "
            f"{layer.hidden_zero_point}, {int(layer.narrow)}}}")


def _factor(factor: Factor) -> str:
    return f"{{{factor[0]}, {factor[1]}}}"


def _network_tables(network: TfliteNetwork) -> Iterator[str]:
    for index, layer in enumerate(network.layers):
        twice = 2 if layer.narrow else 1
        size = layer.recurrent.shape[1]
        rows = [f"{{{int32_literal(twice * int(heard))}, {int32_literal(twice * int(own))}}}" for heard, own in
                zip(by_unit(layer.heard_bias), by_unit(layer.recurrent_bias), strict=True)]
        yield array(f"const pedal_tflite_row pedal_layer{index}_rows[PEDAL_ROWS]", unit_groups(rows, 4, size))
        kernel = by_unit(layer.kernel).ravel() if index == 0 else interleave(layer.kernel)
        length = "PEDAL_ROWS * PEDAL_CHANNELS" if index == 0 else "PEDAL_WEIGHTS"
        yield _weights(f"pedal_layer{index}_kernel[{length}]", twice * kernel, size)
        yield _weights(f"pedal_layer{index}_recurrent[PEDAL_WEIGHTS]", twice * interleave(layer.recurrent), size)
    yield _head(network.heads[0])


def _head(head: TfliteHead) -> str:
    filled = np.zeros(padded(len(head.weights)), np.int64)
    filled[: len(head.weights)] = head.weights
    return array("const int16_t pedal_head_weights[PEDAL_HIDDEN_PADDED] PEDAL_ALIGNED", [("", map(str, filled))])


def by_unit(rows: Integers) -> Integers:
    """(4·H, …) by gate to the same by unit."""
    return rows.reshape(4, -1, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)


def _weights(declaration: str, values: Integers, units: int) -> str:
    items = [str(value) for value in values]
    return array(f"const int16_t {declaration} PEDAL_ALIGNED", unit_groups(items, len(items) // units, units))


def _nodes() -> str:
    return array("const uint16_t pedal_sigmoid_nodes[256]", [("", map(str, sigmoid_nodes()))])


def fine_cells(network: TfliteNetwork) -> list[int]:
    """Integer bits of cells whose tanh has finer arguments than a sigmoid."""
    return sorted({layer.cell_integer_bits for layer in network.layers if layer.cell_integer_bits < GATE_INTEGER_BITS})


def reciprocal_tables(fine_cells: list[int]) -> Iterator[str]:
    """Of LiteRT's activations, with cells of such integer bits."""
    lowest, beyond = steps(reciprocals(GATE_INTEGER_BITS))
    yield array(f"const int16_t pedal_reciprocal_steps[{len(lowest)}]", [("", map(str, lowest))])
    yield array(f"const uint8_t pedal_reciprocal_beyond[{len(beyond)}]", [("", map(str, beyond))])
    for bits in fine_cells:
        knots, corrections = lines(reciprocals(bits))
        words = (f"0x{word:08X}u" for word in corrections)
        yield array(f"const int32_t pedal_reciprocal{bits}_lines[{len(knots)}]", [("", map(str, knots))])
        yield array(f"const uint32_t pedal_reciprocal{bits}_corrections[{len(corrections)}]", [("", words)])


def _audio_tables(network: TfliteNetwork, manifest: Manifest, int16_audio: bool) -> Iterator[str]:
    if not int16_audio:
        return
    if manifest.audio_code:
        yield from coarse_fine_tables(network, manifest)
    elif network.output_code.dtype == np.int8:
        yield array("const int16_t pedal_answer_samples[256]",
                    [("", map(str, answer_samples(network.output_code, manifest.output_gain_db)))])
