"""The tone stack: the circuit that was published, at every knob, and no click when one is turned."""

import numpy as np
import pytest

from neuralpedal.device.pedal_file import ToneSettings
from neuralpedal.device.ramp import FADE_S
from neuralpedal.device.sound.makeup import makeup_gain
from neuralpedal.device.sound.tone_stack import CIRCUITS, ToneStack, analog_stack, block_matrix, wipers
from signals import RATE_HZ

pytestmark = pytest.mark.device

FADE = round(FADE_S * RATE_HZ)
KNOBS = [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.1), (0.2, 0.9, 0.6), (1.0, 0.0, 1.0), (0.0, 1.0, 0.03)]


def published(circuit, t: float, m: float, b: float, frequency_hz: np.ndarray) -> np.ndarray:
    """The transfer function as printed by Yeh and Smith (2006), equations 1 to 8."""
    r1, r2, r3, r4 = circuit.treble_ohm, circuit.bass_ohm, circuit.mid_ohm, circuit.slope_ohm
    c1, c2, c3 = circuit.treble_farad, circuit.bass_farad, circuit.mid_farad
    b1 = t * c1 * r1 + m * c3 * r3 + b * (c1 * r2 + c2 * r2) + (c1 * r3 + c2 * r3)
    b2 = (t * (c1 * c2 * r1 * r4 + c1 * c3 * r1 * r4) - m**2 * (c1 * c3 * r3**2 + c2 * c3 * r3**2)
          + m * (c1 * c3 * r1 * r3 + c1 * c3 * r3**2 + c2 * c3 * r3**2)
          + b * (c1 * c2 * r1 * r2 + c1 * c2 * r2 * r4 + c1 * c3 * r2 * r4)
          + b * m * (c1 * c3 * r2 * r3 + c2 * c3 * r2 * r3) + (c1 * c2 * r1 * r3 + c1 * c2 * r3 * r4
                                                                + c1 * c3 * r3 * r4))
    c123 = c1 * c2 * c3
    b3 = (b * m * (c123 * r1 * r2 * r3 + c123 * r2 * r3 * r4) - m**2 * (c123 * r1 * r3**2 + c123 * r3**2 * r4)
          + m * (c123 * r1 * r3**2 + c123 * r3**2 * r4) + t * c123 * r1 * r3 * r4 - t * m * c123 * r1 * r3 * r4
          + t * b * c123 * r1 * r2 * r4)
    a1 = (c1 * r1 + c1 * r3 + c2 * r3 + c2 * r4 + c3 * r4) + m * c3 * r3 + b * (c1 * r2 + c2 * r2)
    a2 = (m * (c1 * c3 * r1 * r3 - c2 * c3 * r3 * r4 + c1 * c3 * r3**2 + c2 * c3 * r3**2)
          + b * m * (c1 * c3 * r2 * r3 + c2 * c3 * r2 * r3) - m**2 * (c1 * c3 * r3**2 + c2 * c3 * r3**2)
          + b * (c1 * c2 * r2 * r4 + c1 * c2 * r1 * r2 + c1 * c3 * r2 * r4 + c2 * c3 * r2 * r4)
          + (c1 * c2 * r1 * r4 + c1 * c3 * r1 * r4 + c1 * c2 * r3 * r4 + c1 * c2 * r1 * r3 + c1 * c3 * r3 * r4
             + c2 * c3 * r3 * r4))
    a3 = (b * m * (c123 * r1 * r2 * r3 + c123 * r2 * r3 * r4) - m**2 * (c123 * r1 * r3**2 + c123 * r3**2 * r4)
          + m * (c123 * r3**2 * r4 + c123 * r1 * r3**2 - c123 * r1 * r3 * r4) + b * c123 * r1 * r2 * r4
          + c123 * r1 * r3 * r4)
    s = 2j * np.pi * frequency_hz
    return (b1 * s + b2 * s**2 + b3 * s**3) / (1 + a1 * s + a2 * s**2 + a3 * s**3)


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("knobs", KNOBS)
def test_the_solved_network_has_the_published_transfer_function(name, knobs):
    frequency_hz = np.geomspace(10.0, 20_000.0, 60)
    solved = analog_stack(CIRCUITS[name], *knobs).response(frequency_hz)
    # A pot at its end has 1 ohm left, where the formula has none.
    np.testing.assert_allclose(solved, published(CIRCUITS[name], *knobs, frequency_hz), rtol=0, atol=2e-3)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize(("treble", "mid", "bass"), [(5, 5, 5), (10, 0, 10), (0, 10, 0), (8, 2, 6)])
