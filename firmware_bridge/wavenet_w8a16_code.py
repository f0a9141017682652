"""A WaveNet of the scheme ``w8a16`` as C (runtime/pedal_wavenet_w8a16.c), the bits of contract/'s reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.fixed_point import INT16_MIN, Integers
from neuralpedal.contract.integer_kernels import narrow_multiplier
from neuralpedal.contract.integer_operators import (
    IntegerConvolution,
    IntegerFunction,
    IntegerSum,
    table_factor,
    table_of_sigmoid,
)
from neuralpedal.contract.integer_wavenet import IntegerConvArray, IntegerConvLayer, read_integer_wavenet
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_plan import pasts
from neuralpedal.firmware_bridge.audio_defines import decoding_defines, encoding_defines
from neuralpedal.firmware_bridge.c_text import array, define, int32_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.wavenet_code import PIECE, macro_list

RUNTIME_FILES = ("pedal_factor.h", "pedal_wavenet_w8a16.c", "pedal_wavenet_w8a16.h")

_STACK_BYTES = 1536
"""But for the activations of a layer."""

_HALF, _BY_FACTORS, _NOTHING = 1 << 30, "PEDAL_BY_FACTORS", "PEDAL_NOTHING"
_LEAK_SHIFT = 22


@dataclass(frozen=True)
class Track:
    """What one convolution reads, in samples of ``channels`` that lie in pairs; ``memory``: where, in int16."""

    channels: int
    lead: int
    memory: int

    @property
    def room(self) -> int:
        """For new samples: longer than the past by a piece, so that it can be moved at once."""
        return self.lead + PIECE

    @property
    def size(self) -> int:
        """int16 of it."""
        return (self.lead + self.room) * even(self.channels)


def wavenet_w8a16_code(file: TfliteFile, int16_audio: bool) -> GeneratedCode:
    """The C of a file.

    Raises:
        ModelFileError: it holds no integer WaveNet.
        FirmwareError: sums beyond 32 bits, grids without a C, or no fixed-point map for its gains.
    """
    network, rests = read_integer_wavenet(file)
    spec, manifest = network.spec, file.manifest()
    writer = _Writer(file, [conv for one in network.arrays for conv in _convolutions(one)])
    lists = writer.lists(network.arrays)
    if network.skip:
        writer.sums.append(network.skip)
    tracks = _tracks(spec)
    memory = sum(track.size for track in tracks)
    passed = PIECE * max(even(conv.channels) for conv in spec.arrays)
    rest = _rest(tracks, [rests[past.rest] for past in pasts(spec)])
    weights, constants = np.concatenate(writer.weights), np.concatenate(writer.constants)
    sums = writer.sums or [network.arrays[0].layers[0].sums]
    tabled = any(conv.gated or conv.activation == "tanh" for conv in spec.arrays)
    most_sums = max(even(conv.sums) for conv in spec.arrays)
    defines = (
        define("WAVENET", 1), define("FACTOR_INTS", writer.factor_ints, "1: sums are brought on by one product"),
        define("MEMORY", memory, "int16 of all tracks"), define("NUM_TRACKS", len(tracks)),
        define("NUM_WEIGHTS", len(weights)), define("NUM_CONSTANTS", len(constants)), define("NUM_SUMS", len(sums)),
        define("NUM_REST", len(rest)), define("PASSED", passed), define("MOST_SUMS", most_sums),
        *([define("SIGMOIDS", 1)] if tabled else []), *_leak_defines(file, network.arrays),
        define("OUTPUT_ZERO_POINT", 0),
        *encoding_defines(network.input_code, manifest.input_gain_db, int16_audio),
        *decoding_defines(network.output_code, manifest.output_gain_db, int16_audio),
        macro_list("TRACKS(TRACK)", [f"TRACK({track.channels}, {track.lead}, {track.room}, {track.memory})"
                                     for track in tracks]),
        *lists,
    )
    tables = (
        array("const int16_t pedal_weights[PEDAL_NUM_WEIGHTS] __attribute__((aligned(4)))", [("", map(str, weights))]),
        array("const int32_t pedal_constants[PEDAL_NUM_CONSTANTS]",
              [("", (int32_literal(int(value)) for value in constants))]),
        array("const pedal_sum pedal_sums_of_layers[PEDAL_NUM_SUMS]", [("", map(_sum_text, sums))]),
        array("const int16_t pedal_rest[PEDAL_NUM_REST]", [("", map(str, rest))]),
        *([array("const uint16_t pedal_sigmoids[257]", [("", map(str, [*table_of_sigmoid(), table_of_sigmoid()[-1]]))])]
          if tabled else []),
    )
    return GeneratedCode(
        arithmetic="W8A16", defines=defines, tables=tables, tables_header="pedal_wavenet_w8a16.h",
        runtime_files=RUNTIME_FILES, state_bytes=2 * (memory + passed) + 4 * len(tracks),
        table_bytes=2 * (len(weights) + len(rest)) + 4 * len(constants) + 24 * len(sums) + 514 * tabled,
        stack_bytes=_STACK_BYTES + 4 * most_sums)


def even(channels: int) -> int:
    """Channels as they lie in memory, in pairs."""
    return (channels + 1) // 2 * 2


def _convolutions(one: IntegerConvArray) -> Iterator[IntegerConvolution]:
    yield one.entry
    for layer in one.layers:
        yield from (conv for conv in (layer.heard, layer.mixed_in, layer.mix) if conv)
    yield one.head


class _Writer:
    """Collects weights, constants and sums, in the order of runtime/pedal_wavenet_w8a16.h.

    Attributes:
        factor_ints: 1 where every factor is one high product, 2 where one needs a shift of its own.
    """

    def __init__(self, file: TfliteFile, convolutions: Sequence[IntegerConvolution]) -> None:
        self._file = file
        self.factor_ints = 1 if all(_is_high_product(conv) for conv in convolutions) else 2
        self.weights: list[Integers] = []
        self.constants: list[Integers] = []
        self.sums: list[IntegerSum] = []
        for conv in convolutions:
            reach = np.abs(conv.kernel).sum(axis=(0, 1)) * -INT16_MIN + np.abs(conv.bias)
            if np.any(reach >= 2**31):
                raise FirmwareError(f"{file.path}: a sum of its {conv.kernel.shape} kernel may leave 32 bits; convert "
                                    "the model to w8")

    def lists(self, arrays: Sequence[IntegerConvArray]) -> tuple[str, ...]:
        """Macro calls of shapes, layers and arrays."""
        shapes: dict[str, None] = {}
        layers, calls = [], []
        for one in arrays:
            entry = self._rows(one.entry)
            for layer in one.layers:
                name, shape = self._shape(one.spec, layer)
                shapes[f"SHAPE({name}, {shape})"] = None
                layers.append(f"LAYER({name}, {self._layer(one.spec, layer)})")
            head = self._rows(one.head)
            calls.append(f"ARRAY({one.spec.channels}, {len(one.layers)}, {entry}, {head}, {one.spec.head_size}, "
                         f"{one.spec.head_kernel_size})")
        return (macro_list("SHAPES(SHAPE)", shapes), macro_list("CONVOLUTIONS(LAYER)", layers),
                macro_list("ARRAYS(ARRAY)", calls))

    def _shape(self, spec: ConvArray, layer: IntegerConvLayer) -> tuple[str, str]:
        taps = len(layer.heard.kernel)
        hows = [_how(layer.sums), _how(layer.total) if layer.total else _NOTHING,
                _how(layer.signal) if layer.signal else "0"]
        marks = "".join({_BY_FACTORS: "f", _NOTHING: "n"}.get(how, how) for how in hows)
        return (f"c{spec.channels}_m{spec.sums}_k{taps}_{spec.activation}_{marks}",
                f"{spec.channels}, {spec.sums}, {taps}, PEDAL_{spec.activation.upper()}, {', '.join(hows)}")

    def _layer(self, spec: ConvArray, layer: IntegerConvLayer) -> str:
        weights, constants = _total(self.weights), _total(self.constants)
        self.weights += [_in_pairs(layer.heard.kernel), _padded(layer.mixed_in.kernel.ravel())]
        self._refuse_bias(layer.mixed_in)
        self.constants += [self._bias(layer.heard), self._factors(layer.heard), self._factors(layer.mixed_in)]
        if layer.mix:
            self.weights.append(_in_pairs(layer.mix.kernel))
            self.constants += [self._bias(layer.mix), self._factors(layer.mix)]
        sums = [layer.sums, layer.total or layer.sums, layer.signal or layer.sums]
        place = 0
        if any(_how(one) == _BY_FACTORS for one in sums):
            place = len(self.sums)
            self.sums += sums
        argument = 0
        if spec.gated or spec.activation == "tanh":
            multiplier, shift = table_factor(layer.sums.target)
            if shift:
                raise FirmwareError(f"{self._file.path}: steps of {layer.sums.target.scale:.3g} before a table have no "
                                    "C; convert the model again")
            argument = multiplier
        gate = layer.gate.factor if layer.gate else (0, 0)
        return (f"{layer.heard.dilation}, {weights}, {constants}, {place}, {argument}, {gate[0]}, {gate[1]}")

    def _rows(self, conv: IntegerConvolution) -> str:
        """Of an entry or a head; where its weights and constants are."""
        places = f"{_total(self.weights)}, {_total(self.constants)}"
        taps, inputs, outputs = conv.kernel.shape
        rows = np.zeros((outputs, taps, even(inputs)), np.int64)
        rows[:, :, :inputs] = conv.kernel.transpose(2, 0, 1)
        self.weights.append(rows.ravel())
        self.constants += [self._bias(conv), self._factors(conv)]
        return places

    def _refuse_bias(self, conv: IntegerConvolution) -> None:
        if np.any(conv.bias):
            raise FirmwareError(f"{self._file.path}: its input is mixed in with a bias, which no file of ours does; "
                                "convert the model again")

    def _bias(self, conv: IntegerConvolution) -> Integers:
        constant, answers = _constant_rows(conv)
        return np.where(constant, answers << 2, conv.bias) if self.factor_ints == 1 else conv.bias

    def _factors(self, conv: IntegerConvolution) -> Integers:
        narrow, right = _narrow(conv)
        if self.factor_ints == 2:
            return np.stack([narrow, right], axis=1).ravel()
        high = np.where(narrow == 0, 0, narrow << np.clip(32 - right, 0, 16))
        return np.where(_constant_rows(conv)[0], _HALF, high)


def _narrow(conv: IntegerConvolution) -> tuple[Integers, Integers]:
    """Multipliers of 15 bits and shifts to the right, as LiteRT's kernels of int16 signals have them."""
    return narrow_multiplier(conv.multipliers), 15 - conv.shifts


