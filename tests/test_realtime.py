"""Playing does not allocate: after thousands of blocks Python holds no more memory and no more objects than before."""

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.device.litert_engine import LiteRTEngine

GOLDEN = Path(__file__).parent / "golden"
BLOCKS = 20_000
ALLOWED_BYTES = 4096


@pytest.fixture(params=[("lstm-1x4-skip.float32", 16), ("lstm-2x3.w8", 16), ("lstm-1x4-skip.w8a8", 16),
                        # Blocks shorter than the past, which is then shifted onto itself, and of several runs.
                        ("frame_lstm-1x3-of-8.float32", 5), ("frame_lstm-2x3-of-5-skip.w8", 100),
                        ("frame_lstm-1x3-of-8.w8a8", 16)], ids=str)
def play(request: pytest.FixtureRequest) -> Callable[[int], None]:
    model, block_size = request.param
    engine = LiteRTEngine(GOLDEN / f"{model}.tflite", block_size)
    dry = np.random.default_rng(0).normal(0.0, 0.1, block_size).astype(np.float32)
    wet = np.zeros(block_size, np.float32)

    def blocks(count: int) -> None:
        for _ in range(count):
            engine.process(dry, wet)

    blocks(1000)
    return blocks


def test_traced_memory_stays_flat_over_twenty_thousand_blocks(play):
    gc.collect()
    tracemalloc.start()
    try:
        play(1000)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        play(BLOCKS)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < ALLOWED_BYTES
    assert peak - before < 4 * ALLOWED_BYTES


def test_no_object_outlives_its_block(play):
    gc.collect()
    before = len(gc.get_objects())
    play(BLOCKS)
    gc.collect()
    assert len(gc.get_objects()) - before < 20


def test_a_block_makes_no_work_for_the_garbage_collector(play):
    collections = [generation["collections"] for generation in gc.get_stats()]
    play(BLOCKS)
    # One collection in twenty thousand blocks may be owed to what ran before.
    assert sum(generation["collections"] for generation in gc.get_stats()) - sum(collections) <= 1
