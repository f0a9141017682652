"""The comparison with NAM's trainer: both get one network, and a finished cell is never trained again."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from nam_comparison import Cell, Comparison, nam_network, print_rows
from network_choice import best_choices, instructions
from neuralpedal.contract.wavenet_weights import random_wavenet
from neuralpedal.train.exporting.nam_wavenet import flat_weights
from neuralpedal.train.importing.json_node import JsonNode
from neuralpedal.train.importing.nam_wavenet import read_wavenet
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec
from signals import plucks
from training_clock import cpu_seconds, make_clock

RATE_HZ = 48_000


@pytest.mark.parametrize("preset", PRESETS)
def test_what_nams_trainer_is_told_is_the_presets_network(preset: str) -> None:
    spec = preset_spec(preset, RATE_HZ)
    network = nam_network(spec)
    file = {"config": {"layers": network["layers_configs"], "head_scale": network["head_scale"]},
            "weights": flat_weights(random_wavenet(spec, 0)).tolist()}
    assert read_wavenet(JsonNode(Path("told.nam"), file), RATE_HZ).spec == spec


def options(folder: Path) -> argparse.Namespace:
    data = folder / "data"
    data.mkdir()
    for name in ("dry_train", "wet_train", "dry_test", "wet_test"):
        soundfile.write(data / f"{name}.flac", plucks(1.0), RATE_HZ, subtype="PCM_24")
    return argparse.Namespace(out=folder / "out", data=data, nam_python="python", clock="cpu", cores=2, seed=0)


def test_finished_cells_are_kept_and_the_others_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def measure(_: Comparison, cell: Cell) -> dict[str, Any]:
        measured.append(cell)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return {"trainer": cell.trainer, "esr": 0.5}

    monkeypatch.setattr(Comparison, "_measure", measure)
    cells = [Cell("nam", "nano", 3.0), Cell("ours", "nano", 3.0)]
    asked = options(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Comparison(asked).run(cells)
    assert [row["trainer"] for row in Comparison(asked).run(cells)] == ["nam", "ours"]
    assert measured == [cells[0], cells[1], cells[1]]


def test_a_training_whose_judgement_was_interrupted_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, judged = [], []

    class Training:
        returncode = 0

        def __init__(self, command: list[str], **_: Any) -> None:
            trained.append(command)

        def __enter__(self) -> "Training":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def communicate(self) -> tuple[str, None]:
            return 'told before\n{"cpu_s": 7.0}\n', None

    def judge(command: str, *_: object) -> dict[str, float]:
        judged.append(command)
        if len(judged) == 1:
            raise KeyboardInterrupt
        return {"esr": 0.25, "esr_pre_emphasis": 0.5, "mae": 0.125}

    monkeypatch.setattr("subprocess.Popen", Training)
    monkeypatch.setattr("nam_comparison.neuralpedal", judge)
    asked, cells = options(tmp_path), [Cell("ours", "nano", 3.0)]
    with pytest.raises(KeyboardInterrupt):
        Comparison(asked).run(cells)
    row, = Comparison(asked).run(cells)
    assert (row["cpu_s"], row["esr"]) == (7.0, 0.25)
    assert len(trained) == 1 and trained[0][-2:] == ["--network", "nano"]


@pytest.mark.parametrize("other", [{"clock": "wall"}, {"cores": 1}, {"seed": 7}])
def test_a_folder_holds_figures_of_one_clock_one_number_of_cores_and_one_seed(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    asked = options(tmp_path)
    Comparison(asked)
    Comparison(asked)
    with pytest.raises(SystemExit, match=f"{next(iter(other))}.*choose another --out"):
        Comparison(argparse.Namespace(**{**vars(asked), **other}))


def test_both_trainers_read_the_recording_to_the_last_bit(tmp_path: Path) -> None:
    asked = options(tmp_path)
    Comparison(asked)
    wanted, _ = soundfile.read(asked.data / "dry_train.flac")
    found, _ = soundfile.read(asked.out / "dry.wav")
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("ours", "reached"), [(0.001, True), (0.002, True), (0.003, False)])
def test_ours_must_be_no_worse_than_nams_wherever_both_were_trained(
    ours: float, reached: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"trainer": "nam", "network": "nano", "minutes": 3.0, "esr": 0.002},
            {"trainer": "ours", "network": "nano", "minutes": 3.0, "esr": ours},
            {"trainer": "ours", "network": "nano", "minutes": 8.0, "esr": 0.5}]
    assert print_rows(rows, "cpu", 2) is reached
    assert f"{0.002 / ours:.1f}" in capsys.readouterr().out


def test_a_choice_is_what_nothing_else_beats_in_both_error_and_instructions() -> None:
    esr = {"cheap": 0.3, "good": 0.1, "worse": 0.2, "unknown": 0.01, "same": 0.1}
    cost = {"cheap": 1.0, "good": 2.0, "worse": 2.5, "unknown": float("inf"), "same": 2.0}
    assert best_choices(esr, cost) == {"cheap", "good", "same"}


def test_the_instructions_of_a_network_are_those_of_its_leanest_kernel_on_that_target() -> None:
    counts = {"haswell w8, float weights": {"1x16": 3.0}, "haswell w8, int16 weights": {"1x16": 2.0},
              "haswell gru w8, float weights": {"1x16": 1.0}, "haswell wavenet w8, float weights": {"nano": 7.0},
              "cortex-a72 w8, float weights": {"1x16": 5.0}}
    assert instructions("1x16", "haswell", counts) == 2.0
    assert instructions("nano", "haswell", counts) == 7.0
    assert instructions("1x16", "cortex-a72", counts) == 5.0
    assert instructions("nano", "cortex-a72", counts) == float("inf")
    # Emulated counts in docs/firmware.md, within what the estimate allows.
    assert instructions("1x16", "cortex-m7", counts) == pytest.approx(3028, rel=0.05)


def test_the_clock_of_the_cores_counts_work_and_not_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, begun, used = make_clock("cpu", 2), make_clock("cpu", 2)(), cpu_seconds()
    while cpu_seconds() - used < 0.1:
        pass
    assert clock() - begun == pytest.approx((cpu_seconds() - used) / 2, abs=0.02)
    monkeypatch.setattr("os.times", lambda: type("Times", (), {
        "user": 3.0, "system": 1.0, "children_user": 1.5, "children_system": 0.5})())
    assert clock() == 3.0
