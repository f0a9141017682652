"""Megabytes that every pass would otherwise ask from the system, which clears them page by page."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from neuralpedal.train.native.layout import Array

_KEPT = 2


@dataclass
class PassHistory:
    """What a forward pass leaves for its backward pass.

    Attributes:
        record: the C code's, a row per group of streams or per track; None once it is used up.
    """

    record: Array | None

    def unused(self) -> Array:
        """The record. Raises ValueError when it is used up."""
        if self.record is None:
            raise ValueError("a forward pass has one backward pass; its history is used up")
        return self.record


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

    def release(self, history: PassHistory) -> None:
        """Take back the record of a pass whose backward pass was, or will never be."""
        if history.record is not None:
            self._spare.append(history.record)
            history.record = None
