"""An engine that cannot keep up, or fails, is taken out without a click and comes back when it can play again."""

import numpy as np
import pytest

from neuralpedal.device.overload_guard import OverloadGuard
from neuralpedal.device.pedal import Pedal
from signals import plucks
from toy_engines import ToyEngine

pytestmark = pytest.mark.device


class Clock:
    """Stands still until told; an engine's work may move it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class TimedEngine(ToyEngine):
    """Takes its time on that clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def process(self, dry, wet):
        wet[...] = dry
        self._clock.now_s += self.busy_s


@pytest.mark.parametrize(("block_size", "limit"), [(16, 30), (64, 8), (1024, 3)])
def test_ten_milliseconds_of_late_blocks_and_three_at_least_are_too_many(block_size, limit):
    guard = OverloadGuard(block_size, 48_000)
    assert guard.limit == limit
    for _ in range(limit - 1):
        guard.note(True)
    guard.note(False)
    for _ in range(limit - 1):
        guard.note(True)
    assert guard.trusted and guard.overloads == 0
    guard.note(True)
    assert not guard.trusted and guard.overloads == 1


def test_a_limit_of_0_lets_an_engine_be_late_for_ever():
    guard = OverloadGuard(64, 48_000, 0)
    for _ in range(1000):
        guard.note(True)
    assert guard.trusted and guard.overloads == 0


def test_trials_that_fail_become_rarer_and_one_that_succeeds_brings_the_engine_back():
    clock = Clock()
    guard, engine = OverloadGuard(64, 48_000, 2, clock), TimedEngine(clock)
    engine.busy_s = 0.002
    guard.note(True)
    guard.note(True)
    pauses = []
    for _ in range(7):
        begun = clock.now_s
        while not guard.is_due():
            clock.now_s += 0.125
        pauses.append(clock.now_s - begun)
        assert not guard.try_again(engine)
        # What the trial took counts for the pause.
        clock.now_s = guard._tried_s
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    engine.busy_s = 0.001
    assert guard.try_again(engine) and guard.trusted and not guard.is_due()


def test_an_engine_that_is_late_again_soon_after_a_trial_waits_longer():
    clock = Clock()
    guard, engine = OverloadGuard(64, 48_000, 1, clock), TimedEngine(clock)
    pauses = []
    for _ in range(3):
        guard.note(True)
        pauses.append(guard._pause_s)
        clock.now_s += pauses[-1]
        assert guard.try_again(engine)
        clock.now_s += 1.0
    clock.now_s += 10.0
    guard.note(True)
    assert [*pauses, guard._pause_s] == [1.0, 2.0, 4.0, 1.0]


def _play(pedal: Pedal, dry: np.ndarray) -> np.ndarray:
    wet = np.zeros_like(dry)
    for start in range(0, len(dry) - 63, 64):
        pedal.process(dry[start : start + 64], wet[start : start + 64])
    return wet[: len(dry) // 64 * 64]


def test_a_busy_engine_at_64_of_48_khz_is_bypassed_with_a_crossfade_and_comes_back():
    clock = Clock()
    engine = ToyEngine()
    pedal = Pedal(engine, guard=OverloadGuard(64, 48_000, 8, clock))
    dry = plucks(1.0)
    own = max(float(np.max(np.abs(np.diff(signal)))) for signal in (dry, np.tanh(3.0 * dry)))
    assert np.any(_play(pedal, dry[: 64 * 100]))
    engine.busy_s = 0.002
    engine.blocks = 0
    wet = _play(pedal, dry)
    # Eight late blocks, and 5 ms in which it is faded out.
    assert engine.blocks == 8 + 4
    np.testing.assert_array_equal(wet[64 * 12 :], dry[64 * 12 : len(wet)])
    assert float(np.max(np.abs(np.diff(wet)))) <= 1.01 * own
    assert (pedal.guard.overloads, pedal.guard.trusted) == (1, False)
    pedal.tend()
    assert engine.blocks == 12, "before it is due there is no trial"
    engine.busy_s = 0.0
    clock.now_s = 1.0
    pedal.tend()
    wet = _play(pedal, dry)
    np.testing.assert_allclose(wet[960:], -np.tanh(3.0 * dry[960 : len(wet)]), atol=1e-6)
    assert float(np.max(np.abs(np.diff(wet)))) <= 1.01 * own


@pytest.mark.parametrize("what", ["error", "answer"])
def test_an_engine_that_fails_is_replaced_by_the_clean_guitar_at_once_and_counted(what):
    clock = Clock()
    engine = ToyEngine()
    pedal = Pedal(engine, guard=OverloadGuard(64, 48_000, 8, clock))
    dry = plucks(0.5)
    _play(pedal, dry)
    setattr(engine, what, RuntimeError("Node 3 failed to invoke") if what == "error" else np.nan)
    engine.blocks = 0
    wet = _play(pedal, dry)
    assert engine.blocks == 1
    assert np.all(np.isfinite(wet))
    np.testing.assert_array_equal(wet[64 * 5 :], dry[64 * 5 : len(wet)])
    assert pedal.guard.failed and pedal.meter.read().faults == 1
    clock.now_s = 1.0
    pedal.tend()
    assert not pedal.guard.trusted, "its trial fails as well"
    setattr(engine, what, None)
    clock.now_s = 5.0
    pedal.tend()
    assert pedal.guard.trusted and not pedal.guard.failed
    np.testing.assert_allclose(_play(pedal, dry)[960:], -np.tanh(3.0 * dry[960 : len(wet)]), atol=1e-6)


def test_a_bypassed_engine_that_is_late_is_taken_out_too_and_nothing_is_heard_of_it():
    engine = ToyEngine()
    pedal = Pedal(engine, guard=OverloadGuard(64, 48_000, 4))
    pedal.bypassed = True
    dry = plucks(0.2)
    _play(pedal, dry)
    engine.busy_s = 0.002
    np.testing.assert_array_equal(_play(pedal, dry[: 64 * 20]), dry[: 64 * 20])
    assert pedal.guard.overloads == 1
