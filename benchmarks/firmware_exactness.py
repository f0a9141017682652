"""A minute of real guitar through the C of a pedal, sample by sample against the reference, in every build.

    NEURALPEDAL_DATA=… python benchmarks/firmware_exactness.py      (half an hour, most of it the reference's)

The network is a trained capture of a TS9 (LSTM 1×8); --network takes another of the captures or a random one such as
2x24. Builds: gcc and clang, -O0 and -O3, both sanitizers at once, int16 and float samples; 10 s under qemu for aarch64
and big-endian powerpc64, and 2 s on an emulated Cortex-M7 and M4, in five kinds of blocks. Exits 1 when a sample
differs by more than its arithmetic allows: nothing for integers, 1e-5 of full scale for float, a step of int16 where
that may turn a rounding.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS, int16_of
from neuralpedal.firmware_bridge.emulated_target import emulate
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.harness import build_harness
from neuralpedal.firmware_bridge.project import Project, write_project
from neuralpedal.firmware_bridge.target import load_target

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from captures import read_guitarml
from firmware_pedals import IRREGULAR, Wanted, write_pedal

SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
BUILDS = [("host", compiler, flags) for compiler in ("gcc", "clang") for flags in (("-O0",), ("-O3",), SANITIZERS)]
EMULATED = [("aarch64", "", ()), ("powerpc64", "", ())]
EMULATED_S = 10.0
MICROCONTROLLERS = ("cortex-m7", "cortex-m4")
MICROCONTROLLER_S = 2.0
ARITHMETICS = (("w8a16", None), ("w8a8", "litert"), ("w8a8", "tflm"), ("coarse-fine", "tflm"), ("tflm16x8", None),
               ("w8", None))


def network(data: Path, name: str, scheme: str, folder: Path) -> TfliteFile:
    """The pedal to play."""
    if "x" in name:
        layers, size = map(int, name.split("x"))
        return write_pedal(folder / "pedal.tflite", Wanted(scheme, size, layers, True, 0.4))
    return write_pedal(folder / "pedal.tflite", Wanted(scheme), read_guitarml(data / "captures" / "guitarml" / name))


def played(project: Project, build: tuple[str, str, tuple[str, ...]], dry: np.ndarray, wanted: np.ndarray,
           folder: Path) -> tuple[float, int]:
    """Largest difference in int16 steps and how many samples differ."""
    target, compiler, flags = build
    if compiler:
        os.environ["CC"] = compiler
    place = folder / "build"
    place.mkdir(exist_ok=True)
    dry.tofile(place / "dry.bin")
    build_harness(project, load_target(target), place, flags).stream(place / "dry.bin", place / "wet.bin", IRREGULAR)
    difference = np.abs(np.fromfile(place / "wet.bin", dry.dtype).astype(np.float64) - wanted)
    return float(np.max(difference)) * (1 if dry.dtype == np.int16 else INT16_STEPS), int(np.count_nonzero(difference))


def played_on(target: str, project: Project, dry: np.ndarray, wanted: np.ndarray, folder: Path) -> tuple[float, int]:
    """The same on an emulated microcontroller; infinite where anything else is wrong there."""
    place = folder / target
    place.mkdir(exist_ok=True)
    dry.tofile(folder / "dry.bin")
    wanted.astype(dry.dtype).tofile(folder / "wanted.bin")
    found = emulate(project, load_target(target), folder / "dry.bin", folder / "wanted.bin", place)
    worst = float("inf") if found.faults(project) else found.playing.difference_lsb
    return worst, max(one.differing_samples for one in found.playing.passes)


def label(build: tuple[str, str, tuple[str, ...]]) -> str:
    """A build in a few letters."""
    target, compiler, flags = build
    return f"{compiler} {'sanitizers' if flags == SANITIZERS else ' '.join(flags)}" if compiler else target


def rows(data: Path, name: str, seconds: float, dry: np.ndarray, schemes: list[str]) -> Iterator[tuple[Any, ...]]:
    """One for each arithmetic, sample type and build."""
    few = min(len(dry), round(EMULATED_S * len(dry) / seconds))
    for scheme, kernels in (one for one in ARITHMETICS if one[0] in schemes):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            model = network(data, name, scheme, folder)
            expected = ExpectedAudio(model, kernels)
            floats = (dry / INT16_STEPS).astype(np.float32)
            wet = expected.play(floats)
            # The answer in int16 is the float one, rounded; two channels meet in fixed point.
            wet_int16 = expected.play_int16(dry) if scheme == "coarse-fine" else int16_of(wet)
            for io, given, wanted in (("float", floats, wet), ("int16", dry, wet_int16)):
                project = write_project(model.path, folder / io, "host", io, kernels, golden_s=0.01)
                allowed = expected.tolerance.int16 if io == "int16" else expected.tolerance.float32 * INT16_STEPS
                for build in (*BUILDS, *EMULATED):
                    count = few if build in EMULATED else len(dry)
                    worst, differing = played(project, build, given[:count], wanted[:count], folder)
                    yield scheme, kernels or "", io, label(build), count, worst, differing, worst <= allowed
                count = min(len(dry), round(MICROCONTROLLER_S * len(dry) / seconds))
                for target in MICROCONTROLLERS:
                    worst, differing = played_on(target, project, given[:count], wanted[:count], folder)
                    yield scheme, kernels or "", io, target, count, worst, differing, worst <= allowed


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="lstm8_ts9_pytorch.json")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--schemes", nargs="+", default=[scheme for scheme, _ in ARITHMETICS])
    options = parser.parse_args()
    data = Path(os.environ.get("NEURALPEDAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    take = read_recording(data / "sd1" / "dry_train.flac")
    dry = int16_of(take.samples[: round(options.seconds * take.sample_rate_hz)]).astype(np.int16)
    print(f"{'scheme':12}{'kernels':9}{'samples':9}{'build':18}{'count':>9}{'off, lsb':>10}{'differ':>9}")
    met = True
    found = rows(data, options.network, options.seconds, dry, options.schemes)
    for scheme, kernels, io, build, count, worst, differing, right in found:
        met &= right
        print(f"{scheme:12}{kernels:9}{io:9}{build:18}{count:9}{worst:10.4f}{differing:9}{'' if right else '  WRONG'}",
              flush=True)
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
