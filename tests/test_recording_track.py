"""What is played into a pedal, and what its clicks and its repetition tell."""

import numpy as np
import pytest

from neuralpedal.cli.recording.clicks import find_clicks
from neuralpedal.cli.recording.take import align_take, repeatability
from neuralpedal.cli.recording.track import PEAK, CaptureTrack, make_track
from neuralpedal.cli.virtual.guitar import synthesize_notes
from neuralpedal.contract.alignment import read_between
from neuralpedal.contract.errors import RecordingError, SpecError
from neuralpedal.train.inspection.levels import measure_levels
from neuralpedal.train.inspection.overlap import repeated_share
from neuralpedal.train.inspection.repeats import repeatability_esr
from signals import RATE_HZ


@pytest.fixture(scope="module")
def track() -> CaptureTrack:
    return make_track(30.0, RATE_HZ, seed=0)


def answer(track: CaptureTrack, latency: float, gain: float = 0.5, noise_rms: float = 0.0) -> np.ndarray:
    """A soft clipper's record of the track, half a second longer than that."""
    length = len(track.samples) + RATE_HZ // 2
    heard = np.tanh(gain * read_between(track.samples, 0, length, -latency, 1.0))
    return (heard + np.random.default_rng(3).normal(0.0, noise_rms, length)).astype(np.float32)


def test_the_track_is_as_long_as_asked_without_gaps_and_the_same_for_a_seed(track):
    assert track.samples.shape == (30 * RATE_HZ,) and np.max(np.abs(track.samples)) == pytest.approx(PEAK, abs=1e-3)
    assert [section.start for section in track.sections] == [0, *[section.stop for section in track.sections[:-1]]]
    assert track.sections[-1].stop == len(track.samples)
    np.testing.assert_array_equal(make_track(30.0, RATE_HZ, 0).samples, track.samples)
    assert not np.array_equal(make_track(30.0, RATE_HZ, 1).samples, track.samples)
    assert make_track(30.0, 44_100, 0).samples.shape == (30 * 44_100,)


def test_the_track_holds_what_inspect_asks_of_a_take(track):
    levels = measure_levels(track.samples, RATE_HZ)
    assert [problem.code for problem in levels.problems("dry.wav")] == ["short_take"]
    assert repeated_share(track.samples, round(0.9 * len(track.samples)), RATE_HZ) == 0.0
    for silence in track.named("silence"):
        assert not np.any(track.samples[silence.span])


def test_one_passage_is_played_twice_and_no_group_of_clicks_is_another_one(track):
    first, second = track.named("repeated")
    np.testing.assert_array_equal(track.samples[first.span], track.samples[second.span])
    distances = [tuple(np.diff(group)) for group in track.clicks]
    assert len(set(distances)) == 3 and len({one for group in distances for one in group}) == 9
    assert all(track.samples[place] == np.float32(PEAK) for group in track.clicks for place in group)


def test_the_loudest_part_holds_the_highest_peak_of_the_playing(track):
    peak = max(np.max(np.abs(track.samples[section.span])) for section in track.named("playing"))
    loudest = track.loudest(1.5)
    assert loudest.shape == (round(1.5 * RATE_HZ),) and np.max(np.abs(loudest)) == peak


def test_notes_are_as_loud_in_turn_as_they_are_told():
    notes = synthesize_notes(6.0, RATE_HZ, 0, (1.0, 0.1)).reshape(10, -1)
    peaks = np.max(np.abs(notes), axis=1)
    assert np.all(peaks[1::2] < 0.4 * peaks[::2]) and np.all(np.max(np.abs(notes[:, -600:]), axis=1) < 0.05)


@pytest.mark.parametrize("seconds", [29.0, 901.0, float("nan")])
def test_a_take_that_is_too_short_or_too_long_is_refused(seconds):
    with pytest.raises(SpecError, match="wanted 30 to 900 s"):
        make_track(seconds, RATE_HZ, 0)


