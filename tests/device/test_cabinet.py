"""The loudspeaker: exactly the convolution, no sample later, whatever the block."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from neuralpedal.contract.errors import RecordingError
from neuralpedal.device.sound.cabinet import LONGEST_S, Cabinet, ImpulseResponse, read_impulse_response
from signals import RATE_HZ, plucks

pytestmark = pytest.mark.device


def speaker(length: int, seed: int = 0) -> np.ndarray:
    """Decaying noise with a peak at its start."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0.0, 0.3, length) * np.exp(-8.0 * np.arange(length) / length)
    samples[0] = 1.0
    return samples


@pytest.mark.parametrize("size", [16, 17, 64, 100, 1024])
@pytest.mark.parametrize("length", [1, 15, 64, 65, 1000, 9600])
def test_it_plays_the_convolution_without_delay(size, length):
    response = speaker(length).astype(np.float32)
    dry = plucks(0.5)[: 24_000 // size * size]
    cabinet, wet = Cabinet(ImpulseResponse(response, RATE_HZ), size), np.empty_like(dry)
    for start in range(0, len(dry), size):
        cabinet.process(dry[start : start + size], wet[start : start + size])
    fft = 1 << 16
    wanted = np.fft.irfft(np.fft.rfft(dry.astype(np.float64), fft) * np.fft.rfft(response.astype(np.float64), fft), fft)
    np.testing.assert_allclose(wet, wanted[: len(wet)], rtol=0, atol=3e-6)


def test_a_reset_forgets_what_was_played():
    cabinet, dry = Cabinet(ImpulseResponse(speaker(500).astype(np.float32), RATE_HZ), 64), plucks(0.1)[:4800]
    first, again = np.empty((75, 64), np.float32), np.empty((75, 64), np.float32)
    for wet in (first, again):
        cabinet.reset()
        for index in range(75):
            cabinet.process(dry[64 * index : 64 * index + 64], wet[index])
    np.testing.assert_array_equal(first, again)


def write(path: Path, samples: np.ndarray, rate_hz: int) -> Path:
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    return path


def test_silence_before_and_after_is_cut_and_the_level_set(tmp_path):
    samples = speaker(2000)
    padded = np.concatenate([1e-4 * np.ones(300), 0.2 * samples, np.zeros(3000)])
    found = read_impulse_response(write(tmp_path / "ir.wav", padded, RATE_HZ), RATE_HZ).samples
    assert 1500 < len(found) <= 2000
    ratio = found[0] / samples[0]
    np.testing.assert_allclose(found, ratio * samples[: len(found)], rtol=1e-5, atol=1e-6)
    bins = np.abs(np.fft.rfft(found, 1 << 17)) ** 2
    places = np.round(np.geomspace(80, 5000, 500) / RATE_HZ * (1 << 17)).astype(int)
    assert 10 * np.log10(np.mean(bins[places])) == pytest.approx(0.0, abs=0.2)


def test_what_is_longer_than_a_loudspeaker_ends_in_a_fade(tmp_path):
    long = np.random.default_rng(0).normal(0.0, 0.1, RATE_HZ)
    found = read_impulse_response(write(tmp_path / "room.wav", long, RATE_HZ), RATE_HZ).samples
    assert RATE_HZ * LONGEST_S - 50 <= len(found) <= RATE_HZ * LONGEST_S
    assert np.max(np.abs(found[-20:])) < 0.1 * np.max(np.abs(found))


@pytest.mark.parametrize("rate_hz", [44_100, 96_000])
def test_a_response_of_another_rate_sounds_the_same(tmp_path, rate_hz):
    def sampled(hz: int) -> np.ndarray:
        time_s = np.arange(hz // 20) / hz
        return time_s**2 * np.exp(-800 * time_s) * np.cos(2 * np.pi * 700 * time_s) * 1e9 / hz

    found, same = (read_impulse_response(write(tmp_path / f"{hz}.wav", sampled(hz), hz), RATE_HZ).samples
                   for hz in (rate_hz, RATE_HZ))
    one, two = (np.abs(np.fft.rfft(each, 1 << 14))[27:3400] for each in (found, same))
    assert np.max(np.abs(20 * np.log10(one / two))) < 0.3


@pytest.mark.parametrize(("samples", "said"), [
    (np.zeros(1000), "silent"), (np.zeros((1000, 2)), "2 channels, wanted 1"), (np.full(100, np.nan), "NaN"),
])
def test_what_is_no_response_is_refused(tmp_path, samples, said):
    with pytest.raises(RecordingError, match=said):
        read_impulse_response(write(tmp_path / "ir.wav", samples, RATE_HZ), RATE_HZ)
