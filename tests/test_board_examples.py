"""Board examples compile against stub headers of their libraries, and refuse a model of the wrong kind."""

import re
import subprocess
from pathlib import Path

import pytest

from firmware_pedals import Wanted, need, write_pedal
from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.board_catalog import boards
from neuralpedal.firmware_bridge.board_example import boards_with_example, example_texts, find_example
from neuralpedal.firmware_bridge.project import Project, read_project, write_project
from neuralpedal.firmware_bridge.verification import verify_project

STUBS = Path(__file__).parent / "board_stubs"
GOLDEN = Path(__file__).parent / "golden" / "lstm-1x4-skip.w8a16.tflite"

PROGRAMS = {"daisy-seed": "*.cpp", "teensy-4.1": "*.ino", "pico-2": "*.ino"}
FLAGS = {
    "daisy-seed": ("-std=gnu++14", "-mcpu=cortex-m7", "-mfpu=fpv5-d16"),
    "teensy-4.1": ("-std=gnu++17", "-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-DAUDIO_SAMPLE_RATE_EXACT=48000.0f"),
    "pico-2": ("-std=gnu++17", "-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
}
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")


def compile_example(project: Project, *flags: str) -> subprocess.CompletedProcess[str]:
    """Its output is ``example.o`` beside the project."""
    need("arm-none-eabi-g++")
    assert project.board
    source, own = PROGRAMS[project.board], FLAGS[project.board]
    path = next(project.folder.glob(source))
    return subprocess.run(
        ["arm-none-eabi-g++", "-mthumb", "-mfloat-abi=hard", "-O2", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti",
         *WARNINGS, *own, *flags, f"-I{project.folder}",
         f"-I{STUBS / project.board}", "-x", "c++", "-c", str(path), "-o", str(project.folder.parent / "example.o")],
        capture_output=True, text=True, check=False)


def make(folder: Path, board: str) -> Project:
    write_pedal(folder / "pedal.tflite", Wanted("w8a16", 8))
    return write_project(folder / "pedal.tflite", folder / "my-pedal", board=board, golden_s=0.01)


@pytest.mark.parametrize("board", boards_with_example())
def test_an_example_compiles_and_calls_the_runtime(board: str, tmp_path: Path) -> None:
    done = compile_example(make(tmp_path, board))
    assert done.returncode == 0, done.stderr
    symbols = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "example.o")], capture_output=True, text=True,
                             check=True).stdout
    assert " U pedal_process" in symbols and " U pedal_init" in symbols


@pytest.mark.parametrize("board", boards_with_example())
def test_the_cycle_counter_compiles_in_an_example(board: str, tmp_path: Path) -> None:
    project = make(tmp_path, board)
    path = next(project.folder.glob(PROGRAMS[board]))
    path.write_text(f'#include "pedal_cycles.h"\nvoid measure(void);\nvoid measure(void)\n{{\n    pedal_cycles_start();'
                    f'\n    const uint32_t before = pedal_cycles();\n    while (pedal_cycles() - before < 9u);\n}}\n'
                    f"{path.read_text()}")
    assert compile_example(project).returncode == 0


@pytest.mark.parametrize("board", boards_with_example())
def test_an_example_refuses_samples_of_the_other_type(board: str, tmp_path: Path) -> None:
    project = make(tmp_path, board)
    header, other = project.folder / "pedal_model.h", {"float": 1, "int16": 0}[project.io]
    header.write_text(re.sub(r"#define PEDAL_IO_INT16 .*", f"#define PEDAL_IO_INT16 {other}", header.read_text()))
    done = compile_example(project)
    assert done.returncode and "generate the model with --io" in done.stderr


def test_the_teensy_refuses_a_model_of_another_sample_rate(tmp_path: Path) -> None:
    done = compile_example(make(tmp_path, "teensy-4.1"), "-UAUDIO_SAMPLE_RATE_EXACT")
    assert done.returncode and "plays at another rate" in done.stderr


def test_every_example_is_under_150_lines_and_says_that_it_has_not_run_on_hardware(tmp_path: Path) -> None:
    for board in boards_with_example():
        texts = example_texts(find_example(board)[1], "my-pedal")
        assert sum(len(text.splitlines()) for text in texts.values()) < 250
        assert all(len(text.splitlines()) < 150 for text in texts.values())
        assert any("has not run on hardware" in " ".join(text.split()).replace(" * ", " ") for text in texts.values())


@pytest.mark.parametrize("board", boards_with_example())
def test_a_project_for_a_board_holds_all_that_its_program_needs_and_no_harness(board: str, tmp_path: Path) -> None:
    project = make(tmp_path, board)
    described, example = find_example(board)
    assert (project.board, project.target, project.io) == (board, described.core, example.io)
    assert not [name for name in project.files if name.startswith("harness")]
    assert "pedal_bypass.h" in project.files and read_project(project.folder) == project
    if board != "daisy-seed":
        assert "my-pedal.ino" in project.files
    readme = (project.folder / "README.md").read_text()
    assert f"--board {board}" in readme and "has not run on hardware" in " ".join(readme.split())


def test_a_project_for_a_board_is_verified_on_its_core_and_on_the_host(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm", "cc")
    project = make(tmp_path, "daisy-seed")
    assert verify_project(project.folder).passed
    assert verify_project(project.folder, "host").passed


@pytest.mark.parametrize(("board", "scheme"), [("pico-2", "w8a16"), ("pico-2", "w8"), ("teensy-4.1", "w8a16"),
                                                ("daisy-seed", "w8")])
def test_an_example_that_speaks_the_link_compiles_with_all_its_sources_and_plays(board: str, scheme: str,
                                                                                 tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 8))
    project = write_project(tmp_path / "pedal.tflite", tmp_path / "my-pedal", board=board, golden_s=0.01, link=True)
    done = compile_example(project)
    assert done.returncode == 0, done.stderr
    symbols = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "example.o")], capture_output=True, text=True,
                             check=True).stdout
    assert all(f" U {name}" in symbols for name in ("pedal_process", "pedal_link_init", "pedal_link_receive",
                                                    "pedal_link_play", "pedal_link_footswitch"))
    # All C files of the folder are compiled here, as Arduino does it.
    assert {"pedal_link.c", "pedal_store.c", "pedal_player_float.c", "pedal_float.c"} < set(project.sources)
    assert verify_project(project.folder).passed
    assert "--link" in (project.folder / "README.md").read_text()


def test_a_board_without_such_an_example_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described, example = find_example("teensy-4.1")
    bare = described.model_copy(update={"example": example.model_copy(update={"link_folder": None})})
    found = {**boards(), "teensy-4.1": bare}
    monkeypatch.setattr("neuralpedal.firmware_bridge.board_example.boards", lambda: found)
    monkeypatch.setattr("neuralpedal.firmware_bridge.board_example.find_board", lambda name: found[name])
    with pytest.raises(SpecError, match=r"board teensy-4\.1: has no example that speaks the link; .* have: daisy"):
        write_project(GOLDEN, tmp_path / "out", board="teensy-4.1", link=True)
    with pytest.raises(SpecError, match="give --board as well"):
        write_project(GOLDEN, tmp_path / "out", link=True)


def test_samples_that_the_board_does_not_play_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="the example for daisy-seed plays float samples"):
        write_project(GOLDEN, tmp_path / "out", io="int16", board="daisy-seed")
    with pytest.raises(SpecError, match="board pico: has no example program; these have: daisy-seed"):
        write_project(GOLDEN, tmp_path / "out", board="pico")
    assert not (tmp_path / "out").exists()
