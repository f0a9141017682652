"""File to file through a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.device.engine import Engine
from neuralpedal.device.stream import Report, stream


@dataclass(frozen=True)
class Rendering:
    """What was done: ``seconds`` of audio at ``sample_rate_hz``, resampled or not, peak of the result."""

    seconds: float
    sample_rate_hz: int
    resampled: bool
    peak: float


def render_file(engine: Engine, source: Path, target: Path, resample: bool = False,
                report: Report | None = None) -> Rendering:
    """Play ``source`` through ``engine`` into ``target`` (same length and rate as the source).

    Args:
        resample: convert to the model's rate and back (soxr, very high quality) instead of refusing another rate.

    Raises:
        RecordingError: the source cannot be read, or has another rate and ``resample`` is False.
        OutputError: the target cannot be written.
    """
    recording = read_recording(source)
    rate, wanted = recording.sample_rate_hz, engine.sample_rate_hz
    if rate != wanted and not resample:
        raise RecordingError(f"{source}: {rate} Hz, but the model was trained at {wanted} Hz; "
                             "add --resample or convert the file")
    dry = _resampled(recording.samples, rate, wanted)
    wet = stream(engine, dry, report)
    wet = _fitted(_resampled(wet, wanted, rate), len(recording.samples))
    write_recording(target, wet, rate)
    return Rendering(recording.seconds, rate, rate != wanted, float(np.max(np.abs(wet), initial=0.0)))


def _resampled(samples: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    if rate_hz == wanted_hz:
        return samples
    return np.asarray(soxr.resample(samples, rate_hz, wanted_hz, quality="VHQ"), np.float32)


def _fitted(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Cut or fill with silence: rates that do not divide each other round the length."""
    return np.concatenate([samples[:length], np.zeros(max(0, length - len(samples)), np.float32)])
