"""Proves a project: builds it for its target, plays audio through it and compares every sample with the reference."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS, int16_of
from neuralpedal.firmware_bridge.emulated_target import Emulation, emulate
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.golden import GOLDEN_IN, GOLDEN_OUT
from neuralpedal.firmware_bridge.harness import Harness, build_harness
from neuralpedal.firmware_bridge.project import Project, read_project
from neuralpedal.firmware_bridge.target import Target, load_target

BLOCKS: tuple[tuple[int, ...], ...] = ((64,), (1,), (16,), (48,), (5, 64, 1, 190, 17))
"""Lengths of blocks, each list in turn: the sound must not depend on them."""


@dataclass(frozen=True)
class Verification:
    """What came out.

    Attributes:
        passed: no sample differs by more than the arithmetic allows.
        max_abs_difference: in full-scale units. max_abs_difference_lsb: in steps of int16.
        allowed_lsb: 0 for integer networks, which must be exact.
        differing_samples: of ``samples``, those that are not equal, in the worst of ``blocks``.
        blocks: lengths, each list in turn; [0]: lengths that change without a rule.
        instructions_per_sample, flash_bytes, ram_bytes, stack_bytes: of the pedal alone, measured on an emulated
            microcontroller; RAM is one state without the stack. None on other targets.
        faults: what else is wrong, in one line each.
    """

    passed: bool
    project: str
    target: str
    arithmetic: str
    io: str
    samples: int
    seconds: float
    blocks: tuple[tuple[int, ...], ...]
    max_abs_difference: float
    max_abs_difference_lsb: float
    allowed_lsb: float
    differing_samples: int
    state_bytes: int
    table_bytes: int
    instructions_per_sample: float | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    stack_bytes: int | None = None
    faults: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def verify_project(folder: Path, target: str | None = None, audio: Path | None = None, seconds: float | None = None,
                   blocks: Sequence[Sequence[int]] = BLOCKS, flags: Sequence[str] = ()) -> Verification:
    """Build, play, compare.

    Args:
        target: instead of the project's own. audio: a recording at the model's rate instead of the golden vectors.
        seconds: of it, from its beginning; all by default. flags: further ones for the compiler.

    Raises:
        FirmwareError: no project, or it does not compile or run. RecordingError: the audio cannot be read.
    """
    project = read_project(folder)
    chosen = load_target(target or project.target)
    with tempfile.TemporaryDirectory() as place:
        source, wanted = _material(project, audio, seconds, Path(place))
        if chosen.machine is None:
            harness = build_harness(project, chosen, Path(place), flags)
            played = _play_all(harness, source, Path(place) / "wet.bin", blocks, wanted)
        else:
            played = _emulate(project, chosen, source, wanted, Path(place), flags)
    return _judge(project, chosen, played, len(wanted))


@dataclass(frozen=True)
class _Played:
    """What was heard: the largest difference in the samples' own units, the most that differ, in which blocks."""

    worst: float
    differing: int
    blocks: tuple[tuple[int, ...], ...]
    emulation: Emulation | None = None


def _play_all(harness: Harness, source: Path, target: Path, blocks: Sequence[Sequence[int]],
              wanted: NDArray[Any]) -> _Played:
    worst, differing = 0.0, 0
    for lengths in blocks:
        difference = np.abs(_play(harness, source, target, lengths, wanted).astype(np.float64) - wanted)
        worst, differing = max(worst, float(np.max(difference))), max(differing, int(np.count_nonzero(difference)))
    return _Played(worst, differing, tuple(map(tuple, blocks)))


def _emulate(project: Project, target: Target, source: Path, wanted: NDArray[Any], place: Path,
             flags: Sequence[str]) -> _Played:
    """On the target's own machine, where the harness compares."""
    expected = place / "expected.bin"
    wanted.tofile(expected)
    found = emulate(project, target, source, expected, place, flags)
    passes = found.playing.passes
    return _Played(found.playing.difference_lsb / (1.0 if project.io == "int16" else INT16_STEPS),
                   max(one.differing_samples for one in passes), tuple((one.block,) for one in passes), found)


def _judge(project: Project, target: Target, played: _Played, samples: int) -> Verification:
    tolerance, manifest = ExpectedAudio(project.model, project.kernels).tolerance, project.model.manifest()
    is_int16, found = project.io == "int16", played.emulation
    steps = played.worst if is_int16 else played.worst * INT16_STEPS
    allowed = tolerance.int16 if is_int16 else tolerance.float32 * INT16_STEPS
    faults = found.faults(project) if found else []
    return Verification(
        passed=steps <= allowed and not faults, project=project.name, target=target.name, arithmetic=manifest.scheme,
        io=project.io, samples=samples, seconds=samples / manifest.sample_rate_hz, blocks=played.blocks,
        max_abs_difference=steps / INT16_STEPS, max_abs_difference_lsb=steps, allowed_lsb=allowed,
        differing_samples=played.differing, state_bytes=project.state_bytes, table_bytes=project.table_bytes,
        instructions_per_sample=found.playing.instructions_per_sample if found else None,
        flash_bytes=found.footprint.flash_bytes if found else None,
        ram_bytes=found.footprint.ram_bytes if found else None,
        stack_bytes=found.playing.stack_bytes if found else None, faults=tuple(faults))


def _material(project: Project, audio: Path | None, seconds: float | None, place: Path) -> tuple[Path, NDArray[Any]]:
    """The file to play and what must come out."""
    dtype = np.dtype("<i2" if project.io == "int16" else "<f4")
    if audio is None:
        wanted = np.fromfile(project.folder / GOLDEN_OUT, dtype)
        if len(wanted) == 0 or (project.folder / GOLDEN_IN).stat().st_size != wanted.nbytes:
            raise FirmwareError(f"{project.folder}: its golden vectors are not of one length; generate it again")
        return project.folder / GOLDEN_IN, wanted
    rate_hz = project.model.manifest().sample_rate_hz
    recording = read_recording(audio)
    if recording.sample_rate_hz != rate_hz:
        raise FirmwareError(f"{audio}: {recording.sample_rate_hz} Hz, but {project.name} plays at {rate_hz} Hz only; "
                            "convert the recording first")
    dry = recording.samples[: None if seconds is None else round(seconds * rate_hz)].astype(np.float32)
    expected, source = ExpectedAudio(project.model, project.kernels), place / "dry.bin"
    if project.io == "int16":
        steps = int16_of(dry).astype(np.int16)
        steps.astype(dtype).tofile(source)
        return source, expected.play_int16(steps)
    dry.astype(dtype).tofile(source)
    return source, expected.play(dry)


def _play(harness: Harness, source: Path, target: Path, lengths: Sequence[int],
          wanted: NDArray[Any]) -> NDArray[Any]:
    harness.stream(source, target, lengths)
    got = np.fromfile(target, wanted.dtype.newbyteorder("<"))
    if len(got) != len(wanted):
        raise FirmwareError(f"target {harness.target.name}: {len(got)} samples came out, wanted {len(wanted)}")
    return got
