"""What a study is made of: its plan, its split, its figures of noise, its verdicts; the command has its own file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpedal.cli.study.findings import CONFIRMED, PARTLY, REFUTED, UNKNOWN, findings, name_of
from neuralpedal.cli.study.high_frequencies import high_frequency_figures
from neuralpedal.cli.study.judgement import judge
from neuralpedal.cli.study.plan import PEDAL, SAMPLE_RATE_HZ, TUBE, Plan, read_plan
from neuralpedal.cli.study.rows import chosen, epoch_series, mean_aliasing_db, size_series, structure_rows
from neuralpedal.cli.study.segments import split_segments
from neuralpedal.cli.study.targets import Target
from neuralpedal.contract.errors import RecordingError, SpecError
from signals import plucks

FRAME = {"target": PEDAL, "layers": 1, "units": 16, "frame": 64, "frames": 40_000, "epochs": [20, 50]}
STREAM = {"target": PEDAL, "layers": 1, "units": 16, "epochs": [60]}


def _plan(**fields: Any) -> Plan:
    return Plan(**{"frame": [FRAME], "streaming": [STREAM], "segment_seconds": 0.5, **fields})


def _target(seconds: float = 5.2) -> Target:
    dry = plucks(seconds, rate_hz=SAMPLE_RATE_HZ)
    return Target(PEDAL, dry, np.tanh(3.0 * dry))


# The plan


def test_the_full_plan_holds_the_structures_sizes_and_epochs_of_2022():
    plan = read_plan("full")
    for target in (PEDAL, TUBE):
        common = [cell for cell in plan.frame if cell.target == target and cell.frames == 40_000]
        assert {cell.structure for cell in common} == {"1×16/32", "2×16/32", "1×16/64", "1×32/64", "2×32/64"}
        assert all(50 in cell.epochs for cell in common)
        assert (20, 35, 50, 80, 200) in {cell.epochs for cell in common if cell.structure == "1×16/64"}
        assert {cell.structure for cell in plan.streaming if cell.target == target} == {"1×8", "1×16", "2×16", "1×32"}
    sizes = {cell.frames for cell in plan.frame if cell.structure == "1×16/64" and cell.target == PEDAL}
    assert sizes == {20_000, 40_000, 80_000, 200_000, 500_000}
    assert plan.segment_seconds == 5 and plan.test_share == 0.2


def test_the_quick_plan_asks_every_question():
    plan = read_plan("quick")
    assert plan.targets == [PEDAL, TUBE]
    assert any(len(cell.epochs) > 1 for cell in plan.frame)
    assert len({cell.frames for cell in plan.frame if cell.structure == "1×16/64"}) > 1


def test_a_frame_costs_as_many_steps_as_it_has_samples():
    plan = _plan()
    frame, stream = plan.frame[0], plan.streaming[0]
    assert stream.macs_per_sample == 4 * 16 * (1 + 16) + 16
    assert frame.macs_per_sample == 64 * 4 * 16 * (1 + 16) + 16
    two = _plan(frame=[{**FRAME, "layers": 2}]).frame[0]
    assert two.macs_per_sample == 64 * (4 * 16 * (1 + 16) + 4 * 16 * (16 + 16)) + 16


@pytest.mark.parametrize(("text", "what"), [
    ("frame: [{target: amp, layers: 1, units: 4, frame: 8, frames: 9, epochs: [1]}]", "'amp' is not one of pedal"),
    ("frame: []\nstreaming: []", "frame"),
    ("seconds: 5\nstreaming: []", "frame: Field required"),
    ("- 1", "wanted a table"),
    ("a: [", "cannot be read as YAML"),
    ("1: 2", "names of fields must be text"),
])
def test_a_plan_that_is_wrong_is_named(text, what, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=what):
        read_plan(path)


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"gone\.yaml: no such file; give a YAML plan or one of full, quick"):
        read_plan(tmp_path / "gone.yaml")


@pytest.mark.parametrize("epochs", [[50, 20], [20, 20], [0, 5]])
def test_epochs_must_rise(epochs):
    with pytest.raises(ValueError, match="wanted rising numbers from 1"):
        _plan(frame=[{**FRAME, "epochs": epochs}])


def test_a_cell_is_there_once():
    with pytest.raises(ValueError, match="pedal-frame-1x16-64-40000 is there twice"):
        _plan(frame=[FRAME, {**FRAME, "epochs": [80]}])


def test_a_fingerprint_knows_recordings_protocol_and_epochs_but_not_its_neighbours():
    plan, digests = _plan(), {"dry_sha256": "a", "wet_sha256": "b"}
    cell = plan.frame[0]
    same = _plan(streaming=[{**STREAM, "units": 8}], timing_seconds=3)
    assert plan.fingerprint(cell, digests) == same.fingerprint(cell, digests)
    others = [_plan(seed=1), _plan(seconds=4), _plan(frame=[{**FRAME, "epochs": [20]}])]
    found = {other.fingerprint(other.frame[0], digests) for other in others}
    found.add(plan.fingerprint(cell, {**digests, "wet_sha256": "c"}))
    assert len(found) == 4 and plan.fingerprint(cell, digests) not in found


# The split


def test_a_fifth_of_the_segments_is_tested_and_none_is_trained_on():
    target, plan = _target(), _plan()
    segments = split_segments(target, plan)
    length = round(0.5 * SAMPLE_RATE_HZ)
    assert segments.length == length and len(segments.test) == 2 and len(segments.train_dry) == 8 * length
    assert sorted(segments.train_numbers + segments.test_numbers) == list(range(10))
    for place, number in enumerate(segments.train_numbers):
        whole, part = slice(number * length, (number + 1) * length), slice(place * length, (place + 1) * length)
        np.testing.assert_array_equal(segments.train_wet[part], target.wet[whole])
        np.testing.assert_array_equal(segments.train_dry[part], target.dry[whole])


def test_a_test_segment_begins_with_the_guitar_that_precedes_it():
    target, length = _target(), round(0.5 * SAMPLE_RATE_HZ)
    segments = split_segments(target, _plan())
    for segment, number in zip(segments.test, segments.test_numbers, strict=True):
        start, stop = number * length, (number + 1) * length
        assert segment.warm_up_samples == min(start, round(0.5 * SAMPLE_RATE_HZ))
        np.testing.assert_array_equal(segment.dry, target.dry[start - segment.warm_up_samples : stop])
        np.testing.assert_array_equal(segment.wet, target.wet[start:stop])


def test_the_seed_decides_the_split():
    numbers = [tuple(split_segments(_target(), _plan(seed=seed)).test_numbers) for seed in (0, 0, 1, 2, 3)]
    assert numbers[0] == numbers[1] and len(set(numbers)) > 2


def test_recordings_that_cannot_be_split_are_named():
    with pytest.raises(RecordingError, match="wanted two segments"):
        split_segments(_target(0.9), _plan())
    silent = Target(PEDAL, _target().dry, np.zeros_like(_target().wet))
    with pytest.raises(RecordingError, match="segments are silent"):
        split_segments(silent, _plan())


# Judging


def test_a_perfect_model_is_judged_perfect():
    target = _target()
    segments = split_segments(target, _plan())
    figures, played = judge(lambda dry: np.tanh(3.0 * dry), segments, lambda done: None)
    assert figures["esr"] < 1e-12 and figures["r2"] == pytest.approx(1.0) and figures["mr_stft"] < 1e-6
    assert figures["hf_error_dbfs"] < -140 and figures["hf_excess_db"] == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_array_equal(played, segments.test_wet)
    # A tanh at 22 kHz aliases on a loud sine of 5 kHz, and a curve is silent in silence.
    assert figures["aliasing_db_5000_hz_0_dbfs"] > -40 and figures["noise_floor_dbfs"] == -300.0


def test_a_model_that_remembers_is_judged_in_the_state_that_it_would_be_in():
    """A delay of 1000 samples: without its warm-up every segment would begin with silence."""
    target = _target()

    def delay(dry: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros(1000, np.float32), dry[:-1000]])

    segments = split_segments(Target(PEDAL, target.dry, delay(target.dry)), _plan())
    figures, _ = judge(delay, segments, lambda done: None)
    assert figures["esr"] < 1e-12


def test_noise_above_6_khz_has_its_level_and_a_tone_below_has_none():
    time_s = np.arange(4 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    loud_then_soft = np.where(time_s < 2, 0.5, 0.005)
    treble = 1e-4 * np.sin(2 * np.pi * 9000 * time_s)
    target = (loud_then_soft * np.sin(2 * np.pi * 500 * time_s) + treble).astype(np.float32)
    hiss = 1e-3 * np.sqrt(2.0) * np.sin(2 * np.pi * 8000 * time_s)
    figures = high_frequency_figures(target, target + hiss.astype(np.float32), SAMPLE_RATE_HZ)
    assert figures["hf_error_dbfs"] == pytest.approx(-60.0, abs=0.1)
    assert figures["hf_soft_error_dbfs"] == pytest.approx(-60.0, abs=0.1)
    # The target has −83 dBFS up there.
    assert figures["hf_soft_excess_db"] == pytest.approx(23.0, abs=0.2)
    soft_hiss = np.where(time_s < 2, 0, hiss).astype(np.float32)
    only_soft = high_frequency_figures(target, target + soft_hiss, SAMPLE_RATE_HZ)
    assert only_soft["hf_soft_error_dbfs"] == pytest.approx(-60.0, abs=0.2)
    assert only_soft["hf_error_dbfs"] == pytest.approx(-63.0, abs=0.2)
    tone = 0.1 * np.sin(2 * np.pi * 1000 * time_s)
    assert high_frequency_figures(target, (target + tone).astype(np.float32), SAMPLE_RATE_HZ)["hf_error_dbfs"] < -120


# Rows and verdicts


def _row(epochs: int = 50, frames: int | None = 40_000, structure: str = "1×16/64", target: str = PEDAL,
         **figures: Any) -> dict[str, Any]:
    kind = "frame_lstm" if frames else "lstm"
    return {"id": f"{target}-{structure}-{frames}", "kind": kind, "target": target, "structure": structure,
            "frames": frames, "epochs": epochs, "mae": 0.01, "r2": 0.98, "esr": 0.02, "hf_soft_error_dbfs": -80.0,
            "aliasing_mean_db": -60.0, "macs_per_sample": 69_648, **figures}


def _cost(keras_factor: float | None, litert_factor: float = 0.5) -> dict[str, Any]:
    return {"structure": "1×16/64", "keras_real_time_factor": keras_factor, "litert_real_time_factor": litert_factor}


def _verdict(number: int, rows: list[dict[str, Any]], costs: list[dict[str, Any]] | None = None) -> str:
    return findings(rows, costs or [])[number - 1].verdict


def test_series_are_found_in_the_rows():
    larger = _row(50, structure="1×32/64", macs_per_sample=300_000)
    rows = [_row(20), _row(50), _row(50, 20_000), larger, _row(60, None)]
    assert epoch_series(rows, PEDAL) == [rows[:2]]
    assert size_series(rows, PEDAL) == [[rows[2], rows[1]]]
    assert structure_rows(rows, PEDAL) == [rows[1], rows[3]]
    assert chosen(rows, kind="lstm") == [rows[4]]


def test_mean_aliasing_leaves_out_what_was_not_measured():
    assert mean_aliasing_db({"aliasing_db_1_hz_0_dbfs": -40.0, "aliasing_db_2_hz_0_dbfs": -60.0,
                             "aliasing_worst_db": 0.0, "aliasing_db_9_hz_0_dbfs": None}) == -50.0
    assert mean_aliasing_db({}) is None


def test_nothing_measured_is_no_verdict():
    assert {finding.verdict for finding in findings([], [])} == {UNKNOWN}


def test_little_data_is_enough_when_the_best_small_network_is_not_bad():
    rows = [_row(esr=0.03), _row(esr=0.3), _row(frames=500_000, esr=0.9), _row(target=TUBE, esr=0.01)]
    assert _verdict(1, rows) == CONFIRMED
    assert _verdict(1, [*rows[:3], _row(target=TUBE, esr=0.04)]) == PARTLY
    assert _verdict(1, [_row(esr=0.04), _row(frames=500_000, esr=0.001)]) == REFUTED


def test_more_is_better_only_when_all_three_figures_say_so():
    first = _row(20)
    assert _verdict(2, [first, _row(50, mae=0.009, r2=0.99, esr=0.01)]) == CONFIRMED
    assert _verdict(2, [first, _row(50, mae=0.011, r2=0.99, esr=0.01)]) == REFUTED


def test_longer_training_is_dirtier_when_noise_and_aliasing_both_rise():
    assert _verdict(3, [_row(20), _row(200, hf_soft_error_dbfs=-79.0, aliasing_mean_db=-58.0)]) == CONFIRMED
    assert _verdict(3, [_row(20), _row(200, hf_soft_error_dbfs=-82.0, aliasing_mean_db=-58.0)]) == PARTLY
    assert _verdict(3, [_row(20), _row(200, hf_soft_error_dbfs=-82.0, aliasing_mean_db=-59.5)]) == REFUTED


def test_the_metrics_are_deaf_when_they_prefer_a_dirtier_network():
    better = {"mae": 0.009, "r2": 0.99, "esr": 0.01}
    assert _verdict(4, [_row(20), _row(200, **better, aliasing_mean_db=-58.0)]) == CONFIRMED
    assert _verdict(4, [_row(20), _row(200, **better, aliasing_mean_db=-62.0)]) == REFUTED
    assert _verdict(4, [_row(20), _row(200, mae=0.009, r2=0.99, esr=0.03, aliasing_mean_db=-58.0)]) == UNKNOWN


def test_small_is_enough_when_it_is_nearly_as_good_and_far_cheaper():
    large = _row(structure="2×32/64", esr=0.011, macs_per_sample=800_000)
    assert _verdict(5, [_row(), large]) == CONFIRMED
    assert _verdict(5, [_row(esr=0.03), large]) == REFUTED
    assert _verdict(5, [_row(), {**large, "macs_per_sample": 100_000}]) == REFUTED


def test_inference_has_no_margin_when_a_second_takes_half_a_second():
    assert _verdict(6, [], [_cost(1.01), _cost(None, 0.01)]) == CONFIRMED
    assert _verdict(6, [], [_cost(0.2)]) == REFUTED
    assert _verdict(6, [], [_cost(0.2), _cost(3.0)]) == PARTLY


def test_a_network_has_a_name_in_words():
    assert name_of(_row(1, 20_000)) == "1×16/64, 20,000 frames, 1 epoch"
    assert name_of(_row(60, None, structure="1×16")) == "1×16 streaming, 60 epochs"


def test_every_template_and_plan_of_the_package_is_text():
    folder = Path(__file__).parents[1] / "cli" / "study"
    names = {path.name for path in [*folder.glob("*.j2"), *folder.glob("plans/*.yaml")]}
    assert names == {"study.html.j2", "study.md.j2", "full.yaml", "quick.yaml"}
