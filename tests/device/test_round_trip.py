"""The latency of a way whose delay is known, and what has none."""

from types import SimpleNamespace

import numpy as np
import pytest

from neuralpedal.contract.alignment import read_between
from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device import audio_pulse
from neuralpedal.device.audio_pulse import AudioPulse
from neuralpedal.device.round_trip import RoundTrip, RoundTripProbe, RoundTrips
from neuralpedal.device.tape import Tape, TapeDeck

pytestmark = pytest.mark.device


def delayed(track: np.ndarray, samples: float) -> np.ndarray:
    return read_between(track, 0, len(track), -samples, 1.0)


def noise(length: int, rms: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, rms, length).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("samples", [0.0, 128.0, 777.77, 3000.25, 12_345.5])
def test_a_known_delay_is_found_to_a_thousandth_of_a_sample(rate_hz, samples):
    probe = RoundTripProbe(rate_hz)
    trip = probe.read(-0.5 * delayed(probe.track, samples))
    assert trip.samples == pytest.approx(samples, abs=1e-3)
    assert trip.gain_db == pytest.approx(-6.02, abs=0.01) and trip.inverted
    assert trip.peak_dbfs == pytest.approx(-18.0, abs=0.1)


def test_noise_is_told_as_such_and_moves_the_latency_little():
    probe = RoundTripProbe(48_000)
    trip = probe.read(0.1 * delayed(probe.track, 500.4) + noise(len(probe.track), 0.005))
    assert trip.samples == pytest.approx(500.4, abs=0.05)
    # A chirp of peak 0.025 has an rms of 0.0177, and noise beside it.
    assert trip.snr_db == pytest.approx(10 * np.log10((0.0177**2 + 0.005**2) / 0.005**2), abs=0.5)
    assert not trip.inverted


def test_a_filtered_and_clipping_way_has_still_one_latency():
    """AC coupling, a treble cut and a pedal that clips: distortion of a rising chirp arrives before it."""
    probe = RoundTripProbe(48_000)
    heard, low, mean = np.tanh(8.0 * delayed(probe.track, 300.0)), 0.0, 0.0
    for index, value in enumerate(heard):
        low += 0.6 * (value - low)
        mean += 0.002 * (low - mean)
        heard[index] = 0.5 * (low - mean)
    # The filter itself is two thirds of a sample late.
    assert probe.read(heard).samples == pytest.approx(300.5, abs=0.5)


@pytest.mark.parametrize("rms", [0.0, 1e-4, 0.1])
def test_where_nothing_comes_back_the_cable_is_named(rms):
    probe = RoundTripProbe(48_000)
    with pytest.raises(AudioDeviceError, match=r"nothing comes back .*connect the card's output to its input"):
        probe.read(noise(len(probe.track), rms))


def test_a_clipped_answer_is_refused():
    probe = RoundTripProbe(48_000, level_dbfs=0.0)
    with pytest.raises(AudioDeviceError, match=r"comes back clipped .*turn the card's output or input down"):
        probe.read(np.clip(2.0 * delayed(probe.track, 300.0), -1.0, 1.0))


def test_two_ways_of_nearly_one_level_are_no_latency_and_a_soft_echo_is_none_of_its_business():
    probe = RoundTripProbe(48_000)
    direct = delayed(probe.track, 480.0)
    with pytest.raises(AudioDeviceError, match=r"comes back twice, after 30.00 and 10.00 ms .*direct monitoring"):
        probe.read(0.8 * direct + delayed(probe.track, 1440.0))
    assert probe.read(direct + 0.3 * delayed(probe.track, 1440.0)).samples == pytest.approx(480.0, abs=0.01)


def test_rounds_that_differ_by_more_than_a_sample_are_refused_and_others_have_a_median():
    def trips(*samples):
        return RoundTrips(tuple(RoundTrip(one, 0.0, False, -12.0, 60.0 - one) for one in samples), 48_000)

    steady = trips(100.0, 100.1, 100.3)
    assert (steady.samples, steady.worst().samples) == (100.1, 100.3)
    assert steady.spread_samples == pytest.approx(0.3) and steady.ms == pytest.approx(2.0854, abs=1e-4)
    with pytest.raises(AudioDeviceError, match=r"changes from round to round \(100.0, 164.0 samples\)"):
        trips(100.0, 164.0)


def test_a_tape_plays_its_track_then_silence_and_keeps_where_blocks_were_lost():
    tape = Tape(np.arange(1, 6, dtype=np.float32), 4, tail_samples=4)
    played = np.full((4, 4), 9.0, np.float32)
    for index in range(4):
        tape.process(np.full(4, index, np.float32), played[index], 0x10 if index == 1 else 4 if index == 2 else 0)
    np.testing.assert_array_equal(played.reshape(-1), [1, 2, 3, 4, 5] + [0] * 11)
    np.testing.assert_array_equal(tape.record, np.repeat([0, 1, 2], 4))
    assert tape.is_over and (tape.xruns, tape.first_xrun, tape.share) == (1, 8, 1.0)


def test_a_deck_without_a_tape_is_silent_and_a_card_that_is_gone_an_error():
    deck, played = TapeDeck(), np.ones(4, np.float32)
    deck.process(np.ones(4, np.float32), played, 0)
    np.testing.assert_array_equal(played, 0.0)
    with pytest.raises(AudioDeviceError, match="gives no audio any more"):
        deck.play(SimpleNamespace(is_active=False), Tape(played, 4))


def test_a_card_that_says_it_is_there_and_asks_for_no_block_for_three_seconds_is_gone():
    clock = SimpleNamespace(now_s=0.0)
    pulse = AudioPulse(SimpleNamespace(is_active=True), 0, lambda: clock.now_s)
    for clock.now_s, blocks in ((2.9, 0), (3.0, 0), (3.0, 1), (5.9, 1), (6.0, 1)):
        pulse.check(blocks)
    clock.now_s = 6.1
    with pytest.raises(AudioDeviceError, match="gives no audio any more"):
        pulse.check(1)


def test_a_deck_whose_card_asks_for_no_block_ends(monkeypatch):
    monkeypatch.setattr(audio_pulse, "GONE_S", 0.05)
    with pytest.raises(AudioDeviceError, match="gives no audio any more"):
        TapeDeck().play(SimpleNamespace(is_active=True), Tape(np.zeros(4, np.float32), 4))
