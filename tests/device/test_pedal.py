"""The signal path around an engine: exact where nothing changes, without clicks where something does, never silent."""

import gc
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.engine import open_engine
from neuralpedal.device.pedal import Heard, Pedal, PedalSettings
from neuralpedal.device.ramp import FADE_S, Ramp
from neuralpedal.device.stream import stream
from signals import RATE_HZ, plucks
from toy_engines import ToyEngine

pytestmark = pytest.mark.device

GOLDEN = Path(__file__).parents[1] / "golden"
FADE = round(FADE_S * RATE_HZ)
STEEPEST = 0.5 * np.pi / FADE
"""Step of a ramp from 0 to 1 at its steepest place, halfway."""


def play(pedal: Pedal, dry: np.ndarray, before_block: Callable[[int], None] = lambda index: None) -> np.ndarray:
    """A whole track, block by block; what is left of the last block is dropped."""
    size = pedal.engine.block_size
    blocks = dry[: len(dry) // size * size].reshape(-1, size)
    wet = np.empty_like(blocks)
    for index, block in enumerate(blocks):
        before_block(index)
        pedal.process(block, wet[index])
    return wet.reshape(-1)


def settled(size: int = 64, **settings) -> Pedal:
    """A pedal that has faded in."""
    pedal = Pedal(ToyEngine(size), PedalSettings(**settings))
    play(pedal, np.zeros(2 * FADE + 2 * size, np.float32))
    return pedal


def largest_step(signal: np.ndarray) -> float:
    return float(np.max(np.abs(np.diff(signal.astype(np.float64)))))


@pytest.mark.parametrize("model", ["lstm-2x3.w8", "lstm-1x4-skip.float32", "frame_lstm-1x3-of-8.w8a8"])
def test_a_pedal_that_nobody_touches_plays_what_its_engine_plays(model):
    dry = plucks(0.5)
    lead_in = np.zeros(FADE // 64 * 64 + 64, np.float32)
    pedal = Pedal(open_engine(GOLDEN / f"{model}.tflite"))
    wet = play(pedal, np.concatenate([lead_in, dry]))
    wanted = stream(open_engine(GOLDEN / f"{model}.tflite"), np.concatenate([lead_in, dry]))
    np.testing.assert_array_equal(wet[len(lead_in) :], wanted[len(lead_in) : len(wet)])


def test_a_pedal_says_what_is_heard_and_not_what_it_was_asked_for():
    pedal = settled(bypassed=True)
    assert pedal.heard == Heard.BYPASSED
    pedal.guard.note_failure()
    assert pedal.heard == Heard.FAILURE
    pedal.muted = True
    assert pedal.heard == Heard.MUTED and pedal.is_silent is False
    pedal.muted, pedal.guard.failed = False, False
    assert pedal.heard == Heard.OVERLOAD
    pedal.guard.trusted = True
    assert pedal.heard == Heard.BYPASSED
    pedal.bypassed = False
    assert pedal.heard == Heard.EFFECT


def test_the_tap_gets_the_guitar_as_it_came_and_not_what_is_heard():
    pedal, dry = settled(), plucks(0.3)
    pedal.tap.is_open = True
    play(pedal, dry)
    kept = pedal.tap.read()
    end = len(dry) // pedal.engine.block_size * pedal.engine.block_size
    np.testing.assert_array_equal(kept, dry[end - len(kept) : end])


def test_a_bypassed_pedal_plays_the_guitar_to_the_last_bit_whatever_the_gains():
    dry = plucks(0.2)
    wet = play(settled(bypassed=True, input_gain_db=20.0, output_gain_db=-7.0), dry)
    np.testing.assert_array_equal(wet, dry[: len(wet)])


def test_gains_are_in_front_of_and_behind_the_engine():
    dry = plucks(0.2)
    wet = play(settled(input_gain_db=12.0, output_gain_db=-6.0), dry)
    wanted = -np.tanh(3.0 * dry[: len(wet)].astype(np.float64) * 10 ** (12 / 20)) * 10 ** (-6 / 20)
    np.testing.assert_allclose(wet, wanted, rtol=0, atol=1e-6)


def test_a_muted_pedal_is_silent_after_its_fade_and_says_so():
    pedal, dry = settled(), plucks(0.2)
    assert not pedal.is_silent
    pedal.muted = True
    wet = play(pedal, dry)
    assert pedal.is_silent
    assert np.any(wet[: FADE - 1]) and not np.any(wet[FADE:])


def test_a_pedal_begins_in_silence_and_is_all_there_after_20_ms():
    dry = np.full(4 * FADE, 0.5, np.float32)
    wet = play(Pedal(ToyEngine()), dry)
    assert abs(wet[0]) <= 0.5 * np.tanh(1.5) * 2 / FADE + 1e-6
    np.testing.assert_allclose(wet[FADE:], -np.tanh(1.5), atol=1e-6)
    assert largest_step(wet) <= np.tanh(1.5) * STEEPEST + 1e-6


def _toggle(pedal: Pedal, what: str, rng: np.random.Generator) -> None:
    if what == "bypass":
        pedal.bypassed = not pedal.bypassed
    elif what == "mute":
        pedal.muted = not pedal.muted
    elif what == "input gain":
        pedal.set_input_gain_db(rng.uniform(-24.0, 12.0))
    else:
        pedal.set_output_gain_db(rng.uniform(-24.0, 0.0))


@pytest.mark.parametrize("what", ["bypass", "mute", "input gain", "output gain"])
@pytest.mark.parametrize("size", [16, 64, 1024])
@pytest.mark.parametrize("every_ms", [2, 15, 100])
@pytest.mark.parametrize("guitar", ["plucks", "low E"])
def test_no_switching_makes_a_step_larger_than_the_guitars_own_largest_and_one_percent(what, size, every_ms, guitar):
    """In the middle of the last change too: knobs are turned, footswitches hit twice."""
    rng, dry = np.random.default_rng(size + every_ms), plucks(2.0, seed=3)
    if guitar == "low E":
        # Next to no steps of its own to hide a click among.
        dry = (0.3 * np.sin(2 * np.pi * 82.4 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    pedal = settled(size)
    # The loudest that the settings allow is the signal that the step is compared with.
    driven = dry * np.float32(10 ** (12 / 20)) if what == "input gain" else dry
    own = max(largest_step(np.tanh(3.0 * driven)), largest_step(dry))
    every = max(1, round(every_ms * RATE_HZ / 1000 / size))

    def touch(index: int) -> None:
        if index % every == 0:
            _toggle(pedal, what, rng)

    assert largest_step(play(pedal, dry, touch)) <= 1.01 * own


@pytest.mark.parametrize("seed", range(20))
def test_changes_add_no_more_than_the_slope_of_their_ramps_whatever_is_played(seed):
    """Bypass and mute together, at any blocks, on noise: |Δm|·|wet − dry| + |Δl|·|either| is all that may come."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([16, 17, 64, 333, 1024]))
    dry = np.cumsum(rng.normal(0.0, 0.02, 20_000)).astype(np.float32) * np.float32(rng.uniform(0.1, 1.0))
    pedal = settled(size)
    wet_alone = -np.tanh(3.0 * dry.astype(np.float64))
    own = max(largest_step(wet_alone), largest_step(dry))

    def touch(index: int) -> None:
        for what in ("bypass", "mute"):
            if rng.random() < 0.2:
                _toggle(pedal, what, rng)

    played = play(pedal, dry, touch)
    apart = np.max(np.abs(wet_alone - dry))
    loudest = max(1.0, np.max(np.abs(dry)))
    assert largest_step(played) <= own + (apart + loudest) * STEEPEST + 1e-5 * loudest


@pytest.mark.parametrize("size", [1, 7, 64, 1024])
def test_a_ramp_is_half_a_cosine_to_its_goal_for_any_block_size(size):
    ramp, factors = Ramp(0.25, size), []
    ramp.aim(0.75, FADE)
    while len(factors) * size < FADE:
        block = ramp.advance()
        assert block is not None
        factors.append(block.copy())
    wanted = 0.5 - 0.25 * np.cos(np.pi * np.minimum(1.0, np.arange(1, len(factors) * size + 1) / FADE))
    np.testing.assert_allclose(np.concatenate(factors), wanted, atol=1e-6)
    assert ramp.value == 0.75 and ramp.advance() is None


def test_a_change_between_two_low_notes_of_any_phase_adds_half_as_much_to_their_steps_as_a_straight_line_would():
    """4.5 % of the sounds' own for half a cosine, at worst, and 10 % for a line; nothing where the polarity turns."""
    half_cosine = Ramp(0.0, FADE)
    half_cosine.aim(1.0, FADE)
    curves = {"line": np.arange(1, FADE + 1) / FADE, "half a cosine": half_cosine.advance().astype(np.float64)}
    angle = 2 * np.pi * 82.4 / RATE_HZ * np.arange(FADE + 400)
    notes = np.stack([np.sin(angle + phase) for phase in np.linspace(0, 2 * np.pi, 48, endpoint=False)])
    own, most, turned = largest_step(notes[0]), {}, {}
    for name, curve in curves.items():
        factors = np.concatenate([np.zeros(200), curve, np.ones(200)])
        steps = [np.max(np.abs(np.diff(notes * (1.0 - factors) + np.roll(notes, shift, 0) * factors))) / own
                 for shift in range(48)]
        most[name], turned[name] = max(steps), steps[24]
    assert most["half a cosine"] == pytest.approx(1.045, abs=0.002) and turned["half a cosine"] < 1.001
    assert most["line"] == pytest.approx(1.10, abs=0.005) and turned["line"] > 1.015


@pytest.mark.parametrize("size", [1, 7, 64, 1024])
def test_a_ramp_turns_round_on_its_way_without_a_jump(size):
    ramp, factors = Ramp(0.0, size), []
    for index in range(4 * FADE // size):
        ramp.aim(1.0 if index * size < FADE // 2 or index * size >= FADE else 0.0, FADE)
        block = ramp.advance()
        factors.append(np.full(size, ramp.value, np.float32) if block is None else block.copy())
    line = np.concatenate([[0.0], *factors])
    assert largest_step(line) <= STEEPEST + 1e-6
    assert line[-1] == ramp.value == 1.0 and np.min(line) == 0.0
    assert len(np.flatnonzero(np.diff(line) < -1e-7)) >= FADE // 2 - size


@pytest.mark.parametrize("size", [16, 64, 1024])
def test_another_engine_comes_in_within_20_ms_after_its_prewarm_and_without_a_step(size):
    dry = (0.3 * np.sin(2 * np.pi * 82.4 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    pedal, other = settled(size), ToyEngine(size, drive=2.0)
    own = max(largest_step(np.tanh(drive * dry)) for drive in (3.0, 2.0))
    at = 10_000 // size

    def switch(index: int) -> None:
        if index == at:
            assert pedal.switch_to(other)
            assert other.blocks == round(0.5 * RATE_HZ / size), "prewarmed before it is heard"
            assert not pedal.switch_to(ToyEngine(size)), "one change after the other"

    wet = play(pedal, dry, switch)
    assert pedal.engine is other
    np.testing.assert_allclose(wet[: at * size], -np.tanh(3.0 * dry[: at * size]), atol=1e-6)
    changed = at * size + FADE
    np.testing.assert_allclose(wet[changed:], np.tanh(2.0 * dry[changed : len(wet)]), atol=1e-6)
    assert largest_step(wet) <= 1.01 * own
    assert pedal.switch_to(ToyEngine(size))


def test_an_engine_with_other_blocks_or_another_rate_is_refused():
    pedal = settled(64)
    for other in (ToyEngine(32), ToyEngine(64, sample_rate_hz=44_100)):
        with pytest.raises(SpecError, match="but the pedal plays blocks of 64 at 48000 Hz"):
            pedal.switch_to(other)


def test_an_engine_that_fails_is_exchanged_for_one_that_works():
    pedal, dry, other = settled(), plucks(0.2), ToyEngine(drive=2.0)
    pedal.engine.error = RuntimeError("broken")
    play(pedal, dry)
    assert not pedal.guard.trusted and pedal.switch_to(other)
    np.testing.assert_array_equal(play(pedal, dry), dry[: len(dry) // 64 * 64])
    assert pedal.engine is other and pedal.guard.try_again(other)
    np.testing.assert_allclose(play(pedal, dry)[FADE:], np.tanh(2.0 * dry[FADE : len(dry) // 64 * 64]), atol=1e-6)


def test_an_incoming_engine_that_fails_leaves_the_clean_guitar():
    pedal, dry, other = settled(), plucks(0.2), ToyEngine(drive=2.0)
    pedal.switch_to(other)
    other.error = RuntimeError("broken")
    wet = play(pedal, dry)
    assert np.all(np.isfinite(wet)) and pedal.meter.read().faults == 1
    np.testing.assert_array_equal(wet[FADE:], dry[FADE : len(wet)])


def test_the_input_is_left_as_it_was():
    pedal, dry = settled(input_gain_db=6.0), plucks(0.1)
    kept = dry.copy()
    play(pedal, dry)
    np.testing.assert_array_equal(dry, kept)


@pytest.mark.parametrize("gain_db", [-60.1, 61.0, math.nan, math.inf])
def test_a_gain_out_of_range_is_refused_and_the_old_one_stays(gain_db):
    with pytest.raises(SpecError, match="wanted -60 to 60 dB"):
        PedalSettings(input_gain_db=gain_db) and Pedal(ToyEngine(), PedalSettings(input_gain_db=gain_db))
    pedal = settled()
    with pytest.raises(SpecError, match="dB"):
        pedal.set_output_gain_db(gain_db)
    dry = plucks(0.05)
    np.testing.assert_allclose(play(pedal, dry), -np.tanh(3.0 * dry[: len(dry) // 64 * 64]), atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_an_input_that_is_no_sound_is_played_as_silence_and_counted(bad):
    pedal, dry = settled(), plucks(0.05)
    dry[100] = bad
    wet = play(pedal, dry)
    assert not np.any(wet[64:128]) and np.all(np.isfinite(wet))
    reading = pedal.meter.read()
    assert (reading.bad_inputs, reading.faults) == (1, 0)
    np.testing.assert_allclose(wet[128:], -np.tanh(3.0 * dry[128 : len(wet)]), atol=1e-6)


def test_the_meter_counts_blocks_xruns_and_peaks():
    pedal = settled()
    before = pedal.meter.read().blocks
    wet = np.empty(64, np.float32)
    for flags, level in ((0, 0.1), (4, 0.5), (2, 0.2), (16, 0.1)):
        pedal.process(np.full(64, level, np.float32), wet, flags)
    reading = pedal.meter.read(before)
    assert (reading.new_blocks, reading.xruns, reading.faults) == (4, 2, 0)
    assert reading.input_peak_dbfs == pytest.approx(20 * np.log10(0.5))
    assert reading.output_peak_dbfs == pytest.approx(20 * np.log10(np.tanh(1.5)))
    assert reading.deadline_us == pytest.approx(1333.33, abs=0.01)
    assert 0 < reading.us_p50 <= reading.us_p99 <= reading.us_max
    again = pedal.meter.read(reading.blocks)
    assert (again.blocks, again.new_blocks, again.us_max, again.input_peak_dbfs) == (reading.blocks, 0, 0.0, -120.0)


def test_an_xrun_after_a_late_block_is_told_from_one_that_has_other_causes():
    meter = Pedal(ToyEngine()).meter
    for busy_ns, flags in ((10, 4), (2_000_000, 0), (10, 0), (10, 4), (10, 0), (10, 0), (10, 4)):
        meter.record(busy_ns, 0.0, 0.0, flags)
    reading = meter.read()
    assert (reading.late_blocks, reading.xruns, reading.xruns_after_late) == (1, 3, 1)


def test_twenty_thousand_blocks_with_switching_leave_memory_as_it_was():
    pedal = settled(16)
    dry, wet = np.full(16, 0.1, np.float32), np.empty(16, np.float32)

    def play_blocks(count: int) -> None:
        for index in range(count):
            if index % 100 == 0:
                pedal.bypassed = not pedal.bypassed
                pedal.set_output_gain_db(-6.0 if pedal.bypassed else 0.0)
            pedal.process(dry, wet)

    play_blocks(2000)
    gc.collect()
    tracemalloc.start()
    try:
        before, counted = tracemalloc.get_traced_memory()[0], gc.get_count()[0]
        tracemalloc.reset_peak()
        play_blocks(20_000)
        now, peak = tracemalloc.get_traced_memory()
        counted = gc.get_count()[0] - counted
    finally:
        tracemalloc.stop()
    assert now - before < 1024
    assert peak - before < 4096
    assert counted < 20
