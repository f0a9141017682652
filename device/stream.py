"""A whole track through an engine, block by block, as a sound card would feed it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neuralpedal.device.engine import Engine

Report = Callable[[float], None]


def stream(engine: Engine, samples: NDArray[np.float32], report: Report | None = None) -> NDArray[np.float32]:
    """Play ``samples`` (T,) from the engine's present state; float32 (T,).

    The last block is filled up with silence and its surplus cut off. ``report`` is told the fraction done, about a
    hundred times.
    """
    size = engine.block_size
    wet = np.empty(len(samples), np.float32)
    whole = len(samples) - len(samples) % size
    between_reports = max(size, len(samples) // 100 // size * size)
    for start in range(0, whole, size):
        engine.process(samples[start : start + size], wet[start : start + size])
        if report and start % between_reports == 0:
            report(start / len(samples))
    if whole < len(samples):
        last = np.zeros(size, np.float32)
        last[: len(samples) - whole] = samples[whole:]
        engine.process(last, last)
        wet[whole:] = last[: len(samples) - whole]
    if report:
        report(1.0)
    return wet
