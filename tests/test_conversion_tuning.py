"""``convert --finetune``: tunes what needs it, keeps the better file, and says what it did."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.cli.convert_command import print_report
from neuralpedal.cli.file_player import FilePlayer
from neuralpedal.contract.arithmetic import Arithmetic
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import read_manifest
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert import tuning
from neuralpedal.convert.audio_codes import choose_audio_code
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.conversion import ConversionResult, convert
from neuralpedal.convert.hidden_ranges import w8a8_ranges
from neuralpedal.convert.int16_graph import choose_int16_grids
from neuralpedal.convert.scheme_arithmetic import w8a8_arithmetic
from neuralpedal.convert.source import ConversionSource, Take
from neuralpedal.convert.tuning import needs_tuning, tuned_source
from neuralpedal.train.finetuning import Budget, finetune
from signals import plucks

PLAYER = FilePlayer(64, 0.02)


class BatchTuner:
    """The real tuning for some batches instead of minutes; or, spoilt, weights that are worse."""

    minutes = 0.1

    def __init__(self, spoil: bool = False, teacher: str = "float") -> None:
        self.spoil, self.teacher, self.schemes = spoil, teacher, []

    def tune(self, scheme: str, weights: NetworkWeights, arithmetic: Arithmetic, dry: np.ndarray,
             target: np.ndarray) -> NetworkWeights:
        self.schemes.append(scheme)
        if self.spoil:
            return random_weights(weights.spec, seed=99)
        return finetune(weights, arithmetic, dry, target, Budget(batches=10))[0]


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    """A short trial of audio codes, and a network so small that it is near enough must be tuned all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neuralpedal.convert.audio_codes.TRIED_SECONDS", 0.05)
        patch.setitem(tuning.GOOD_ENOUGH_ESR, "w8a8", 1e-5)
        yield


def _source(weights: NetworkWeights) -> ConversionSource:
    def float_model(dry: np.ndarray) -> np.ndarray:
        return np.asarray(open_reference(weights).process(dry), np.float32)

    dry = plucks(0.3, seed=2)
    return ConversionSource("tiny", weights, float_model, plucks(0.8, seed=5), Take(dry, float_model(dry), 0, "plucks"),
                            {"weights_sha256": weights.digest()})