def _constant_rows(conv: IntegerConvolution) -> tuple[NDArray[np.bool_], Integers]:
    """Outputs without weights whose factor is no high product, and what every output is by its bias alone."""
    narrow, right = _narrow(conv)
    answers = np.clip((conv.bias * narrow + (np.int64(1) << (right - 1))) >> right, INT16_MIN, -INT16_MIN - 1)
    return ~np.any(conv.kernel, axis=(0, 1)) & (right > 32), answers


def _is_high_product(conv: IntegerConvolution) -> bool:
    narrow, right = _narrow(conv)
    return bool(np.all((narrow == 0) | ((right >= 16) & (right <= 32)) | _constant_rows(conv)[0]))


def _how(one: IntegerSum) -> str:
    """The bits by which the second signal's steps are finer, where nothing else differs; else by factors."""
    (first, other), finer = one.factors, -one.factors[1][1]
    if first == (_HALF, 0) and other[0] == _HALF and 0 <= finer <= 13 and one.output == (_HALF, -13):
        return str(finer)
    return _BY_FACTORS


def _sum_text(one: IntegerSum) -> str:
    factors = (*one.factors, one.output)
    return "{" + ", ".join(f"{{{multiplier}, {shift}}}" for multiplier, shift in factors) + "}"


def _in_pairs(kernel: Integers) -> Integers:
    """(taps, inputs, outputs) as (taps, pairs of inputs, outputs, 2)."""
    taps, inputs, outputs = kernel.shape
    wide = np.zeros((taps, even(inputs), outputs), np.int64)
    wide[:, :inputs] = kernel
    return wide.reshape(taps, -1, 2, outputs).transpose(0, 1, 3, 2).ravel()


