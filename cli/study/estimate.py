"""How long a study will take: a moment of training each structure, times what the plan asks of it."""

import time

import numpy as np

from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, Cell, FrameCell
from neuralpedal.cli.study.segments import Segments
from neuralpedal.contract.probes import CHORD_SECONDS, SETTLE_SECONDS, SILENCE_SECONDS, WINDOW_SECONDS
from neuralpedal.contract.spec import make_spec
from neuralpedal.train.frame_training import BATCH_FRAMES, FrameTraining, draw_frames

_FRAME_SAMPLES = 64
_UPDATES = 8
_ROUNDS = 4
_PLAYING_SHARE = 0.4
"""Of the time of a training step: a step of playing has no backward pass."""
_PROBES = 9


class Estimate:
    """Seconds of each cell on this machine; measures every structure once when asked for the first time."""

    def __init__(self, segments: Segments) -> None:
        self._trained = len(segments.train_dry)
        self._played = len(segments.test_wet) + SAMPLE_RATE_HZ * (
            _PROBES * (SETTLE_SECONDS + WINDOW_SECONDS) + CHORD_SECONDS + SILENCE_SECONDS)
        self._seconds_per_step: dict[tuple[int, int], float] = {}

    def seconds(self, cell: Cell) -> float:
        """Training and judging of one cell."""
        structure = cell.layers, cell.units
        if structure not in self._seconds_per_step:
            self._seconds_per_step[structure] = _time_step(*structure)
        if isinstance(cell, FrameCell):
            trained, played = cell.epochs[-1] * cell.frames * cell.frame, self._played * cell.frame
        else:
            trained, played = cell.epochs[-1] * self._trained, self._played
        steps = trained + _PLAYING_SHARE * played * len(cell.epochs)
        return steps * self._seconds_per_step[structure]


def _time_step(layers: int, units: int) -> float:
    """Seconds of one time step of one frame in training."""
    spec = make_spec(family="frame_lstm", num_layers=layers, hidden_size=units, skip=False,
                     frame_samples=_FRAME_SAMPLES, sample_rate_hz=SAMPLE_RATE_HZ)
    silence = np.zeros(4 * _FRAME_SAMPLES, np.float32)
    frames = draw_frames(silence, silence, len(silence), _FRAME_SAMPLES, _UPDATES * BATCH_FRAMES, seed=0)
    training = FrameTraining(spec, frames, seed=0)
    seconds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        training.run_epoch(lambda done: None)
        seconds.append(time.perf_counter() - begun)
    # The first round also warms up; of the others none may be the one in which the machine did something else.
    return float(np.median(seconds[1:])) / (_UPDATES * BATCH_FRAMES * _FRAME_SAMPLES)
