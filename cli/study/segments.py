"""The protocol's split: the take is cut into segments, which are shuffled, and a fifth of them is for testing.

A segment of the test set is played after the half second of guitar that precedes it in the take, so that a network
that remembers is in the state that it would be in; the same is done for frames, which need the last 63 samples of it.
No sample of the wet track outside the segment is used.
"""

from dataclasses import dataclass

import numpy as np

from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, Plan
from neuralpedal.cli.study.targets import Target, Track
from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.errors import RecordingError

WARM_UP_SECONDS = 0.5


@dataclass(frozen=True)
class TestSegment:
    """``dry`` (W + L,) with its warm-up of ``warm_up_samples`` W, ``wet`` (L,)."""

    __test__ = False  # not what pytest takes it for

    dry: Track
    wet: Track
    warm_up_samples: int


@dataclass(frozen=True)
class Segments:
    """A target cut in two.

    Attributes:
        length: of a segment in samples, L. train_dry, train_wet: the training segments one after another, (n·L,).
        test: the others, in the order of the take.
        train_numbers, test_numbers: which segment of the take each is.
    """

    length: int
    train_dry: Track
    train_wet: Track
    test: tuple[TestSegment, ...]
    train_numbers: list[int]
    test_numbers: list[int]

    @property
    def test_wet(self) -> Track:
        """The test segments one after another."""
        return np.concatenate([segment.wet for segment in self.test])

    @property
    def test_dry(self) -> Track:
        """The guitar of the test segments one after another, without warm-up."""
        return np.concatenate([segment.dry[segment.warm_up_samples :] for segment in self.test])


def split_segments(target: Target, plan: Plan) -> Segments:
    """Cut, shuffle and split; what does not fill a segment at the end is left out.

    Raises:
        RecordingError: too short for one segment on either side, or a side of the wet track is silent.
    """
    length = round(plan.segment_seconds * SAMPLE_RATE_HZ)
    count = len(target.dry) // length
    tested = max(1, round(count * plan.test_share))
    if count - tested < 1:
        raise RecordingError(f"{target.name}: {len(target.dry) / SAMPLE_RATE_HZ:.1f} s, wanted two segments of "
                             f"{plan.segment_seconds:g} s or more; record more playing")
    order = np.random.default_rng(plan.seed).permutation(count)
    test, train = sorted(order[:tested].tolist()), order[tested:].tolist()
    segments = Segments(length, _joined(target.dry, train, length), _joined(target.wet, train, length),
                        tuple(_test_segment(target, number, length) for number in test), train, test)
    for side, wet in (("training", segments.train_wet), ("test", segments.test_wet)):
        if is_silent(wet):
            raise RecordingError(f"{target.name}: its {side} segments are silent; record more playing")
    return segments


def _joined(track: Track, numbers: list[int], length: int) -> Track:
    return np.concatenate([track[number * length : (number + 1) * length] for number in numbers])


def _test_segment(target: Target, number: int, length: int) -> TestSegment:
    start = number * length
    warm_up = min(start, round(WARM_UP_SECONDS * SAMPLE_RATE_HZ))
    return TestSegment(target.dry[start - warm_up : start + length], target.wet[start : start + length], warm_up)