def _padded(row: Integers) -> Integers:
    return np.pad(row, (0, len(row) % 2))


def _total(parts: Sequence[Any]) -> int:
    return sum(len(part) for part in parts)


def _tracks(spec: WaveNetSpec) -> list[Track]:
    """Array by array of every layer, then of the head."""
    tracks: list[Track] = []
    memory = 0
    for conv in spec.arrays:
        for span in conv.all_spans:
            tracks.append(Track(conv.channels, span, memory))
            memory += tracks[-1].size
    return tracks


def _rest(tracks: Sequence[Track], rests: Sequence[Integers]) -> Integers:
    """Channel by channel of every track; 0 in those without a past."""
    found = iter(rests)
    return np.concatenate([next(found) if track.lead else np.zeros(track.channels, np.int64) for track in tracks])


def _leak_defines(file: TfliteFile, arrays: Sequence[IntegerConvArray]) -> list[str]:
    """One product for what leaky networks do to negative sums, and the proof that others let pass what they should."""
    values = np.arange(2**16, dtype=np.int64) + INT16_MIN
    leaks: set[tuple[int, int]] = set()
    for one in arrays:
        functions = [layer.activate for layer in one.layers if layer.activate and one.spec.activation != "tanh"]
        for function in functions:
            if one.spec.activation == "relu":
                if not np.array_equal(function.table, np.maximum(values, 0)):
                    raise _no_function(file)
            else:
                leaks.add(_leak(file, function, values))
    if len(leaks) > 1:
        raise _no_function(file)
    return [line for multiplier, rounding in leaks for line in (
        define("LEAK_MULTIPLIER", multiplier), define("LEAK_ROUNDING", rounding), define("LEAK_SHIFT", _LEAK_SHIFT))]


def _leak(file: TfliteFile, function: IntegerFunction, values: Integers) -> tuple[int, int]:
    nearest = round(0.01 * 2**_LEAK_SHIFT)
    for multiplier in (nearest, nearest - 1, nearest + 1):
        for rounding in (1 << _LEAK_SHIFT >> 1, (1 << _LEAK_SHIFT >> 1) - 1):
            if np.array_equal(np.maximum(values, (values * multiplier + rounding) >> _LEAK_SHIFT), function.table):
                return multiplier, rounding
    raise _no_function(file)


def _no_function(file: TfliteFile) -> FirmwareError:
    return FirmwareError(f"{file.path}: an activation changes steps or leaks otherwise than in our files; convert the "
                         "model again")
