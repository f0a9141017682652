"""Golden vectors: audio that visits what a kernel may get wrong, and what the reference makes of it.

Two files of bare samples, little-endian, of the type that the project plays: GOLDEN_IN and GOLDEN_OUT. A harness on a
target streams the one and compares with, or gives back, the other.
"""

import numpy as np
from numpy.typing import NDArray

from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio

GOLDEN_IN, GOLDEN_OUT = "golden_in.bin", "golden_out.bin"
GOLDEN_S = 2.0


def golden_dry(samples: int, sample_rate_hz: int, seed: int = 0) -> NDArray[np.int16]:
    """(samples,) int16: in turn silence, decaying notes, full-scale square waves with int16's ends, noise of rising
    level, then notes again."""
    fifth = -(-samples // 5)
    rng = np.random.default_rng(seed)
    square = np.where(np.arange(fifth) // max(sample_rate_hz // 220, 1) % 2, 32767, -32768)
    noise = rng.uniform(-32768.0, 32767.0, fifth) * np.linspace(0.0, 1.0, fifth)
    parts = [np.zeros(fifth), _notes(fifth, sample_rate_hz, rng), square, noise, _notes(fifth, sample_rate_hz, rng)]
    return np.rint(np.concatenate(parts)[:samples]).astype(np.int16)


def golden_wet(expected: ExpectedAudio, dry: NDArray[np.int16], int16_audio: bool) -> tuple[bytes, bytes]:
    """Content of both files."""
    if int16_audio:
        return dry.astype("<i2").tobytes(), expected.play_int16(dry).astype("<i2").tobytes()
    samples = (dry / 32768).astype(np.float32)
    return samples.astype("<f4").tobytes(), expected.play(samples).astype("<f4").tobytes()


def _notes(samples: int, sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A plucked note every tenth of a second."""
    time_s, signal = np.arange(samples) / sample_rate_hz, np.zeros(samples)
    for onset_s in np.arange(0.0, samples / sample_rate_hz, 0.1):
        age_s = time_s - onset_s
        pitch_hz = 82.4 * 2.0 ** (rng.integers(0, 36) / 12.0)
        note = sum(np.sin(2.0 * np.pi * pitch_hz * k * age_s) / k for k in range(1, 6))
        signal += rng.uniform(1000.0, 12000.0) * note * np.exp(-8.0 * age_s) * (age_s >= 0.0)
    return np.clip(signal, -32768.0, 32767.0)
