"""Integer files against their references, sample by sample: w8a8 in LiteRT and tflite-micro, tflm16x8 in tflite-micro.

    python benchmarks/exactness.py
    python benchmarks/exactness.py --seconds 0.5 --only seed --json

Random and trained networks, streams and frames, 1 and 2 layers, play the test take of sd1 in blocks of 1, 16 and 64,
from files that were calibrated on its training take. Prints a row per file and interpreter, and exits 1 when a single
integer differs or a file plays too few values to prove anything. Takes about an hour: --only and --seconds shorten it.
Data: $NEURALPEDAL_DATA or ../shared/data.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soxr

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import Array, NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.int8_graph import build_w8a8_on
from neuralpedal.convert.int16_graph import build_tflm16x8_on, choose_int16_grids
from neuralpedal.convert.signal_grids import choose_coarse_fine_grids, choose_grids
from neuralpedal.device.interpreter import StreamingInterpreter
from neuralpedal.device.window_interpreter import WindowInterpreter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from captures import read_guitarml, read_nam_lstm, read_seed_model
from tflm_player import TflmFramePlayer, TflmPlayer

BLOCKS = (1, 16, 64)
LEAST_VALUES = 10
"""A file that plays fewer values than these proves nothing."""

# Layers, hidden size, skip, spread of the weights: wide ones saturate gates, hidden states and cells.
_RANDOM = [(1, 1, False, 0.4), (1, 3, True, 0.4), (1, 8, False, 3.0), (1, 16, True, 1.0), (2, 5, True, 0.8),
           (2, 12, False, 2.0), (1, 24, True, 0.3)]
_SEEDS_STREAMED = 9
_FRAMED = ("modelB_1081", "model_702_dual_layer_")
_CALIBRATION_S = 10.0
_SEED_RATE_HZ = 22_050
_COARSE_FINE_EVERY = 3
_LITERT = "ai_edge_litert"


@dataclass(frozen=True)
class Case:
    """A network, and whether its w8a8 file is written with coarse and fine channels as well."""

    name: str
    weights: NetworkWeights
    coarse_fine: bool


def cases(data: Path) -> list[Case]:
    """All networks, random ones first."""
    named = [*_random(), *_captures(data), *_seeds(data)]
    return [Case(name, weights, index % _COARSE_FINE_EVERY == 0 and not weights.spec.kind.has_frame)
            for index, (name, weights) in enumerate(named)]


def _random() -> Iterator[tuple[str, NetworkWeights]]:
    for layers, size, skip, spread in _RANDOM:
        spec = make_spec(num_layers=layers, hidden_size=size, skip=skip)
        yield f"random ±{spread:g}", random_weights(spec, seed=size, scale=spread)
    spec = make_spec(family="frame_lstm", num_layers=2, hidden_size=6, frame_samples=8, skip=True,
                     sample_rate_hz=_SEED_RATE_HZ)
    yield "random ±0.6", random_weights(spec, seed=6, scale=0.6)


def _captures(data: Path) -> Iterator[tuple[str, NetworkWeights]]:
    captures = data / "captures"
    for path in sorted((captures / "guitarml").glob("lstm*.json")):
        yield path.stem.removesuffix("_pytorch"), read_guitarml(path)
    yield "nam lstm", read_nam_lstm(captures / "nam" / "lstm.nam")


def _seeds(data: Path) -> Iterator[tuple[str, NetworkWeights]]:
    """Some of the blog's networks: most are played as streams, two with their frames, as they were trained."""
    paths = sorted((data / "seed_models").glob("*.npz"))
    streamed = [path for path in paths if path.stem not in _FRAMED]
    for index in np.linspace(0, len(streamed) - 1, _SEEDS_STREAMED).astype(int):
        yield f"seed {streamed[index].stem}", read_seed_model(streamed[index])
    for path in [path for path in paths if path.stem in _FRAMED]:
        weights = read_seed_model(path)
        with np.load(path) as arrays:
            frame = int(arrays["frame"])
        framed = {**weights.spec.model_dump(), "family": "frame_lstm", "frame_samples": frame}
        yield f"seed {path.stem}", replace(weights, spec=make_spec(**framed))


