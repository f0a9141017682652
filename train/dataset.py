"""Training segments and the validation part of one dry/wet pair.

Validation is the end of the take, never shuffled in: random windows of one take overlap in everything that matters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.pair import RecordingPair
from neuralpedal.train.recipe import Recipe

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """A pair cut in two by time.

    Attributes:
        train_dry, train_wet: (T,) float32. validation_dry, validation_wet: (V,) float32, from ``boundary`` on.
        boundary: index of the first validation sample.
    """

    train_dry: Array
    train_wet: Array
    validation_dry: Array
    validation_wet: Array
    boundary: int


def split_pair(pair: RecordingPair, validation_share: float) -> Split:
    """Cut the last ``validation_share`` of the take off for validation.

    Raises:
        RecordingError: one of the parts would be silent: ESR means nothing there.
    """
    dry, wet = pair.dry.samples, pair.wet.samples
    boundary = len(dry) - max(1, round(len(dry) * validation_share))
    split = Split(dry[:boundary], wet[:boundary], dry[boundary:], wet[boundary:], boundary)
    for name, part in (("training", split.train_wet), ("validation", split.validation_wet)):
        if part.size == 0 or is_silent(part):
            seconds = len(part) / pair.sample_rate_hz
            raise RecordingError(f"{pair.wet.path}: its {name} part ({seconds:.1f} s) is silent; "
                                 "record more playing or change validation_share")
    return split


class SegmentSampler:
    """Random segments of the training part: (B, warm-up + chunks·chunk_samples) of dry and of wet.

    Raises:
        RecordingError: the training part is shorter than one segment.
    """

    def __init__(self, split: Split, recipe: Recipe, source: str) -> None:
        self._dry, self._wet, self._recipe = split.train_dry, split.train_wet, recipe
        self.length = recipe.warm_up_samples + recipe.chunks_per_segment * recipe.chunk_samples
        if len(self._dry) < self.length:
            raise RecordingError(f"{source}: {len(self._dry)} samples to train on, wanted {self.length} or more; "
                                 "record at least a minute of playing")
        trained = recipe.streams * recipe.chunks_per_segment * recipe.chunk_samples
        self.batches_per_epoch = max(1, round(len(self._dry) / trained))

    def draw(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """One batch, each array (B, length); starts are spread evenly and jittered, so that every part is heard."""
        room = len(self._dry) - self.length + 1
        streams = self._recipe.streams
        starts = ((np.arange(streams) + rng.random(streams)) * room / streams).astype(np.int64)
        index = starts[:, np.newaxis] + np.arange(self.length)
        return self._dry[index], self._wet[index]


def validation_lanes(split: Split, lanes: int, warm_up: int) -> tuple[Array, Array]:
    """The validation part cut into equal lanes that each begin ``warm_up`` samples early.

    Returns:
        Dry (lanes, warm_up + n) and wet (lanes, n). What precedes the boundary is training audio, used only to bring
        the state to where it would be; the last few samples that do not fill a lane are left out.
    """
    before = np.concatenate([np.zeros(warm_up, np.float32), split.train_dry])
    track = np.concatenate([before[len(before) - warm_up :], split.validation_dry])
    n = max(1, len(split.validation_dry) // lanes)
    starts = np.arange(min(lanes, len(split.validation_dry))) * n
    wet = split.validation_wet[starts[:, np.newaxis] + np.arange(n)]
    return track[starts[:, np.newaxis] + np.arange(warm_up + n)], wet
