"""The tuner: right to a cent on plucked notes, silent on what is no note, and no burden of the audio thread."""

import numpy as np
import pytest

from neuralpedal.device.tuner import InputTap, Tuner, find_note, note_of

pytestmark = pytest.mark.device


def pluck(frequency_hz: float, rate_hz: int, seed: int, seconds: float = 0.5, noise: float = 1e-3) -> np.ndarray:
    """A string: harmonics of a random plucking point and random phases, the higher the sooner gone, and noise."""
    rng, time_s = np.random.default_rng(seed), np.arange(round(seconds * rate_hz)) / rate_hz
    place, wave = rng.uniform(0.1, 0.35), np.zeros(len(time_s))
    for number in range(1, int(min(8_000.0, 0.45 * rate_hz) / frequency_hz) + 1):
        decay = np.exp(-time_s * (1.0 + 0.3 * number * frequency_hz / 200.0))
        phase = 2.0 * np.pi * (number * frequency_hz * time_s + rng.random())
        wave += np.sin(np.pi * number * place) / number * decay * np.sin(phase)
    return (0.3 * wave / np.abs(wave).max() + noise * rng.normal(size=len(time_s))).astype(np.float32)


def heard(samples: np.ndarray, rate_hz: int, block: int = 64) -> Tuner:
    tap = InputTap(rate_hz)
    tuner = Tuner(tap, rate_hz)
    tuner.switch(True)
    for start in range(0, len(samples), block):
        tap.write(samples[start : start + block])
    tuner.listen()
    return tuner


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_a_plucked_note_is_right_to_a_tenth_of_a_cent(rate_hz: int) -> None:
    for seed, frequency_hz in enumerate(np.geomspace(70.0, 1_000.0, 40)):
        seconds = np.random.default_rng(seed).uniform(0.25, 0.5)
        note = heard(pluck(frequency_hz, rate_hz, seed, seconds), rate_hz).note
        assert note is not None, frequency_hz
        assert abs(1200.0 * np.log2(note.frequency_hz / frequency_hz)) < 0.1
        assert -50.0 <= note.cents <= 50.0


@pytest.mark.parametrize(("number", "level"), [(2, 2.5), (16, 0.5)])
def test_a_strong_harmonic_and_a_direct_current_do_not_hide_the_fundamental(number: int, level: float) -> None:
    angle = 2.0 * np.pi * 70.0 * np.arange(8_160) / 48_000
    wave = 0.1 * (np.sin(angle) + level * np.sin(number * angle)) + 0.5
    note = find_note(wave.astype(np.float32), 48_000)
    assert note is not None and note.frequency_hz == pytest.approx(70.0, abs=0.1)


@pytest.mark.parametrize("frequency_hz", [45.0, 1_500.0])
def test_what_is_lower_or_higher_than_a_guitar_is_no_note(frequency_hz: float) -> None:
    wave = 0.1 * np.sin(2.0 * np.pi * frequency_hz * np.arange(8_160) / 48_000)
    assert find_note(wave.astype(np.float32), 48_000) is None


def test_the_open_strings_have_their_names() -> None:
    for name, frequency_hz in (("E2", 82.407), ("A2", 110.0), ("D3", 146.832), ("G3", 195.998), ("B3", 246.942),
                               ("E4", 329.628)):
        for cents in (-30.0, 0.0, 12.5):
            note = note_of(frequency_hz * 2.0 ** (cents / 1200.0))
            assert note.name == name and note.cents == pytest.approx(cents, abs=0.01)
    assert note_of(432.0, a4_hz=432.0).name == "A4" and note_of(440.0 * 2 ** (0.4 / 12)).cents == pytest.approx(40.0)


def test_silence_noise_and_chords_are_no_note() -> None:
    rng = np.random.default_rng(1)
    chord = sum(pluck(hz, 48_000, seed) for seed, hz in enumerate((110.0, 138.6, 164.8, 233.1)))
    for samples in (np.zeros(20_000), rng.normal(0.0, 0.1, 20_000), pluck(110.0, 48_000, 0) * 1e-3, chord,
                    np.full(20_000, 0.5)):
        assert find_note(np.asarray(samples, np.float32)[-8160:], 48_000) is None


def test_the_tap_keeps_the_newest_samples_whatever_the_blocks_and_only_while_it_is_open() -> None:
    tap, counted = InputTap(48_000), np.arange(60_000, dtype=np.float32)
    tap.write(counted[:64])
    assert tap.read() is None
    tap.is_open, start = True, 0
    for size in (64, 1, 999, 4096, 7) * 9:
        tap.write(counted[start : start + size])
        start += size
    found = tap.read()
    assert found is not None
    np.testing.assert_array_equal(found, counted[start - len(found) : start])
    tap.forget()
    assert tap.read() is None


def test_a_tuner_that_is_off_hears_nothing_and_one_that_is_switched_on_begins_anew() -> None:
    tuner = heard(pluck(110.0, 48_000, 3), 48_000)
    reading = tuner.reading()
    assert str(tuner).startswith("tuner: A2 ") and reading and reading["note"] == "A2"
    tuner.switch(False)
    tuner.listen()
    assert tuner.reading() is None
    tuner.switch(True)
    assert tuner.reading() == {"note": None, "cents": None, "frequency_hz": None}
    tuner.listen()
    assert tuner.reading() == {"note": None, "cents": None, "frequency_hz": None} and str(tuner) == "tuner: –"
