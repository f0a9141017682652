"""Board examples compile against stub headers of their libraries, and refuse a model of the wrong kind."""

import subprocess
from pathlib import Path

import pytest

from firmware_pedals import Wanted, need, write_pedal
from neuralpedal.firmware_bridge.project import write_project

ROOT = Path(__file__).parents[1]
BOARDS, STUBS = ROOT / "firmware_bridge" / "boards", ROOT / "tests" / "board_stubs"

# Example: file, samples, flags of its core and standard.
EXAMPLES = {
    "daisy_seed": ("daisy_pedal.cpp", "float", ("-std=gnu++14", "-mcpu=cortex-m7", "-mfpu=fpv5-d16")),
    "teensy41": ("teensy41.ino", "int16", ("-std=gnu++17", "-mcpu=cortex-m7", "-mfpu=fpv5-d16",
                                           "-DAUDIO_SAMPLE_RATE_EXACT=48000.0f")),
    "pico2": ("pico2.ino", "int16", ("-std=gnu++17", "-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16")),
}
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")


def compile_example(board: str, folder: Path, io: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Its output is ``example.o``."""
    need("arm-none-eabi-g++")
    write_pedal(folder / "pedal.tflite", Wanted("w8a16", 8))
    project = write_project(folder / "pedal.tflite", folder / "project", io=io, golden_s=0.01)
    name, _, own = EXAMPLES[board]
    return subprocess.run(
        ["arm-none-eabi-g++", "-mthumb", "-mfloat-abi=hard", "-O2", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti",
         *WARNINGS, *own, *flags, f"-I{project.folder}", f"-I{BOARDS}", f"-I{STUBS / board}", "-x", "c++", "-c",
         str(BOARDS / board / name), "-o", str(folder / "example.o")], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("board", EXAMPLES)
def test_an_example_compiles_and_calls_the_runtime(board: str, tmp_path: Path) -> None:
    done = compile_example(board, tmp_path, EXAMPLES[board][1])
    assert done.returncode == 0, done.stderr
    symbols = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "example.o")], capture_output=True, text=True,
                             check=True).stdout
    assert " U pedal_process" in symbols and " U pedal_init" in symbols


@pytest.mark.parametrize("board", EXAMPLES)
def test_an_example_refuses_samples_of_the_other_type(board: str, tmp_path: Path) -> None:
    done = compile_example(board, tmp_path, "int16" if EXAMPLES[board][1] == "float" else "float")
    assert done.returncode and "generate the model with --io" in done.stderr


def test_the_teensy_refuses_a_model_of_another_sample_rate(tmp_path: Path) -> None:
    done = compile_example("teensy41", tmp_path, "int16", "-UAUDIO_SAMPLE_RATE_EXACT")
    assert done.returncode and "plays at another rate" in done.stderr


def test_every_example_is_under_150_lines_and_says_that_it_has_not_run_on_hardware() -> None:
    for board, (name, _, _) in EXAMPLES.items():
        texts = [path.read_text() for path in (BOARDS / board).iterdir()] + [(BOARDS / "pedal_bypass.h").read_text()]
        assert sum(len(text.splitlines()) for text in texts) < 200
        assert all(len(text.splitlines()) < 150 for text in texts)
        assert "it has not run on\n" in (BOARDS / board / name).read_text() or \
            "has not run on hardware" in (BOARDS / board / name).read_text()
