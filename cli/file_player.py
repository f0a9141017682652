"""Lets ``convert`` measure its files with the device's own streaming: the only place where the two stages meet."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.tflite_file import read_manifest
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
        """Stream from zero state, in the arithmetic that the scheme stands for."""
        # LiteRT plays a w8a16 file in float: its figures would be those of w8. A tflm16x8 file it cannot play.
        exact = read_manifest(path).scheme in (W8A16, TFLM16X8)
        return stream(open_engine(path, "reference" if exact else "litert", self._block_size), dry)

    def times(self, path: Path) -> dict[str, Any]:
        """Figures of :class:`neuralpedal.device.profile.ProfileSummary` that a report needs, and the engine's name.

        None for tflm16x8: its reference says nothing about the time that tflite-micro takes.
        """
        if read_manifest(path).scheme == TFLM16X8:
            untimed = dict.fromkeys(_REPORTED)
            return {**untimed, "block_size": self._block_size, "timed_engine": "none: tflite-micro alone plays it fast"}
        engine = open_engine(path, "litert", self._block_size)
        summary = profile(engine, self._seconds).summary().as_dict()
        return {**{key: summary[key] for key in _REPORTED}, "timed_engine": engine.description}