@pytest.mark.parametrize(("latency", "gain", "noise_rms"), [
    (0, 1.0, 0.0), (2048, -0.5, 1e-3), (20_000, 0.1, 1e-3), (700, 30.0, 2e-2),
])
def test_clicks_say_the_latency_to_the_sample_through_noise_clipping_and_inverted(track, latency, gain, noise_rms):
    arrival = find_clicks(answer(track, latency, gain, noise_rms), track.clicks, RATE_HZ)
    assert arrival is not None and arrival.latency_samples == latency


def test_clicks_that_drown_in_noise_are_not_found_rather_than_found_wrongly(track):
    assert find_clicks(answer(track, 500, 0.5, 0.3), track.clicks, RATE_HZ) is None
    assert find_clicks(np.zeros_like(track.samples), track.clicks, RATE_HZ) is None


@pytest.mark.parametrize("lost", [2, 64, 1024])
def test_samples_that_were_lost_without_a_word_of_the_driver_are_noticed(track, lost):
    record = answer(track, 700)
    with pytest.raises(RecordingError, match=f"group 2 of 3 comes {lost} samples early .*samples were lost"):
        find_clicks(np.delete(record, slice(480_000, 480_000 + lost)), track.clicks, RATE_HZ)
    with pytest.raises(RecordingError, match=f"group 3 of 3 comes {lost} samples late"):
        find_clicks(np.insert(record, 1_200_000, np.zeros(lost)), track.clicks, RATE_HZ)


def test_a_take_is_cut_to_where_the_clicks_say_it_begins(track):
    take = align_take(track, answer(track, 1500))
    np.testing.assert_array_equal(take.wet, answer(track, 0)[: len(track.samples)])
    np.testing.assert_array_equal(take.dry, track.samples)
    np.testing.assert_array_equal(take.moved(3).wet, take.wet[3:])
    np.testing.assert_array_equal(take.moved(3).dry, take.dry[:-3])
    np.testing.assert_array_equal(take.moved(-3).wet, take.wet[:-3])
    np.testing.assert_array_equal(take.moved(-3).dry, take.dry[3:])


def test_a_clipped_and_a_silent_take_are_refused_with_what_to_turn(track):
    with pytest.raises(RecordingError, match=r"clipped \(peak 0.0 dBFS\): turn the pedal's volume"):
        align_take(track, np.clip(3.0 * answer(track, 10, 1.0), -1.0, 1.0))
    with pytest.raises(RecordingError, match="nothing comes back"):
        align_take(track, np.zeros(len(track.samples) + 10, np.float32))


@pytest.mark.parametrize("noise_db", [-20.0, -40.0, -60.0])
def test_repeatability_is_the_share_of_noise_that_was_added(noise_db):
    """A clean answer plus noise: a model that plays the clean answer has just this ESR."""
    rng = np.random.default_rng(0)
    clean = rng.normal(0.0, 0.2, 200_000).astype(np.float32)
    first, second = (clean + rng.normal(0.0, 0.2 * 10 ** (noise_db / 20), clean.shape).astype(np.float32)
                     for _ in range(2))
    assert repeatability_esr(first, second) == pytest.approx(10 ** (noise_db / 10), rel=0.02)
    assert repeatability_esr(clean, clean) == 0.0


def test_repeatability_of_a_take_is_that_of_the_passage_played_twice(track):
    noise_rms = 0.003
    take = align_take(track, answer(track, 700, 2.0, noise_rms))
    clean = align_take(track, answer(track, 700, 2.0))
    passage = slice(track.named("repeated")[0].start + RATE_HZ // 4, track.named("repeated")[0].stop)
    wanted = noise_rms**2 / np.mean(clean.wet[passage].astype(np.float64) ** 2)
    assert repeatability(track, take.wet) == pytest.approx(wanted, rel=0.05)
    assert repeatability(track, clean.wet) == 0.0
