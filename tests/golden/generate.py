"""Writes the golden models: tiny pedals with their input and output, which every engine is compared with.

Run it with ``python tests/golden/generate.py`` (or ``make fixtures``) after a change of the file format; the sound of
a golden model must not change without a reason. The weights are random: a golden model tests players, not training.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.atomic import write_bytes
from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.integer_network import read_integer_network
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.reference_integer_wavenet import open_integer_wavenet
from neuralpedal.contract.reference_w8a16 import W8A16ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.wavenet import ConvArray, make_wavenet
from neuralpedal.contract.wavenet_weights import WaveNetWeights, random_wavenet
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import ActivationRanges, Range, calibrate
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.int8_graph import build_w8a8, build_w8a8_on
from neuralpedal.convert.int16_graph import build_tflm16x8
from neuralpedal.convert.integer_formats import IntegerRanges, choose_formats
from neuralpedal.convert.schemes import schemes_for
from neuralpedal.convert.signal_grids import choose_coarse_fine_grids
from neuralpedal.convert.wavenet_graph import grid_weights
from neuralpedal.convert.wavenet_integers import build_integer_wavenet, choose_wavenet_formats, measure_signals

FOLDER = Path(__file__).parent

_SAMPLES = 400
_CALIBRATION_SAMPLES = 4096
_RANGE_STEPS = 64

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class GoldenNetwork:
    """One network, written in every scheme. The gains are the manifest's, in dB."""

    name: str
    spec: Any
    seed: int
    input_gain_db: float = 0.0
    output_gain_db: float = 0.0



def _conv_array(channels: int, dilations: tuple[int, ...], taps: tuple[int, ...], **fields: Any) -> ConvArray:
    return ConvArray(channels=channels, dilations=dilations, kernel_sizes=taps, **fields)


NETWORKS = (
    GoldenNetwork("lstm-1x4-skip", make_spec(hidden_size=4, num_layers=1, skip=True), seed=1),
    GoldenNetwork("lstm-2x3", make_spec(hidden_size=3, num_layers=2, skip=False), seed=2, input_gain_db=3.0,
                  output_gain_db=-6.0),
    GoldenNetwork("frame_lstm-1x3-of-8", make_spec(family="frame_lstm", hidden_size=3, num_layers=1, skip=False,
                                                   frame_samples=8), seed=3),
    GoldenNetwork("frame_lstm-2x3-of-5-skip", make_spec(family="frame_lstm", hidden_size=3, num_layers=2, skip=True,
                                                        frame_samples=5), seed=5, input_gain_db=3.0,
                  output_gain_db=-6.0),
)

WAVENETS = (
    GoldenNetwork("wavenet-2-gated-skip", make_wavenet(arrays=(_conv_array(2, (1, 5), (3, 3), gated=True),),
                                                       head_scale=0.5, skip=True), seed=6),
    GoldenNetwork("wavenet-2+1", make_wavenet(arrays=(
        _conv_array(2, (3,), (2,), activation="leaky_relu", head_size=1),
        _conv_array(1, (1,), (4,), activation="relu", head_kernel_size=3, head_bias=True)), head_scale=1.0),
                  seed=7, input_gain_db=3.0, output_gain_db=-6.0),
)


def write_all(folder: Path) -> None:
    """Write ``NETWORK.SCHEME.tflite`` and ``NETWORK.SCHEME.npz`` for every network and scheme."""
    for network in NETWORKS:
        weights = random_weights(network.spec, network.seed)
        for scheme in schemes_for(network.spec):
            _write_model(folder / f"{network.name}.{scheme}", network, _build(network, weights, scheme))
        if not network.spec.kind.has_frame:
            grids = choose_coarse_fine_grids(weights, _ranges(network, weights))
            _write_model(folder / f"{network.name}.coarse-fine.w8a8", network,
                         build_w8a8_on(weights, grids, _manifest(network, weights, "w8a8")))
    for network in WAVENETS:
        wavenet = random_wavenet(network.spec, network.seed)
        for scheme in schemes_for(network.spec):
            _write_model(folder / f"{network.name}.{scheme}", network, _build(network, wavenet, scheme))


