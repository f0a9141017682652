"""Lets ``convert`` measure its files with the device's own streaming: the only place where the two stages meet."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.device.engine import open_engine
from neuralpedal.device.profile import profile
from neuralpedal.device.stream import stream

_REPORTED = ("block_size", "us_per_block_p50", "us_per_block_p99", "budget_used_p99", "real_time_factor")


class FilePlayer:
    """A :class:`neuralpedal.convert.conversion.Player`.

    Args:
        block_size: samples per block. seconds: of audio to time.
    """

    def __init__(self, block_size: int, seconds: float) -> None:
        self._block_size, self._seconds = block_size, seconds

    def wet(self, path: Path, dry: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stream from zero state."""
        return stream(open_engine(path, "litert", self._block_size), dry)

    def times(self, path: Path) -> dict[str, float]:
        """Figures of :class:`neuralpedal.device.profile.ProfileSummary` that a report needs."""
        summary = profile(open_engine(path, "litert", self._block_size), self._seconds).summary().as_dict()
        return {key: summary[key] for key in _REPORTED}
