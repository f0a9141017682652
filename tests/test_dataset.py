"""Splits by time, segments from the training part alone, validation lanes that line up."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.audio import Recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.pair import RecordingPair
from neuralpedal.train.dataset import SegmentSampler, split_pair, validation_lanes
from neuralpedal.train.recipe import read_recipe


def _ramp_pair(length: int) -> RecordingPair:
    """Every sample is its own index, so that each can be recognised anywhere; wet is dry plus a half."""
    ramp = np.arange(1, length + 1, dtype=np.float32)
    return RecordingPair(Recording(ramp, 48_000, Path("dry.wav")), Recording(ramp + 0.5, 48_000, Path("wet.wav")))


def test_validation_is_the_end_of_the_take_and_nothing_is_in_both() -> None:
    split = split_pair(_ramp_pair(1000), 0.1)
    assert split.boundary == 900
    np.testing.assert_array_equal(np.concatenate([split.train_dry, split.validation_dry]), _ramp_pair(1000).dry.samples)


def test_segments_come_from_the_training_part_in_order_and_reach_all_of_it() -> None:
    split = split_pair(_ramp_pair(20_000), 0.1)
    recipe = read_recipe(None, epochs=1, streams=8, chunk_samples=64, chunks_per_segment=2, warm_up_samples=32)
    sampler = SegmentSampler(split, recipe, "dry.wav")
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        dry, wet = sampler.draw(rng)
        assert dry.shape == (8, 32 + 128)
        assert np.all(np.diff(dry, axis=1) == 1.0)
        np.testing.assert_array_equal(wet, dry + 0.5)
        seen.update(dry.ravel().tolist())
    assert max(seen) <= split.boundary
    assert len(seen) > 0.99 * split.boundary


def test_validation_lanes_line_up_with_their_warm_up() -> None:
    split = split_pair(_ramp_pair(10_000), 0.2)
    dry, wet = validation_lanes(split, lanes=4, warm_up=100)
    assert dry.shape == (4, 600) and wet.shape == (4, 500)
    np.testing.assert_array_equal(dry[:, 100:] + 0.5, wet)
    assert dry[0, 100] == split.validation_dry[0]
    assert np.all(np.diff(dry, axis=1) == 1.0)


def test_a_training_part_shorter_than_the_warm_up_is_filled_with_silence() -> None:
    split = split_pair(_ramp_pair(100), 0.5)
    dry, wet = validation_lanes(split, lanes=1, warm_up=80)
    np.testing.assert_array_equal(dry[0, :30], 0.0)
    np.testing.assert_array_equal(dry[0, 80:] + 0.5, wet[0])


def test_a_take_shorter_than_a_segment_is_refused() -> None:
    with pytest.raises(RecordingError, match=r"dry\.wav: 900 samples"):
        SegmentSampler(split_pair(_ramp_pair(1000), 0.1), read_recipe(None, epochs=1), "dry.wav")


def test_a_silent_end_is_refused() -> None:
    pair = _ramp_pair(1000)
    pair.wet.samples[850:] = 0.0
    with pytest.raises(RecordingError, match=r"wet\.wav: its validation part"):
        split_pair(pair, 0.1)
