"""The noise gate: when it opens, when it shuts, how, and that neither clicks."""

import numpy as np
import pytest

from neuralpedal.device.pedal_file import GateSettings
from neuralpedal.device.sound.noise_gate import NoiseGate
from signals import RATE_HZ, plucks

pytestmark = pytest.mark.device

HOP = 16


def gains(gate: NoiseGate, level: np.ndarray, size: int) -> np.ndarray:
    """What the gate multiplies each sample of a signal of these peaks with; peaks that are 0 give no gain (NaN)."""
    dry = level[: len(level) // size * size].astype(np.float32).reshape(-1, size)
    wet = np.empty_like(dry)
    for block, answer in zip(dry, wet, strict=True):
        gate.process(block, answer)
    with np.errstate(invalid="ignore"):
        return (wet / dry).reshape(-1)


def tone(peaks_db: list[float], seconds: float) -> np.ndarray:
    """Alternating samples, so that every hop has the peak."""
    length = round(seconds * RATE_HZ)
    return np.concatenate([10 ** (peak / 20) * np.resize([1.0, -1.0], length) for peak in peaks_db])


@pytest.mark.parametrize("size", [16, 17, 64, 333, 1024])
def test_it_opens_at_the_threshold_and_shuts_below_it_less_the_hysteresis_after_the_hold_time(size):
    settings = GateSettings(threshold_db=-40.0, hysteresis_db=6.0, attack_ms=2.0, hold_ms=50.0, release_ms=100.0)
    level = tone([-41.0, -39.0, -45.0, -47.0], 0.3)
    found = gains(NoiseGate(settings, size, RATE_HZ), level, size)
    second = round(0.3 * RATE_HZ)
    assert not np.any(found[: second - HOP]), "below the threshold it never opens"
    opened = second + round(0.002 * RATE_HZ) + 2 * HOP
    assert np.all(found[opened : 3 * second] == 1.0), "and within the hysteresis it stays open"
    shuts = 3 * second + round(0.050 * RATE_HZ)
    assert np.all(found[: shuts - HOP][opened:] == 1.0)
    gone = shuts + round(0.100 * RATE_HZ) + 3 * HOP
    assert gone < len(found) and not np.any(found[gone:])
    assert np.all(np.diff(found[shuts - HOP : gone]) <= 1e-6)


@pytest.mark.parametrize("size", [16, 17, 64, 333, 1024])
@pytest.mark.parametrize("seed", range(4))
def test_its_gain_never_moves_faster_than_attack_and_release_and_stays_within_0_and_1(size, seed):
    rng = np.random.default_rng(seed)
    settings = GateSettings(threshold_db=-30.0, attack_ms=float(rng.uniform(0.5, 5)),
                            hold_ms=float(rng.uniform(0, 30)), release_ms=float(rng.uniform(1, 100)))
    level = np.repeat(10.0 ** rng.uniform(-4.0, 0.0, 60), 500)
    found = gains(NoiseGate(settings, size, RATE_HZ), level, size)
    assert np.min(found) >= -1e-6 and 0.99 < np.max(found) <= 1.0 + 1e-6
    steps = np.diff(found.astype(np.float64))
    assert np.max(steps) <= 1000.0 / settings.attack_ms / RATE_HZ + 1e-5
    assert np.max(-steps) <= 1000.0 / settings.release_ms / RATE_HZ + 1e-5


@pytest.mark.parametrize("size", [16, 64, 1024])
def test_plucked_notes_through_it_have_no_step_larger_than_their_own_largest_and_one_percent(size):
    dry = plucks(3.0, seed=2)
    dry = dry[: len(dry) // size * size] * np.repeat([1.0, 0.002, 1.0], len(dry) // 3 + 1)[: len(dry) // size * size]
    blocks = dry.astype(np.float32).reshape(-1, size)
    gate = NoiseGate(GateSettings(threshold_db=-40.0), size, RATE_HZ)
    wet = np.empty_like(blocks)
    for block, answer in zip(blocks, wet, strict=True):
        gate.process(block, answer)
    assert np.max(np.abs(np.diff(wet.reshape(-1)))) <= 1.01 * np.max(np.abs(np.diff(dry)))
    middle = wet.reshape(-1)[len(dry) // 3 + RATE_HZ // 2 : 2 * len(dry) // 3]
    assert not np.any(middle), "shut while nobody plays"


def test_all_of_a_low_note_gets_through_while_it_sounds():
    """Its peaks are 12 ms apart: the hold time bridges them."""
    dry = (0.1 * np.sin(2 * np.pi * 41.2 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32).reshape(-1, 64)
    gate, wet = NoiseGate(GateSettings(threshold_db=-21.0, hysteresis_db=0.0), 64, RATE_HZ), np.empty_like(dry)
    for block, answer in zip(dry, wet, strict=True):
        gate.process(block, answer)
    np.testing.assert_array_equal(wet[20:], dry[20:])


def test_a_reset_shuts_it_and_forgets_that_it_was_open():
    gate, wet = NoiseGate(GateSettings(threshold_db=-40.0, hysteresis_db=6.0), 64, RATE_HZ), np.empty(64, np.float32)
    loud, near = (np.full(64, 10.0 ** (peak_db / 20.0), np.float32) for peak_db in (-20.0, -43.0))
    for _ in range(20):
        gate.process(loud, wet)
    gate.process(near, wet)
    np.testing.assert_array_equal(wet, near)
    gate.reset()
    assert gate.gain == 0.0
    gate.process(near, wet)
    assert not np.any(wet), "within the hysteresis it stays open, but does not open"