def _write_model(stem: Path, network: GoldenNetwork, model: bytes) -> None:
    path, dry = stem.with_name(f"{stem.name}.tflite"), _dry(network.seed)
    write_bytes(path, model)
    _write_arrays(stem.with_name(f"{stem.name}.npz"), dry=dry, wet=_wet(read_tflite(path), dry))


def _build(network: GoldenNetwork, weights: AnyWeights, scheme: str) -> bytes:
    manifest = _manifest(network, weights, scheme)
    if scheme == "float32":
        return build_float32(weights, manifest)
    if scheme == "w8":
        return build_w8(weights, manifest)
    if isinstance(weights, WaveNetWeights):
        return _build_integer_wavenet(network, weights, manifest)
    if scheme == "w8a16":
        formats = choose_formats(weights, _integer_ranges(_ranges(network, weights)), _factor(network.input_gain_db))
        return build_w8(weights, manifest.model_copy(update={"integer_format": formats}))
    if scheme == "tflm16x8":
        return build_tflm16x8(weights, _ranges(network, weights), manifest)
    return build_w8a8(weights, _ranges(network, weights), manifest)


def _build_integer_wavenet(network: GoldenNetwork, weights: WaveNetWeights, manifest: Manifest) -> bytes:
    held = grid_weights(weights)
    ranges = {name: _outwards(seen) for name, seen in measure_signals(held, _calibration(network)).items()}
    return build_integer_wavenet(held, choose_wavenet_formats(network.spec, ranges, manifest.scheme), manifest)


def _manifest(network: GoldenNetwork, weights: AnyWeights, scheme: str) -> Manifest:
    return Manifest(name=network.name, scheme=scheme, network=network.spec, input_gain_db=network.input_gain_db,
                    output_gain_db=network.output_gain_db, provenance={"weights_sha256": weights.digest()})


def _ranges(network: GoldenNetwork, weights: NetworkWeights) -> ActivationRanges:
    """Calibrated ranges, rounded outwards: another machine's tanh must not change the file in its last bit."""
    found = calibrate(weights, _calibration(network), 8, 64)
    return ActivationRanges(_outwards(found.input), tuple(map(_outwards, found.hidden)),
                            tuple(map(_outwards, found.cell)), _outwards(found.head), _outwards(found.output))


def _calibration(network: GoldenNetwork) -> Signal:
    noise = np.random.default_rng(network.seed).uniform(-0.5, 0.5, _CALIBRATION_SAMPLES)
    return (noise * _factor(network.input_gain_db)).astype(np.float32)


def _outwards(tight: Range) -> Range:
    return Range(math.floor(tight.low * _RANGE_STEPS) / _RANGE_STEPS,
                 math.ceil(tight.high * _RANGE_STEPS) / _RANGE_STEPS)


def _integer_ranges(ranges: ActivationRanges) -> IntegerRanges:
    return IntegerRanges(ranges.input.peak, tuple(cell.peak for cell in ranges.cell), ranges.output.peak)


def _dry(seed: int) -> Signal:
    """Noise of rising level after some silence; the end is louder than what was calibrated on, so that int8 saturates.
    """
    level = np.repeat([0.0, 0.05, 0.5, 0.95], _SAMPLES // 4)
    return (np.random.default_rng(100 + seed).uniform(-1.0, 1.0, _SAMPLES) * level).astype(np.float32)


def _wet(file: TfliteFile, dry: Signal) -> Signal:
    """What a player must give: input gain, the reference network, output gain."""
    manifest = file.manifest()
    scaled = dry * np.float32(_factor(manifest.input_gain_db))
    if manifest.network.family == "wavenet" and not file.is_float:
        wet = open_integer_wavenet(file).play(scaled)
    elif manifest.scheme == "w8a16":
        wet = W8A16ReferenceNetwork(read_integer_network(file)).play(scaled)
    elif file.is_float:
        wet = open_reference(read_weights(file)).process(scaled)
    else:
        border = open_border(file)
        wet = border.decode(open_int8_reference(file).answers(border.encode(scaled)), scaled)
    return (wet * np.float32(_factor(manifest.output_gain_db))).astype(np.float32)


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


def _write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


if __name__ == "__main__":
    write_all(FOLDER)
