"""What is modelled: two wet tracks of one guitar, at the rate of the study of 2022."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from neuralpedal.cli.study.plan import PEDAL, SAMPLE_RATE_HZ, TUBE
from neuralpedal.contract.atomic import make_folder
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.pair import RecordingPair
from neuralpedal.contract.probes import aliasing_window_samples

Track = NDArray[np.float32]


@dataclass(frozen=True)
class Target:
    """One wet track with its guitar, both (T,) float32 at ``SAMPLE_RATE_HZ``."""

    name: str
    dry: Track
    wet: Track


def prepare_targets(pair: RecordingPair, names: list[str], seconds: float | None, folder: Path,
                    told: Callable[[str], None]) -> dict[str, Target]:
    """Cut, let the tube play, resample. The tube's track is kept in ``folder``: it takes half a minute to solve.

    Raises:
        RecordingError: a rate below that of the study. OutputError: the folder cannot be written.
    """
    rate_hz = pair.sample_rate_hz
    if rate_hz < SAMPLE_RATE_HZ:
        raise RecordingError(f"{pair.dry.path}: {rate_hz} Hz, wanted at least {SAMPLE_RATE_HZ} Hz; "
                             "record at 44.1 or 48 kHz")
    length = len(pair.dry.samples) if seconds is None else round(seconds * rate_hz)
    dry, wet = pair.dry.samples[:length], pair.wet.samples[:length]
    slow_dry = _at_study_rate(dry, rate_hz)
    targets = {}
    for name in names:
        slow_wet = _at_study_rate(wet, rate_hz) if name == PEDAL else _tube(dry, rate_hz, folder, told)
        targets[name] = Target(name, slow_dry, slow_wet)
    return targets


def play_tube(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The tube itself at the study's rate, for sines that are periodic in the probes' window: (T,) to (T,)."""
    from neuralpedal.cli.virtual.tube_preamp import TubePreamp

    # The sine goes on for a moment: resamplers look ahead, and would see its end as a click.
    period = aliasing_window_samples(SAMPLE_RATE_HZ)
    longer = np.concatenate([samples, samples[-period:][: SAMPLE_RATE_HZ // 20]])
    # As the target was made: solved well above the study's rate.
    fast_hz = 2 * SAMPLE_RATE_HZ
    fast = soxr.resample(longer, SAMPLE_RATE_HZ, fast_hz, quality="VHQ")
    slow = soxr.resample(TubePreamp().process(fast, fast_hz), fast_hz, SAMPLE_RATE_HZ, quality="VHQ")
    return np.asarray(slow[: len(samples)], np.float64)


def _tube(dry: Track, rate_hz: int, folder: Path, told: Callable[[str], None]) -> Track:
    path = folder / f"{TUBE}.wav"
    if not path.exists():
        from neuralpedal.cli.virtual.tube_preamp import TubePreamp

        told("playing the guitar through the virtual tube preamp")
        make_folder(folder)
        write_recording(path, _at_study_rate(TubePreamp().process(dry, rate_hz), rate_hz), SAMPLE_RATE_HZ)
    return read_recording(path).samples


def _at_study_rate(samples: Track, rate_hz: int) -> Track:
    resampled: Track = soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ, quality="VHQ").astype(np.float32)
    return resampled
