"""What each structure costs to play: all of them in one run and one engine, so that ratios hold.

LiteRT plays every structure as `neuralpedal convert` writes it, in blocks. Frames are also predicted the way of 2022,
all windows of a track handed to `predict` of a plain Keras model.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, Cell, FrameCell, Plan
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert.float_graph import build_float32
from neuralpedal.device.engine import open_engine
from neuralpedal.device.profile import profile

BLOCK_SAMPLES = 64
_ROUNDS = 5
_KERAS_FRAMES_PER_SECOND = 8192
_LEAST_KERAS_FRAMES = 512
_KERAS_ROUNDS = 3


def measure_costs(plan: Plan, report: Callable[[float], None]) -> list[dict[str, Any]]:
    """A row per structure: weights do not matter to speed, so they are random.

    Keys: ``kind``, ``structure``, ``num_parameters``, ``macs_per_sample``, ``litert_us_per_sample``,
    ``litert_real_time_factor``, and the same two with ``keras_`` for frames (None for networks that stream).
    """
    cells = list({(cell.spec.family, cell.structure): cell for cell in plan.cells}.values())
    engines = [_Timed(cell.spec) for cell in cells]
    seconds = plan.timing_seconds / _ROUNDS
    # In turns: a machine that is busy for a while is busy for all of them.
    for turn in range(_ROUNDS):
        for index, engine in enumerate(engines):
            engine.run(seconds)
            report((turn * len(cells) + index + 1) / (len(cells) * _ROUNDS))
    frames = max(_LEAST_KERAS_FRAMES, round(plan.timing_seconds * _KERAS_FRAMES_PER_SECOND))
    return [_row(cell, engine, frames) for cell, engine in zip(cells, engines, strict=True)]


class _Timed:
    """One structure in LiteRT."""

    def __init__(self, spec: NetworkSpec) -> None:
        manifest = Manifest(name="timing", scheme="float32", network=spec)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "timing.tflite"
            path.write_bytes(build_float32(random_weights(spec, seed=0), manifest))
            self._engine = open_engine(path, "litert", BLOCK_SAMPLES)
        self._us_per_block: list[float] = []

    def run(self, seconds: float) -> None:
        self._us_per_block.append(profile(self._engine, seconds).percentile(50))

    @property
    def us_per_sample(self) -> float:
        """Of the round that was disturbed least."""
        return min(self._us_per_block) / BLOCK_SAMPLES


def _row(cell: Cell, timed: _Timed, keras_frames: int) -> dict[str, Any]:
    keras_us = _keras_us_per_sample(cell, keras_frames) if isinstance(cell, FrameCell) else None
    return {
        "kind": cell.spec.family, "structure": cell.structure, "num_parameters": cell.spec.num_parameters,
        "macs_per_sample": cell.macs_per_sample, "litert_us_per_sample": timed.us_per_sample,
        "litert_real_time_factor": timed.us_per_sample * SAMPLE_RATE_HZ / 1e6, "keras_us_per_sample": keras_us,
        "keras_real_time_factor": None if keras_us is None else keras_us * SAMPLE_RATE_HZ / 1e6,
    }


def _keras_us_per_sample(cell: FrameCell, count: int) -> float:
    """`predict` with its default batch of 32 over as many windows as there are samples."""
    layers = [keras.layers.LSTM(cell.units, return_sequences=index < cell.layers - 1) for index in range(cell.layers)]
    model = keras.Sequential([keras.layers.Input((cell.frame, 1)), *layers, keras.layers.Dense(1)])
    frames = np.zeros((count, cell.frame, 1), np.float32)
    model.predict(frames[:64], verbose=0)
    seconds = []
    for _ in range(_KERAS_ROUNDS):
        begun = time.perf_counter()
        model.predict(frames, verbose=0)
        seconds.append(time.perf_counter() - begun)
    return 1e6 * min(seconds) / count
