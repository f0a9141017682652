"""A model as one piece of bytes that a board's firmware plays where it lies: format 1 of docs/link-protocol.md.

The tables are those of the generated C, in the kernels' own order; header, constants and sizes are checked by
runtime/pedal_blob.c, byte by byte, before anything plays.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.integer_network import IntegerNetwork, read_integer_network
from neuralpedal.contract.manifest import FLOAT_SCHEMES
from neuralpedal.contract.network_file import read_recurrent_weights
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.blob_parts import audio_map, blob_constants, filled, int16_table
from neuralpedal.firmware_bridge.float_code import by_unit
from neuralpedal.firmware_bridge.link.protocol import DIGEST_BYTES, NAME_BYTES, Arithmetic, Samples
from neuralpedal.firmware_bridge.tflite_blob import w8a8_parts
from neuralpedal.firmware_bridge.unit_rows import unit_rows
from neuralpedal.firmware_bridge.w8a16_code import row_columns
from neuralpedal.firmware_bridge.weight_layout import interleave, unit_order

MAGIC, FORMAT = b"NPdl", 1
_ALIGNMENT = 8
_SKIP, _BEGINS = 1, 2
W8A8 = "w8a8"
_ARITHMETICS = {("lstm", W8A16): Arithmetic.W8A16, ("lstm", W8A8): Arithmetic.W8A8,
                **{("lstm", scheme): Arithmetic.FLOAT for scheme in FLOAT_SCHEMES},
                **{("gru", scheme): Arithmetic.GRU for scheme in FLOAT_SCHEMES}}
"""By family and scheme."""
_START = struct.Struct("<4sHBBII")
_IDENTITY = struct.Struct(f"<IBBH{DIGEST_BYTES}s{NAME_BYTES}s")
_INPUT_ROW = np.dtype([("bias", "<i4"), ("factor", "<i4"), ("multiplier", "<i2"), ("shift", "<i2")])
_HIDDEN_ROW = np.dtype([("bias", "<i4"), ("kernel_multiplier", "<i2"), ("kernel_shift", "<i2"), ("multiplier", "<i2"),
                        ("shift", "<i2")])


@dataclass(frozen=True)
class ModelBlob:
    """Bytes with what identifies them: ``crc`` of the content, ``digest`` of the file that it was made from."""

    content: bytes
    arithmetic: Arithmetic
    crc: int
    digest: bytes
    name: str


def write_blob(model: Path, samples: Samples) -> ModelBlob:
    """The blob of a ``.tflite`` file, for a board with such samples.

    Raises:
        ModelFileError: not readable, or a scheme or family that no player exists for.
        FirmwareError: no fixed-point map of its audio.
    """
    file = read_tflite(model)
    manifest = file.manifest()
    arithmetic = _ARITHMETICS.get((manifest.network.family, manifest.scheme))
    if arithmetic is None:
        raise ModelFileError(f"{file.path}: a {manifest.network.label} as {manifest.scheme} has no player on a board; "
                             f"convert an LSTM to {_played('lstm')} or a GRU to {_played('gru')}, or flash its C "
                             "(neuralpedal firmware)")
    if arithmetic == Arithmetic.W8A8 and manifest.audio_code:
        arithmetic = Arithmetic.W8A8_PAIR
    spec = manifest.recurrent
    if spec.bends:
        raise ModelFileError(f"{file.path}: a {spec.label}, and a player on a board has no dense layers that bend; "
                             "flash its C (neuralpedal firmware)")
    constants, *tables = _PARTS[arithmetic](file, samples)
    digest = blob_digest(model)
    name = manifest.name.encode()[:NAME_BYTES].decode(errors="ignore")
    flags = _SKIP * spec.skip | _BEGINS * (manifest.initial_state is not None or manifest.scheme == W8A8)
    body = _IDENTITY.pack(spec.sample_rate_hz, spec.num_layers, flags, spec.hidden_size, digest, name.encode())
    body += constants + b"".join(_aligned(table) for table in tables)
    crc = zlib.crc32(body)
    start = _START.pack(MAGIC, FORMAT, arithmetic, samples, _START.size + len(body), crc)
    return ModelBlob(start + body, arithmetic, crc, digest, name)


def _played(family: str) -> str:
    return ", ".join(scheme for one, scheme in _ARITHMETICS if one == family)


def blob_digest(model: Path) -> bytes:
    """By which a board says from which file its model was made."""
    return hashlib.sha256(model.read_bytes()).digest()[:DIGEST_BYTES]


def _aligned(table: bytes) -> bytes:
    return table + bytes(-len(table) % _ALIGNMENT)


def _float_parts(file: TfliteFile, samples: Samples) -> Iterator[bytes]:
    weights, manifest = read_recurrent_weights(file), file.manifest()
    gains = (struct.pack("<f", linear_gain(gain_db)) for gain_db in (manifest.input_gain_db, manifest.output_gain_db))
    yield blob_constants(struct.pack("<f", weights.head_bias[0]), *gains)
    yield from _float_tables(weights)


def _float_tables(weights: NetworkWeights) -> Iterator[bytes]:
    for layer in weights.layers:
        rows = unit_rows(layer)
        for matrix in (rows.bias[np.newaxis], rows.kernel, rows.recurrent):
            yield by_unit(matrix, layer.hidden_size).astype("<f4").tobytes()
    yield weights.head_kernel[:, 0].astype("<f4").tobytes()
    for hidden, cell in weights.initial_state or ():
        yield cell.astype("<f4").tobytes()
        yield filled(hidden).astype("<f4").tobytes()


def _w8a16_parts(file: TfliteFile, samples: Samples) -> Iterator[bytes]:
    network, manifest = read_integer_network(file), file.manifest()
    head, formats = network.head, [layer.format for layer in network.layers]
    bits = [[*values, 0][:2] for values in ([one.gate_fraction_bits for one in formats],
                                            [one.cell_fraction_bits for one in formats])]
    first = struct.pack("<iiBBBBBBB", head.bias, head.multiplier, head.shift, head.skip_shift or 0,
                        network.format.output_guard_bits, *bits[0], *bits[1])
    yield blob_constants(first, audio_map(samples, network.input_code, manifest.input_gain_db, is_input=True),
                     audio_map(samples, network.output_code, manifest.output_gain_db, is_input=False))
    yield from _w8a16_tables(network, manifest.initial_state is not None)


def _w8a16_tables(network: IntegerNetwork, begins: bool) -> Iterator[bytes]:
    for layer in network.layers:
        dtype, order = (_HIDDEN_ROW if layer.kernel else _INPUT_ROW), unit_order(layer.hidden_size)
        rows = np.zeros(4 * layer.hidden_size, dtype)
        for name, column in zip(dtype.names or (), row_columns(layer), strict=True):
            rows[name] = column[order]
        yield rows.tobytes()
        if layer.kernel:
            yield int16_table(interleave(layer.kernel.weights))
        yield int16_table(interleave(layer.recurrent.weights))
    yield int16_table(filled(network.head.weights))
    for layer in network.layers if begins else ():
        yield layer.first_cell.astype("<i4").tobytes()
        yield int16_table(filled(layer.first_hidden))


_PARTS: dict[Arithmetic, Callable[[TfliteFile, Samples], Iterator[bytes]]] = {
    Arithmetic.FLOAT: _float_parts, Arithmetic.GRU: _float_parts, Arithmetic.W8A16: _w8a16_parts,
    Arithmetic.W8A8: w8a8_parts, Arithmetic.W8A8_PAIR: w8a8_parts}
"""The constants and then the tables of a file."""
