"""A ``w8a8`` file as a blob, for runtime/pedal_player_tflite.h: LiteRT's arithmetic, its tables included.

The tables of sigmoid and tanh travel with each model: a firmware that never plays such a one does not pay for 33 KiB.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.state_tensors import first_tensors
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.audio_defines import answer_samples
from neuralpedal.firmware_bridge.blob_parts import (
    audio_map,
    blob_constants,
    filled,
    float_map,
    int16_map,
    int16_table,
)
from neuralpedal.firmware_bridge.coarse_fine_code import DRY_SHIFT, pair_decoder, pair_input_map, pair_limit
from neuralpedal.firmware_bridge.link.protocol import Samples
from neuralpedal.firmware_bridge.reciprocal_table import GATE_INTEGER_BITS, lines, reciprocals, steps
from neuralpedal.firmware_bridge.tflite_code import by_unit, fine_cells
from neuralpedal.firmware_bridge.tflite_constants import TfliteLayer, TfliteNetwork, read_tflite_network
from neuralpedal.firmware_bridge.weight_layout import interleave


def w8a8_parts(file: TfliteFile, samples: Samples) -> Iterator[bytes]:
    """The constants, then the tables one by one.

    Raises:
        ModelFileError: a graph that is not ours. FirmwareError: sums beyond 32 bits, no fixed-point map of its audio.
    """
    manifest, network = file.manifest(), read_tflite_network(file, None)
    finest = fine_cells(network)
    yield _constants(network, manifest, samples, bytes([sum(1 << bits for bits in finest)]))
    yield _settings(network, manifest)
    for index, layer in enumerate(network.layers):
        yield _format(layer)
        yield from _layer_tables(layer, is_first=index == 0)
    yield int16_table(filled(network.heads[0].weights))
    lowest, beyond = steps(reciprocals(GATE_INTEGER_BITS))
    yield int16_table(lowest)
    yield beyond.astype(np.uint8).tobytes()
    for bits in finest:
        knots, corrections = lines(reciprocals(bits))
        yield _int32(knots)
        yield corrections.astype("<u4").tobytes()
    if samples == Samples.INT16:
        yield from _answers(network, manifest)
    yield from _beginning(file, network)


def _constants(network: TfliteNetwork, manifest: Manifest, samples: Samples, first: bytes) -> bytes:
    if not manifest.audio_code:
        return blob_constants(first, audio_map(samples, network.input_code, manifest.input_gain_db, is_input=True),
                              b"" if samples == Samples.INT16 else float_map(manifest.output_gain_db,
                                                                             network.output_code.scale))
    if samples == Samples.INT16:
        return blob_constants(first, int16_map(pair_input_map(network, manifest)), b"")
    step = network.input_code.scale / manifest.audio_code.ratio
    return blob_constants(first, float_map(manifest.input_gain_db, step), float_map(manifest.output_gain_db, 1.0))


def _settings(network: TfliteNetwork, manifest: Manifest) -> bytes:
    """pedal_tflite_settings."""
    head, fine, add = network.heads[0], network.heads[-1], network.add
    limits = np.iinfo(network.input_code.dtype)
    low, high, ratio_bits, dry = int(limits.min), int(limits.max), 0, 0
    if manifest.audio_code:
        ratio = manifest.audio_code.ratio
        low, high, ratio_bits = -pair_limit(ratio), pair_limit(ratio) - 1, ratio.bit_length() - 1
        dry = pair_decoder(head.target, fine.target, manifest).dry_multiplier
    zero_points = (0, 0) if manifest.audio_code else (network.input_code.zero_point, network.output_code.zero_point)
    words = [head.bias, *head.factor, head.target.zero_point, fine.bias, *fine.factor, fine.target.zero_point,
             *(add.head if add else (0, 0)), *(add.dry if add else (0, 0)), *(add.total if add else (0, 0)),
             add.left_shift if add else 0, zero_points[0], low, high, zero_points[1], ratio_bits, DRY_SHIFT]
    return struct.pack(f"<{len(words)}iffq", *words, head.target.scale, fine.target.scale, dry)


def _format(layer: TfliteLayer) -> bytes:
    """pedal_tflite_layer."""
    factors = [*layer.heard_factors, *layer.recurrent_factors, layer.hidden_factor]
    return _int32(np.array([*np.ravel(factors), layer.cell_integer_bits, layer.hidden_zero_point, int(layer.narrow)]))


def _layer_tables(layer: TfliteLayer, is_first: bool) -> Iterator[bytes]:
    twice = 2 if layer.narrow else 1
    yield _int32(twice * np.stack([by_unit(layer.heard_bias), by_unit(layer.recurrent_bias)], axis=1))
    yield int16_table(twice * (by_unit(layer.kernel).ravel() if is_first else interleave(layer.kernel)))
    yield int16_table(twice * interleave(layer.recurrent))


def _answers(network: TfliteNetwork, manifest: Manifest) -> Iterator[bytes]:
    """The samples of all int8 answers."""
    if not manifest.audio_code:
        yield int16_table(answer_samples(network.output_code, manifest.output_gain_db))
        return
    decoder = pair_decoder(network.heads[0].target, network.heads[1].target, manifest)
    yield _int32(decoder.coarse)
    yield _int32(decoder.fine)


def _beginning(file: TfliteFile, network: TfliteNetwork) -> Iterator[bytes]:
    """Cells and hidden states, where zero states lie at their zero points."""
    tensors = [values[0] for values in first_tensors(file).values()]
    for index, layer in enumerate(network.layers):
        size = layer.recurrent.shape[1]
        hidden: NDArray[Any] = tensors[2 * index] if tensors else np.full(size, layer.hidden_zero_point)
        cell: NDArray[Any] = tensors[2 * index + 1] if tensors else np.zeros(size)
        yield _int32(cell)
        yield int16_table(filled(hidden))


def _int32(values: Integers) -> bytes:
    return values.astype("<i4").tobytes()
