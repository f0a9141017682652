"""A compiled pedal in this process, as whoever built it tries it out."""

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class LoadedPedal:
    """A library with a state of its own."""

    def __init__(self, library: Path, state_bytes: int) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))
        self._library.pedal_process.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_size_t]
        self._state = np.zeros(state_bytes, np.uint8)
        self._library.pedal_init(ctypes.c_void_p(self._state.ctypes.data))

    def process(self, dry: NDArray[np.float32], block: int = 64) -> NDArray[np.float32]:
        """Stream (T,) float32 in blocks."""
        wet = np.empty_like(dry)
        process, state, source, target = (self._library.pedal_process, self._state.ctypes.data, dry.ctypes.data,
                                          wet.ctypes.data)
        for start in range(0, len(dry), block):
            process(state, source + 4 * start, target + 4 * start, min(block, len(dry) - start))
        return wet


def play_library(library: Path, state_bytes: int, dry: NDArray[np.float32]) -> NDArray[np.float32]:
    """A library's answer from zero state to (T,) float32, in blocks of 64."""
    return LoadedPedal(library, state_bytes).process(dry)
