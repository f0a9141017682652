"""How a machine is, from files of a made-up one; and what that says about lost audio."""

import numpy as np
import pytest

from fake_machine import raspberry_pi, write
from neuralpedal.device import block_meter
from neuralpedal.device.block_meter import BlockMeter, Xrun
from neuralpedal.device.vitals import Vitals, VitalsReader, throttled_words
from neuralpedal.device.xrun_cause import likely_cause

pytestmark = pytest.mark.device


def test_a_pi_tells_temperature_clock_governor_and_what_the_firmware_does(tmp_path):
    vitals = VitalsReader(raspberry_pi(tmp_path, "ondemand", 600, 71.3, "50005")).read()
    assert vitals == Vitals(71.3, 600.0, 1800.0, "ondemand", ("under-voltage", "throttled"),
                            ("under-voltage", "throttled"))
    assert vitals.clock_is_low
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", "82000")
    assert VitalsReader(tmp_path).read().temperature_c == 82.0


def test_a_machine_that_tells_nothing_or_nonsense_is_no_error(tmp_path):
    assert VitalsReader(tmp_path).read() == Vitals() and not Vitals().clock_is_low
    raspberry_pi(tmp_path, throttled="what?")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "")
    vitals = VitalsReader(tmp_path).read()
    assert (vitals.temperature_c, vitals.throttled, vitals.clock_is_low) == (None, None, False)


@pytest.mark.parametrize(("bits", "words"), [
    (None, None), (0, ()), (0x1, ("under-voltage",)), (0xA, ("clock capped", "temperature limit")),
    (0x50000, ()), (0x50000 >> 16, ("under-voltage", "throttled")),
])
def test_the_bits_of_the_firmware_in_words(bits, words):
    assert throttled_words(bits) == words


class Clock:
    """What the meter takes for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000_000
        monkeypatch.setattr(block_meter.time, "perf_counter_ns", lambda: self.now_ns)

    def block(self, meter: BlockMeter, wait_us: float = 1333, busy_us: float = 100, flags: int = 0) -> None:
        self.now_ns += round(1e3 * wait_us)
        meter.record(round(1e3 * busy_us), 0.1, 0.1, flags)


def test_xruns_are_told_with_block_flags_and_whether_a_late_block_or_a_long_wait_came_before(monkeypatch):
    clock, meter = Clock(monkeypatch), BlockMeter(64, 48_000)
    for _ in range(100):
        clock.block(meter)
    clock.block(meter, busy_us=2000)
    clock.block(meter, flags=4)
    for _ in range(20):
        clock.block(meter)
    clock.block(meter, wait_us=6333)
    clock.block(meter, flags=2)
    for _ in range(20):
        clock.block(meter)
    clock.block(meter, flags=2 | 0x10)
    late, held_up, card = meter.read_xruns()
    assert (late.block, late.flags, late.after_late) == (101, 4, True)
    assert (held_up.block, held_up.after_late) == (123, False)
    assert held_up.held_up_ms == pytest.approx(5.0, abs=0.01)
    assert (card.block, card.flags, card.after_late, card.held_up_ms) == (144, 0x12, False, 0.0)
    assert meter.read_xruns(2) == [card] and meter.read_xruns(3) == []
    assert (meter.xruns, meter.xruns_after_late) == (3, 1)


def test_a_driver_that_calls_for_sixteen_blocks_at_once_holds_nobody_up(monkeypatch):
    clock, meter = Clock(monkeypatch), BlockMeter(64, 48_000)
    for index in range(640):
        clock.block(meter, wait_us=20_000 if index % 16 == 0 else 20, busy_us=10, flags=4 if index == 337 else 0)
    assert meter.read_xruns()[0].held_up_ms == 0.0


def test_of_an_xrun_storm_the_last_64_are_known(monkeypatch):
    clock, meter = Clock(monkeypatch), BlockMeter(64, 48_000)
    for _ in range(1000):
        clock.block(meter, flags=1)
    assert [xrun.block for xrun in meter.read_xruns()] == list(range(936, 1000))
    np.testing.assert_equal(meter.xruns, 1000)


FINE, HOT = Vitals(50.0, 1800.0, 1800.0, "performance", (), ()), Vitals(throttled=("throttled",))
SLOW = Vitals(clock_mhz=600.0, clock_max_mhz=1800.0, governor="ondemand", throttled=())


@pytest.mark.parametrize(("xrun", "vitals", "words"), [
    (Xrun(9, 4, True, 0.0), FINE, "engine late"),
    (Xrun(9, 4, True, 0.0), HOT, "engine late, processor throttled (throttled)"),
    (Xrun(9, 4, True, 0.0), SLOW, "engine late, clock at 600 of 1800 MHz (governor ondemand)"),
    (Xrun(9, 2, False, 5.04), FINE, "callback 5.0 ms late: held up by the kernel or another program"),
    (Xrun(9, 2 | 4 | 16, False, 0.0), HOT, "card or driver (input overflow, output underflow)"),
])
def test_the_likely_cause_of_an_xrun(xrun, vitals, words):
    assert likely_cause(xrun, vitals) == words
