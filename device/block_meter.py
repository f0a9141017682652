"""What the audio thread counts, and how others read it: no locks, no memory but what was there from the start.

The audio thread writes a row per block into rings, and counters behind them. A reader takes the rows that came since
it last looked. It may miss rows when it looks too seldom, but it never sees one that is not written yet.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

XRUN_FLAGS = 0xF
"""PortAudio's status bits that mean lost audio: under- and overflow of input and output."""

_RING_SECONDS = 4.0
_SILENCE_DBFS = -120.0
_XRUN_ROWS = 64
_USUAL_PERCENTILE, _LEAST_WAIT_NS = 95, 2e5
"""Drivers with long periods call for several blocks at once: one gap in sixteen may be a long one."""
_OWN_FAULT_BLOCKS = 4
"""An xrun is told within so many blocks after what caused it: PortAudio and drivers have two or three in flight."""


@dataclass(frozen=True)
class MeterReading:
    """Counters run from the start; all else is of the blocks since the reading before.

    Attributes:
        blocks: since the start. new_blocks: since the reading before.
        late_blocks: that took longer to compute than they last.
        xruns: blocks with lost audio. xruns_after_late: those that came just after a late block of ours; the others
            have causes outside (the card, other processes, the kernel).
        faults: blocks that the engine refused or answered with NaN or infinity. bad_inputs: that came with these.
        us_p50, us_p99, us_max: microseconds per block. deadline_us: what a block lasts.
        input_peak_dbfs, output_peak_dbfs: −120 for silence.
    """

    blocks: int
    new_blocks: int
    late_blocks: int
    xruns: int
    xruns_after_late: int
    faults: int
    bad_inputs: int
    us_p50: float
    us_p99: float
    us_max: float
    deadline_us: float
    input_peak_dbfs: float
    output_peak_dbfs: float

    @property
    def deadline_share_p99(self) -> float:
        """Of the time that a block lasts, how much 99 % of the blocks need at most; 1.0 is all of it."""
        return self.us_p99 / self.deadline_us


@dataclass(frozen=True)
class Xrun:
    """One block with lost audio.

    Attributes:
        block: its number. flags: PortAudio's status bits. after_late: it came just after a late block of ours.
        held_up_ms: how much longer than usual the audio thread had to wait for this block or those just before; 0 if
            it had not.
    """

    block: int
    flags: int
    after_late: bool
    held_up_ms: float


class BlockMeter:
    """See the module.

    Attributes:
        late_blocks, xruns, xruns_after_late, faults, bad_inputs, blocks: see :class:`MeterReading`. The audio thread
            alone writes them.
    """

    def __init__(self, block_size: int, sample_rate_hz: int) -> None:
        self.deadline_ns = round(1e9 * block_size / sample_rate_hz)
        rows = max(64, math.ceil(_RING_SECONDS * sample_rate_hz / block_size))
        self._busy_ns = np.zeros(rows, np.int64)
        self._peaks = np.zeros((2, rows), np.float32)
        self.blocks = self.late_blocks = self.xruns = self.xruns_after_late = self.faults = self.bad_inputs = 0
        self._last_late = -_OWN_FAULT_BLOCKS - 1
        self._gaps_ns, self._begun_ns = np.zeros(rows, np.int64), 0
        self._xrun_blocks, self._xrun_flags = (np.zeros(_XRUN_ROWS, np.int64) for _ in range(2))
        self._xrun_late = np.zeros(_XRUN_ROWS, np.bool_)

    def record(self, busy_ns: int, input_peak: float, output_peak: float, flags: int) -> bool:
        """One block; True if it was late. Real-time safe."""
        row = self.blocks % len(self._busy_ns)
        self._busy_ns[row] = busy_ns
        self._peaks[0, row], self._peaks[1, row] = input_peak, output_peak
        begun_ns = time.perf_counter_ns() - busy_ns
        self._gaps_ns[row] = begun_ns - self._begun_ns if self._begun_ns else 0
        self._begun_ns = begun_ns
        if flags & XRUN_FLAGS:
            ours = self.blocks - self._last_late <= _OWN_FAULT_BLOCKS
            event = self.xruns % _XRUN_ROWS
            self._xrun_blocks[event], self._xrun_flags[event], self._xrun_late[event] = self.blocks, flags, ours
            self.xruns_after_late += ours
            self.xruns += 1
        late = busy_ns > self.deadline_ns
        if late:
            self.late_blocks += 1
            self._last_late = self.blocks
        # Last: a reader must not take a row that is half written.
        self.blocks += 1
        return late

    def read(self, since: int = 0) -> MeterReading:
        """What happened since ``since`` blocks had been played (``blocks`` of the reading before).

        Of the last four seconds at most. Not real-time safe; for any number of readers.
        """
        blocks, size = self.blocks, len(self._busy_ns)
        rows = np.arange(max(since, blocks - size), blocks) % size
        busy_us = self._busy_ns[rows] / 1e3
        p50, p99, longest = (np.percentile(busy_us, (50, 99, 100)) if len(rows) else np.zeros(3))
        peaks = np.max(self._peaks[:, rows], axis=1, initial=0.0)
        return MeterReading(
            blocks, blocks - since, self.late_blocks, self.xruns, self.xruns_after_late, self.faults, self.bad_inputs,
            float(p50), float(p99), float(longest), self.deadline_ns / 1e3, *(dbfs(float(peak)) for peak in peaks),
        )

    def read_xruns(self, since: int = 0) -> list[Xrun]:
        """What is known of the xruns since ``since`` had been counted; of the last 64 at most. Not real-time safe."""
        count, size = self.xruns, len(self._gaps_ns)
        if count <= since:
            return []
        usual_ns = float(np.percentile(self._gaps_ns[: max(1, min(self.blocks, size))], _USUAL_PERCENTILE))
        found = []
        for event in range(max(since, count - _XRUN_ROWS), count):
            block = int(self._xrun_blocks[event % _XRUN_ROWS])
            near = np.arange(max(0, block - _OWN_FAULT_BLOCKS), block + 1) % size
            waited_ns = float(np.max(self._gaps_ns[near])) if self.blocks - block < size else 0.0
            longer_ns = waited_ns - usual_ns
            held_up = longer_ns > max(0.5 * usual_ns, _LEAST_WAIT_NS)
            found.append(Xrun(block, int(self._xrun_flags[event % _XRUN_ROWS]),
                              bool(self._xrun_late[event % _XRUN_ROWS]), longer_ns / 1e6 if held_up else 0.0))
        return found


def dbfs(peak: float) -> float:
    """A peak as dB of full scale, not below −120."""
    return max(_SILENCE_DBFS, 20.0 * math.log10(peak)) if peak > 0.0 else _SILENCE_DBFS
