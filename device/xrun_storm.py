"""Tells a stream that has gone wrong from one that loses a block now and then.

Some cards and drivers, once out of step, lose blocks for ever, and only opening the stream anew mends them. Where the
machine is too slow instead, that would be in vain: so what the pedal's own late blocks cause does not count, and each
time it must go on for twice as long.
"""

from neuralpedal.device.block_meter import MeterReading

_SHARE = 0.25
"""Nobody can play on that. Not more: JACK tells of every second block at most, though all come too late."""

_FIRST_S, _LONGEST_S = 5, 80


class XrunStorm:
    """Args: before: how often the stream was opened anew already."""

    def __init__(self, before: int = 0) -> None:
        self.patience_s = min(_LONGEST_S, _FIRST_S * 2 ** min(before, 10))
        self._seconds, self._seen = 0, 0

    def note(self, second: MeterReading) -> bool:
        """After each second: whether a quarter of the blocks was lost for too long, by no fault of the pedal."""
        outside = second.xruns - second.xruns_after_late
        lost, self._seen = outside - self._seen, outside
        self._seconds = self._seconds + 1 if second.new_blocks and lost >= _SHARE * second.new_blocks else 0
        return self._seconds >= self.patience_s
