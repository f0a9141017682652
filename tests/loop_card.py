"""A sound card that is a thread, and whose output runs through something of the test's back to its input.

It goes by blocks, as fast as it can, and every sample of it is known.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralpedal.contract.alignment import HALF_WIDTH_SAMPLES, read_between
from neuralpedal.device.audio_device import AudioDevice, StreamFormat

Way = Callable[[NDArray[np.float32]], NDArray[np.float32]]

OVERFLOW = 2
CARD = AudioDevice(0, "loop", "test", 48_000, 2, 2, 1.0, 1.5)


class Cable:
    """Delays by ``delay_samples`` (fractional; at least a block and half the interpolation's width), and more.

    Args:
        gain: negative inverts. noise_rms: white, added. pedal: what the sound runs through, block by block.
        echo_samples, echo: a second way, later by so many samples, with this gain.
    """

    def __init__(self, delay_samples: float, gain: float = 1.0, noise_rms: float = 0.0, pedal: Way | None = None,
                 echo_samples: int = 0, echo: float = 0.0) -> None:
        self._delay, self._gain, self._noise_rms, self._pedal = delay_samples, gain, noise_rms, pedal
        self._echo_samples, self._echo = echo_samples, echo
        self._reach = int(delay_samples) + echo_samples + 2 * HALF_WIDTH_SAMPLES
        self._past = np.zeros(self._reach, np.float32)
        self._rng = np.random.default_rng(0)

    def __call__(self, played: NDArray[np.float32]) -> NDArray[np.float32]:
        sound = played if self._pedal is None else self._pedal(played)
        line = np.concatenate([self._past, sound])
        self._past = line[-self._reach :].copy()
        heard = read_between(line, self._reach, len(line), -self._delay, 1.0)
        if self._echo:
            later = read_between(line, self._reach, len(line), -self._delay - self._echo_samples, 1.0)
            heard = heard + self._echo * later
        return (self._gain * heard + self._rng.normal(0.0, self._noise_rms, len(heard))).astype(np.float32)


class LoopCard:
    """Takes the place of an AudioSystem and of its stream.

    Args:
        way: from a played block to the one heard next. xruns: whether the block of a number is told as lost.
        rest_s: a sleep after every 32nd block, so that the test's other threads go on.
    """

    latency_ms = 2.5
    thread_id = None
    is_active = True

    def __init__(self, way: Way, xruns: Callable[[int], bool] = lambda block: False, sample_rate_hz: int = 48_000,
                 rest_s: float = 2e-4) -> None:
        self._way, self._lost, self._rest_s = way, xruns, rest_s
        self.device = replace(CARD, sample_rate_hz=sample_rate_hz)
        self.is_open, self.blocks, self.opened = True, 0, 0

    def __enter__(self) -> "LoopCard":
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.is_open, "the stream was not closed"

    def choose(self, wanted: str | None = None) -> AudioDevice:
        return self.device

    def open(self, device: AudioDevice, form: StreamFormat, process: Callable[..., None]) -> "LoopCard":
        self._form, self._process = form, process
        self._thread = threading.Thread(target=self._run)
        self.is_open = True
        self.opened += 1
        return self

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.is_open = False
        if self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        heard, played = (np.zeros(self._form.block_size, np.float32) for _ in range(2))
        while self.is_open:
            self._process(heard, played, OVERFLOW if self._lost(self.blocks) else 0)
            heard[...] = self._way(played)
            self.blocks += 1
            if self.blocks % 32 == 0:
                time.sleep(self._rest_s)


def plug_in(monkeypatch: pytest.MonkeyPatch, card: LoopCard) -> LoopCard:
    """From now on commands find this card."""
    monkeypatch.setattr("neuralpedal.cli.card_recorder.AudioSystem", lambda: card)
    return card
