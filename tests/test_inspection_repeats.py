"""A passage that is played twice is found to the sample, and what differs between its two answers is measured."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.train.inspection import repeats
from neuralpedal.train.inspection.repeats import find_repeat, measure_repeatability
from neuralpedal.train.inspection.report import inspect_files
from signals import RATE_HZ, plucks, soft_clip


@given(start=st.integers(0, 3000), length=st.integers(400, 3000), gap=st.integers(1, 4000), seed=st.integers(0, 99),
       piece=st.sampled_from([500, 1 << 20]))
@settings(max_examples=40)
def test_a_passage_that_comes_again_is_found_to_the_sample_wherever_it_lies(start, length, gap, seed, piece):
    rng = np.random.default_rng(seed)
    passage = rng.normal(0.0, 0.1, length)
    track = np.concatenate([rng.normal(0.0, 0.1, start), passage, rng.normal(0.0, 0.1, gap), passage,
                            rng.normal(0.0, 0.1, 50)]).astype(np.float32)
    whole = repeats._PIECE
    try:
        repeats._PIECE = piece
        found = find_repeat(track, 100)
    finally:
        repeats._PIECE = whole
    assert found == (slice(start, start + length), length + gap)


def test_hashes_are_those_of_exact_arithmetic():
    track = np.random.default_rng(0).normal(0.0, 1.0, 60).astype(np.float32)
    bits = [int(value) for value in track.view(np.uint32)]
    wanted = [sum(bit * repeats._PRIME**place for place, bit in enumerate(bits[start : start + 20])) % 2**64
              for start in range(41)]
    assert list(map(int, repeats._hashes(track, 20))) == wanted


def test_nothing_is_found_in_noise_in_silence_and_in_a_track_that_is_shorter_than_a_window():
    noise = np.random.default_rng(0).normal(0.0, 0.1, 20_000).astype(np.float32)
    silences = noise.copy()
    silences[2000:6000] = silences[9000:13_000] = 0.0
    for track in (noise, silences, np.zeros(20_000, np.float32), noise[:50], noise[:0]):
        assert find_repeat(track, 100) is None


def _pair(noise_rms: float) -> tuple[np.ndarray, np.ndarray]:
    """Twelve seconds, of which two come twice."""
    dry = plucks(12.0, seed=5)
    dry[RATE_HZ : RATE_HZ + 100] = 0.0
    dry[8 * RATE_HZ : 10 * RATE_HZ] = dry[RATE_HZ : 3 * RATE_HZ]
    noise = np.random.default_rng(1).normal(0.0, noise_rms, len(dry))
    return dry, (soft_clip(dry) + noise).astype(np.float32)


@pytest.mark.parametrize("noise_rms", [0.0, 3e-3, 5e-2])
def test_noise_shows_as_the_esr_that_no_model_gets_below(noise_rms):
    dry, wet = _pair(noise_rms)
    found = measure_repeatability(dry, wet, RATE_HZ)
    heard = soft_clip(dry)[RATE_HZ + RATE_HZ // 4 : 3 * RATE_HZ].astype(np.float64)
    assert found is not None and found.repeatability_s == pytest.approx(1.75, abs=0.01)
    assert found.repeatability_esr == pytest.approx(noise_rms**2 / (np.mean(heard**2) + noise_rms**2), rel=0.03)


def test_inspect_names_what_cannot_be_repeated_and_says_nothing_where_nothing_is_repeated(tmp_path: Path):
    for name, (dry, wet) in {"noisy": _pair(5e-2), "clean": _pair(1e-4), "once": (plucks(12.0), plucks(12.0))}.items():
        for track, samples in (("dry", dry), ("wet", soft_clip(wet) if name == "once" else wet)):
            soundfile.write(tmp_path / f"{name}-{track}.wav", samples, RATE_HZ, subtype="FLOAT")
    noisy, clean, once = (inspect_files(tmp_path / f"{name}-dry.wav", tmp_path / f"{name}-wet.wav")
                          for name in ("noisy", "clean", "once"))
    told = next(problem for problem in noisy.problems if problem.code == "unrepeatable")
    assert "the same 1.8 s of the dry track" in told.message and noisy.usable
    assert clean.to_json()["repeatability_esr"] < 1e-4 and "unrepeatable" not in {one.code for one in clean.problems}
    assert once.repeatability is None and once.to_json()["repeatability_esr"] is None