@pytest.fixture(scope="module")
def source() -> ConversionSource:
    return _source(random_weights(make_spec(hidden_size=4, skip=False), seed=1, scale=1.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture(scope="module")
def tuned(source: ConversionSource, folder: Path) -> ConversionResult:
    if not shutil.which("cc"):
        message = "no C compiler (apt install gcc)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return convert(source, ("float32", "w8a8"), folder, PLAYER, tuner=BatchTuner())


def test_a_tuned_file_plays_nearer_to_the_float_model_and_the_report_says_by_how_much(tuned, folder) -> None:
    report = json.loads((folder / "report.json").read_text())
    row = report["schemes"]["w8a8"]
    assert row["esr_float"] == row["finetuned"]["esr_float"] < 0.95 * row["esr_float_post_training"]
    assert row["finetuned"] == {"minutes": 0.1, "teacher": "float", "esr_float": row["esr_float"],
                                "esr_wet": row["esr_wet"], "kept": True}
    assert "finetuned" not in report["schemes"]["float32"]


def test_the_file_is_the_tuned_one_and_its_manifest_says_so(tuned, folder, source) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "report.json", "tiny.float32.tflite", "tiny.w8a8.tflite"]
    manifest = read_manifest(folder / "tiny.w8a8.tflite")
    assert manifest.esr_float == tuned.schemes[1].row["esr_float"]
    assert manifest.provenance["fine_tuned"] == "0.1 minutes in the arithmetic of w8a8, teacher: the float model"
    played = PLAYER.wet(tuned.schemes[1].path, source.take.dry)
    np.testing.assert_array_equal(played, tuned.schemes[1].wet)
    assert "fine_tuned" not in read_manifest(folder / "tiny.float32.tflite").provenance


def test_a_tuning_that_made_it_worse_leaves_the_file_as_it_was(source, tmp_path, capfd) -> None:
    plain = convert(source, ("w8a8",), tmp_path / "plain", PLAYER)
    spoilt = convert(source, ("w8a8",), tmp_path / "spoilt", PLAYER, tuner=BatchTuner(spoil=True))
    files = [(tmp_path / name / "tiny.w8a8.tflite").read_bytes() for name in ("plain", "spoilt")]
    assert files[0] == files[1]
    row = spoilt.report["schemes"]["w8a8"]
    assert row["finetuned"]["kept"] is False
    assert row["esr_float"] == row["esr_float_post_training"] == plain.report["schemes"]["w8a8"]["esr_float"]
    print_report(spoilt.report, tmp_path)
    assert "the file is the one before" in capfd.readouterr().err


def test_the_pedals_own_recording_teaches_where_it_is_asked_to(source, tmp_path: Path) -> None:
    """A pedal that is a little louder than its model: the file comes nearer to it and farther from the model."""
    take, lesson = source.take, 1.15 * source.float_model(source.calibration)
    louder = replace(source, calibration_wet=lesson, take=replace(take, wet=1.15 * take.wet))
    row = convert(louder, ("w8a8",), tmp_path, PLAYER, tuner=BatchTuner(teacher="wet")).report["schemes"]["w8a8"]
    assert row["finetuned"]["teacher"] == "wet" and row["finetuned"]["kept"]
    assert row["esr_wet"] < 0.9 * row["esr_wet_post_training"]
    assert "the pedal's recording" in read_manifest(tmp_path / row["file"]).provenance["fine_tuned"]


def test_a_teacher_that_is_not_there_is_refused_before_anything_is_written(source, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="--finetune-on wet needs the pedal's recording"):
        convert(source, ("w8a8",), tmp_path / "out", PLAYER, tuner=BatchTuner(teacher="wet"))
    with pytest.raises(SpecError, match="not one of float, wet"):
        convert(source, ("w8a8",), tmp_path / "out", PLAYER, tuner=BatchTuner(teacher="x"))
    assert not (tmp_path / "out").exists()


def test_schemes_near_enough_to_the_float_model_are_left_alone() -> None:
    assert needs_tuning("w8a8", 2e-5) and not needs_tuning("w8a8", 5e-6)
    assert needs_tuning("w8", 2e-4) and not needs_tuning("w8a16", 5e-5)
    assert not needs_tuning("float32", 1.0)
    assert needs_tuning("tflm16x8", 2e-3) and not needs_tuning("tflm16x8", 5e-4)


@pytest.mark.parametrize("scheme", ["w8", "w8a16", "tflm16x8", "w8a8"])
def test_a_tuner_is_given_the_schemes_arithmetic_and_the_grids_stay_those_of_the_start(scheme: str, source) -> None:
    given = []

    class Listener(BatchTuner):
        def tune(self, scheme, weights, arithmetic, dry, target):
            given.append((scheme, arithmetic))
            return random_weights(weights.spec, seed=4)

    after = tuned_source(scheme, source, Listener(), source.calibration)
    assert given[0][0] == scheme
    assert given[0][1].weight_scales == ("gate" if scheme in ("w8a8", "tflm16x8") else "channel")
    assert (given[0][1].layers[0].hidden is None) == (scheme == "w8")
    if scheme == "tflm16x8":
        chosen = choose_int16_grids(calibrate(source.weights, source.calibration), source.weights.spec.skip)
        assert after.grids == chosen
        assert given[0][1] == w8a8_arithmetic(chosen, source.weights.spec.skip)
    if scheme == "w8a8":
        chosen = choose_audio_code(source.weights, w8a8_ranges(source.weights, source.calibration),
                                   source.calibration)
        assert after.grids.hidden == chosen.hidden
        assert after.grids.cell_scales == chosen.cell_scales
        assert after.grids.ratio == chosen.ratio
    assert after.weights.digest() != source.weights.digest()


@pytest.mark.parametrize(("scheme", "scales"), [("w8", "channel"), ("w8a16", "channel"), ("w8a8", "gate"),
                                                ("tflm16x8", "gate")])
def test_tuning_begins_where_rounding_ended(scheme: str, scales: str, source) -> None:
    rounded = {name: random_weights(source.weights.spec, seed) for seed, name in enumerate(("channel", "gate"))}
    given = []

    class Listener(BatchTuner):
        def tune(self, scheme, weights, arithmetic, dry, target):
            given.append(weights.digest())
            return weights

    jointly = replace(source, rounding="joint", rounder=lambda weights, scales, *audio: rounded[scales])
    tuned_source(scheme, jointly, Listener(), source.calibration)
    assert given == [rounded[scales].digest()]


def test_frames_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    weights = random_weights(make_spec(family="frame_lstm", frame_samples=8, hidden_size=3), seed=0)
    with pytest.raises(SpecError, match="frame networks are not fine-tuned"):
        convert(_source(weights), ("w8a8",), tmp_path / "out", PLAYER, tuner=BatchTuner())
    assert not (tmp_path / "out").exists()


def test_no_minutes_at_all_are_refused(tmp_path, cli) -> None:
    code, _, err = cli("convert", tmp_path, "--out", tmp_path / "out", "--finetune", "0")
    assert code == 2
    assert "--finetune" in err