def read_guitar(path: Path, seconds: float, rate_hz: int) -> Array:
    """The beginning of a dry take at a network's rate; whole blocks of the longest."""
    recording = read_recording(path)
    start = recording.samples[: round((seconds + 0.1) * recording.sample_rate_hz)]
    samples = np.asarray(soxr.resample(start, recording.sample_rate_hz, rate_hz), np.float32)
    return samples[: max(round(seconds * rate_hz) // BLOCKS[-1], 1) * BLOCKS[-1]]


def files_of(case: Case, calibration: Array) -> Iterator[tuple[str, str, bytes]]:
    """(what it is, scheme, bytes) of every file of a case."""
    weights, spec = case.weights, case.weights.spec
    ranges = calibrate(weights, calibration)
    manifest = Manifest(name="exactness", scheme="w8a8", network=spec)
    yield "w8a8", "w8a8", build_w8a8_on(weights, choose_grids(weights, ranges), manifest)
    if case.coarse_fine:
        yield "w8a8, 2 channels", "w8a8", build_w8a8_on(weights, choose_coarse_fine_grids(weights, ranges), manifest)
    if not spec.kind.has_frame:
        wide = manifest.model_copy(update={"scheme": "tflm16x8"})
        yield "tflm16x8", "tflm16x8", build_tflm16x8_on(weights, choose_int16_grids(ranges, spec.skip), wide)


def play_litert(file: TfliteFile, samples: Array, block: int) -> list[Array]:
    """Every output (T,) of LiteRT."""
    channels = samples[0].size
    if file.manifest().network.kind.has_frame:
        player: Any = WindowInterpreter(file, code_of(file.tensors[file.inputs[0]], str(file.path)), block, _LITERT)
    else:
        player = StreamingInterpreter(file.path, file.inputs[0], block, _LITERT, channels)
    outputs = np.empty((len(file.outputs), len(samples)), samples.dtype)
    for start in range(0, len(samples), block):
        player.input[...] = samples[start : start + block]
        player.invoke()
        # No name may hold the views when the next block is played.
        outputs[:, start : start + block] = player.outputs
    return list(outputs)


def play_tflm(file: TfliteFile, samples: Array, block: int) -> tuple[Array, ...]:
    """Every output (T,) of tflite-micro."""
    model, spec = file.path.read_bytes(), file.manifest().network
    if spec.kind.has_frame:
        silence = int(file.tensors[file.inputs[0]].zero_points[0])
        return TflmFramePlayer(model, block, spec.frame_samples or 1, silence).answers(samples)
    return TflmPlayer(model, block).answers(samples)


PLAYERS = {"litert": play_litert, "tflm": play_tflm}
INTERPRETERS = {"w8a8": ("litert", "tflm"), "tflm16x8": ("tflm",)}


def compare(file: TfliteFile, interpreter: str, dry: Array) -> dict[str, Any]:
    """The samples of ``dry`` (T,), in how many of them an interpreter and its reference differ, by block, and how many
    values the reference plays."""
    samples = np.ascontiguousarray(open_border(file).encode(dry))
    wanted = open_int8_reference(file, interpreter).answers(samples)
    differing = {}
    for block in BLOCKS:
        found = PLAYERS[interpreter](file, samples, block)
        wrong = np.zeros(len(samples), bool)
        for one, other in zip(found, wanted, strict=True):
            wrong |= one != other
        differing[str(block)] = int(np.count_nonzero(wrong))
    return {"samples": len(samples), "differing": differing, "values": len(np.unique(wanted[0]))}


def rows_of(case: Case, data: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """A row per file and interpreter."""
    rate_hz = case.weights.spec.sample_rate_hz
    calibration = read_guitar(data / "sd1" / "dry_train.flac", max(seconds, _CALIBRATION_S), rate_hz)
    dry = read_guitar(data / "sd1" / "dry_test.flac", seconds, rate_hz)
    with TemporaryDirectory() as folder:
        for kind, scheme, model in files_of(case, calibration):
            path = Path(folder) / "model.tflite"
            path.write_bytes(model)
            for interpreter in INTERPRETERS[scheme]:
                yield {"network": case.name, "label": case.weights.spec.label, "file": kind,
                       "interpreter": interpreter, **compare(read_tflite(path), interpreter, dry)}


def is_exact(row: dict[str, Any]) -> bool:
    """Not a sample differs, of a file that does play."""
    return row["values"] >= LEAST_VALUES and not any(row["differing"].values())


def main(arguments: list[str] | None = None) -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of guitar, per network")
    parser.add_argument("--only", default="", help="networks whose name contains this")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(arguments)
    data = Path(os.environ.get("NEURALPEDAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    rows: list[dict[str, Any]] = []
    for case in [case for case in cases(data) if options.only in case.name]:
        began = time.perf_counter()
        found = list(rows_of(case, data, options.seconds))
        rows += found
        for row in found:
            differing = " ".join(f"{count:>6}" for count in row["differing"].values())
            print(f"{row['network']:28} {row['label']:24} {row['file']:16} {row['interpreter']:7} "
                  f"{row['samples']:>7} samples, differing in blocks of 1, 16, 64: {differing}"
                  f"{'' if is_exact(row) else '  <- not exact'}", file=sys.stderr if options.json else sys.stdout)
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    wrong = [row for row in rows if not is_exact(row)]
    if options.json:
        print(json.dumps({"rows": rows, "exact": not wrong}))
    networks = {(row["network"], row["label"]) for row in rows}
    print(f"{len(networks)} networks, {len(rows)} files in interpreters, {len(wrong)} not exact",
          file=sys.stderr if options.json else sys.stdout)
    return int(bool(wrong) or not rows)


if __name__ == "__main__":
    sys.exit(main())
