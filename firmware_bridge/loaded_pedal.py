"""A compiled pedal in this process, as whoever built it tries it out."""

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT_BYTES = 64


class LoadedPedal:
    """A library with a state of its own."""

    def __init__(self, library: Path, state_bytes: int) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))
        self._library.pedal_process.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_size_t]
        self._memory = np.zeros(state_bytes + _ALIGNMENT_BYTES, np.uint8)
        # As a player lays it: vectors in it may be read a line at a time.
        self._state = self._memory.ctypes.data + -self._memory.ctypes.data % _ALIGNMENT_BYTES
        self._library.pedal_init(ctypes.c_void_p(self._state))

    def process(self, dry: NDArray[np.float32], block: int = 64) -> NDArray[np.float32]:
        """Stream (T,) float32 in blocks."""
        wet = np.empty_like(dry)
        process, state, source, target = (self._library.pedal_process, self._state, dry.ctypes.data, wet.ctypes.data)
        for start in range(0, len(dry), block):
            process(state, source + 4 * start, target + 4 * start, min(block, len(dry) - start))
        return wet


def play_library(library: Path, state_bytes: int, dry: NDArray[np.float32]) -> NDArray[np.float32]:
    """A library's answer from zero state to (T,) float32, in blocks of 64."""
    return LoadedPedal(library, state_bytes).process(dry)
