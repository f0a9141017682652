"""A WaveNet (``float32`` or ``w8``) as C (runtime/pedal_wavenet.c), for machines with vectors and without."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_file import read_wavenet_weights, rests
from neuralpedal.contract.wavenet_weights import WaveNetWeights, flat_arrays, weight_shapes
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel

RUNTIME_FILES = ("pedal_wavenet.c", "pedal_wavenet.h", "pedal_wavenet_lanes.h")
VECTOR_FILES, PORTABLE_FILES = ("pedal_lanes.h",), ("pedal_activations.h",)
PIECE, LINE_FLOATS = 64, 16
"""Samples that the kernel plays at once; floats that begin together in memory."""

_LEAST_ROOM = 2 * PIECE
_STACK_BYTES = 1536 + 2 * 4 * PIECE
"""But for the activations of a layer: frames of the kernel, what is heard and what is answered."""


@dataclass(frozen=True)
class Track:
    """What one convolution reads (see runtime/pedal_wavenet.h): ``channels`` rows of ``row`` floats.

    Attributes:
        lead: samples of past, ``room``: for new ones. memory: where it begins, in floats.
    """

    channels: int
    lead: int
    room: int
    row: int
    memory: int


def wavenet_code(file: TfliteFile, kernel: VectorKernel | None) -> GeneratedCode:
    """The C of a file; of ``kernel``, ``lanes``, ``together`` and ``sums`` count. None: no vectors.

    Raises:
        ModelFileError: it holds no float WaveNet.
    """
    weights, manifest = read_wavenet_weights(file), file.manifest()
    spec = weights.spec
    tracks = _tracks(spec)
    memory = tracks[-1].memory + tracks[-1].channels * tracks[-1].row
    rest = _rest(weights, tracks)
    passed, most_sums = PIECE * max(conv.channels for conv in spec.arrays), max(conv.sums for conv in spec.arrays)
    lanes, together, sums = (kernel.lanes, kernel.together, kernel.sums) if kernel else (1, 4, 16)
    defines = (
        define("WAVENET", 1), define("LANES", lanes), define("INT16_WEIGHTS", 0),
        define("TOGETHER", together, "vectors of time"), define("SUMS", sums, "vectors of sums in registers"),
        define("HEAD_SCALE", float_literal(spec.head_scale)),
        define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db))),
        define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db))),
        define("MEMORY", memory, "floats of all tracks"), define("NUM_TRACKS", len(tracks)),
        define("NUM_WEIGHTS", spec.num_parameters), define("NUM_REST", len(rest)),
        define("PASSED", passed), define("MOST_SUMS", most_sums),
        *_lists(spec, tracks),
    )
    tables = (_floats("pedal_weights[PEDAL_NUM_WEIGHTS] PEDAL_ALIGNED", flat_arrays(weights)),
              _floats("pedal_rest[PEDAL_NUM_REST]", rest))
    return GeneratedCode(
        arithmetic="FLOAT", defines=defines, tables=tables, tables_header="pedal_wavenet.h",
        runtime_files=(*RUNTIME_FILES, *(VECTOR_FILES if kernel else PORTABLE_FILES)),
        state_bytes=4 * (memory + passed + len(tracks)), table_bytes=4 * (spec.num_parameters + len(rest)),
        stack_bytes=_STACK_BYTES + 4 * most_sums * together * lanes)


def _tracks(spec: WaveNetSpec) -> list[Track]:
    """Array by array of every layer, then of the head."""
    tracks: list[Track] = []
    memory = 0
    for conv in spec.arrays:
        for span in conv.all_spans:
            lead = _rounded(span)
            room = max(_LEAST_ROOM, lead)
            # An odd number of lines, so that no two rows compete for the same places of a cache.
            row = lead + room + LINE_FLOATS * (1 - (lead + room) // LINE_FLOATS % 2)
            tracks.append(Track(conv.channels, lead, room, row, memory))
            memory += conv.channels * row
    return tracks


def _rounded(samples: int) -> int:
    return -(-samples // LINE_FLOATS) * LINE_FLOATS


def _rest(weights: WaveNetWeights, tracks: Sequence[Track]) -> NDArray[Any]:
    """What endless silence leaves in every channel of every track; 0 in those without a past."""
    found = iter(rests(weights).values())
    return np.concatenate([next(found).ravel() if track.lead else np.zeros(track.channels) for track in tracks])


def _lists(spec: WaveNetSpec, tracks: Sequence[Track]) -> Iterator[str]:
    """Macro calls, one per kind of layer, track, layer and array; offsets are into the weights as they are stored."""
    kinds = dict.fromkeys((conv, taps) for conv in spec.arrays for taps in conv.kernel_sizes)
    yield macro_list("SHAPES(SHAPE)", dict.fromkeys(_shape(*kind) for kind in kinds))
    yield macro_list("TRACKS(TRACK)", [
        f"TRACK({track.channels}, {track.lead}, {track.room}, {track.row}, {track.memory})" for track in tracks])
    layers, arrays = [], []
    offsets = iter(itertools.accumulate((math.prod(shape) for shape in weight_shapes(spec)), initial=0))
    for conv, inputs in zip(spec.arrays, spec.array_input_sizes, strict=True):
        entry = next(offsets)
        for taps, dilation in zip(conv.kernel_sizes, conv.dilations, strict=True):
            layers.append(f"LAYER({_name(conv, taps)}, {dilation}, {next(offsets)})")
            for _ in range(4):
                next(offsets)
        head = next(offsets)
        if conv.head_bias:
            next(offsets)
        arrays.append(f"ARRAY({inputs}, {conv.channels}, {len(conv.dilations)}, {entry}, {head}, {conv.head_size}, "
                      f"{conv.head_kernel_size}, {int(conv.head_bias)})")
    yield macro_list("CONVOLUTIONS(LAYER)", layers)
    yield macro_list("ARRAYS(ARRAY)", arrays)


def _name(conv: ConvArray, taps: int) -> str:
    return f"c{conv.channels}_m{conv.sums}_k{taps}_{conv.activation}"


def _shape(conv: ConvArray, taps: int) -> str:
    return f"SHAPE({_name(conv, taps)}, {conv.channels}, {conv.sums}, {taps}, PEDAL_{conv.activation.upper()})"


def macro_list(name: str, calls: Sequence[str] | dict[str, None]) -> str:
    """A macro of calls, one a line."""
    return f"#define PEDAL_{name} \\\n    " + " \\\n    ".join(calls)


def _floats(declaration: str, values: NDArray[Any]) -> str:
    return array(f"const float {declaration}", [("", map(float_literal, values))])
