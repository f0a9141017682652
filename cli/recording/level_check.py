"""Before the take: the loudest part over and over, until what comes back is neither soft nor clipped."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.live import Live
from rich.text import Text

from neuralpedal.cli.card_recorder import CardRecorder
from neuralpedal.cli.console import bar, note, stderr
from neuralpedal.contract.errors import RecordingError
from neuralpedal.device.block_meter import dbfs
from neuralpedal.device.tape import Tape

WANTED_DBFS = (-12.0, -3.0)
"""Where the peak of the loudest part shall lie: the rest of the take may be a little louder."""

_SILENT_DBFS, _CLIPPED_DBFS = -60.0, -0.1
_TURNS_RIGHT = 2
_BAR_WIDTH = 40
_RECENT_SAMPLES = 4800
_LOWEST_DBFS = -60.0


def advice(peak_dbfs: float) -> str:
    """What to turn; empty when the level is right."""
    low, high = WANTED_DBFS
    if peak_dbfs < _SILENT_DBFS:
        return "nothing comes back: is the pedal on, and are both cables in?"
    if peak_dbfs < low:
        return f"turn up by {low - peak_dbfs:.0f} dB or a little more (pedal's volume, or card's input)"
    if peak_dbfs >= _CLIPPED_DBFS:
        return "clipped: turn down (pedal's volume, or card's input)"
    if peak_dbfs > high:
        return f"turn down by {max(1.0, peak_dbfs - high):.0f} dB or a little more"
    return ""


def set_level(recorder: CardRecorder, loudest: NDArray[np.float32], patience_s: float) -> float:
    """Play ``loudest`` (T,) until its peak is right twice in a row; the peak in dBFS.

    Raises:
        RecordingError: it was not within ``patience_s``. KeyboardInterrupt: Ctrl-C.
    """
    low, high = WANTED_DBFS
    note(f"setting the level: the loudest part plays over and over; its peak shall lie between {low:g} and {high:g} "
         "dBFS")
    end_s, right, said, peak = time.monotonic() + patience_s, 0, "", -120.0
    with Live(console=stderr, auto_refresh=False, transient=True) as live:
        while right < _TURNS_RIGHT:
            if time.monotonic() >= end_s:
                raise RecordingError(f"the level was not right within {patience_s:g} s (last peak {peak:.1f} dBFS, "
                                     f"wanted {low:g} to {high:g}): {said}; or record as it is with --yes")
            tape = recorder.record(loudest, watch=_meter(live, said))
            peak = dbfs(float(np.max(np.abs(tape.record))))
            right = 0 if advice(peak) else right + 1
            if advice(peak) != said and not stderr.is_terminal:
                note(f"peak {peak:.1f} dBFS: {advice(peak) or 'right'}")
            said = advice(peak)
    note(f"level set: peak {peak:.1f} dBFS")
    return peak


def _meter(live: Live, said: str) -> Callable[[Tape], bool]:
    """Draws what came back in the last tenth of a second, with the advice of the turn before."""
    def show(tape: Tape) -> bool:
        if stderr.is_terminal:
            level = dbfs(float(np.max(np.abs(tape.heard[-_RECENT_SAMPLES:]), initial=0.0)))
            live.update(Text(f"{bar(1.0 - max(_LOWEST_DBFS, level) / _LOWEST_DBFS, _BAR_WIDTH)} {level:6.1f} dBFS  "
                             f"{said or 'right so far'}"), refresh=True)
        return True

    return show
