"""Mono audio in and out of files, with the checks that every stage relies on.

WAV and FLAC through libsndfile. Samples are float32, full scale ±1. Stereo is refused instead of mixed down:
a stereo file of a mono pedal usually holds dry and wet side by side, or two different microphones.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from neuralpedal.contract.atomic import write_bytes
from neuralpedal.contract.errors import OutputError, RecordingError

SILENCE_RMS = 1e-5
"""A track below this rms (−100 dBFS) holds no playing."""

_SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}


@dataclass(frozen=True)
class Recording:
    """One mono track.

    Attributes:
        samples: float32, shape (T,), full scale ±1, finite.
        sample_rate_hz: as the file says.
        path: where it came from.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    path: Path

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hex."""
        return file_digest(self.path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    hasher = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while piece := handle.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


def read_recording(path: Path) -> Recording:
    """Read a mono WAV or FLAC file.

    Raises:
        RecordingError: missing, not audio, a truncated FLAC or header, stereo, empty, or holding NaN or infinity.
            (A WAV whose end is missing reads as a shorter one: recorders that crash leave such files.)
    """
    path = Path(path)
    samples, sample_rate_hz = read_channels(path)
    if samples.shape[1] != 1:
        raise RecordingError(
            f"{path}: {samples.shape[1]} channels, wanted 1 (mono); export the one channel that holds this track"
        )
    mono = np.ascontiguousarray(samples[:, 0])
    bad = np.flatnonzero(~np.isfinite(mono))
    if bad.size:
        raise RecordingError(
            f"{path}: {bad.size} samples are NaN or infinite, the first at {bad[0] / sample_rate_hz:.3f} s; "
            "export it again"
        )
    return Recording(mono, sample_rate_hz, path)


def read_channels(path: Path) -> tuple[NDArray[np.float32], int]:
    """Samples (T, channels), T at least 1, of any WAV or FLAC file, unchecked, and its sample rate in Hz.

    Raises:
        RecordingError: missing, not audio, a truncated FLAC or header, or empty.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give a WAV or FLAC file")
    try:
        samples, sample_rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:  # TypeError: a name that ends in .raw
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise RecordingError(f"{path}: not audio that can be read ({reason}); give a WAV or FLAC file") from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    if samples.size == 0:
        raise RecordingError(f"{path}: holds no samples; record or export it again")
    return samples, int(sample_rate_hz)


def write_recording(path: Path, samples: NDArray[np.float32], sample_rate_hz: int) -> None:
    """Write a mono file, whole or not at all: 32-bit float for ``.wav``, 24 bits for ``.flac``.

    Raises:
        OutputError: unknown suffix, missing folder, full disk, or a FLAC that would clip.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _SUBTYPES:
        raise OutputError(f"{path}: unknown audio suffix {path.suffix or '(none)'!r}; use .wav or .flac")
    peak = float(np.max(np.abs(samples), initial=0.0))
    if suffix == ".flac" and peak > 1.0:
        raise OutputError(f"{path}: peak {peak:.2f} would clip in FLAC; write a .wav (32-bit float) instead")
    # Encoded in memory: libsndfile says nothing when the last bytes of a FLAC find the disk full.
    encoded = io.BytesIO()
    try:
        soundfile.write(encoded, samples, sample_rate_hz, format=suffix[1:], subtype=_SUBTYPES[suffix])
    except soundfile.LibsndfileError as error:
        raise OutputError(f"{path}: cannot be encoded ({error.error_string.rstrip('.')})") from error
    write_bytes(path, encoded.getvalue())


def is_silent(samples: NDArray[np.float32]) -> bool:
    """True when the rms is below −100 dBFS."""
    return bool(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) < SILENCE_RMS)
