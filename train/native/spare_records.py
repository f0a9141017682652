"""Megabytes that every pass would otherwise ask from the system, which clears them page by page."""

from collections import deque

import numpy as np

from neuralpedal.train.native.layout import Array

_KEPT = 2


class SpareRecords:
    """The records of the last few passes, for the next ones."""

    def __init__(self) -> None:
        self._spare: deque[Array] = deque(maxlen=_KEPT)

    def take(self, rows: int, floats: int) -> Array:
        """Uninitialised (rows, floats), every row at a multiple of 64 bytes if ``floats`` is one of 16."""
        for index, record in enumerate(self._spare):
            if record.shape == (rows, floats):
                del self._spare[index]
                return record
        raw = np.empty(rows * floats * 4 + 64, np.uint8)
        begin = -raw.ctypes.data % 64
        return raw[begin : begin + rows * floats * 4].view(np.float32).reshape(rows, floats)

    def give(self, record: Array) -> None:
        """A record that is not needed any more."""
        self._spare.append(record)
