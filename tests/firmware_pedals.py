"""Random networks as ``.tflite`` pedals, their C compiled for this machine, and what it must give."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beginnings import begun
from neuralpedal.contract.fixed_point import round_half_away
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.int8_graph import build_w8a8, build_w8a8_on
from neuralpedal.convert.int16_graph import build_tflm16x8
from neuralpedal.convert.integer_formats import IntegerRanges, choose_formats
from neuralpedal.convert.signal_grids import choose_coarse_fine_grids
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.host_library import HostPedal, build_library
from neuralpedal.firmware_bridge.project import Project, write_project
from signals import plucks

IRREGULAR = (5, 64, 1, 190, 17)


def need(*programs: str) -> None:
    """Skip a test, or fail it where CI must have everything, without these."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        message = f"no {missing[0]} (.ci/system-packages --firmware)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@dataclass(frozen=True)
class Wanted:
    """A random pedal. ``scheme`` may be ``coarse-fine`` for a w8a8 file with two channels; ``begins``: in a state."""

    scheme: str
    hidden_size: int = 8
    num_layers: int = 1
    skip: bool = True
    scale: float = 0.4
    seed: int = 0
    input_gain_db: float = 0.0
    output_gain_db: float = 0.0
    begins: bool = False
    family: str = "lstm"


def write_pedal(path: Path, wanted: Wanted, weights: NetworkWeights | None = None) -> TfliteFile:
    """The file."""
    spec = weights.spec if weights else NetworkSpec(family=wanted.family, hidden_size=wanted.hidden_size,
                                                    num_layers=wanted.num_layers, skip=wanted.skip)
    weights = weights or random_weights(spec, wanted.seed, wanted.scale)
    weights = begun(weights, wanted.seed, hidden=1.2, cell=20.0) if wanted.begins else weights
    scheme = "w8a8" if wanted.scheme == "coarse-fine" else wanted.scheme
    manifest = Manifest(name="test", scheme=scheme, network=spec, input_gain_db=wanted.input_gain_db,
                        output_gain_db=wanted.output_gain_db)
    path.write_bytes(_build(wanted, weights, manifest))
    return read_tflite(path)


def _build(wanted: Wanted, weights: NetworkWeights, manifest: Manifest) -> bytes:
    if wanted.scheme == "float32":
        return build_float32(weights, manifest)
    if wanted.scheme == "w8":
        return build_w8(weights, manifest)
    if wanted.scheme == "w8a16":
        cells = tuple(np.random.default_rng(wanted.seed).uniform(0.1, 100.0, weights.spec.num_layers))
        formats = choose_formats(weights, IntegerRanges(1.0, cells, 1.0), 10.0 ** (wanted.input_gain_db / 20.0))
        return build_w8(weights, manifest.model_copy(update={"integer_format": formats}))
    ranges = calibrate(weights, plucks(0.05, wanted.seed), lanes=1, warm_up_samples=0)
    if wanted.scheme == "tflm16x8":
        return build_tflm16x8(weights, ranges, manifest)
    if wanted.scheme == "coarse-fine":
        return build_w8a8_on(weights, choose_coarse_fine_grids(weights, ranges), manifest)
    return build_w8a8(weights, ranges, manifest)


@dataclass
class Compiled:
    """A pedal as C and as its reference."""

    project: Project
    pedal: HostPedal
    expected: ExpectedAudio

    def difference(self, dry: np.ndarray, blocks: tuple[int, ...] = IRREGULAR, in_place: bool = False) -> float:
        """The largest between C and reference; ``dry`` is int16, and played as what the project's samples are."""
        if self.project.io == "int16":
            wanted: Any = self.expected.play_int16(dry)
        else:
            dry = (dry / 32768).astype(np.float32)
            wanted = self.expected.play(dry)
        got = self.pedal.process(dry, blocks, in_place)
        return float(np.max(np.abs(got.astype(np.float64) - wanted)))


def compile_pedal(model: TfliteFile, folder: Path, io: str = "float", kernels: str | None = None,
                  compiler: str | None = None, flags: tuple[str, ...] = ("-O1",)) -> Compiled:
    """Generate and compile; ``folder`` is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    project = write_project(model.path, folder / "project", io=io, kernels=kernels, golden_s=0.001)
    library = build_library(project, folder / "pedal.so", compiler, flags)
    return Compiled(project, HostPedal(project, library), ExpectedAudio(model, kernels))


def trying_audio(samples: int, seed: int = 0) -> np.ndarray:
    """int16 (samples,): noise of rising level, full-scale square waves with int16's ends, notes."""
    third = samples // 3
    noise = np.random.default_rng(seed).uniform(-1.0, 1.0, third) * np.linspace(0.0, 1.0, third)
    square = np.where(np.arange(third) // 25 % 2, 32767, -32768)
    notes = plucks(1.0, seed)[: samples - 2 * third] * 60000.0
    return np.concatenate([round_half_away(noise * 32767.0), square, np.clip(notes, -32768, 32767)]).astype(np.int16)
