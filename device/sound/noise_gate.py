"""A noise gate in front of a model: silence where nobody plays, before the model makes hiss loud.

It opens when a peak reaches the threshold and closes when none came near it for a while: near is the threshold less the
hysteresis, a while is the hold time. The gain moves in straight lines: nothing is looked ahead, nothing is late.
"""

import numpy as np

from neuralpedal.device.engine import Block
from neuralpedal.device.pedal_file import GateSettings
from neuralpedal.device.sound.stage import Stage

_HOP = 16
"""Samples per decision."""


class NoiseGate(Stage):
    """See the module.

    Args:
        settings: thresholds are peaks in dB of full scale, times are those of the whole way between shut and open.

    Attributes:
        gain: after the last block; 0 is shut.
    """

    def __init__(self, settings: GateSettings, block_size: int, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        hops = -(-block_size // _HOP)
        self._size = block_size
        # The last hop of a block may be filled up with zeros.
        self._magnitude = np.zeros((hops, _HOP), np.float32)
        self._flat = self._magnitude.reshape(-1)[:block_size]
        self._peaks = np.zeros(hops, np.float32)
        self._starts, self._slopes = np.zeros((hops, 1), np.float32), np.zeros((hops, 1), np.float32)
        self._gains = np.zeros((hops, _HOP), np.float32)
        self._flat_gains = self._gains.reshape(-1)[:block_size]
        self._counts = np.arange(1, _HOP + 1, dtype=np.float32)[np.newaxis, :]
        self._lengths = [min(_HOP, block_size - hop * _HOP) for hop in range(hops)]
        self.gain, self._open, self._quiet = 0.0, False, 0
        self.change(settings)

    def change(self, settings: GateSettings) -> None:
        """Other settings, from the next block on. From any thread."""
        per_ms = 1e-3 * self._rate_hz
        self._levels = (10.0 ** (settings.threshold_db / 20.0),
                        10.0 ** ((settings.threshold_db - settings.hysteresis_db) / 20.0),
                        round(settings.hold_ms * per_ms), 1.0 / (settings.attack_ms * per_ms),
                        1.0 / (settings.release_ms * per_ms))

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe."""
        np.abs(dry, out=self._flat)
        np.max(self._magnitude, axis=1, out=self._peaks)
        # One read: another thread may put other settings there meanwhile.
        opens, stays, hold, attack, release = self._levels
        start, moved = self.gain, False
        for hop, peak in enumerate(self._peaks.tolist()):
            length = self._lengths[hop]
            if peak >= opens or (self._open and peak >= stays):
                self._open, self._quiet = True, 0
            elif self._open:
                self._quiet += length
                self._open = self._quiet <= hold
            slope = (min(attack, (1.0 - start) / length) if self._open else -min(release, start / length))
            self._starts[hop, 0], self._slopes[hop, 0] = start, slope
            moved = moved or slope != 0.0
            start = min(1.0, max(0.0, start + slope * length))
        self.gain = start
        if moved:
            np.multiply(self._counts, self._slopes, out=self._gains)
            np.add(self._gains, self._starts, out=self._gains)
            np.multiply(dry, self._flat_gains, out=wet)
        elif start == 0.0:
            wet[...] = 0.0
        elif wet is not dry:
            wet[...] = dry

    def reset(self) -> None:
        """Shut. Real-time safe."""
        self.gain, self._open, self._quiet = 0.0, False, 0
