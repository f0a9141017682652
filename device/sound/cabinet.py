"""A loudspeaker and its microphone: convolution with an impulse response, without delay beyond the block.

Uniformly partitioned: the response lies in pieces of one block, each transformed once; a block of guitar is
transformed, kept, and multiplied with the first piece, the block before with the second, and so on; one transform goes
back.
Pieces of several lengths would cost less for responses of a second. Those of loudspeakers end after a fifth of that.

Source: W. G. Gardner, "Efficient convolution without input-output delay", JAES 43 (1995); F. Wefers, "Partitioned
convolution algorithms for real-time auralization" (2015).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.device.engine import Block
from neuralpedal.device.sound.makeup import makeup_gain
from neuralpedal.device.sound.stage import Stage

LONGEST_S = 0.2
"""Loudspeakers are silent after a tenth of a second; what is longer is a room."""

_START_DB, _END_DB = -40.0, -80.0
_FADE_S = 0.005
_OUT = int(np.__version__.split(".")[0]) >= 2
"""Whether NumPy's transforms take an array to write into, and stay in single precision."""


@dataclass(frozen=True)
class ImpulseResponse:
    """A loudspeaker at one sample rate.

    Attributes:
        samples: float32 (T,), trimmed and with its level set. sample_rate_hz: of the stream it is for.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int


def read_impulse_response(path: Path, sample_rate_hz: int) -> ImpulseResponse:
    """A mono WAV as a loudspeaker for a stream of ``sample_rate_hz``.

    It is resampled (soxr, VHQ). Silence before the first sample within 40 dB of the peak is cut, because it would be
    heard as latency, as is the end that holds less than −80 dB of the energy, and what lies behind 0.2 s, with a fade
    of 5 ms. Its level becomes that of :func:`makeup_gain`: mean power 1 between 80 Hz and 5 kHz, octave by octave.

    Raises:
        RecordingError: no mono WAV, or silent.
    """
    recording = read_recording(path)
    samples = recording.samples.astype(np.float64)
    if recording.sample_rate_hz != sample_rate_hz:
        samples = soxr.resample(samples, recording.sample_rate_hz, sample_rate_hz, quality="VHQ")
    peak = np.max(np.abs(samples), initial=0.0)
    if not peak > 1e-9:
        raise RecordingError(f"{path}: silent, wanted an impulse response; export it again")
    samples = _trimmed(samples / peak, sample_rate_hz)
    gain = makeup_gain(lambda hz: _response(samples, hz, sample_rate_hz))
    return ImpulseResponse((gain * samples).astype(np.float32), sample_rate_hz)


def _trimmed(samples: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float64]:
    samples = samples[np.flatnonzero(np.abs(samples) >= 10.0 ** (_START_DB / 20.0))[0] :]
    longest = round(LONGEST_S * sample_rate_hz)
    if len(samples) > longest:
        fade = round(_FADE_S * sample_rate_hz)
        samples = samples[:longest].copy()
        samples[-fade:] *= np.linspace(1.0, 0.0, fade)
    left = np.cumsum(samples[::-1] ** 2)[::-1]
    return samples[: int(np.flatnonzero(left >= 10.0 ** (_END_DB / 10.0) * left[0])[-1]) + 1]


def _response(samples: NDArray[np.float64], frequency_hz: NDArray[np.float64],
              sample_rate_hz: int) -> NDArray[np.complex128]:
    angles = -2j * np.pi * frequency_hz / sample_rate_hz
    found: NDArray[np.complex128] = np.exp(np.outer(angles, np.arange(len(samples)))) @ samples
    return found


class Cabinet(Stage):
    """See the module."""

    def __init__(self, response: ImpulseResponse, block_size: int) -> None:
        pieces = -(-len(response.samples) // block_size)
        padded = np.zeros((pieces, 2 * block_size), np.float32)
        flat = np.zeros(pieces * block_size, np.float32)
        flat[: len(response.samples)] = response.samples
        padded[:, :block_size] = flat.reshape(pieces, block_size)
        kind = np.complex64 if _OUT else np.complex128
        self._pieces = np.fft.rfft(padded, axis=1).astype(kind)
        self._size, self._count, self._place = block_size, pieces, 0
        self.memory_samples = pieces * block_size
        # Each spectrum stands twice, so that the last of them lie in one stretch wherever the newest is.
        self._spectra = np.zeros((2 * pieces, block_size + 1), kind)
        self._products, self._sum = np.zeros_like(self._pieces), np.zeros(block_size + 1, kind)
        self._window = np.zeros(2 * block_size, np.float32)
        self._answer: NDArray[Any] = np.zeros(2 * block_size, np.float32)
        self._before, self._present = self._window[:block_size], self._window[block_size:]
        self._result = self._answer[block_size:]

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe but for short-lived views of memory and what NumPy's transforms take."""
        self._before[...] = self._present
        self._present[...] = dry
        place = self._place = (self._place or self._count) - 1
        newest = self._spectra[place]
        if _OUT:
            np.fft.rfft(self._window, out=newest)
        else:
            newest[...] = np.fft.rfft(self._window)
        self._spectra[place + self._count] = newest
        np.multiply(self._spectra[place : place + self._count], self._pieces, out=self._products)
        np.add.reduce(self._products, axis=0, out=self._sum)
        if _OUT:
            np.fft.irfft(self._sum, out=self._answer)
        else:
            self._answer[...] = np.fft.irfft(self._sum)
        wet[...] = self._result

    def reset(self) -> None:
        """Silence. Real-time safe."""
        self._spectra[...] = 0.0
        self._window[...] = 0.0
