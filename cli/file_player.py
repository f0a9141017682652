"""Lets ``convert`` measure its files with the device's own streaming: the only place where the two stages meet."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.tflite_file import read_manifest
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.device.profile import profile
from neuralpedal.device.reference_engine import ReferenceEngine
from neuralpedal.device.stream import stream

_REPORTED = ("block_size", "us_per_block_p50", "us_per_block_p99", "budget_used_p99", "real_time_factor")


EXACT_SCHEMES = (W8A16, TFLM16X8)
"""LiteRT plays an LSTM's w8a16 file in float, with the figures of w8, and a tflm16x8 file not at all. Compiled they
play to the last bit as in the reference, a hundred times sooner."""


class FilePlayer:
    """A :class:`neuralpedal.convert.conversion.Player`.

    Args:
        block_size: samples per block. seconds: of audio to time.
    """

    def __init__(self, block_size: int, seconds: float) -> None:
        self._block_size, self._seconds = block_size, seconds

    def wet(self, path: Path, dry: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stream from where the file begins, in the arithmetic that the scheme stands for."""
        manifest = read_manifest(path)
        if manifest.scheme not in EXACT_SCHEMES or isinstance(manifest.network, WaveNetSpec):
            return stream(open_engine(path, "litert", self._block_size), dry)
        # Such a file is written again once it is measured: what is compiled of it is of no further use.
        with TemporaryDirectory() as cache:
            return stream(open_exact(path, self._block_size, Path(cache)), dry)

    def times(self, path: Path) -> dict[str, Any]:
        """Figures of :class:`neuralpedal.device.profile.ProfileSummary` that a report needs, and the engine's name.

        Of the engine that plays the file on this machine; None for tflm16x8 where nothing can be compiled, as its
        reference says nothing about the time that tflite-micro takes.
        """
        engine = (open_exact(path, self._block_size) if read_manifest(path).scheme == TFLM16X8
                  else open_tflite(path, "auto", self._block_size))
        if isinstance(engine, ReferenceEngine):
            untimed = dict.fromkeys(_REPORTED)
            return {**untimed, "block_size": self._block_size, "timed_engine": "none: tflite-micro alone plays it fast"}
        summary = profile(engine, self._seconds).summary().as_dict()
        return {**{key: summary[key] for key in _REPORTED}, "timed_engine": engine.description}


def open_exact(path: Path, block_size: int, cache: Path | None = None) -> Engine:
    """A file in its scheme's own integers: compiled where that can be, else the reference."""
    try:
        return open_tflite(path, "native", block_size, cache)
    except FirmwareError:
        return open_engine(path, "reference", block_size)
