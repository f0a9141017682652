"""The correction that training and conversion share."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from neuralpedal.contract.alignment import Alignment, read_between
from neuralpedal.contract.audio import Recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.pair import RecordingPair

RATE_HZ = 48_000


def _tones(samples: np.ndarray) -> np.ndarray:
    turns = 2 * np.pi / RATE_HZ * samples
    return (0.4 * np.sin(440 * turns) + 0.3 * np.sin(15_000 * turns + 1)).astype(np.float32)


def _pair(dry: np.ndarray, wet: np.ndarray) -> RecordingPair:
    return RecordingPair(Recording(dry, RATE_HZ, Path("dry.wav")), Recording(wet, RATE_HZ, Path("wet.wav")))


def test_nothing_to_correct_gives_the_same_pair() -> None:
    pair = _pair(np.ones(10, np.float32), np.ones(10, np.float32))
    assert Alignment().is_identity and Alignment().apply(pair) is pair


@pytest.mark.parametrize("latency", [9, -9, 1000])
def test_a_whole_latency_leaves_every_sample_as_it_was(latency: int) -> None:
    rng = np.random.default_rng(0)
    take = rng.normal(0, 0.1, 5000).astype(np.float32)
    dry = take[:4000]
    wet = np.roll(take, latency)[:4000] if latency > 0 else take[-latency : 4000 - latency]
    aligned = Alignment(latency_samples=latency).apply(_pair(dry, wet))
    assert len(aligned.dry.samples) == len(aligned.wet.samples) == 4000 - abs(latency)
    np.testing.assert_array_equal(aligned.dry.samples, aligned.wet.samples)
    np.testing.assert_array_equal(aligned.dry.samples, dry[max(0, -latency):][: 4000 - abs(latency)])


@pytest.mark.parametrize(("latency", "drift_ppm"), [(3.37, 0.0), (-120.25, 0.0), (7.3, 50.0), (-33.3, -50.0)])
def test_a_fractional_latency_and_a_drift_are_undone_to_minus_100_db(latency: float, drift_ppm: float) -> None:
    time = np.arange(100_000)
    wet = _tones((time - latency) / (1 + drift_ppm * 1e-6))
    aligned = Alignment(latency_samples=latency, drift_ppm=drift_ppm).apply(_pair(_tones(time), wet))
    error = (aligned.wet.samples - aligned.dry.samples)[64:-64]
    assert np.max(np.abs(error)) < 1e-5


def test_inversion_is_turned_back() -> None:
    dry = _tones(np.arange(100))
    np.testing.assert_array_equal(Alignment(inverted=True).apply(_pair(dry, -dry)).wet.samples, dry)


def test_beyond_the_ends_is_silence() -> None:
    read = read_between(np.ones(10, np.float32), -5, 15, 0.0, 1.0)
    np.testing.assert_array_equal(read, np.r_[np.zeros(5), np.ones(10), np.zeros(5)].astype(np.float32))
    assert not np.any(read_between(np.ones(10, np.float32), 500, 600, 0.5, 1.0))


def test_a_latency_longer_than_the_take_is_refused() -> None:
    pair = _pair(np.ones(100, np.float32), np.ones(100, np.float32))
    with pytest.raises(RecordingError, match=r"wet\.wav: a latency of 200\.0 samples leaves nothing of 100"):
        Alignment(latency_samples=200).apply(pair)


@pytest.mark.parametrize("fields", [{"latency_samples": float("nan")}, {"drift_ppm": 1e6}, {"delay": 3}])
def test_a_damaged_correction_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Alignment.model_validate(fields)
