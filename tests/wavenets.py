"""WaveNets for tests: small ones of every kind, and their files."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.source import ConversionSource, Take
from neuralpedal.convert.wavenet_integers import build_integer_wavenet, choose_wavenet_formats, measure_signals
from signals import plucks


def conv_array(channels: int, dilations: tuple[int, ...], taps: int | tuple[int, ...] = 3,
               **fields: Any) -> ConvArray:
    """An array whose layers all have ``taps``, or one number of taps each."""
    kernel_sizes = taps if isinstance(taps, tuple) else (taps,) * len(dilations)
    return ConvArray(channels=channels, dilations=dilations, kernel_sizes=kernel_sizes, **fields)


KINDS = {
    "a1": WaveNetSpec(arrays=(conv_array(4, (1, 2, 4), head_size=2), conv_array(2, (8, 1), head_bias=True)),
                      head_scale=0.5),
    "gated": WaveNetSpec(arrays=(conv_array(3, (1, 2, 8), head_size=2, gated=True),
                                 conv_array(2, (5, 1), 2, head_bias=True)), head_scale=0.5),
    "a2": WaveNetSpec(arrays=(conv_array(4, (1, 3, 7, 1), (6, 6, 6, 15), activation="leaky_relu", head_kernel_size=16,
                                         head_bias=True),), head_scale=0.125),
    "skip": WaveNetSpec(arrays=(conv_array(5, (3, 40), (2, 1), activation="relu"),), head_scale=1.0, skip=True),
}


def write_wavenet(path: Path, weights: WaveNetWeights, scheme: str = "float32", **fields: float) -> TfliteFile:
    """A network's file; ``fields`` are its manifest's."""
    build = {"float32": build_float32, "w8": build_w8}.get(scheme, build_in_integers)
    path.write_bytes(build(weights, Manifest(name="test", scheme=scheme, network=weights.spec, **fields)))
    return read_tflite(path)


def build_in_integers(weights: WaveNetWeights, manifest: Manifest) -> bytes:
    """A ``w8a16`` or ``w8a8`` file, calibrated on plucks."""
    formats = choose_wavenet_formats(weights.spec, measure_signals(weights, plucks(0.3)), manifest.scheme)
    return build_integer_wavenet(weights, formats, manifest)


def source_of(weights: WaveNetWeights) -> ConversionSource:
    """What ``convert`` reads of a network that was trained on plucks."""
    dry = plucks(1.0)
    wet = ReferenceWaveNet(weights).process(dry).astype(np.float32)
    return ConversionSource("net", weights, lambda samples: ReferenceWaveNet(weights).process(samples).astype(
        np.float32), dry, Take(dry, wet[4800:], 4800, "plucks"), {"weights_sha256": weights.digest()})


@st.composite
def wavenet_specs(draw: st.DrawFn) -> WaveNetSpec:
    """Any small network."""
    count = draw(st.integers(1, 2))
    sizes = [draw(st.integers(1, 6)) for _ in range(count)]
    arrays = []
    for index, channels in enumerate(sizes):
        dilations = tuple(draw(st.lists(st.integers(1, 20), min_size=1, max_size=3)))
        arrays.append(conv_array(channels, dilations, tuple(draw(st.integers(1, 4)) for _ in dilations),
                                 activation=draw(st.sampled_from(["tanh", "relu", "leaky_relu"])),
                                 gated=draw(st.booleans()), head_kernel_size=draw(st.integers(1, 3)),
                                 head_bias=draw(st.booleans()), head_size=[*sizes, 1][index + 1]))
    return WaveNetSpec(arrays=tuple(arrays), head_scale=1.0)
