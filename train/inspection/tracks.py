"""Dry and wet as they lie on disk, read as far as they can be: an inspection goes on where a training must stop.

A stereo file is reduced to its first channel that is not silent, NaN becomes 0, different lengths are cut to the
shorter: each with a problem that says so.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.audio import Recording, is_silent, read_channels
from neuralpedal.contract.pair import LENGTH_TOLERANCE
from neuralpedal.train.inspection.problem import ERROR, INFO, Problem

FAMILIAR_RATES_HZ = (22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
_RATIO_TOLERANCE = 2e-3


@dataclass(frozen=True)
class Tracks:
    """What could be read.

    Attributes:
        dry, wet: mono and finite, of one length only when ``comparable``.
        problems: what had to be overlooked.
        comparable: False when the tracks cannot be laid side by side.
    """

    dry: Recording
    wet: Recording
    problems: tuple[Problem, ...]
    comparable: bool


def read_tracks(dry_path: Path, wet_path: Path) -> Tracks:
    """Read both files.

    Raises:
        RecordingError: one is missing, not audio or empty.
    """
    problems: list[Problem] = []
    dry, wet = (_read(Path(path), name, problems) for path, name in ((dry_path, "dry"), (wet_path, "wet")))
    if dry.sample_rate_hz != wet.sample_rate_hz:
        problems.append(_rate_mismatch(dry, wet))
        return Tracks(dry, wet, tuple(problems), comparable=False)
    shorter = min(len(dry.samples), len(wet.samples))
    if len(dry.samples) != len(wet.samples):
        problems.append(_length_mismatch(dry, wet))
    dry, wet = (Recording(track.samples[:shorter], track.sample_rate_hz, track.path) for track in (dry, wet))
    return Tracks(dry, wet, tuple(problems), comparable=True)


def _read(path: Path, name: str, problems: list[Problem]) -> Recording:
    samples, rate_hz = read_channels(path)
    mono = samples[:, 0]
    if samples.shape[1] > 1:
        sounding = [channel for channel in samples.T if not is_silent(np.nan_to_num(channel))]
        mono = sounding[0] if sounding else mono
        problems.append(Problem(f"{name}_stereo", ERROR, f"{path}: {samples.shape[1]} channels"
                                                         f"{_likeness(sounding)}, wanted 1 (mono); export the one "
                                                         "channel that holds this track"))
    bad = np.flatnonzero(~np.isfinite(mono))
    if bad.size:
        problems.append(Problem(f"{name}_not_finite", ERROR, f"{path}: {bad.size} samples are NaN or infinite, the "
                                                             f"first at {bad[0] / rate_hz:.3f} s; export it again"))
    finite = np.nan_to_num(mono, nan=0.0, posinf=0.0, neginf=0.0)
    return Recording(np.ascontiguousarray(finite), rate_hz, path)


def _likeness(sounding: list[NDArray[np.float32]]) -> str:
    if len(sounding) == 1:
        return " of which one sounds"
    if len(sounding) == 2 and np.array_equal(sounding[0], sounding[1]):
        return " that are equal"
    return ""


def _rate_mismatch(dry: Recording, wet: Recording) -> Problem:
    rates = f"{wet.path}: {wet.sample_rate_hz} Hz, but {dry.path} has {dry.sample_rate_hz} Hz"
    if abs(len(dry.samples) / len(wet.samples) - 1.0) < _RATIO_TOLERANCE:
        return Problem("sample_rate_mismatch", ERROR, f"{rates}, though both hold as many samples: one header is "
                                                      "probably wrong; export that file again without resampling")
    return Problem("sample_rate_mismatch", ERROR, f"{rates}; resample one of them")


def _length_mismatch(dry: Recording, wet: Recording) -> Problem:
    longer, shorter = (dry, wet) if len(dry.samples) > len(wet.samples) else (wet, dry)
    surplus = len(longer.samples) - len(shorter.samples)
    if surplus <= LENGTH_TOLERANCE * len(longer.samples):
        return Problem("length_differs", INFO, f"{longer.path}: the last {surplus} samples have no partner in "
                                               f"{shorter.path} and are not used")
    seconds = f"{wet.path}: {wet.seconds:.2f} s, but {dry.path} has {dry.seconds:.2f} s (more than 1 % apart)"
    ratio = len(longer.samples) / len(shorter.samples)
    for high in FAMILIAR_RATES_HZ:
        for low in FAMILIAR_RATES_HZ:
            if low < high and abs(ratio * low / high - 1.0) < _RATIO_TOLERANCE:
                return Problem("length_mismatch", ERROR, f"{seconds}: the ratio of {high} Hz to {low} Hz, so one file "
                                                         "probably says the wrong sample rate; export it again")
    return Problem("length_mismatch", ERROR, f"{seconds}; are they the same take? Trim them to the same length")
