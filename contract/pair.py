"""A dry and a wet track that belong together, checked before anybody trains or measures on them.

Only what makes a pair unusable is refused here. Latency, polarity and drift are another question: they make a pair
worse, not useless.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.audio import Recording, is_silent, read_recording
from neuralpedal.contract.errors import RecordingError

LENGTH_TOLERANCE = 0.01
"""Tracks whose lengths differ by more than this share are taken for different takes."""


@dataclass(frozen=True)
class RecordingPair:
    """Dry and wet of one take, equally long.

    Attributes:
        dry, wet: the tracks, trimmed to the shorter one.
        warnings: sentences for the user, each naming the file; empty when all is well.
    """

    dry: Recording
    wet: Recording
    warnings: tuple[str, ...] = ()

    @property
    def sample_rate_hz(self) -> int:
        """The rate that both tracks share."""
        return self.dry.sample_rate_hz

    def digests(self) -> dict[str, str]:
        """SHA-256 of both files, for provenance."""
        return {"dry_sha256": self.dry.digest(), "wet_sha256": self.wet.digest()}


def read_pair(dry_path: Path, wet_path: Path) -> RecordingPair:
    """Read and check the two tracks of one take.

    Raises:
        RecordingError: as :func:`read_recording`, or different rates, lengths more than 1 % apart, a silent track.
    """
    dry, wet = read_recording(dry_path), read_recording(wet_path)
    if dry.sample_rate_hz != wet.sample_rate_hz:
        raise RecordingError(
            f"{wet.path}: {wet.sample_rate_hz} Hz, but {dry.path} has {dry.sample_rate_hz} Hz; resample one of them"
        )
    dry, wet, warnings = _trim(dry, wet)
    for track in (dry, wet):
        if is_silent(track.samples):
            raise RecordingError(f"{track.path}: silent (rms below −100 dBFS); check the cable and record it again")
    if is_copy(dry.samples, wet.samples):
        warnings.append(f"{wet.path}: a copy of {dry.path} but for its level; was the pedal bypassed?")
    return RecordingPair(dry, wet, tuple(warnings))


def _trim(dry: Recording, wet: Recording) -> tuple[Recording, Recording, list[str]]:
    shorter, longer = sorted((dry, wet), key=lambda track: len(track.samples))
    length, surplus = len(shorter.samples), len(longer.samples) - len(shorter.samples)
    if surplus == 0:
        return dry, wet, []
    if surplus > LENGTH_TOLERANCE * len(longer.samples):
        raise RecordingError(
            f"{wet.path}: {wet.seconds:.2f} s, but {dry.path} has {dry.seconds:.2f} s (more than 1 % apart); "
            "are they the same take? Trim them to the same length"
        )
    warning = f"{longer.path}: the last {surplus} samples have no partner in {shorter.path} and are not used"

    def cut(track: Recording) -> Recording:
        return Recording(track.samples[:length], track.sample_rate_hz, track.path)

    return cut(dry), cut(wet), [warning]


def is_copy(dry: NDArray[np.float32], wet: NDArray[np.float32]) -> bool:
    """True when wet is dry times a constant, to −100 dB."""
    x, y = dry.astype(np.float64), wet.astype(np.float64)
    gain = np.dot(x, y) / np.dot(x, x)
    residue = y - gain * x
    return bool(np.dot(residue, residue) < 1e-10 * np.dot(y, y))
