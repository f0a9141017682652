"""The project on the disk and the command around it: whole or not at all, deterministic, clear when it cannot be."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_pedals import Wanted, trying_audio, write_pedal
from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.errors import FirmwareError, OutputError, PedalError, SpecError
from neuralpedal.contract.tflite_file import parse_tflite
from neuralpedal.firmware_bridge.audio_defines import int16_of
from neuralpedal.firmware_bridge.c_identifier import check_identifier, identifier_of
from neuralpedal.firmware_bridge.c_text import float_literal
from neuralpedal.firmware_bridge.code_generation import CodeRequest, generate_code
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.project import read_project, write_project
from signals import plucks

Cli = Callable[..., tuple[int, str, str]]

GOLDEN = Path(__file__).parent / "golden"
MODEL = GOLDEN / "lstm-1x4-skip.w8a16.tflite"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        write_project(MODEL, tmp_path / place / "pedal", golden_s=0.05)
    assert contents(tmp_path / "one" / "pedal") == contents(tmp_path / "two" / "pedal")


def test_generated_files_say_how_to_make_them_again(tmp_path: Path) -> None:
    write_project(MODEL, tmp_path / "pedal", io="int16", golden_s=0.05)
    command = ("neuralpedal firmware lstm-1x4-skip.w8a16.tflite --target host --out pedal --io int16 "
               "--name lstm_1x4_skip")
    for name in ("pedal_model.h", "pedal_model.c", "README.md"):
        assert command in (tmp_path / "pedal" / name).read_text(), name


@pytest.mark.usefixtures("c_compiler")
def test_the_command_writes_a_project_and_verify_proves_it(tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "pedal"
    code, text, _ = cli("firmware", MODEL, "--out", out, "--io", "int16", "--json")
    written = json.loads(text)
    assert code == 0 and set(written["files"]) == set(contents(out))
    code, text, _ = cli("firmware", "verify", out, "--json")
    found = json.loads(text)
    assert code == 0 and found["passed"] and found["max_abs_difference_lsb"] == 0
    assert found["samples"] == 96000 and found["state_bytes"] == written["state_bytes"]
    assert found["table_bytes"] == written["table_bytes"]


@pytest.mark.usefixtures("c_compiler")
def test_verify_plays_a_recording_as_well(tmp_path: Path, cli: Cli) -> None:
    write_project(MODEL, tmp_path / "pedal", golden_s=0.05)
    write_recording(tmp_path / "dry.wav", plucks(0.5), 48000)
    code, text, _ = cli("firmware", "verify", tmp_path / "pedal", "--audio", tmp_path / "dry.wav", "--seconds", "0.25")
    assert code == 0 and "passed" in text and "12000" in text
    write_recording(tmp_path / "slow.wav", plucks(0.1), 44100)
    code, _, err = cli("firmware", "verify", tmp_path / "pedal", "--audio", tmp_path / "slow.wav")
    assert code == 1 and "44100 Hz" in err and "48000 Hz" in err


@pytest.mark.usefixtures("c_compiler")
def test_a_sample_that_differs_fails_the_verification(tmp_path: Path, cli: Cli) -> None:
    write_project(MODEL, tmp_path / "pedal", io="int16", golden_s=0.05)
    golden = tmp_path / "pedal" / "golden_out.bin"
    wet = np.fromfile(golden, "<i2")
    wet[1000] += 3
    wet.tofile(golden)
    code, text, _ = cli("firmware", "verify", tmp_path / "pedal", "--json")
    found = json.loads(text)
    assert code == 1 and not found["passed"]
    assert (found["max_abs_difference_lsb"], found["differing_samples"]) == (3, 1)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "pedal"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"pedal: holds something else \(thesis\.txt\); choose"):
        write_project(MODEL, out, golden_s=0.05)
    assert contents(out) == {"thesis.txt": b"years of work"}
    with pytest.raises(OutputError, match="a file of this name exists"):
        write_project(MODEL, out / "thesis.txt", golden_s=0.05)


def test_a_former_project_is_replaced_unless_something_was_added(tmp_path: Path) -> None:
    out = tmp_path / "pedal"
    write_project(MODEL, out, io="int16", golden_s=0.05)
    write_project(MODEL, out, io="float", golden_s=0.05)
    assert read_project(out).io == "float"
    assert [path.name for path in tmp_path.iterdir()] == ["pedal"]
    (out / "main.cpp").write_text("int main() {}")
    with pytest.raises(OutputError, match=r"main\.cpp"):
        write_project(MODEL, out, golden_s=0.05)


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    out = tmp_path / "pedal"
    write_project(MODEL, out, golden_s=0.05)
    before = contents(out)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_project(MODEL, out, io="int16", golden_s=0.05)
    monkeypatch.undo()
    assert contents(out) == before and [path.name for path in tmp_path.iterdir()] == ["pedal"]


@pytest.mark.parametrize("name", ["3x", "a-b", "", "int", "x" * 64, "é"])
def test_a_name_that_is_no_c_identifier_is_refused(name: str, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("firmware", MODEL, "--out", tmp_path / "pedal", "--name", name)
    assert code == 2 and "not a C identifier" in err
    assert not (tmp_path / "pedal").exists()


@pytest.mark.parametrize(("text", "name"), [("Big Muff '73", "Big_Muff_73"), ("808", "pedal_808"), ("int", "pedal_int"),
                                            ("…", "pedal"), ("SD-1 / hot", "SD_1_hot"), ("x" * 200, "x" * 63)])
def test_a_pedals_name_becomes_an_identifier(text: str, name: str) -> None:
    assert identifier_of(text) == name == check_identifier(identifier_of(text))


def test_a_frame_network_has_no_c(tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("firmware", GOLDEN / "frame_lstm-1x3-of-8.w8.tflite", "--out", tmp_path / "pedal")
    assert code == 1 and "frame_lstm 1×3/8" in err and "streaming LSTMs and GRUs only" in err


def test_a_missing_compiler_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    write_project(MODEL, tmp_path / "pedal", golden_s=0.05)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = cli("firmware", "verify", tmp_path / "pedal")
    assert code == 1 and "none of cc, gcc, clang is installed; apt install gcc" in err


@pytest.mark.usefixtures("c_compiler")
def test_a_compiler_that_fails_is_quoted(tmp_path: Path, cli: Cli) -> None:
    write_project(MODEL, tmp_path / "pedal", golden_s=0.05)
    kernel = tmp_path / "pedal" / "pedal_w8a16.c"
    kernel.write_text(kernel.read_text().replace("pedal_answer(sum, x)", "pedal_tail(sum, x)"))
    code, _, err = cli("firmware", "verify", tmp_path / "pedal")
    assert code == 1 and "failed in" in err and "pedal_tail" in err and "pedal_w8a16.c" in err


@pytest.mark.usefixtures("c_compiler")
def test_c_that_warns_fails(tmp_path: Path, cli: Cli) -> None:
    write_project(MODEL, tmp_path / "pedal", golden_s=0.05)
    kernel = tmp_path / "pedal" / "pedal_w8a16.c"
    kernel.write_text(kernel.read_text() + "\nint pedal_narrow(double x);\nint pedal_narrow(double x) { return x; }\n")
    code, _, err = cli("firmware", "verify", tmp_path / "pedal")
    assert code == 1 and "conversion" in err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1}', '{"format": 1, "files": 3}'])
def test_a_damaged_project_file_is_a_clear_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "project.json").write_text(content)
    with pytest.raises(FirmwareError, match=r"project\.json: not readable"):
        read_project(tmp_path)


def test_a_folder_without_a_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=r"no firmware project there .*neuralpedal firmware MODEL"):
        read_project(tmp_path)


def test_a_project_with_a_file_missing_is_refused(tmp_path: Path) -> None:
    project = write_project(MODEL, tmp_path / "pedal", golden_s=0.05)
    (project.folder / "pedal_dsp.h").unlink()
    with pytest.raises(FirmwareError, match=r"pedal_dsp\.h is missing"):
        read_project(project.folder)


def test_int16_samples_of_a_coarse_fine_pedal_are_within_a_step_of_the_float_players(tmp_path: Path) -> None:
    wanted = Wanted("coarse-fine", 6, input_gain_db=2.5, output_gain_db=-4.0)
    expected = ExpectedAudio(write_pedal(tmp_path / "pedal.tflite", wanted))
    dry = trying_audio(3000)
    wet = expected.play_int16(dry).astype(np.float64)
    expected.reset()
    assert np.max(np.abs(wet - int16_of(expected.play((dry / 32768).astype(np.float32))))) <= 1.0


def test_kernels_of_an_interpreter_belong_to_w8a8_files_only(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="only w8a8 files"):
        write_project(MODEL, tmp_path / "pedal", kernels="tflm")


@pytest.mark.parametrize("value", [0.1, 1.0, -2.5, 1e-30, 3e38, 16777216.0, -0.0])
def test_float_literals_keep_every_bit(value: float) -> None:
    text = float_literal(value)
    assert text.endswith("f") and any(mark in text for mark in ".e")
    assert np.float32(float(text[:-1])).tobytes() == np.float32(value).tobytes()


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize(("scheme", "kernels", "io"), [
    ("w8", None, "float"), ("w8a16", None, "int16"), ("w8a8", "litert", "int16"), ("w8a8", "litert", "float"),
    ("w8a8", "tflm", "int16"), ("coarse-fine", "tflm", "int16"), ("tflm16x8", None, "int16")])
def test_the_header_states_the_bytes_of_the_tables(scheme: str, kernels: str | None, io: str, tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 5, 2))
    project = write_project(model.path, tmp_path / "c", io=io, kernels=kernels, golden_s=0.001)
    run_compiler(["cc", "-std=c99", "-c", "pedal_model.c"], project.folder)
    listed = subprocess.run(["nm", "-S", project.folder / "pedal_model.o"], check=True, capture_output=True, text=True)
    assert sum(int(line.split()[1], 16) for line in listed.stdout.splitlines()) == project.table_bytes


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["lstm-1x4-skip.w8", "lstm-2x3.w8a16", "lstm-2x3.w8a8", "lstm-1x4-skip.coarse-fine.w8a8",
                        "lstm-2x3.tflm16x8"]),
       st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
       st.sampled_from(["float", "int16"]))
def test_a_damaged_file_gives_c_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, name: str,
                                                 damage: list[tuple[float, int]], io: str) -> None:
    data = bytearray((GOLDEN / f"{name}.tflite").read_bytes())
    for place, value in damage:
        data[int(place * len(data))] = value
    try:
        code = generate_code(parse_tflite(Path("damaged.tflite"), bytes(data)), CodeRequest(io, None, "x", "x"))
    except PedalError as error:
        assert str(error)
    else:
        assert code.table_bytes > 0
