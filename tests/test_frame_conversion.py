"""``convert`` on frame networks, and its refusal of families that it cannot write."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from frame_pedals import SCHEMES, frame_weights
from neuralpedal.cli.file_player import FilePlayer
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import FrameReferenceNetwork, open_reference
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert import calibration
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.calibration_windows import (
    EXTREMES,
    RADIUS_SAMPLES,
    around_extremes,
    choose_places,
    windows_of,
)
from neuralpedal.convert.conversion import convert
from neuralpedal.convert.source import ConversionSource, Take
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from signals import RATE_HZ, plucks, soft_clip


def source_of(weights: NetworkWeights) -> ConversionSource:
    """The float model is the reference; the pedal is the float model, a little louder."""

    def float_model(dry: np.ndarray) -> np.ndarray:
        return np.asarray(open_reference(weights).process(dry), np.float32)

    dry, warm_up = plucks(0.2, seed=2), RATE_HZ // 20
    take = Take(dry, 1.05 * float_model(dry)[warm_up:], warm_up, "plucks")
    return ConversionSource("blog", weights, float_model, plucks(0.4), take, {"weights_sha256": weights.digest()})


@pytest.fixture(scope="module")
def source() -> ConversionSource:
    return source_of(frame_weights(1, 6, 16, False))


@pytest.fixture(scope="module")
def folder(source: ConversionSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted")
    convert(source, SCHEMES, folder, FilePlayer(64, 0.05))
    return folder


def test_every_scheme_of_a_frame_network_is_written_and_measured(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "blog.float32.tflite", "blog.w8.tflite", "blog.w8a8.tflite", "report.json"]
    report = json.loads((folder / "report.json").read_text())
    assert report["network"]["frame_samples"] == 16
    assert report["schemes"]["float32"]["esr_float"] < 1e-10
    assert report["schemes"]["w8"]["esr_float"] < 1e-3
    assert report["schemes"]["w8a8"]["esr_float"] < 0.02
    assert report["esr_float_model_wet"] == pytest.approx((0.05 / 1.05) ** 2, rel=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_manifest_of_a_frame_pedal_says_what_was_measured(source, folder, scheme):
    engine = open_engine(folder / f"blog.{scheme}.tflite")
    assert engine.manifest.network == source.weights.spec
    played = stream(engine, source.take.dry)[source.take.warm_up_samples :]
    assert engine.manifest.esr_wet == pytest.approx(esr(source.take.wet, played))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_frame_pedal_is_evaluated_profiled_and_rendered(folder, scheme, tmp_path, cli):
    model, dry = folder / f"blog.{scheme}.tflite", plucks(0.4)
    write_recording(tmp_path / "dry.wav", dry, RATE_HZ)
    write_recording(tmp_path / "wet.wav", soft_clip(dry), RATE_HZ)
    pair = tmp_path / "dry.wav", tmp_path / "wet.wav"
    assert cli("evaluate", model, *pair, "--no-probes", "--block", "256")[0] == 0
    assert cli("profile", model, "--seconds", "0.05")[0] == 0
    assert cli("render", model, pair[0], tmp_path / "played.wav")[0] == 0
    assert len(read_recording(tmp_path / "played.wav").samples) == len(dry)


def test_a_file_that_plays_slower_than_its_audio_lasts_comes_with_a_warning(source, tmp_path):
    class SlowPlayer(FilePlayer):
        def times(self, path):  # type: ignore[no-untyped-def]
            return {**super().times(path), "real_time_factor": 2.54}

    [row] = convert(source, ("float32",), tmp_path, SlowPlayer(64, 0.05)).report["schemes"].values()
    [warning] = row["warnings"]
    assert warning.startswith("float32 takes 2.5 times as long as its audio lasts: this machine cannot play it live")


def test_short_audio_is_calibrated_on_whole():
    weights, samples = frame_weights(2, 3, 8, True), plucks(0.05)
    network, found = FrameReferenceNetwork(weights), calibrate(weights, samples)
    wet = network.process(samples)
    assert (found.output.low, found.output.high) == (wet.min(), wet.max())
    assert (found.head.low, found.head.high) == ((wet - samples).min(), (wet - samples).max())
    assert (found.input.low, found.input.high) == (samples.min(), samples.max())
    hidden = []
    network.answer(windows_of(samples, 8).astype(np.float64), lambda states: hidden.append(states[1][0]))
    assert (found.hidden[1].low, found.hidden[1].high) == (np.min(hidden), np.max(hidden))


def test_long_audio_gives_windows_of_every_stretch_and_its_loudest_samples():
    samples = plucks(2.0)
    samples[: RATE_HZ // 2] *= np.float32(1e-3)
    places = choose_places(samples, 32, stretches=200)
    assert 400 < len(places) <= 600
    assert np.array_equal(places, np.unique(places))
    assert set(np.histogram(places, bins=200, range=(0, len(samples)))[0]) <= {1, 2, 3, 4}
    for part in (slice(0, RATE_HZ // 2), slice(RATE_HZ // 2, None)):
        assert np.argmax(np.abs(samples[part])) + (part.start or 0) in places
    assert np.array_equal(choose_places(samples, 32, stretches=200), places)


def test_windows_end_with_their_sample_and_begin_in_silence():
    samples = np.arange(1, 7, dtype=np.float32)
    assert windows_of(samples, 3).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]


def test_the_neighbours_of_the_extremes_are_played_too():
    places = np.arange(0, 20_000, 10)
    answers = np.zeros(len(places))
    answers[[0, 1000]] = -1.0, 1.0
    further = around_extremes(places, [answers], 20_000)
    assert {1, RADIUS_SAMPLES, 10_000 - RADIUS_SAMPLES, 10_000 + RADIUS_SAMPLES - 1} <= set(further.tolist())
    assert not set(further.tolist()) & set(places.tolist())
    assert len(further) <= 2 * EXTREMES * (2 * RADIUS_SAMPLES + 1)
    assert further.min() >= 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_chosen_windows_and_their_neighbours_find_nearly_the_ranges_of_all(seed, monkeypatch):
    """A window in 250, as on three minutes of playing."""
    monkeypatch.setattr(calibration, "choose_places", partial(choose_places, stretches=60))
    weights, samples = frame_weights(1, 4, 16, True, 1.0), plucks(1.0, seed)
    wet = FrameReferenceNetwork(weights).process(samples)
    found = calibrate(weights, samples)
    assert found.output.high - found.output.low > 0.95 * np.ptp(wet)
    assert found.head.high - found.head.low > 0.95 * np.ptp(wet - samples)


def test_silence_cannot_calibrate_frames():
    with pytest.raises(RecordingError, match="silent"):
        calibrate(frame_weights(1, 3, 8, True), np.zeros(1000, np.float32))