def test_what_is_played_is_the_circuit_as_the_bilinear_transform_warps_its_frequencies(rate_hz, treble, mid, bass):
    settings = ToneSettings(treble=float(treble), mid=float(mid), bass=float(bass))
    stack = ToneStack(settings, 64, rate_hz, FADE)
    length = 1 << 15
    heard = np.zeros((length // 64, 64), np.float32)
    heard[0, 0] = 1.0
    for block in heard:
        stack.process(block, block)
    bins = np.arange(1, length // 2 - 1)
    warped_hz = rate_hz / np.pi * np.tan(np.pi * bins / length)
    analog = analog_stack(CIRCUITS["fender"], *wipers(settings))
    gain = makeup_gain(analog_stack(CIRCUITS["fender"], *wipers(ToneSettings())).response)
    np.testing.assert_allclose(np.fft.rfft(heard.reshape(-1).astype(np.float64))[bins],
                               gain * analog.response(warped_hz), rtol=0, atol=5e-5)


@pytest.mark.parametrize("size", [16, 64, 100, 333, 1024])
def test_every_block_size_plays_the_same(size):
    dry = np.random.default_rng(0).normal(0.0, 0.2, size * 5000 // size).astype(np.float32)
    dry = dry[: len(dry) // size * size]
    stack = ToneStack(ToneSettings(treble=8.0), size, RATE_HZ, FADE)
    wet = dry.reshape(-1, size).copy()
    for block in wet:
        stack.process(block, block)
    analog = analog_stack(CIRCUITS["fender"], *wipers(ToneSettings(treble=8.0)))
    gain = makeup_gain(analog_stack(CIRCUITS["fender"], *wipers(ToneSettings())).response)
    whole = block_matrix(analog, len(dry), RATE_HZ, gain)[4:, 4:] @ dry
    np.testing.assert_allclose(wet.reshape(-1), whole, rtol=0, atol=1e-6)


def test_all_knobs_in_the_middle_leave_the_level():
    stack = ToneStack(ToneSettings(), 64, RATE_HZ, FADE)
    rng = np.random.default_rng(1)
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    dry = sum(np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) for hz in np.geomspace(80, 5000, 60)) / 60
    wet = dry[: len(dry) // 64 * 64].astype(np.float32).reshape(-1, 64)
    for block in wet:
        stack.process(block, block)
    assert np.std(wet[200:]) == pytest.approx(np.std(dry), rel=0.05)


@pytest.mark.parametrize("size", [16, 64, 1024])
def test_turning_any_knob_at_any_time_makes_no_step_larger_than_the_signals_own_largest_and_one_percent(size):
    rng = np.random.default_rng(size)
    dry = (0.3 * np.sin(2 * np.pi * 82.4 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    blocks = dry[: len(dry) // size * size].reshape(-1, size)
    settings = [ToneSettings(treble=t, mid=m, bass=b) for t, m, b in rng.uniform(0.0, 10.0, (40, 3))]
    own = 0.0
    for setting in settings:
        stack = ToneStack(setting, size, RATE_HZ, FADE)
        wet = np.empty_like(blocks[: RATE_HZ // 4 // size])
        for index in range(len(wet)):
            stack.process(blocks[index], wet[index])
        own = max(own, np.max(np.abs(np.diff(wet.reshape(-1)[4800:].astype(np.float64)))))
    stack, wet = ToneStack(settings[0], size, RATE_HZ, FADE), np.empty_like(blocks)
    every = max(1, len(blocks) // 40)
    for index, block in enumerate(blocks):
        if index and index % every == 0:
            stack.change(settings[index // every % 40])
        stack.process(block, wet[index])
    assert np.max(np.abs(np.diff(wet.reshape(-1)[4800:].astype(np.float64)))) <= 1.01 * own


def test_the_last_of_many_knobs_turned_at_once_is_what_plays_in_the_end():
    rng = np.random.default_rng(5)
    stack, last = ToneStack(ToneSettings(), 64, RATE_HZ, FADE), ToneSettings(treble=9.0, bass=1.0)
    alone = ToneStack(last, 64, RATE_HZ, FADE)
    for index in range(400):
        if index < 20:
            stack.change(ToneSettings(treble=float(index) / 2.0))
        elif index == 20:
            stack.change(last)
        dry = rng.normal(0.0, 0.1, 64).astype(np.float32)
        wet, wanted = np.empty_like(dry), np.empty_like(dry)
        stack.process(dry, wet)
        alone.process(dry, wanted)
    np.testing.assert_allclose(wet, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_a_reset_empties_the_capacitors_also_in_the_middle_of_a_change(turned):
    stack, dry = ToneStack(ToneSettings(), 64, RATE_HZ, FADE), np.full(64, 0.5, np.float32)
    wet = np.empty_like(dry)
    if turned:
        stack.change(ToneSettings(treble=9.0, bass=1.0))
    stack.process(dry, wet)
    assert np.any(wet)
    stack.reset()
    stack.process(np.zeros_like(dry), wet)
    np.testing.assert_array_equal(wet, 0.0)
